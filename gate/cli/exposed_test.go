package cli

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/flashgate/flashgate/gate/cmdline"
)

func TestSecretsOnTheCommandLineAreRefused(t *testing.T) {
	t.Parallel()
	f := func(args, flags, line, files string) {
		t.Helper()
		if flags == "" {
			// a flag that there is none of keeps it from running
			if status, text := said("--nonsense " + args); status != 2 || !strings.Contains(text, "flag --nonsense\n") {
				t.Errorf("flashgate %s: status %d and\n%s", args, status, text)
			}
			return
		}
		want := "flashgate: " + flags + ": whoever lists this machine's processes reads a command line, so no secret " +
			"may stand there. Type instead:\n  " + line
		if files != "" {
			want += "\nor give " + files + " (- is standard input)"
		}
		if status, text := said(args); status != 2 || text != want+"\n" {
			t.Errorf("flashgate %s: status %d and\n%s\nwant\n%s", args, status, text, want)
		}
	}
	f("serve --queue 5", "", "", "")
	f("serve --portone-v2-secret sesame", "--portone-v2-secret", "FLASHGATE_PORTONE_V2_SECRET=... flashgate serve",
		"--portone-v2-secret-file FILE")
	f("serve --signing-key k1:sesame --queue 5", "--signing-key", "FLASHGATE_SIGNING_KEY=... flashgate serve ...",
		"--signing-key-file FILE")
	f("serve --webhook-secret=whsec_sesame --admin-token=kim:sesame=", "--webhook-secret, --admin-token",
		"FLASHGATE_WEBHOOK_SECRET=... FLASHGATE_ADMIN_TOKEN=... flashgate serve",
		"--webhook-secret-file FILE, --admin-token-file FILE")
	f("serve --admin-token kim:sesame --admin-token lee:sesame", "--admin-token",
		"FLASHGATE_ADMIN_TOKEN=... flashgate serve", "--admin-token-file FILE")
	f("sign --signing-key k1: sesame --sale race", "--signing-key", "FLASHGATE_SIGNING_KEY=... flashgate sign ...",
		"--signing-key-file FILE")
	f("--portone-v1-secret sesame audit race", "--portone-v1-secret", "FLASHGATE_PORTONE_V1_SECRET=... flashgate ...",
		"--portone-v1-secret-file FILE")
	f("--signing-key k1:sesame", "--signing-key", "FLASHGATE_SIGNING_KEY=... flashgate", "--signing-key-file FILE")

	const withoutPassword = "--redis without the password and --redis-password-file FILE"
	f("status --redis redis://u:sesame@h race", "--redis", "FLASHGATE_REDIS=... flashgate status ...", withoutPassword)
	f("status --redis=redis://:sesame@h race", "--redis", "FLASHGATE_REDIS=... flashgate status ...", withoutPassword)
	f("archive race --redis redis://u:ses@me/7@h", "--redis", "FLASHGATE_REDIS=... flashgate archive ...",
		withoutPassword)
	f("sign --redis u:sesame@h", "--redis", "FLASHGATE_REDIS=... flashgate sign", withoutPassword)
	f("serve --redis redis+sentinel://h/m?sentinel_password=sesame", "--redis",
		"FLASHGATE_REDIS=... flashgate serve", "")
	for _, address := range []string{
		"redis://h", "redis://u@h", "redis://u:@h", "redis://h:6379/0", "embedded",
		"redis+sentinel://h:1,i:2/m?sentinel_username=s",
	} {
		f("serve --redis "+address, "", "", "")
	}
	f("serve --forward-webhooks https://h/p?token=sesame", "--forward-webhooks",
		"FLASHGATE_FORWARD_WEBHOOKS=... flashgate serve", "")
	f("serve --forward-webhooks https://h/p", "", "", "")

	f("serve --signing-key-file f --redis-password-file f", "", "", "")
	f("serve --admin-read-token", "", "", "")
	f("serve --signing-key= --redis= --queue 5", "", "", "") // that they are empty is said elsewhere
	f("order -- --redis redis://u:sesame@h", "", "", "")
}

// A flag that may be given in a file instead is a secret, and a secret may be. It is
// not in the help, where the file's flag names its variable.
func TestEachSecretHasAVariableAndAFile(t *testing.T) {
	t.Parallel()
	seen := 0
	eachCommand(t, func(line []string, node *kong.Node) {
		flags := map[string]*kong.Flag{}
		for _, flag := range node.Flags {
			flags[flag.Name] = flag
		}
		for name, flag := range flags {
			kind, file := flag.Tag.Get("secret"), flags[name+"-file"]
			if kind != "" && !slices.Contains([]string{"value", "password", "query"}, kind) {
				t.Errorf("flashgate %s --%s is a secret by %q", line, name, kind)
			}
			switch {
			case (kind == "value") != (file != nil):
				t.Errorf("flashgate %s --%s: is all of it a secret? %t. Is there --%s-file? %t", line, name,
					kind == "value", name, file != nil)
			case kind == "password" && flags[name+"-password-file"] == nil:
				t.Errorf("flashgate %s --%s lacks --%s-password-file", line, name, name)
			case kind != "value":
			case !flag.Hidden || !strings.HasSuffix(file.Help, " in "+cmdline.SecretVariable(name)+"."):
				t.Errorf("flashgate %s --%s-file: its help is %q", line, name, file.Help)
			default:
				seen++
			}
		}
	})
	if seen < 10 {
		t.Errorf("%d flags are secrets", seen)
	}
}

// What a process shows of itself to everybody has no secret in it.
func TestARunningGateShowsNoSecret(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows a process's command line in a file")
	}
	const key, token = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "0123456789abcdef-kim"
	gate := startGate(t, "--redis", "embedded", "--signing-key", "k1:"+key, "--admin-token="+token)
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", gate.cmd.Process.Pid))
	if err != nil || !strings.Contains(string(line), "serve") {
		t.Fatalf("%q, %v", line, err)
	}
	_, metrics := gate.ask(t, token, "GET", "/metrics", "")
	_, profile := gate.ask(t, token, "GET", "/debug/pprof/goroutine?debug=2", "")
	status, cmdline := gate.ask(t, token, "GET", "/debug/pprof/cmdline", "")
	if status != 404 {
		t.Errorf("the command line is shown with status %d", status)
	}
	if !strings.Contains(metrics, "flashgate_build_info") || !strings.Contains(profile, "goroutine") {
		t.Errorf("the token does not open the admin listener: %.200s %.200s", metrics, profile)
	}
	shown := map[string]string{
		"the command line": string(line), "the log": gate.stderr.String(), "the metrics": metrics,
		"the goroutines": profile, "cmdline": cmdline,
	}
	for what, text := range shown {
		if strings.Contains(text, key) || strings.Contains(text, token) {
			t.Errorf("%s shows a secret: %s", what, text)
		}
	}
}

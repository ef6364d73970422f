//go:build unix

package cli

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestSecretsAreMovedOutOfTheCommandLine(t *testing.T) {
	t.Parallel()
	f := func(args, wantRest, wantMoved string) {
		t.Helper()
		rest, moved := moveSecrets(strings.Fields(args))
		if got := strings.Join(rest, " "); got != wantRest {
			t.Errorf("%s: left %q, want %q", args, got, wantRest)
		}
		if got := strings.Join(moved, " "); got != wantMoved {
			t.Errorf("%s: moved %q, want %q", args, got, wantMoved)
		}
	}
	f("flashgate serve --queue 5", "flashgate serve --queue 5", "")
	f("flashgate serve --signing-key k1:abc --queue 5", "flashgate serve --queue 5", "FLASHGATE_SIGNING_KEY=k1:abc")
	f("flashgate serve --webhook-secret=whsec_a --admin-token=kim:t=", "flashgate serve", "FLASHGATE_WEBHOOK_SECRET=whsec_a FLASHGATE_ADMIN_TOKEN=kim:t=")
	f("flashgate serve --notify-secret whsec_a,whsec_b", "flashgate serve", "FLASHGATE_NOTIFY_SECRET=whsec_a,whsec_b")
	f("flashgate status --redis redis://u:p@h race", "flashgate status race", "FLASHGATE_REDIS=redis://u:p@h")
	f("flashgate status --redis redis://h race", "flashgate status --redis=redis://h race", "")
	f("flashgate serve --forward-webhooks https://h/p?token=t", "flashgate serve", "FLASHGATE_FORWARD_WEBHOOKS=https://h/p?token=t")
	f("flashgate serve --forward-webhooks https://h/p", "flashgate serve --forward-webhooks=https://h/p", "")
	f("flashgate serve --signing-key-file f", "flashgate serve --signing-key-file f", "")
	f("flashgate serve --admin-read-token", "flashgate serve --admin-read-token", "")
	// Empty ones stay, for who is told of them knows the flag, and no variable.
	f("flashgate serve --signing-key= --redis= --queue 5", "flashgate serve --signing-key= --redis= --queue 5", "")
	f("flashgate order -- --redis redis://u:p@h", "flashgate order -- --redis redis://u:p@h", "")

	environ := []string{"A=1", "FLASHGATE_SIGNING_KEY=old", "B=2"}
	if got := fmt.Sprint(withVariables(environ, []string{"FLASHGATE_SIGNING_KEY=new"})); got != "[A=1 B=2 FLASHGATE_SIGNING_KEY=new]" {
		t.Errorf("got the environment %s", got)
	}
}

// A flag that may be given in a file instead is a secret.
func TestEverySecretFlagIsMoved(t *testing.T) {
	t.Parallel()
	names, seen := map[string]bool{}, 0
	eachFlag(t, func(f *kong.Flag) { names[f.Name] = true })
	for name := range names {
		if !names[name+"-file"] {
			continue
		}
		seen++
		if rest, moved := moveSecrets([]string{"flashgate", "--" + name, "x"}); len(rest) != 1 || len(moved) != 1 {
			t.Errorf("--%s stays on the command line", name)
		}
	}
	if seen < 7 {
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
		"the command line": string(line), "the log": gate.stderr.String(), "the metrics": metrics, "the goroutines": profile, "cmdline": cmdline,
	}
	for what, text := range shown {
		if strings.Contains(text, key) || strings.Contains(text, token) {
			t.Errorf("%s shows a secret: %s", what, text)
		}
	}
}

package cli

import (
	"bytes"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/testkit"
)

// serveNowhere is a gate that starts whenever its settings are taken, and ends at
// once, with status 1, because it cannot listen.
const serveNowhere = "serve --listen 127.0.0.1:none"

// said runs a command line with an environment in this process, and returns its
// exit status and what it wrote to standard error.
func said(line string, environ ...string) (status int, errOut string) {
	var out, said bytes.Buffer
	status = Main(strings.Fields(line), environ, &out, &said, "v0.0.0-test")
	return status, said.String()
}

// eachCommand visits every command with a command line that has all arguments
// that it must have.
func eachCommand(t *testing.T, visit func(line []string, node *kong.Node)) {
	t.Helper()
	for _, node := range newTestParser(t, &commands{}).Model.Children {
		line := []string{node.Name}
		for _, argument := range node.Positional {
			if argument.Required {
				line = append(line, "x")
			}
		}
		visit(line, node)
	}
}

// parseWith reads a command line with an environment.
func parseWith(t *testing.T, environ []string, line ...string) (c commands, warned string, err error) {
	t.Helper()
	var errOut bytes.Buffer
	parser, err := newProgram(environ, &bytes.Buffer{}, &errOut).Parser(&c, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(line)
	return c, errOut.String(), err
}

// The kind of what began it: FLASHGATE_REDIS= started gates on stores of their own,
// and FLASHGATE_ADMIN_LISTEN= opened the admin listener to everybody.
func TestASettingThatIsThereAndEmptyIsRefusedByEveryCommand(t *testing.T) {
	t.Parallel()
	seen := 0
	eachCommand(t, func(line []string, node *kong.Node) {
		for _, value := range []string{"", " \t\n", "\u00a0"} {
			var environ []string
			for _, flag := range node.Flags {
				for _, name := range flag.Envs {
					environ = append(environ, name+"="+value)
				}
			}
			_, warned, err := parseWith(t, environ, line...)
			for _, variable := range environ {
				seen++
				name, _, _ := strings.Cut(variable, "=")
				if err == nil || !strings.Contains(err.Error(), name+" is set and empty") || warned != "" {
					t.Errorf("flashgate %s with %q: %v, %s", line, variable, err, warned)
				}
			}
		}
	})
	if seen < 300 {
		t.Errorf("%d variables", seen)
	}
	status, text := said(serveNowhere, "FLASHGATE_REDIS=")
	for _, way := range []string{
		"in an env file: no such line", "in Compose: its name without a value",
		"in Kubernetes: optional: true",
	} {
		if status != 2 || !strings.Contains(text, way) {
			t.Errorf("%d %s: does not say %s", status, text, way)
		}
	}
}

func TestAFlagThatIsGivenAndEmptyIsRefusedByEveryCommand(t *testing.T) {
	t.Parallel()
	seen := 0
	eachCommand(t, func(line []string, node *kong.Node) {
		var names []string
		for _, flag := range node.Flags {
			target := flag.Target.Type()
			for target.Kind() == reflect.Pointer || target.Kind() == reflect.Slice {
				target = target.Elem()
			}
			if target.Kind() != reflect.String && target != reflect.TypeFor[cmdline.SecretFile]() {
				continue // what is empty is no number, and no time
			}
			names = append(names, flag.Name)
			line = append(line, "--"+flag.Name+"=")
		}
		_, _, err := parseWith(t, nil, line...)
		for _, name := range names {
			seen++
			if err == nil || !strings.Contains(err.Error(), "--"+name+" is given and empty") {
				t.Errorf("flashgate %s: %v", line, err)
			}
		}
	})
	if seen < 100 {
		t.Errorf("%d flags", seen)
	}
}

// A gate that shares its environment with other commands: an empty variable of
// another command keeps serve from starting, and is told by the others.
func TestServeRefusesWhatNothingReadsAndOthersWarn(t *testing.T) {
	t.Parallel()
	f := func(variable, want string) {
		t.Helper()
		if status, text := said(serveNowhere, variable); status != 2 || !strings.Contains(text, want) ||
			strings.Contains(text, "sesame") {
			t.Errorf("serve with %s: %d %s, want %s", variable, status, text, want)
		}
		if status, text := said("version", variable); status != 0 || !strings.Contains(text, "flashgate: warning: ") ||
			!strings.Contains(text, want) || strings.Contains(text, "sesame") {
			t.Errorf("version with %s: %d %s, want %s", variable, status, text, want)
		}
	}
	f("FLASHGATE_SINGING_KEY=sesame",
		"FLASHGATE_SINGING_KEY is the variable of no flag: did you mean FLASHGATE_SIGNING_KEY?")
	f("FLASHGATE_WAIT_REPLICA=1", "did you mean FLASHGATE_WAIT_REPLICAS?")
	f("FLASHGATE_REDIS_URL=sesame", "did you mean FLASHGATE_REDIS")
	f("FLASHGATE_redis=sesame", "FLASHGATE_redis is the variable of no flag")
	f("FLASHGATE_PORT=8080", "FLASHGATE_PORT is the variable of no flag")
	f("FLASHGATE_=", "FLASHGATE_ is the variable of no flag")
	f("FLASHGATE_SIM_LISTEN=", "FLASHGATE_SIM_LISTEN is set and empty")
	for _, variable := range []string{
		"FLASHGATE=bin/flashgate", "FLASHGATES_REDIS=", "MY_FLASHGATE_REDIS=", "PATH=",
		"FLASHGATE_REDIS",
	} {
		if status, text := said("version", variable); status != 0 || text != "" {
			t.Errorf("%s: %d %s", variable, status, text)
		}
	}
	if status, text := said("serve --help", "FLASHGATE_REDIS="); status != 0 || text != "" {
		t.Errorf("the help: %d %s", status, text)
	}
	// All of what is wrong is said at once.
	_, text := said(serveNowhere+" --name=", "FLASHGATE_REDIS=", "FLASHGATE_QUEU=1")
	for _, want := range []string{"--name is given and empty", "FLASHGATE_REDIS is set", "FLASHGATE_QUEU is"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: does not say %s", text, want)
		}
	}
}

// Kubernetes sets variables for each Service in every pod that does not turn that
// off, and a Service for gates is called flashgate.
func TestServiceLinksAreNoSettings(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"FLASHGATE", "FLASHGATE_ADMIN", "FLASHGATE_2"} {
		for _, variable := range []string{
			"_SERVICE_HOST=10.0.0.1", "_SERVICE_PORT=8080", "_SERVICE_PORT_PUBLIC=8080", "_PORT=tcp://10.0.0.1:8080",
			"_PORT_8080_TCP=tcp://10.0.0.1:8080",
			"_PORT_8080_TCP_PROTO=tcp", "_PORT_8080_TCP_PORT=8080", "_PORT_8080_TCP_ADDR=10.0.0.1",
			"_PORT_53_UDP_ADDR=10.0.0.1",
		} {
			if status, text := said("version", service+variable); status != 0 || text != "" {
				t.Errorf("%s: %d %s", service+variable, status, text)
			}
		}
	}
}

func TestValuesOfTheEnvironmentAreTrimmedAndWhatIsNotAllowedIsNamed(t *testing.T) {
	t.Parallel()
	c, _, err := parseWith(t, []string{
		"FLASHGATE_REDIS= embedded\n", "FLASHGATE_NAME=\tgate-1\u00a0", "FLASHGATE_QUEUE= 5 ",
		"FLASHGATE_ALLOW_UNSIGNED=true\r\n", "FLASHGATE_LOG_LEVEL= warn",
		"FLASHGATE_TRUSTED_PROXIES= 10.0.0.0/8 ,\n127.0.0.1 ", "FLASHGATE_ALLOW_FROM=portone, 10.0.0.1",
		"FLASHGATE_GRACE= 2m", "FLASHGATE_CURRENCY= USD ",
		"FLASHGATE_PUBLIC_URL= https://gate.example.com ", "FLASHGATE_PORTONE_V1_KEY= key ",
	}, "serve")
	s := &c.Serve
	if err != nil || s.Redis != "embedded" || s.Name != "gate-1" || s.Queue != 5 || !s.AllowUnsigned ||
		s.LogLevel.String() != "WARN" ||
		!slices.Equal(s.TrustedProxies, []string{"10.0.0.0/8", "127.0.0.1"}) ||
		!slices.Equal(s.AllowFrom, []string{"portone", "10.0.0.1"}) ||
		s.Grace.String() != "2m0s" || s.Currency != "USD" || s.PublicURL != "https://gate.example.com" ||
		s.PortoneV1Key != "key" {
		t.Errorf("%v, got %+v", err, s)
	}

	f := func(line, variable, want string) {
		t.Helper()
		status, text := said(line, variable)
		if status != 2 || !strings.Contains(text, want) || strings.Contains(text, "sesame") {
			t.Errorf("flashgate %s with %q: %d %s, want %s", line, variable, status, text, want)
		}
	}
	f("status", "FLASHGATE_REDIS=redis://u:sesame\u00a0@h", "FLASHGATE_REDIS has U+00A0 at column 17")
	f(serveNowhere, "FLASHGATE_NAME=\ufeffgate-1", "FLASHGATE_NAME has U+FEFF at column 1")
	f(serveNowhere, "FLASHGATE_ADMIN_TOKEN=kim:sesame\u200bsesame", "FLASHGATE_ADMIN_TOKEN has U+200B at column 11")
	f(serveNowhere, "FLASHGATE_SIGNING_KEY=k1:sesame,\nk2:sesame\nsesame",
		"FLASHGATE_SIGNING_KEY has U+000A at column 10")
	f(serveNowhere, "FLASHGATE_SALES=판매\xff.yaml", "FLASHGATE_SALES has the byte 0xFF at column 3")
	f(serveNowhere, "FLASHGATE_QUEUE=many", "FLASHGATE_QUEUE: expected a valid 64 bit int but got \"many\"")
}

// Secrets in files are trimmed too, and a character that no secret has is named.
func TestSecretsInFilesAreTrimmedAndWhatIsNotAllowedIsNamed(t *testing.T) {
	t.Parallel()
	const key, token, hook = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "0123456789abcdef",
		"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODk="
	f := func(flag, text, want string) {
		t.Helper()
		file := testkit.SaleFile(t, text)
		status, said := said(serveNowhere+" --redis embedded --portone-v1-key k --"+flag+"-file "+file,
			"FLASHGATE_PORTONE_V1_SECRET=s")
		if status != 1 || !strings.Contains(said, want) {
			t.Errorf("%s of %q: %d %s, want %s", flag, text, status, said, want)
		}
	}
	for flag, good := range map[string]string{
		"signing-key": "k1:" + key, "admin-token": "kim:" + token, "admin-read-token": token,
		"webhook-secret": hook, "notify-secret": hook, "portone-v2-secret": token,
	} {
		f(flag, " "+good+" \r\n\u00a0", "--listen: ") // it is read, and the next thing is wrong
		f(flag, good+"\u00a0"+good, "U+00A0 at column ")
		f(flag, " \n", "there is nothing in it")
		if flag != "portone-v2-secret" {
			f(flag, good+",\n "+strings.Replace(strings.Replace(good, "k1:", "k2:", 1), "MDE", "MDF", 1)+"x\u00a0", "2")
		}
	}
}

func TestAGateWithASettingOfARealOneWantsARedis(t *testing.T) {
	t.Parallel()
	eachRealSetting := []string{
		"--sales x", "--signing-key k", "--signing-key-file x", "--webhook-secret x", "--webhook-secret-file x",
		"--notify-secret x", "--notify-secret-file x",
		"--admin-token x", "--admin-token-file x", "--admin-read-token x", "--admin-read-token-file x",
		"--admin-tls-cert x --admin-tls-key x",
		"--public-url https://gate.example.com", "--portone-v1-key x", "--portone-v1-secret x",
		"--portone-v1-secret-file x", "--portone-v2-secret x",
		"--portone-v2-secret-file x", "--forward-webhooks https://shop.example.com", "--trusted-proxies 10.0.0.1",
		"--allow-from portone",
		"--admin-listen 0.0.0.0:9090 --admin-token x",
	}
	for _, setting := range eachRealSetting {
		if _, err := parse(t, "serve "+setting); err == nil || !strings.Contains(err.Error(), "say --redis embedded") {
			t.Errorf("serve %s: %v", setting, err)
		}
		if _, err := parse(t, "serve --redis embedded "+setting); err != nil {
			t.Errorf("serve --redis embedded %s: %v", setting, err)
		}
	}
	if _, _, err := parseWith(t, []string{"FLASHGATE_SALES=x"}, "serve"); err == nil ||
		!strings.Contains(err.Error(), "--sales is of a gate that sells") {
		t.Errorf("FLASHGATE_SALES: %v", err)
	}
	for _, look := range []string{
		"", "--language en", "--queue 5", "--listen 127.0.0.1:0 --admin-listen 127.0.0.1:0", "--name x",
		"--log-level debug", "--allow-unsigned",
		"--refusal-log -", "--drain-wait 0s", "--max-connections-per-address 5", "--test-payments", "--first-look 1s",
		"--currency USD",
	} {
		if _, err := parse(t, "serve "+look); err != nil {
			t.Errorf("serve %s: %v", look, err)
		}
	}
	for _, command := range []string{
		"status", "apply -f x", "pause x", "audit x",
		"archive x --to " + t.TempDir() + "/x",
	} {
		if command == "apply -f x" {
			command = "apply -f " + testkit.SaleFile(t, openSale("race", 1))
		}
		if status, text := said(command, "FLASHGATE_REDIS=embedded"); status != 1 ||
			!strings.Contains(text, "--redis embedded: only serve has a store of its own") {
			t.Errorf("%s: %d %s", command, status, text)
		}
	}
}

// The parser reads what it is given, and not what the process was started with.
func TestTheProcesssOwnEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("FLASHGATE_QUEUE", "5")
	t.Setenv("FLASHGATE_REDIS", "")
	t.Setenv("FLASHGATE_LANGUAGE", "fr")
	if c, err := parse(t, "serve"); err != nil || c.Serve.Queue != 16384 || c.Serve.Language != "ko" {
		t.Errorf("%v, %+v", err, c.Serve)
	}
	if _, err := parse(t, "status"); err == nil || !strings.Contains(err.Error(), "missing flags: --redis=URL") {
		t.Errorf("%v", err)
	}
}

// The shell that runs the tests may have the settings of a real gate.
func TestTheShellsSettingsReachNoTest(t *testing.T) {
	if os.Getenv("SHELL_WITH_SETTINGS") != "" {
		for _, variable := range os.Environ() {
			if strings.HasPrefix(variable, cmdline.Prefix) {
				t.Errorf("%s is set", variable)
			}
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "SHELL_WITH_SETTINGS=1", "FLASHGATE_REDIS=", "FLASHGATE_QUEUE=0", "FLASHGATE_=")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}

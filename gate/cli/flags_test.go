package cli

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The rule is said once, in --help: it must hold for every flag, but for those by
// which somebody agrees to a loss, for nobody agrees for good, and for what one buyer
// has told.
func TestEveryFlagHasItsVariable(t *testing.T) {
	t.Parallel()
	seen := 0
	once := []string{
		"open-now", "drop-held", "drop-paid", "archived", "drop-undelivered", "go-on", "yes", "bank",
		"account", "holder", "phone",
	}
	eachFlag(t, func(f *kong.Flag) {
		seen++
		if slices.Contains(once, f.Name) {
			if len(f.Envs) > 0 {
				t.Errorf("--%s has the variables %q", f.Name, f.Envs)
			}
			return
		}
		name := strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if !slices.Contains(f.Envs, "FLASHGATE_"+name) {
			t.Errorf("--%s has the variables %q", f.Name, f.Envs)
		}
	})
	if seen < 20 {
		t.Errorf("%d flags", seen)
	}
}

// parse reads a command line.
func parse(t *testing.T, line string) (c commands, err error) {
	t.Helper()
	_, err = newTestParser(t, &c).Parse(strings.Fields(line))
	return c, err
}

func newTestParser(t *testing.T, c *commands) *kong.Kong {
	t.Helper()
	parser, err := newProgram(nil, &bytes.Buffer{}, &bytes.Buffer{}).Parser(c, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// eachFlag visits the flags of all commands.
func eachFlag(t *testing.T, visit func(*kong.Flag)) {
	t.Helper()
	err := kong.Visit(newTestParser(t, &commands{}).Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && f.Name != "help" {
			visit(f)
		}
		return next(nil)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFlagsThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	f := func(line string, want string) {
		t.Helper()
		_, err := parse(t, line)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("flashgate %s: got %v, want %q", line, err, want)
		}
	}

	for _, flags := range []string{
		"", "--redis redis://r --allow-unsigned", "--redis redis://r --signing-key-file KEY",
		"--redis embedded --signing-key-file KEY", "--redis embedded",
	} {
		f("serve "+flags, "")
	}
	f("serve --redis redis://r", "without a signing key")
	f("serve --allow-unsigned --signing-key-file KEY", "leave one of them out")
	f("serve --allow-unsigned --signing-key k1:YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMDE=", "leave one of them out")
	const redis = "serve --redis redis://r --allow-unsigned "
	f(redis+"--wait-replicas 1", "")
	f(redis+"--wait-replicas=-1", "--wait-replicas -1: must be 0")
	f("serve --wait-replicas 1", "the embedded store has no replicas")
	f("serve --redis-ca CA", "the embedded store has no TLS")
	f("serve --redis-password-file FILE", "the embedded store has no TLS and no password")
	f(redis+"--redis-ca CA", "")
	f(redis+"--redis-timeout 10ms --wait-timeout 1ms", "")
	f(redis+"--redis-timeout 9ms", "must be at least 10ms")
	f(redis+"--wait-replicas 1 --wait-timeout 9ms", "must be at least 10ms")
	f(redis+"--redis-timeout 1166ms", "")
	f(redis+"--redis-timeout 1167ms", "together at most 1.166s")
	f(redis+"--redis-timeout 1100ms --wait-timeout 100ms", "")
	f(redis+"--redis-timeout 1100ms --wait-timeout 100ms --wait-replicas 1", "together at most 1.166s")
	f("serve --queue 1", "")
	f("serve --queue 0", "--queue 0: must be between 1 and 1048576")
	f("serve --queue 1048576", "")
	f("serve --queue 1048577", "must be between 1 and 1048576")
	f("serve --drain-wait 0s", "")
	f("serve --drain-wait=-1s", "must be between 0s and 1h")
	f("serve --drain-wait 61m", "must be between 0s and 1h")
	f("serve --grace=-1s", "--grace")
	f("serve --trusted-proxies nowhere", "trusted-proxies")
	f("serve --redis embedded --trusted-proxies 10.0.0.0/8,0.0.0.0/0", "0.0.0.0/0 is everybody")
	f("serve --redis embedded --trusted-proxies ::/0", "::/0 is everybody")
	f("serve --allow-origin https://shop.example.com,http://localhost:3000", "")
	f("serve --allow-origin *", "")
	f("serve --allow-origin https://shop.example.com/",
		`--allow-origin: "https://shop.example.com/": browsers send it as https://shop.example.com`)
	f("serve --currency USD", "")
	f("serve --currency krw",
		`--currency "krw": must be the ISO 4217 code of a currency in use, in capitals, such as KRW: did you mean KRW?`)
	f("serve --currency CURRENCY_KRW", "did you mean KRW?")
	f("serve --currency HRK", "HRK was replaced by EUR")
	f("serve --currency WON", "must be the ISO 4217 code")
	f("serve --public-url https://:8443", "write it as https://HOST")
	f("serve --public-url https://gate.example.com?", "write it as https://HOST")
	f("serve --public-url https://kim:sesame@gate.example.com", "write it as https://HOST")
	f("serve --forward-webhooks http://:80/", "must be an http or https URL")
	f("serve --name "+strings.Repeat("x", 64), "")
	f("serve --name "+strings.Repeat("x", 65), "must be 1 to 64 bytes")
	f("serve --admin-listen 0.0.0.0:0", "set FLASHGATE_ADMIN_TOKEN")

	f("archive --check FILE", "")
	for _, more := range []string{"swim", "--to FILE", "--remove"} {
		f("archive --check FILE "+more, "stands alone")
	}
	f("archive swim --to FILE --redis redis://r --remove", "")
	for _, line := range []string{
		"archive --to FILE --redis redis://r", "archive swim --redis redis://r",
		"archive swim --to FILE",
	} {
		f(line, "give SALE, --to FILE and --redis URL")
	}

	f("refunds swim --redis redis://r --go-on --yes", "")
	f("refunds swim --redis redis://r --yes", "--yes: give --go-on too")
}

// What is validated stays what was given, so that validating it again says the same.
func TestValidatingChangesNoFlag(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"": host, " --name gate-1": "gate-1"} {
		c, err := parse(t, "serve --redis embedded"+name)
		if err != nil {
			t.Fatal(err)
		}
		before := c.Serve
		if err := c.Serve.Validate(); err != nil || !reflect.DeepEqual(c.Serve, before) ||
			c.Serve.Name != strings.TrimPrefix(name, " --name ") || c.Serve.name() != want {
			t.Errorf("serve%s: %v, %+v, and the name %q", name, err, c.Serve, c.Serve.name())
		}
	}
}

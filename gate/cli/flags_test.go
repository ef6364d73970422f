package cli

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// The rule is said once, in --help: it must hold for every flag, but for those by
// which somebody agrees to a loss, for nobody agrees for good, and for what one buyer
// has told.
func TestEveryFlagHasItsVariable(t *testing.T) {
	t.Parallel()
	seen := 0
	once := []string{"open-now", "drop-held", "drop-paid", "archived", "drop-undelivered", "go-on", "yes", "bank", "account", "holder", "phone"}
	eachFlag(t, func(f *kong.Flag) {
		seen++
		if slices.Contains(once, f.Name) {
			if len(f.Envs) > 0 {
				t.Errorf("--%s has the variables %q", f.Name, f.Envs)
			}
			return
		}
		name := strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		// The simulator's are its own: what is set for a gate must not reach it.
		if !slices.Contains(f.Envs, "FLASHGATE_"+name) && !slices.Contains(f.Envs, "FLASHGATE_SIM_"+name) {
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

	for _, flags := range []string{"", "--redis redis://r --allow-unsigned", "--redis redis://r --signing-key-file KEY", "--redis embedded --signing-key-file KEY", "--redis embedded"} {
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
	f("serve --currency USD", "")
	f("serve --currency krw", `--currency "krw": must be the ISO 4217 code of a currency in use, in capitals, such as KRW: did you mean KRW?`)
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
	for _, line := range []string{"archive --to FILE --redis redis://r", "archive swim --redis redis://r", "archive swim --to FILE"} {
		f(line, "give SALE, --to FILE and --redis URL")
	}

	f("refunds swim --redis redis://r --go-on --yes", "")
	f("refunds swim --redis redis://r --yes", "--yes: give --go-on too")

	f("demo --tickets 1 --buyers 1 --gates 1 --declines 0", "")
	f("demo --tickets 1000000000 --buyers 1000000 --gates 16 --declines 1", "")
	for _, flags := range []string{"--tickets 0", "--tickets 1000000001", "--buyers 0", "--buyers 1000001"} {
		f("demo "+flags, "--tickets must be between 1 and 1000000000, --buyers between 1 and 1000000")
	}
	f("demo --gates 0", "between 1 and 16")
	f("demo --gates 17", "between 1 and 16")
	for _, share := range []string{"-0.1", "1.1", "NaN"} {
		f("demo --declines="+share, "must be a share from 0 to 1")
	}
	f("demo --rate 0", "rate")

	const load = "loadtest --target http://g --sale s "
	f(load+"--max-in-flight 1 --lookups 1 --timeout 1ms --within 1ms --tolerate 1 --settle 0s", "")
	f(load+"--max-in-flight 0", "must be at least 1")
	f(load+"--lookups 0", "must be at least 1")
	f(load+"--pay http://p", "give --admin too")
	f(load+"--pay http://p --admin http://a", "")
	f(load+"--settle=-1s --admin http://a", "must not be negative")
	f(load+"--settle 1s", "needs --admin")
	f(load+"--settle 1s --admin http://a", "")
	f(load+"--timeout 0s", "must be more than 0")
	f(load+"--within 0s", "must be more than 0")
	for _, share := range []string{"-0.1", "1.1", "NaN"} {
		f(load+"--tolerate="+share, "must be a share from 0 to 1")
	}

	f("portone-sim", "")
	f("portone-sim --confirm-timeout 0s", "--confirm-timeout 0s: must be more than 0")
	f("portone-sim --declines 1.1", "--declines 1.1: must be a share from 0 to 1")
	f("portone-sim --shop 127.0.0.1:0 --shop-refuses 0.2 --shop-hangs 0.1 --shop-down-for 3s", "")
	f("portone-sim --shop 127.0.0.1:0 --shop-refuses 1.1", "--shop-refuses 1.1: must be a share from 0 to 1")
	f("portone-sim --shop 127.0.0.1:0 --shop-secret x", "the shop's secret must be whsec_ and base64")
	f("portone-sim --shop-hangs 0.1", "--shop: give the address")
}

func TestWhoIsPaidSettlesWithinTwoMinutesUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	f := func(flags string, want time.Duration) {
		t.Helper()
		c, err := parse(t, "loadtest --target http://g --sale s --admin http://a "+flags)
		if got := c.Loadtest.Settle; err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", flags, got, err, want)
		}
	}
	f("", 0)
	f("--settle 3s", 3*time.Second)
	f("--pay http://p", 2*time.Minute)
	f("--pay http://p --settle 3s", 3*time.Second)
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
		if err := c.Serve.Validate(); err != nil || !reflect.DeepEqual(c.Serve, before) || c.Serve.Name != strings.TrimPrefix(name, " --name ") || c.Serve.name() != want {
			t.Errorf("serve%s: %v, %+v, and the name %q", name, err, c.Serve, c.Serve.name())
		}
	}
}

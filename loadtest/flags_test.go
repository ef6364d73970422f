package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/flashgate/flashgate/gate/pagetest"
)

// parse reads a command line.
func parse(t *testing.T, line string) (c commands, err error) {
	t.Helper()
	_, err = newTestParser(t, &c).Parse(strings.Fields(line))
	return c, err
}

func newTestParser(t *testing.T, c *commands) *kong.Kong {
	t.Helper()
	parser, err := newProgram(nil, io.Discard, io.Discard).Parser(c, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// The rule is said once, in --help: it must hold for every flag. The simulator has
// variables of its own where a gate has flags of the same name: what is set for a gate
// must not reach it.
func TestEveryFlagHasItsVariable(t *testing.T) {
	t.Parallel()
	seen := 0
	err := kong.Visit(newTestParser(t, &commands{}).Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && f.Name != "help" {
			seen++
			name := strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			if !slices.Contains(f.Envs, "FLASHGATE_"+name) && !slices.Contains(f.Envs, "FLASHGATE_SIM_"+name) {
				t.Errorf("--%s has the variables %q", f.Name, f.Envs)
			}
		}
		return next(nil)
	})
	if err != nil || seen < 80 {
		t.Errorf("%d flags, %v", seen, err)
	}
}

// The page says of each command what --help says.
func TestThePageHasEachCommand(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"command", "what it does"}}
	for _, node := range newTestParser(t, &commands{}).Model.Leaves(true) {
		rows = append(rows, []string{"`" + node.Path() + "`", node.Help})
	}
	pagetest.Generated(t, "docs/rehearse.md", "commands", rows)
}

func TestFlagsThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	f := func(line string, want string) {
		t.Helper()
		_, err := parse(t, line)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("flashgate-loadtest %s: got %v, want %q", line, err, want)
		}
	}

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

	const load = "launch --target http://g --sale s "
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
		c, err := parse(t, "launch --target http://g --sale s --admin http://a "+flags)
		if got := c.Launch.settle(); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", flags, got, err, want)
		}
	}
	f("", 0)
	f("--settle 3s", 3*time.Second)
	f("--pay http://p", 2*time.Minute)
	f("--pay http://p --settle 3s", 3*time.Second)
}

package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The rule is said once, in --help: it must hold for every flag.
func TestEveryFlagHasItsVariable(t *testing.T) {
	t.Parallel()
	seen := 0
	eachFlag(t, func(f *kong.Flag) {
		seen++
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

// eachFlag visits the flags of all commands.
func eachFlag(t *testing.T, visit func(*kong.Flag)) {
	t.Helper()
	var c commands
	parser, err := newParser(&c, &environment{out: &bytes.Buffer{}, err: &bytes.Buffer{}}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && f.Name != "help" {
			visit(f)
		}
		return next(nil)
	})
	if err != nil {
		t.Fatal(err)
	}
}

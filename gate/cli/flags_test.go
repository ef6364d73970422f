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
	var c commands
	parser, err := newParser(&c, &environment{out: &bytes.Buffer{}, err: &bytes.Buffer{}}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && f.Name != "help" {
			seen++
			name := strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			// The simulator's are its own: what is set for a gate must not reach it.
			if !slices.Contains(f.Envs, "FLASHGATE_"+name) && !slices.Contains(f.Envs, "FLASHGATE_SIM_"+name) {
				t.Errorf("--%s has the variables %q", f.Name, f.Envs)
			}
		}
		return next(nil)
	})
	if err != nil || seen < 20 {
		t.Errorf("%d flags, %v", seen, err)
	}
}

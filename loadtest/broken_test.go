package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/testkit"
)

// The program is built with a script that lacks what keeps the promise. The
// rehearsal must see it, on a gate that is real otherwise.
func TestARehearsalOfABrokenGateFails(t *testing.T) {
	t.Parallel()
	f := func(what, line, instead, begins, want string) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			gate := startGateOf(t, buildBroken(t, "luascripts/confirm.lua", line, instead),
				"--redis", "embedded", "--sales", testkit.SaleFile(t, rehearsedSale), "--signing-key", rehearsalKey)
			status, out, errOut := rehearse(t, "--target", "http://"+gate.listen, "--admin", "http://"+gate.admin,
				"--sale", "race",
				"--signing-key", rehearsalKey, "--rate", "300", "--demand", "200", "--buyers", "100", "--duplicates",
				"0.5", "--within", "10s", "--timeout", "30s")
			if status != 1 || !regexp.MustCompile("^"+begins).MatchString(out) || !strings.HasSuffix(out, "\nFAIL\n") ||
				!strings.Contains(out, want) || !strings.Contains(errOut, "the rehearsal failed") {
				t.Errorf("status %d, want %q first and %q\n%s%s", status, begins, want, out, errOut)
			}
		})
	}
	f("oversells", "if short then return 'S' end", "", `1\d\d of 100 sold, [1-9]\d* oversold\n`, "units of 60")
	f("forgets", "has_repeats and newest[id] or records[i], nil", "nil, nil", `\d+ of 100 sold, \d+ oversold\n`,
		"was told 200 and then sold_out")
}

// buildBroken builds the program with one line of one file changed.
func buildBroken(t *testing.T, file, line, instead string) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil || strings.Count(string(text), line) != 1 {
		t.Fatalf("%s does not have %q once, %v", file, line, err)
	}
	dir := t.TempDir()
	broken, overlay, program := filepath.Join(dir, "broken"), filepath.Join(dir, "overlay.json"),
		filepath.Join(dir, "flashgate")
	replaced, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, file): broken}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte(strings.Replace(string(text), line, instead, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, replaced, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", program, ".")
	cmd.Dir = root
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building it: %v\n%s", err, said)
	}
	return program
}

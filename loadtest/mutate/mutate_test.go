package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// texts returns what the mutants take out.
func texts(mutants []*mutant) (texts []string) {
	for _, m := range mutants {
		texts = append(texts, m.scope+": "+m.text)
	}
	return texts
}

func wantTexts(t *testing.T, mutants []*mutant, want ...string) {
	t.Helper()
	if got := texts(mutants); !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

const checked = `package p

func (t *T) f(a, b, c bool, n int) bool {
	if a && (b ||
		c) {
		return true
	}
	if b {
		n++
	}
	switch {
	case n > 1, a:
		n = 0
	default:
	}
	switch n {
	case 2:
	}
	return a && b && c
}

func g(a bool) {
	if a {
		panic("a")
	}
}
`

func TestEveryCheckOfGoIsSwitched(t *testing.T) {
	t.Parallel()
	b := &build{overlay: map[string]string{}, pkg: "p"}
	mutants, err := goMutants(b, "p/p.go", []byte(checked), nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	wantTexts(
		t, mutants,
		"T.f: a && (b || c)", "T.f: a of a && (b || c)", "T.f: (b || c) of a && (b || c)", "T.f: b of b || c",
		"T.f: c of b || c",
		"T.f: n > 1", "T.f: a",
		"T.f: c of a && b && c", "T.f: a of a && b && c", "T.f: b of a && b && c",
		"g: a",
	)
	for _, want := range []string{
		"if mutantKept(11) && ((!mutantKept(12) || (a)) && (!mutantKept(13) || (((mutantKept(14) && (b)) " +
			"||\n\t\t(mutantKept(15) && (c)))))) {",
		"\tif b {\n",
		"case mutantKept(16) && (n > 1), mutantKept(17) && (a):",
		"return (!mutantKept(19) || (a)) && (!mutantKept(20) || (b)) && (!mutantKept(18) || (c))",
	} {
		if !strings.Contains(b.overlay["p/p.go"], want) {
			t.Errorf("%s\nis not in\n%s", want, b.overlay["p/p.go"])
		}
	}
	if first := mutants[0]; first.line != 4 || first.number != 11 || first.key() != "p/p.go: T.f: a && (b || c)" {
		t.Errorf("got line %d, number %d, key %q", first.line, first.number, first.key())
	}
	if !strings.HasPrefix(b.overlay["p/"+switchFile], "package p\n") {
		t.Errorf("got the switch %q", b.overlay["p/"+switchFile])
	}

	only, err := goMutants(&build{overlay: map[string]string{}}, "p/p.go", []byte(checked), []string{"g"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	wantTexts(t, only, "g: a")
}

func TestEveryConditionOfLuaIsTakenOut(t *testing.T) {
	t.Parallel()
	const source = `-- if this and that then
local a = x and 'A' or y and (z or 'B')
local function f(n) -- or not
  if n < 1 and (a or b) then return 'X' end
  return g(a or b) and 'Y' or 'Z', n
end
if a then c = a or b end
`
	mutants := luaMutants("l/s.lua", source)
	wantTexts(
		t, mutants,
		"script: x and 'A' of x and 'A' or y and (z or 'B')", "script: x of x and 'A'", "script: 'A' of x and 'A'",
		"script: y and (z or 'B') of x and 'A' or y and (z or 'B')", "script: y of y and (z or 'B')",
		"script: (z or 'B') of y and (z or 'B')", "script: z of z or 'B'", "script: 'B' of z or 'B'",
		"f: n < 1 and (a or b)", "f: n < 1 of n < 1 and (a or b)", "f: (a or b) of n < 1 and (a or b)",
		"f: a of a or b", "f: b of a or b",
		"f: g(a or b) and 'Y' of g(a or b) and 'Y' or 'Z'", "f: g(a or b) of g(a or b) and 'Y'",
		"f: 'Y' of g(a or b) and 'Y'",
		"f: 'Z' of g(a or b) and 'Y' or 'Z'",
		"script: a", "script: a of a or b", "script: b of a or b",
	)
	f := func(i int, old, instead string) {
		t.Helper()
		want := strings.Replace(source, old, instead, 1)
		if got := mutants[i].build.overlay["l/s.lua"]; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", mutants[i], got, want)
		}
	}
	f(0, "x and 'A'", "false")
	f(1, "x and", "true and")
	f(8, "n < 1 and (a or b)", "false")
	f(11, "(a or b) then", "(false or b) then")
	f(16, "or 'Z', n", "or false, n")
}

func TestAcceptedMutantsHaveAReason(t *testing.T) {
	t.Parallel()
	got, err := parseAccepted("# why\n\np/p.go: f: a: b of c\n\tnothing can\n\ttell\n\np/p.go: T.g: d\n\tso\n")
	if err != nil || len(got) != 2 || got["p/p.go: f: a: b of c"] != "nothing can tell" ||
		got["p/p.go: T.g: d"] != "so" {
		t.Errorf("got %q, %v", got, err)
	}
	f := func(text, want string) {
		t.Helper()
		if got, err := parseAccepted(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want %s", text, got, err, want)
		}
	}
	f("p/p.go: f: a\n", "has no reason")
	f("\tso\n", "accepted.txt:1")
	f("p/p.go f\n\tso\n", "accepted.txt:1")
	f("p/p.go: f: a\n\tso\np/p.go: f: a\n\tso\n", "is there twice")
	if _, err := parseAccepted(acceptedText); err != nil {
		t.Error(err)
	}
}

// In Valid, one check and one operand are missed by no test.
const valid = `func Valid(n, limit int) bool {
	if n < 0 {
		return false
	}
	if n > 100 {
		return false
	}
	return limit > 0 && n <= limit
}
`

// littleRunner returns a runner for a module of one package with this code.
func littleRunner(t *testing.T, code string) *runner {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/little\n\ngo 1.26\n",
		"p/p.go": "package p\n\n" + code,
		"p/p_test.go": `package p

import "testing"

func TestValid(t *testing.T) {
	if !Valid(7, 10) || Valid(-1, 10) || Valid(11, 10) {
		t.Error("wrong")
	}
}
`,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &runner{root: root, module: "example.com/little", jobs: 2, timeout: time.Minute}
}

func TestASurvivorIsListedAndFailsTheRun(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds packages")
	}
	const limit, hundred = "p/p.go: Valid: limit > 0 of limit > 0 && n <= limit", "p/p.go: Valid: n > 100"
	f := func(code, file string, accepted []string, wantErr string, want ...string) {
		t.Helper()
		r := littleRunner(t, code)
		r.accepted = map[string]string{}
		for _, key := range accepted {
			r.accepted[key] = "for this test"
		}
		var out bytes.Buffer
		err := r.run(t.Context(),
			[]target{{pkg: "p", stages: []stage{{pkg: "p"}, {pkg: "p", run: "Valid"}}}}, file, &out)
		if wantErr == "" && err != nil || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("got %v, want %q", err, wantErr)
		}
		for _, line := range want {
			if !strings.Contains(out.String(), line+"\n") {
				t.Errorf("%s\nis not in\n%s", line, &out)
			}
		}
	}
	f(valid, "", nil, "2 survived",
		"4 mutants: 2 killed, 0 of them by hanging; 0 accepted; 2 survived", "  p/p.go:7: Valid: n > 100",
		"  p/p.go:10: Valid: limit > 0 of limit > 0 && n <= limit")
	f(valid, "p.go", []string{limit, hundred}, "", "4 mutants: 2 killed, 0 of them by hanging; 2 accepted; 0 survived")
	f(valid, "", []string{limit, hundred, "p/p.go: Valid: n > 99"},
		`"p/p.go: Valid: n > 99", but there is no such condition`)
	f(valid, "", []string{limit, hundred, "q/q.go: Valid: n > 99"}, "")
	f(strings.Replace(valid, "n < 0", "n < -1", 1), "", nil, "fail before anything is taken out")
	f("func Valid() {}\n\nfunc check(a bool) bool { return a && a }\n", "", nil, "building the tests of p")
}

func TestAMutantThatHangsIsKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a package")
	}
	r := littleRunner(t, "func Valid(n, limit int) bool {\n\tfor {\n\t}\n}\n")
	w, err := newWorker(r, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &mutant{build: &build{}}
	if _, err := w.try(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	r.timeout = time.Second
	if got, err := w.try(t.Context(), m, []stage{{pkg: "p"}}); err != nil || got != hung {
		t.Errorf("got %s, %v", got, err)
	}
}

package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/flashgate/flashgate"

// room is a package of ours and those of ours that it may import. Names are
// paths below the module, "." is the program itself.
type room struct {
	name    string
	imports []string
}

// house is every package of ours, from the ground up. Beyond its arrows, a
// package's tests may import whatever lies on a lower floor.
func house() [][]room {
	return [][]room{
		{
			{"loadtest/chance", nil},
			{"loadtest/schemas", nil},
			{"gate/redistest", nil},
			{"gate/pagetest", nil},
		},
		{
			{"gate/testkit", []string{"gate/redistest"}},
		},
		{
			{"loadtest/portonesim", []string{"loadtest/chance"}},
			{"loadtest/standin", []string{"loadtest/chance"}},
		},
		{
			{"loadtest/simtest", []string{"loadtest/portonesim"}},
		},
		{
			{"gate", nil},
			{"luascripts", nil},
		},
		{
			{"gate/store", []string{"luascripts", "gate"}},
			{"gate/portone", []string{"gate"}},
			{"gate/shop", []string{"gate"}},
			{"gate/mirror", []string{"gate"}},
			{"gate/cmdline", []string{"gate"}},
			{"loadtest/bench", []string{"gate/store", "gate"}},
			{"loadtest/launch", []string{"loadtest/chance", "gate"}},
			{"loadtest/mutate", nil},
		},
		{
			{"gate/lane", []string{"gate/mirror", "gate"}},
			{"gate/settle", []string{"gate/portone", "gate"}},
			{"gate/audit", []string{"gate/portone", "gate"}},
		},
		{
			{"gate/web", []string{"gate/lane", "gate/settle", "gate/portone", "gate/shop", "gate"}},
		},
		{
			{"gate/cli", []string{
				"gate/web", "gate/settle", "gate/audit", "gate/lane", "gate/mirror", "gate/store", "gate/portone",
				"gate/shop", "gate/cmdline", "gate",
			}},
		},
		{
			{".", []string{"gate/cli"}},
			{"loadtest", []string{
				"loadtest/bench", "loadtest/launch", "loadtest/portonesim", "loadtest/standin", "loadtest/chance",
				"gate/cli", "gate/web", "gate/lane", "gate/store", "gate/cmdline", "gate",
			}},
			{"deploy", nil},
		},
	}
}

// listed is a package as `go list -json` prints it.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestImportsFollowTheArrows(t *testing.T) {
	packages, err := list()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		for _, fault := range faults(p) {
			t.Error(fault)
		}
	}
	for _, fault := range unused(house(), packages) {
		t.Error(fault)
	}
}

// What settles, audits and asks builds on gate without a metric or a breaker to carry.
func TestTheDomainIsOnTheStandardLibraryAlone(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}",
		"./gate").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Fields(string(out)), []string{importPath("gate")}; !slices.Equal(got, want) {
		t.Errorf("gate rests on %q", got)
	}
}

func TestTopLevelFoldersAreTheOnesAgreed(t *testing.T) {
	agreed := []string{"gate", "luascripts", "loadtest", "deploy", "docs", "bin", "testdata"}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() && !strings.HasPrefix(name, ".") && !slices.Contains(agreed, name) {
			t.Errorf("folder %s is not one of the top-level folders %v: what is new goes below one of them", name,
				agreed)
		}
	}
}

func TestFaultsAreFound(t *testing.T) {
	ours := func(names ...string) []string {
		for i, name := range names {
			names[i] = importPath(name)
		}
		return names
	}
	for _, test := range []struct {
		what string
		p    listed
		want int
	}{
		{"an arrow", listed{"gate/store", ours("gate", "luascripts"), nil, nil}, 0},
		{"others' packages", listed{"gate", []string{"context", module + "x/gate"}, nil, nil}, 0},
		{"against an arrow", listed{"gate", ours("gate/store"), nil, nil}, 1},
		{"across a floor", listed{"gate/portone", ours("gate/shop"), ours("gate/shop"), nil}, 2},
		{"past an arrow", listed{"gate/web", ours("gate/store"), nil, nil}, 1},
		{"a lower floor in tests", listed{"gate/web", nil, ours("gate/store"), ours("gate/web", "gate/redistest")}, 0},
		{"a higher floor in tests", listed{"gate/store", nil, ours("gate/web"), ours("gate/cli")}, 2},
		{"test servers outside of tests", listed{"gate/cli", ours("gate/redistest"), nil, nil}, 1},
		{"the program", listed{".", ours("gate/cli", "gate/web"), nil, nil}, 1},
		{"a package unknown", listed{"gate/attic", nil, nil, nil}, 1},
		{"an import unknown", listed{"gate/cli", ours("gate/attic"), ours("gate/attic"), nil}, 2},
	} {
		test.p.ImportPath = importPath(test.p.ImportPath)
		if got := faults(test.p); len(got) != test.want {
			t.Errorf("%s: %d faults %q, want %d", test.what, len(got), got, test.want)
		}
	}
}

func TestRoomsAndArrowsThatNobodyUsesAreFound(t *testing.T) {
	rooms := [][]room{{{"gate", nil}, {"luascripts", nil}}, {{"gate/store", []string{"gate", "luascripts"}}}}
	for _, test := range []struct {
		what  string
		store []string // what gate/store imports
		none  string   // a package that is not there
		want  int
	}{
		{"all are used", []string{importPath("gate"), importPath("luascripts")}, "", 0},
		{"an arrow is not", []string{importPath("gate"), "context"}, "", 1},
		{"a room is not", []string{importPath("gate"), importPath("luascripts")}, "luascripts", 1},
	} {
		var packages []listed
		for _, p := range []listed{
			{ImportPath: importPath("gate")},
			{ImportPath: importPath("luascripts")},
			{ImportPath: importPath("gate/store"), Imports: test.store},
		} {
			if p.ImportPath != importPath(test.none) {
				packages = append(packages, p)
			}
		}
		if got := unused(rooms, packages); len(got) != test.want {
			t.Errorf("%s: %q, want %d", test.what, got, test.want)
		}
	}
}

// list returns every package of ours.
func list() ([]listed, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", "list", "-buildvcs=false", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, err
		}
		packages = append(packages, p)
	}
}

// faults says what a package imports that it should not.
func faults(p listed) []string {
	name, _ := roomName(p.ImportPath)
	var below []string
	for _, floor := range house() {
		at := slices.IndexFunc(floor, func(r room) bool { return r.name == name })
		if at < 0 {
			for _, r := range floor {
				below = append(below, r.name)
			}
			continue
		}
		allowed := floor[at].imports
		return slices.Concat(
			strangers(name, p.Imports, allowed),
			strangers(name+"'s test", p.TestImports, append(below, name)),
			strangers(name+"'s test", p.XTestImports, append(below, name)),
		)
	}
	return []string{name + " has no place yet: give it one in house() in arrows_test.go, and in the design " +
		"in gate/doc.go"}
}

// unused says which rooms of a house are no packages, and which arrows no package uses.
func unused(house [][]room, packages []listed) (faults []string) {
	imports := map[string][]string{}
	for _, p := range packages {
		imports[p.ImportPath] = append([]string{}, p.Imports...)
	}
	for _, r := range slices.Concat(house...) {
		used, there := imports[importPath(r.name)]
		if !there {
			faults = append(faults, r.name+" is no package any more: take it out of house() in arrows_test.go")
			continue
		}
		for _, arrow := range r.imports {
			if !slices.Contains(used, importPath(arrow)) {
				faults = append(faults,
					r.name+" does not import "+arrow+" any more: take the arrow out of house() in arrows_test.go")
			}
		}
	}
	return faults
}

// strangers says which of the imports are ours and not allowed.
func strangers(who string, imports, allowed []string) (faults []string) {
	for _, path := range imports {
		name, ours := roomName(path)
		if ours && !slices.Contains(allowed, name) {
			faults = append(faults, who+" imports "+name+", against the arrows in house() in arrows_test.go")
		}
	}
	return faults
}

// roomName returns the path of a package of ours below the module.
func roomName(importPath string) (name string, ours bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func importPath(name string) string {
	if name == "." {
		return module
	}
	return module + "/" + name
}

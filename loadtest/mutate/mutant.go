package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is the source with one check taken out, or with one operand of a
// condition.
type mutant struct {
	file   string // path below the module
	line   int
	scope  string // the function
	text   string // the condition, or "OPERAND of CONDITION"
	build  *build
	number int // among those of its build; 0 is the source as it is
}

// key names the mutant in accepted.txt.
func (m *mutant) key() string { return m.file + ": " + m.scope + ": " + m.text }

func (m *mutant) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", m.file, m.line, m.scope, m.text)
}

// build is one state of the source that tests are built from.
type build struct {
	overlay map[string]string // what stands in place of files, by their paths below the module
	pkg     string            // whose switch chooses one of many mutants; empty where the overlay is one
}

// mutants returns one that has nothing taken out, and all of the target that are
// in the named file, or in any.
func (t *target) mutants(root, file string) (original *mutant, mutants []*mutant, err error) {
	paths, err := filepath.Glob(filepath.Join(root, t.pkg, "*"))
	if err != nil {
		return nil, nil, err
	}
	goBuild := &build{overlay: map[string]string{}, pkg: t.pkg}
	original = &mutant{build: goBuild}
	for _, path := range paths {
		name := filepath.Base(path)
		chosen := (file == "" || name == file) && (t.files == nil || slices.Contains(t.files, name))
		isGo := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
		isLua := strings.HasSuffix(name, ".lua")
		if !chosen || !isGo && !isLua {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		below := t.pkg + "/" + name
		if isLua {
			mutants = append(mutants, luaMutants(below, string(source))...)
			continue
		}
		found, err := goMutants(goBuild, below, source, t.only, len(mutants))
		if err != nil {
			return nil, nil, err
		}
		mutants = append(mutants, found...)
	}
	return original, mutants, nil
}

// oneLine returns source code as one line.
func oneLine(source string) string { return strings.Join(strings.Fields(source), " ") }

package main_test

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is how wide a line of Go may be, where a tab is four columns.
const maxColumns = 120

// A line is only wider where a raw string is on it: a struct tag, or a text that
// other programs read, cannot be broken.
func TestNoLineIsWiderThan120Columns(t *testing.T) {
	t.Parallel()
	for _, path := range goFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range wideLines(text) {
			t.Errorf("%s:%d is wider than %d columns: break it at a comma or an operator", path, line, maxColumns)
		}
	}
}

func TestOnlyALineWithARawStringMayBeWide(t *testing.T) {
	t.Parallel()
	word := strings.Repeat("x", 110)
	for _, test := range []struct {
		name, text string
		wide       int
	}{
		{"a narrow one", "var a = \"" + word + "\"", 0},
		{"a string", "var a = \"x" + word + "\"", 1},
		{"a comment", "// xxxxxxxx" + word, 1},
		{"tabs count four", "\t\t// xxx" + word, 1},
		{"two bytes of one column", "// xxxxx" + word[:100] + "매진매진매진", 0},
		{"a raw string", "var a = `x" + word + "`", 0},
		{"inside a raw string", "var a = `\nxxxxxxxxxxx" + word + "\n`", 0},
		{"after a raw string", "var a = `\n`\n\n// xxxxxxxx" + word, 1},
	} {
		if got := wideLines([]byte("package p\n\n" + test.text + "\n")); len(got) != test.wide {
			t.Errorf("%s: lines %v are wide, want %d", test.name, got, test.wide)
		}
	}
}

func goFiles(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && strings.HasPrefix(entry.Name(), "."), entry.Name() == "node_modules":
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go"):
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// wideLines returns the numbers of the lines that are too wide, from 1.
func wideLines(text []byte) (wide []int) {
	raw := rawLines(text)
	for i, line := range strings.Split(string(text), "\n") {
		columns := utf8.RuneCountInString(line) + 3*strings.Count(line, "\t")
		if columns > maxColumns && !raw[i+1] {
			wide = append(wide, i+1)
		}
	}
	return wide
}

// rawLines returns the numbers of the lines that hold some of a raw string.
func rawLines(text []byte) map[int]bool {
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok == token.STRING && literal[0] == '`' {
			first := file.Line(pos)
			for i := range strings.Count(literal, "\n") + 1 {
				lines[first+i] = true
			}
		}
	}
}

// Package pagetest compares tables of the pages in docs/ with the code that they tell
// about, in tests. A table stands between two comments of its page, which a reader
// does not see:
//
//	<!-- begin NAME -->
//	<!-- end NAME -->
//
// A table whose words all stand in the code is generated. It is written anew by
//
//	make pages
package pagetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Generated compares the page's table with the one that the rows make, the first of
// which are its headings. With WRITE_PAGES=1 in the environment it writes the table.
// A page is named by its path from the root of the repository.
func Generated(t *testing.T, page, name string, rows [][]string) {
	t.Helper()
	before, table, after := cut(t, page, name)
	want := markdown(rows)
	if table == want {
		return
	}
	if os.Getenv("WRITE_PAGES") == "" {
		t.Errorf("the table %s in %s is not what the code says; write it anew by 'make pages'. It should be\n%s",
			name, page, want)
		return
	}
	if err := os.WriteFile(path(t, page), []byte(before+want+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Rows returns the cells of the page's table without its headings.
func Rows(t *testing.T, page, name string) (rows [][]string) {
	t.Helper()
	_, table, _ := cut(t, page, name)
	lines := strings.Split(strings.Trim(table, "\n"), "\n")
	if len(lines) < 3 {
		t.Fatalf("the table %s in %s has no rows", name, page)
	}
	for _, line := range lines[2:] {
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), " | ") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	return rows
}

// Quoted returns what stands between back quotes in a cell.
func Quoted(cell string) (words []string) {
	for i, part := range strings.Split(cell, "`") {
		if i%2 == 1 {
			words = append(words, part)
		}
	}
	return words
}

// markdown lays the rows out as a table.
func markdown(rows [][]string) string {
	var table strings.Builder
	table.WriteString("\n")
	for i, row := range rows {
		for j, cell := range row {
			row[j] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(&table, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			table.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return strings.ReplaceAll(table.String(), "|  |", "| |") + "\n"
}

// cut returns what stands before, in and behind the page's table.
func cut(t *testing.T, page, name string) (before, table, after string) {
	t.Helper()
	text, err := os.ReadFile(path(t, page))
	if err != nil {
		t.Fatal(err)
	}
	begin, end := fmt.Sprintf("<!-- begin %s -->\n", name), fmt.Sprintf("<!-- end %s -->\n", name)
	before, rest, begun := strings.Cut(string(text), begin)
	table, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("%s has no %sand %s", page, begin, end)
	}
	return before + begin, table, end + after
}

// path returns where the page is. Tests run in the folder of their package.
func path(t *testing.T, page string) string {
	t.Helper()
	for dir := "."; len(dir) < 64; dir = filepath.Join(dir, "..") {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, filepath.FromSlash(page))
		}
	}
	t.Fatal("no go.mod in the folders above: where is the repository?")
	return ""
}

package main_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

const readmeLines = 200 // at most; what is longer goes into docs/

// A link that leads nowhere is found when it is written, not by who follows it.
func TestLinksBetweenPagesLeadSomewhere(t *testing.T) {
	repository := os.DirFS(".")
	pages := 0
	for _, name := range texts(t, repository) {
		if path.Ext(name) == ".md" {
			pages++
		}
		for _, link := range links(name, read(t, repository, name)) {
			if fault := follow(repository, link); fault != "" {
				t.Errorf("%s: %s", name, fault)
			}
		}
	}
	if pages < 10 {
		t.Errorf("%d pages were read: are they elsewhere now?", pages)
	}
}

// A page that the README does not name is a page that nobody finds.
func TestTheReadmeIsShortAndNamesEachPage(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(readme), "\n"); n > readmeLines {
		t.Errorf("README.md has %d lines, more than %d: move what only some readers want to a page in docs/",
			n, readmeLines)
	}
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages in docs/, %v", len(pages), err)
	}
	for _, page := range pages {
		if !strings.Contains(string(readme), "("+filepath.ToSlash(page)) {
			t.Errorf("README.md has no link to %s", page)
		}
	}
}

func TestLinksThatLeadNowhereAreFound(t *testing.T) {
	const page = "# Of a *sale*\n\n```sh\n# no heading\n```\n## `ask`: yes or no?\n## Twice\n## Twice\n"
	dir := t.TempDir()
	for name, text := range map[string]string{"README.md": "", "docs/a.md": page, "main.go": ""} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, text string
		faults     int
	}{
		{"README.md", "[a](docs/a.md), [b](docs/a.md#of-a-sale), [c](docs), [d](https://example.com/gone)", 0},
		{"README.md", "[a](docs/a.md#ask-yes-or-no) [b](docs/a.md#twice) [c](docs/a.md#twice-1)", 0},
		{"README.md", "[a](docs/b.md)", 1},
		{"README.md", "[a](docs/a.md#no-heading)", 1},
		{"README.md", "[a\nb](docs/a.md#twice-2)", 1},
		{"README.md", "[a](main.go#twice)", 1},
		{"docs/a.md", "[a](#twice) [b](../README.md) [c](a.md#twice)", 0},
		{"docs/a.md", "[a](#thrice) [b](README.md)", 2},
		{"docs/a.md", "```\nx[0](y)\n```\n`x[0](y)`", 0},
		{"main.go", "// see docs/a.md#twice, https://example.com/docs/b.md, and docs/a.md.", 0},
		{"main.go", `"see docs/a.md#thrice, or deploy/b.md"`, 2},
	} {
		var got []string
		for _, link := range links(test.name, test.text) {
			if fault := follow(os.DirFS(dir), link); fault != "" {
				got = append(got, fault)
			}
		}
		if len(got) != test.faults {
			t.Errorf("%q in %s: %q, want %d", test.text, test.name, got, test.faults)
		}
	}
}

// texts returns the files of the repository that people read.
func texts(t *testing.T, repository fs.FS) (names []string) {
	t.Helper()
	others := []string{".git", ".claude", "bin", "node_modules", "testdata"}
	kinds := []string{
		".md", ".go", ".lua", ".sh", ".yaml", ".yml", ".cfg", ".conf", ".json", ".service",
		".example", "",
	}
	err := fs.WalkDir(repository, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(others, entry.Name()):
			return fs.SkipDir
		case entry.Type().IsRegular() && slices.Contains(kinds, path.Ext(name)) && name != "pages_test.go":
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func read(t *testing.T, repository fs.FS, name string) string {
	t.Helper()
	text, err := fs.ReadFile(repository, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	inPage    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	elsewhere = regexp.MustCompile(`(?:^|[^\w./-])((?:docs|deploy)/[\w-]+\.md(?:#[\w-]+)?)`)
	fence     = regexp.MustCompile("(?ms)^\\s*```.*?^\\s*```\\s*?$")
	code      = regexp.MustCompile("`[^`\n]*`")
	heading   = regexp.MustCompile(`(?m)^#{1,6} +(.*?)\s*$`)
)

// links returns what a text links to, as paths from the root of the repository with
// their anchors. A page links as Markdown does; other files name a page by its path.
func links(name, text string) (found []string) {
	if path.Ext(name) != ".md" {
		for _, m := range elsewhere.FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
		return found
	}
	text = code.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
	for _, m := range inPage.FindAllStringSubmatch(text, -1) {
		target, anchor, _ := strings.Cut(m[1], "#")
		switch {
		case strings.Contains(target, ":"): // another site
			continue
		case target == "":
			target = name
		default:
			target = path.Join(path.Dir(name), target)
		}
		if anchor != "" {
			target += "#" + anchor
		}
		found = append(found, target)
	}
	return found
}

// follow says what is wrong with a link, or nothing.
func follow(repository fs.FS, link string) string {
	target, anchor, _ := strings.Cut(link, "#")
	if _, err := fs.Stat(repository, target); err != nil {
		return fmt.Sprintf("the link to %s leads nowhere: %v", link, err)
	}
	if anchor == "" {
		return ""
	}
	text, err := fs.ReadFile(repository, target)
	if err != nil || !slices.Contains(anchors(string(text)), anchor) {
		return fmt.Sprintf("the link to %s names a heading that is not there", link)
	}
	return ""
}

// anchors returns what GitHub calls the headings of a page.
func anchors(page string) (names []string) {
	seen := map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		seen[name]++
		if n := seen[name]; n > 1 {
			name = fmt.Sprintf("%s-%d", name, n-1)
		}
		names = append(names, name)
	}
	return names
}

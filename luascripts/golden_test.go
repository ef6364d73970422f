package luascripts_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files from what redis-server answers")

// A golden file is a list of cases, each on an empty server:
//
//	== what the case shows
//	redis COMMAND KEY …              seeds something
//	SCRIPT name=value … SKU:STOCK …  calls a script; see scripts() and defaults()
//	  ORDER ATTEMPT BUYER LINES AMOUNT [asking] [n] [k]   and, of a batch, each confirm
//	= what was answered, and whether that left every key as it was
//	= at the end of the case, all that the server holds
//
// Keys go by their last names, ␟, ␞ and ␝ are the separators of a record, and #
// starts a comment.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	onEach(t, func(t *testing.T, s *server) {
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".txt")
			t.Run(name, func(t *testing.T) { playFile(t, s, name, file) })
		}
	})
}

// playFile plays a file's cases. What differs fails the test, unless the file
// is to be rewritten from this server.
func playFile(t *testing.T, s *server, name, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := *update && s.kind == "redis"
	cases := strings.Split(string(text), "\n== ")
	for i, want := range cases[1:] {
		title, _, _ := strings.Cut(want, "\n")
		t.Run(title, func(t *testing.T) {
			got := (&player{t, s, name}).play(want)
			if !rewrite && got != want {
				t.Error(firstDifference(got, want))
			}
			cases[i+1] = got
		})
	}
	if rewrite {
		if err := os.WriteFile(file, []byte(strings.Join(cases, "\n== ")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// player plays the cases of a file on one server. The sale's name differs from
// file to file, so that in a Cluster they lie on different nodes.
type player struct {
	t      *testing.T
	server *server
	sale   string
}

// approximate is how Lua writes a number that has too many digits for it.
var approximate = regexp.MustCompile(`\d\.\d+e\+\d\d`)

// play runs a case on the empty server and returns it as it should be.
func (p *player) play(text string) string {
	p.server.clear(p.t)
	var out []string
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, "= ") {
			continue // written anew
		}
		out = append(out, line)
		if i == 0 || line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var batch []string
		for ; i+1 < len(lines) && strings.HasPrefix(lines[i+1], "  "); i++ {
			batch = append(batch, lines[i+1])
			out = append(out, lines[i+1])
		}
		if said := p.do(line, batch); said != "" {
			out = append(out, "= "+said)
		}
	}
	for _, line := range p.server.dump(p.t, p.sale) {
		if approximate.MatchString(line) {
			p.t.Errorf("a number is not whole: %s", readable(line))
		}
		out = append(out, "= "+readable(line))
	}
	return strings.Join(out, "\n") + "\n"
}

// do runs one line and returns what is to be written below it.
func (p *player) do(line string, batch []string) string {
	p.t.Helper()
	if command, ok := strings.CutPrefix(line, "redis "); ok {
		p.seed(strings.Fields(command))
		return ""
	}
	c, err := parseCall(line, batch)
	if err != nil {
		p.t.Fatal(err)
	}
	keys := make([]string, len(c.keys))
	for i, name := range c.keys {
		keys[i] = fullName(p.sale, name)
	}
	before := p.server.dump(p.t, p.sale)
	reply, err := p.server.call(p.t, c.script, keys, c.args)
	said := readable(spell(reply))
	if err != nil {
		said = "error: " + kindOf(err)
	}
	if slices.Equal(before, p.server.dump(p.t, p.sale)) {
		said += " (nothing written)"
	}
	return said
}

func (p *player) seed(words []string) {
	p.t.Helper()
	args := make([]any, len(words))
	for i, word := range words {
		if i == 1 {
			word = fullName(p.sale, word)
		}
		args[i] = strings.NewReplacer("␟", "\x1f", "␞", "\x1e", "␝", "\x1d").Replace(word)
	}
	if err := p.server.admin.Do(p.t.Context(), args...).Err(); err != nil {
		p.t.Fatalf("%v: %v", words, err)
	}
}

func readable(s string) string {
	return strings.NewReplacer("\x1f", "␟", "\x1e", "␞", "\x1d", "␝").Replace(s)
}

// spell writes a reply in words. The fields of a sale have no order in Redis,
// so a list of them within the reply is sorted.
func spell(reply any) string {
	list, ok := reply.([]any)
	if !ok {
		return fmt.Sprint(reply)
	}
	words := make([]string, len(list))
	for i, item := range list {
		words[i] = fmt.Sprint(item)
		if fields, ok := item.([]any); ok && len(fields) > 0 && isNumber(fields[0]) {
			words[i] = fmt.Sprint(fields)
		} else if ok {
			var sorted []string
			for f := 0; f+1 < len(fields); f += 2 {
				sorted = append(sorted, fmt.Sprintf("%v=%v", fields[f], fields[f+1]))
			}
			slices.Sort(sorted)
			words[i] = fmt.Sprintf("%q", sorted)
		}
	}
	return strings.Join(words, " ")
}

func isNumber(v any) bool {
	_, ok := v.(int64)
	return ok
}

// kindOf tells errors apart by what servers word alike.
func kindOf(err error) string {
	for _, kind := range []string{"WRONGTYPE", "OOM", "equal or smaller"} {
		if strings.Contains(err.Error(), kind) {
			return kind
		}
	}
	return err.Error()
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d of the case:\n got %s\nwant %s", i+1, g[i],
				strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""))
		}
	}
	return fmt.Sprintf("the case ends early:\nwant %s", strings.Join(w[len(g):], "\n     "))
}

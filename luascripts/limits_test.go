package luascripts_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The bounds of package gate, which this package does not know.
const (
	maxBatch = 256
	maxLines = 20
	maxSKUs  = 1000
)

// say calls a script as a golden file does and returns its reply.
func say(t *testing.T, s *server, line string, batch ...string) string {
	t.Helper()
	return (&player{t, s, "limits"}).do(line, batch)
}

// long makes a name as long as one may be.
func long(kind string, i int) string {
	name := fmt.Sprintf("%s%d-", kind, i)
	return name + strings.Repeat("x", 64-len(name))
}

func TestTheLargestSaleTakesTheLargestBatch(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		create, configure := "create now=900 per_buyer=20", "configure now=3000 version=1 per_buyer=20"
		for i := range maxSKUs {
			create += fmt.Sprintf(" %s:6", long("old", i))
			configure += fmt.Sprintf(" %s:7", long("old", i))
		}
		if got := say(t, s, create); got != "created 1" {
			t.Fatal(got)
		}
		var batch []string
		for i := range maxBatch {
			var lines []string
			for l := range maxLines {
				lines = append(lines, long("old", (i*maxLines+l)%maxSKUs)+":1")
			}
			slices.Sort(lines)
			batch = append(batch, fmt.Sprintf("%s %s %s %s 1000000000000",
				long("order", i), long("attempt", i), long("buyer", i), strings.Join(lines, ",")))
		}
		want := strings.Repeat("H", maxBatch) + " 2000 2"
		if got := say(t, s, "confirm now=2000", batch...); got != want {
			t.Fatalf("first: got %s", got)
		}
		if got := say(t, s, "confirm now=2100", batch...); got != strings.Replace(want, "2000 2", "2100 3", 1) {
			t.Fatalf("again: got %s", got)
		}
		if got := say(t, s, configure); got != "done 4 2" {
			t.Fatal(got)
		}
		sale := s.dump(t, "limits")[0]
		held := strings.Count(sale, "=7,2,5,0,0")*5 + strings.Count(sale, "=7,1,6,0,0")*6
		if held != maxBatch*maxLines {
			t.Errorf("%d units are held, want %d", held, maxBatch*maxLines)
		}
	})
}

func TestTheLargestSaleChangesAllItsSKUs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		create, configure := "create now=900", "configure now=1000 version=1"
		for i := range maxSKUs {
			create += fmt.Sprintf(" old%d:1", i)
			configure += fmt.Sprintf(" new%d:1", i)
		}
		if got := say(t, s, create); got != "created 1" {
			t.Fatal(got)
		}
		if got := say(t, s, configure); got != "done 2 2" {
			t.Fatal(got)
		}
		sale := s.dump(t, "limits")[0]
		if old, fresh := strings.Count(sale, "sku:old"), strings.Count(sale, "sku:new"); old != 0 || fresh != maxSKUs {
			t.Errorf("there are %d old and %d new SKUs, want 0 and %d", old, fresh, maxSKUs)
		}
	})
}

func TestAFullRedisChangesNothing(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	say(t, s, "create now=900 full:10")
	held := "o1 a1 ann full:1 -"
	say(t, s, "confirm now=2000", held)
	if err := s.admin.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ line, batch string }{
		{"confirm now=2100", "o2 a2 bob full:1 -"},
		{"confirm now=2100", held},
		{"create now=2100 run=2 drop=1 full:20", ""},
		{"configure now=2100 version=1 full:20", ""},
		{"delete now=2100 drop=1", ""},
		{"touch now=2100", ""},
	} {
		if got := say(t, s, test.line, test.batch); got != "error: OOM (nothing written)" {
			t.Errorf("%s: got %s", test.line, got)
		}
	}
	if got := say(t, s, "confirm now=2100", "o2 a2 bob full:10 -"); got != "S 2100 2 (nothing written)" {
		t.Errorf("a refusal needs no memory: got %s", got)
	}
}

func TestWithoutATimeScriptsUseTheServersOwn(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		before := time.Now().Add(-time.Minute).UnixMilli()
		say(t, s, fmt.Sprintf("create now= opens=%d closes=%d full:10", before, before+3_600_000))
		said := say(t, s, "confirm now=", "o1 a1 ann full:1 -")
		var verdict string
		var now, seq int64
		if _, err := fmt.Sscan(said, &verdict, &now, &seq); err != nil || verdict != "H" || seq != 2 {
			t.Fatalf("got %s", said)
		}
		if passed := time.Since(time.UnixMilli(now)); passed < -time.Second || passed > time.Minute {
			t.Errorf("the script's time is %v ago", passed)
		}
		future := now + 600_000
		say(t, s, fmt.Sprintf("touch now=%d", future))
		if got, want := say(t, s, "confirm now=", "o2 a2 ann full:1 -"), fmt.Sprintf("H %d 3", future); got != want {
			t.Errorf("with a latest time in the future: got %s, want %s", got, want)
		}
	})
}

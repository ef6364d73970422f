package luascripts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
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
		letters := strings.Repeat("H", maxBatch)
		if got := say(t, s, "confirm now=2000", batch...); got != letters+" 2000 2 500 []" {
			t.Fatalf("first: got %s", got)
		}
		if got := say(t, s, "confirm now=2200", batch...); !strings.HasPrefix(got, letters+" 2200 3 500 [1 1H␟2␟") {
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

// fill leaves a Redis no memory at all.
func fill(t *testing.T, s *server) {
	t.Helper()
	if err := s.admin.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
}

func TestAFullRedisTakesNothingMore(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	say(t, s, "create now=900 full:10")
	held := "o1 a1 ann full:1 -"
	say(t, s, "confirm now=2000", held)
	fill(t, s)
	for _, test := range []struct{ line, batch string }{
		{"confirm now=2100", "o2 a2 bob full:1 -"},
		{"confirm now=2100", "o1 a2 ann full:1 -"},
		{"confirm now=2100", "o1 a1 ann full:1 3000"},
		{"confirm now=2400", held}, // which would move the deadline
		{"create now=2100 run=2 drop=held full:20", ""},
		{"configure now=2100 version=1 full:20", ""},
		{"configure now=2100 version=1 full:10 half:0", ""},
	} {
		if got := say(t, s, test.line, test.batch); got != "error: OOM (nothing written)" {
			t.Errorf("%s: got %s", test.line, got)
		}
	}
	if got := say(t, s, "confirm now=2100", "o2 a2 bob full:10 -"); got != "S 2100 2 500 [] (nothing written)" {
		t.Errorf("a refusal needs no memory: got %s", got)
	}
}

// What frees, ends or takes nothing goes on: who stands before a full Redis can
// pause, settle what is held, and delete.
func TestAFullRedisLetsOrdersEndAndSalesBePausedAndDeleted(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	say(t, s, "create now=900 full:10 half:5")
	say(t, s, "confirm now=2000", "o1 a1 ann full:1 -", "o2 a2 bob full:2 -")
	say(t, s, "lease now=2000 what=claim token=A")
	fill(t, s)
	for _, test := range []struct{ line, batch, want string }{
		{"confirm now=2100", "o1 a1 ann full:1 -", "H 2100 2 500 [1 1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟500␟]"},
		{"touch now=2110", "", "1"},
		{"configure now=2120 version=1 kind=pause paused=1 full:10 half:5", "", "done 3 2"},
		{"configure now=2130 version=2 kind=resume full:10 half:5", "", "done 4 3"},
		{"configure now=2140 version=3 full:9", "", "done 5 4"},
		{"claim now=2150", "", "2150 0 [0 seq:2] [0] [0] [0] [0] [0] [0]"},
		{"unfold now=2150 n=2", "o1 o2 seq:2", "2150 2"},
		{"hasten now=2150 order=o1", "", "1"},
		{"keep now=2150", "o:o1", "2150"},
		{"aside now=2150", "o:o2 odd", "2150 1"},
		{"retry now=2150", "", "1"},
		{"look now=2150", "o1 o2", "2 0 (nothing written)"},
		{
			"settle kind=settle now=2160",
			"o1 1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟500␟ 1R␟2␟ann␟full:1␟␟␟F1a1␟2000␟␟ - 60", "D 2160 6",
		},
		{
			"settle kind=report now=2170",
			"o2 1H␟1␟bob␟full:2␟␟␟O1a2␟2000␟500␟ 1P␟2␟bob␟full:2␟␟␟P1a2␟2000␟␟ - -", "D 2170 7",
		},
		{"lease now=2180 what=keep token=A", "position 7", "held 2180 1 7 0 []"},
		{"delete now=2190 drop=held,paid=1", "", "deleted 8"},
	} {
		if got := say(t, s, test.line, test.batch); got != test.want {
			t.Errorf("%s: got %s, want %s", test.line, got, test.want)
		}
	}
	for _, line := range s.dump(t, "limits") {
		if key, _, _ := strings.Cut(line, " "); key != "sale" && key != "ledger" {
			t.Errorf("deleted, and there is %s", line)
		}
	}
	s.clear(t)
	if got := say(t, s, "forget now=2200"); got != "forgotten 1" {
		t.Errorf("of a sale that is missing: got %s", got)
	}
}

// A link that is sent again and again: what it writes does not grow.
func TestRepeatsFillNoMemory(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	for _, attempts := range []int{1, 8} {
		s.clear(t)
		say(t, s, "create now=900 hold=300000 closes=9000000 full:10")
		for i := range attempts {
			say(t, s, fmt.Sprintf("confirm now=%d", 2000+i),
				fmt.Sprintf("ORD20261201000137 imp_44828009063%d user-4711 full:1 80000", i))
		}
		before := s.memory(t)
		const repeats = 2000 // in a quarter of the hold
		for i := range repeats {
			now := 2008 + int64(i)*74_000/repeats
			if got, want := say(t, s, fmt.Sprintf("confirm now=%d", now),
				"ORD20261201000137 imp_448280090630 user-4711 full:1 80000"),
				fmt.Sprintf("H %d %d", now, attempts+1); !strings.HasPrefix(got, want) {
				t.Fatalf("repeat %d: got %s, want %s", i, got, want)
			}
		}
		if after := s.memory(t); after != before {
			t.Errorf("with %d attempts, %d repeats took %d bytes", attempts, repeats, after-before)
		}
	}
}

// memory is what the keys of the sale take.
func (s *server) memory(t *testing.T) (bytes int64) {
	t.Helper()
	for _, name := range keyNames() {
		n, err := s.admin.MemoryUsage(t.Context(), fullName("limits", name), 0).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
		bytes += n
	}
	return bytes
}

func TestScriptsUseTheServersOwnClock(t *testing.T) {
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
		ahead := now + 30_000
		say(t, s, fmt.Sprintf("touch now=%d", ahead))
		if got, want := say(t, s, "confirm now=", "o2 a2 ann full:1 -"),
			fmt.Sprintf("H %d 3 500 []", ahead); got != want {
			t.Errorf("with a latest time just ahead: got %s, want %s", got, want)
		}
		say(t, s, fmt.Sprintf("touch now=%d", now+600_000))
		said = say(t, s, "confirm now=", "o3 a3 ann full:1 -")
		if _, err := fmt.Sscan(said, &verdict, &now, &seq); err != nil || verdict != "H" ||
			time.Since(time.UnixMilli(now)).Abs() > time.Minute {
			t.Errorf("with a latest time far ahead, of which neither clock knows: got %s", said)
		}
	})
}

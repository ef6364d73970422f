package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flashgate/flashgate/gate/redistest"
)

// TestMain makes this test binary the servers of floor and peer too, and the
// client of the open-loop parts, which run as processes of their own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == serveWord || os.Args[1] == clientWord) {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestEverySubjectAndPartIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	redistest.Require(t, "redis-server")
	redistest.Require(t, "wrk")
	results := filepath.Join(t.TempDir(), "RESULTS.md")
	only := strings.Join(append(subjectNames(), partBurst, partHalf, partGrowth), ",")
	args := "--rounds 1 --duration 1s --connections 16 --connecting kept --burst 200 --orders 1000,2000 --json --results " + results + " --only " + only
	var out, progress bytes.Buffer
	if err := run(t.Context(), strings.Fields(args), &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Loads {
		for _, s := range subjects() {
			f := c.Rounds[0][s.name]
			if f.Rate == 0 || f.P50 == 0 || f.P999 < f.P99 || f.ServerCPU == 0 {
				t.Errorf("%s, %s: got %+v", c.Title, s.name, f)
			}
			if stores := s.orders != nil; stores && (f.RedisCPU == 0 || f.Script == 0 || f.Batch < 1) || s.sells && stores && f.Memory == 0 {
				t.Errorf("%s, %s: got %+v", c.Title, s.name, f)
			}
		}
	}
	if f := r.Burst.Rounds[0][gateName]; f.Orders != 200 || f.Failed != 0 || f.Max < f.P50 {
		t.Errorf("the burst: got %+v", f)
	}
	if f := r.Half.Rounds[0][gateName]; f.Failed != 0 || f.Asked == 0 || f.Rate == 0 || f.Requests != int(f.Asked) {
		t.Errorf("half of the peak: got %+v", f)
	}
	for i, want := range []int{1000, 2000} {
		if s := r.Growth[i]; s.Orders != want || s.Script == 0 || s.Peer == 0 || s.P99 < s.P50 || s.Memory < 100 {
			t.Errorf("growth: got %+v", s)
		}
	}
	text, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## Subjects", "## 16 kept connections", "## Side by side", "## A burst", "## Half of the peak rate", "## One sale, growing"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the results have no %s", want)
		}
	}
}

func TestCommandLineIsChecked(t *testing.T) {
	t.Parallel()
	f := func(args, want string) {
		t.Helper()
		err := run(t.Context(), strings.Fields(args), &bytes.Buffer{}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
	f("--only gatte", "only floor, peer, gate, signed, no-buyer, sold-out, replicated, burst, half, growth, go")
	f("--only floor,", "no such subject")
	f("--rounds 0", "--rounds 0")
	f("--duration 1500ms", "whole seconds")
	f("--duration 0s", "whole seconds")
	f("--threads 0", "--threads 0")
	f("--threads 100 --connections 200", "1 to 99")
	f("--threads 4 --connections 8,2", "a connection for each")
	f("--connections 8,", "--connections 8,: must be numbers")
	f("--connections 0", "--connections 0: must be numbers")
	f("--connecting kept,old", "--connecting kept,old: must be kept, new")
	f("--burst 0", "--burst 0")
	f("--orders 2000,1000", "must rise")
	f("serve", "own use")
	f("serve gate 127.0.0.1:1 127.0.0.1:2", "own use")
	f("client", "own use")
	f("client {}", "own use")
	f(`client {"requests":1,"rate":1}`, "own use")
}

func TestWhatIsNamedIsPlanned(t *testing.T) {
	t.Parallel()
	f := func(args, want string) {
		t.Helper()
		p, err := parsePlan(strings.Fields(args), 10_000, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		var loads []string
		for _, l := range p.loads {
			loads = append(loads, fmt.Sprintf("%s for %s most %d", l, l.Duration, l.Most))
		}
		if got := fmt.Sprintf("%s; %s; burst %d half %t growth %v go %t; results %q", list(p.subjects), strings.Join(loads, ", "),
			p.burst, p.half != nil, p.growth, p.goBenchmarks, p.results); got != want {
			t.Errorf("%s:\n got %s\nwant %s", args, got, want)
		}
	}
	f("--connections 8 --connecting kept --burst 7 --orders 1,2",
		`floor, peer, gate, signed, no-buyer, sold-out, replicated; 8 kept for 3s most 0; burst 7 half true growth [1 2] go true; results "loadtest/RESULTS.md"`)
	f("--connections 8,9 --duration 2s --only peer,floor,half",
		`peer, floor; 8 kept for 2s most 0, 9 kept for 2s most 0, 8 new for 1s most 9000, 9 new for 1s most 9000; burst 0 half true growth [] go false; results ""`)
	f("--connections 8 --connecting new --only growth --orders 5 --results x", `; 8 new for 1s most 9000; burst 0 half false growth [5] go false; results "x"`)
}

func TestHelpSaysWhatIsNeeded(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, &bytes.Buffer{}, &said); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	for _, want := range []string{"needs wrk, redis-server and go", "ulimit -Hn", "GiB of free memory", "replicated", "growth", "-connecting"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not in\n%s", want, &said)
		}
	}
}

func TestMissingProgramsAreNamed(t *testing.T) {
	t.Parallel()
	if err := needed("go"); err != nil {
		t.Error(err)
	}
	err := needed("go", "wrq", "radish-server")
	if err == nil || !strings.HasPrefix(err.Error(), "wrq, radish-server not found: install") {
		t.Errorf("got %v", err)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flashgate/flashgate/gate/redistest"
)

// TestMain makes this test binary the servers of floor and peer too, which run
// as processes of their own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serveWord {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestEverySubjectIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	redistest.Require(t, "redis-server")
	redistest.Require(t, "wrk")
	var out, progress bytes.Buffer
	err := run(t.Context(), []string{"--rounds", "1", "--duration", "1s", "--connections", "16", "--json"}, &out, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	for _, s := range subjects() {
		f := r.Rounds[0][s.name]
		if f.Rate == 0 || f.P50 == 0 || f.ServerCPU == 0 {
			t.Errorf("%s: got %+v", s.name, f)
		}
		if stores := s.orders != nil; stores && (f.RedisCPU == 0 || f.Script == 0 || f.Batch < 1) || s.sells && stores && f.Memory == 0 {
			t.Errorf("%s: got %+v", s.name, f)
		}
	}
	if len(r.Ratios) != len(ratios()) {
		t.Errorf("got the ratios %v", r.Ratios)
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
	f("--only gatte", "only floor, peer, gate, signed, no-buyer, sold-out")
	f("--only floor,", "no such subject")
	f("--rounds 0", "--rounds 0")
	f("--duration 1500ms", "whole seconds")
	f("--duration 0s", "whole seconds")
	f("--threads 0", "--threads 0")
	f("--threads 100 --connections 200", "1 to 99")
	f("--threads 4 --connections 2", "a connection for each")
	f("serve", "own use")
	f("serve gate 127.0.0.1:1 127.0.0.1:2", "own use")
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

func TestSpreadHasMedianAndExtremes(t *testing.T) {
	t.Parallel()
	f := func(want spread, values ...float64) {
		t.Helper()
		if got := spreadOf(values); got != want {
			t.Errorf("%v: got %v, want %v", values, got, want)
		}
	}
	f(spread{})
	f(spread{3, 3, 3}, 3)
	f(spread{2.5, 2, 3}, 3, 2)
	f(spread{3, 1, 9}, 9, 3, 1)
	f(spread{4, 1, 9}, 9, 3, 1, 5)
}

func TestRatiosArePairedWithinARound(t *testing.T) {
	t.Parallel()
	rounds := []map[string]figures{
		{"gate": {Rate: 20}, "peer": {Rate: 10}},
		{"gate": {Rate: 300}, "peer": {Rate: 100}},
	}
	r := newReport(host{}, load{}, subjects(), rounds)
	want := map[string]spread{"throughput, gate / peer": {2.5, 2, 3}}
	if fmt.Sprint(r.Ratios) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", r.Ratios, want)
	}
}

func TestReportIsAligned(t *testing.T) {
	t.Parallel()
	rounds := []map[string]figures{
		{"floor": {Rate: 1000, P50: 120}, "gate": {Rate: 650, P50: 240, Script: 3.25}},
		{"floor": {Rate: 3000, P50: 100}, "gate": {Rate: 1500, P50: 200, Script: 3.5}},
	}
	var out bytes.Buffer
	l := load{Connections: 128, Threads: 2, Duration: 5 * time.Second}
	h := host{Cores: 2, CPU: "Z80", Kernel: "Linux 6", Go: "go1.26", Redis: "7.0", Wrk: "4.1"}
	if err := newReport(h, l, []subject{{name: "floor"}, {name: "gate"}}, rounds).print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2 cores of Z80, Linux 6, go1.26, Redis 7.0, wrk 4.1\n",
		"128 connections, 2 threads of wrk, 2 rounds of 5s",
		"\n              floor              gate\n",
		"\nrequests/s    2000 (1000–3000)   1075 (650–1500)\n",
		"\np50 ms        0.11 (0.10–0.12)   0.22 (0.20–0.24)\n",
		"\nscript µs     –                  3.38 (3.25–3.50)\n",
		"\nthroughput, gate / floor   0.57 (0.50–0.65)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
}

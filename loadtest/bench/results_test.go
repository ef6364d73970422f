package bench

import (
	"strings"
	"testing"
)

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
	c := &comparison{Rounds: []map[string]figures{
		{"gate": {Rate: 20}, "peer": {Rate: 10}},
		{"gate": {Rate: 300}, "peer": {Rate: 100}},
	}}
	if got, ok := c.ratio(ratio{"throughput", "gate", "peer", rateOf}); !ok || got != (spread{2.5, 2, 3}) {
		t.Errorf("got %v, %t", got, ok)
	}
	if got, ok := c.ratio(ratio{"throughput", "gate", "floor", rateOf}); ok {
		t.Errorf("got %v, though there is no floor", got)
	}
}

// measured is a report with two rounds of few subjects.
func measured(t *testing.T) *report {
	t.Helper()
	o, err := parse(t, "--rounds 2 --connections 128 --only floor,peer,gate,burst,half")
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.plan(1000)
	if err != nil {
		t.Fatal(err)
	}
	h := host{
		Cores: 2, CPU: "Z80", Memory: 8 << 30, Kernel: "Linux 6", Go: "go1.26", Redis: "7.0", Wrk: "4.1",
		Files: 20_000, Backlog: 4096, SynBacklog: 2048, Ports: 28_232,
	}
	r := newReport(h, p)
	r.Loads[0].Rounds = []map[string]figures{
		{
			"floor": {Rate: 1000, P50: 120}, "peer": {Rate: 200, CPU: 40},
			"gate": {Rate: 650, P50: 240, P999: 2000, CPU: 18, Script: 3.25, Memory: 340},
		},
		{
			"floor": {Rate: 3000, P50: 100}, "peer": {Rate: 700, CPU: 40},
			"gate": {Rate: 1500, P50: 200, P999: 4000, CPU: 16, Script: 3.5, Memory: 350},
		},
	}
	r.Loads[1].Rounds = []map[string]figures{{"gate": {Rate: 10}}}
	r.Burst.Rounds = []map[string]figures{
		{"gate": {P50: 100_000, Max: 1_100_000}},
		{"gate": {P50: 100_000, Max: 1_900_000}},
	}
	r.Half.Rounds = []map[string]figures{
		{"gate": {Asked: 325, Rate: 325, P99: 4000}},
		{"gate": {Asked: 750, Rate: 750, P99: 5000}},
	}
	r.Growth = []stage{
		{Orders: 1000, Script: 5.125, Peer: 2.5, P50: 300, P99: 900, Memory: 348},
		{Orders: 5_000_000, Skipped: "needs 2.3 GiB more, and 1.0 are free"},
	}
	r.GoBenchmarks = "# gate\nBenchmarkX 1 2 ns/op\n"
	return r
}

func TestResultsAreAlignedMarkdown(t *testing.T) {
	t.Parallel()
	text := measured(t).markdown()
	table := "\n## 128 kept connections\n\n" +
		"|             | floor            | peer             | gate             |\n" +
		"| ----------- | ---------------- | ---------------- | ---------------- |\n" +
		"| requests/s  | 2000 (1000–3000) | 450 (200–700)    | 1075 (650–1500)  |\n" +
		"| p50 ms      | 0.11 (0.10–0.12) | –                | 0.22 (0.20–0.24) |\n"
	if !strings.Contains(text, table) {
		t.Errorf("%q is not in\n%s", table, text)
	}
	words := strings.Join(strings.Fields(text), " ")
	for _, want := range []string{
		"# Results Written by `make bench`. 2 cores of Z80, 8 GiB of memory, Linux 6, go1.26, Redis 7.0, wrk 4.1. " +
			"Each process",
		"may have 20000 files open", "is 4096, net.ipv4.tcp_max_syn_backlog 2048; there are 28232 local ports",
		"medians over 2 rounds",
		"- *gate*: the gate selling",
		"| p99.9 ms | – | – | 3.00 (2.00–4.00) |",
		"| script µs | – | – | 3.38 (3.25–3.50) |",
		"## 128 new connections A new connection for each request, for 1s and at most 900 of them",
		"| | 128 kept | 128 new |",
		"| throughput, gate / floor | 0.57 (0.50–0.65) | – |",
		"## A burst 10000 new connections at once", "The backlog is 4096.",
		"| failed | 0 | 0 | 0 |",
		"5000000 orders: skipped, needs 2.3 GiB more, and 1.0 are free.",
		"| 1000 | 5.12 | 2.50 | 300 | 900 | 348 |",
		"```text # gate BenchmarkX 1 2 ns/op ```",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "replicated") {
		t.Error("subjects that were not measured have a ratio")
	}
}

func TestGoalsAreJudgedByTheMedianAndBurstsByTheWorst(t *testing.T) {
	t.Parallel()
	f := func(change func(*report), wanted ...string) {
		t.Helper()
		r := measured(t)
		change(r)
		text, _, _ := strings.Cut(r.markdown(), "## Subjects")
		for _, want := range wanted {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
	f(func(*report) {},
		"| throughput, gate / floor at 128 kept connections | 0.65 or more | 0.57 (0.50–0.65) | no |",
		"| throughput, gate / peer at 128 kept connections | 2.3 or more | 2.70 (2.14–3.25) | yes |",
		"| CPU per request, gate / peer at 128 kept connections | 0.45 or less | 0.43 (0.40–0.45) | yes |",
		"| Redis, bytes per order | 350 or less | 345 (340–350) | yes |",
		"| p99 at half of the peak rate, ms | below 5 | 4.50 (4.00–5.00) | yes |",
		"| burst of 10000, slowest answer, ms | 2000 or less, none failed | 1500 (1100–1900) | yes |")
	f(func(r *report) { r.Burst.Rounds[0]["gate"] = figures{Max: 2_000_001} }, "1950 (1900–2000) | no |")
	f(func(r *report) { r.Burst.Rounds[0]["gate"] = figures{Max: 1_000_000, Failed: 1} }, "1450 (1000–1900) | no |")
	f(func(r *report) { r.Half.Rounds[0]["gate"] = figures{P99: 5000} }, "5.00 (5.00–5.00) | no |")
}

func TestBenchmarksKeepTheirPackage(t *testing.T) {
	t.Parallel()
	const said = "goos: linux\ncpu: Z80\npkg: " + program + "/gate\nBenchmarkLane-2   10   5 ns/op\nPASS\nok  \t" +
		program + "/gate\t1.2s\n"
	if got, want := benchmarkLines(said), "# gate\nBenchmarkLane-2   10   5 ns/op\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNothingNamesTheMachine(t *testing.T) {
	t.Parallel()
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(leadingVersion("6.1.0-13-cloud-amd64\n"), "6.1.0")
	f(redisVersion("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d\n"), "7.0.15")
	f(redisVersion(""), "unknown")
	f(cpuModel("processor\t: 0\nmodel name\t: Z80 Turbo\nmodel name\t: other\n"), "Z80 Turbo")
}

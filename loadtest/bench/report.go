package bench

import (
	"context"
	"fmt"
	"slices"
)

// report is all that a run found out.
type report struct {
	Machine      host          `json:"machine"`
	Rounds       int           `json:"rounds"`
	Loads        []*comparison `json:"loads"`
	Burst        *comparison   `json:"burst,omitempty"`
	Half         *comparison   `json:"half,omitempty"`
	Growth       []stage       `json:"growth,omitempty"`
	GoBenchmarks string        `json:"go_benchmarks,omitempty"`
}

// comparison is of subjects that were measured in turns, in one way.
type comparison struct {
	Title  string               `json:"title"`
	Load   load                 `json:"load"`
	Rounds []map[string]figures `json:"rounds"` // by subject

	note     string
	subjects []subject
	columns  []column
	measure  func(context.Context, *world, subject) (figures, error)
}

// newReport returns the report of a run that has measured nothing yet.
func newReport(h host, p *plan) *report {
	r := &report{Machine: h, Rounds: p.rounds}
	some := func(names ...string) []subject {
		return slices.DeleteFunc(subjects(), func(s subject) bool { return !slices.Contains(names, s.name) })
	}
	for _, l := range p.loads {
		if p.subjects == nil {
			break
		}
		r.Loads = append(r.Loads, &comparison{
			Title: l.String(), Load: l, note: l.note(), subjects: p.subjects, columns: closedColumns(),
			measure: func(ctx context.Context, w *world, s subject) (figures, error) { return w.measure(ctx, s, l) },
		})
	}
	if p.burst > 0 {
		r.Burst = &comparison{
			Title: fmt.Sprint("burst of ", p.burst), note: burstNote(p.burst, h), subjects: some("floor", "peer",
				gateName), columns: burstColumns(),
			measure: func(ctx context.Context, w *world, s subject) (figures,
				error,
			) {
				return w.burst(ctx, s, p.burst)
			},
		}
	}
	if p.half != nil {
		r.Half = &comparison{
			Title: "half of the peak", Load: *p.half, note: halfNote(*p.half), subjects: some(gateName),
			columns: halfColumns(),
			measure: func(ctx context.Context, w *world, s subject) (figures, error) { return w.half(ctx, s, *p.half) },
		}
	}
	return r
}

// comparisons are those of a round, in its order.
func (r *report) comparisons() []*comparison {
	all := slices.Clone(r.Loads)
	for _, c := range []*comparison{r.Burst, r.Half} {
		if c != nil {
			all = append(all, c)
		}
	}
	return all
}

// load returns the comparison under a load, nil where there was none.
func (r *report) load(connections int, fresh bool) *comparison {
	for _, c := range r.Loads {
		if c.Load.Connections == connections && c.Load.New == fresh {
			return c
		}
	}
	return nil
}

// String says how fast each subject was in the newest round.
func (c *comparison) String() string {
	said := fmt.Sprintf("%-16s", c.Title)
	for _, s := range c.subjects {
		said += fmt.Sprintf("  %s %.0f/s", s.name, c.Rounds[len(c.Rounds)-1][s.name].Rate)
	}
	return said
}

// spread is a figure over the rounds.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

// text is the spread with so many decimals; a dash where it does not apply.
func (s spread) text(decimals int) string {
	if s.Max == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", decimals, s.Median, decimals, s.Min, decimals, s.Max)
}

// of returns a subject's figure over the rounds.
func (c *comparison) of(subject string, figure func(figures) float64) spread {
	var values []float64
	for _, round := range c.Rounds {
		values = append(values, figure(round[subject]))
	}
	return spreadOf(values)
}

// ratio returns the ratio of two subjects' figures over the rounds, and false
// where it does not apply.
func (c *comparison) ratio(q ratio) (spread, bool) {
	var values []float64
	for _, round := range c.Rounds {
		if below := q.of(round[q.below]); below > 0 && q.of(round[q.above]) > 0 {
			values = append(values, q.of(round[q.above])/below)
		}
	}
	return spreadOf(values), values != nil
}

// column is a figure as it is shown.
type column struct {
	title    string
	decimals int
	of       func(figures) float64
	counts   bool // 0 is a figure too
}

// text is a cell of the column.
func (c column) text(s spread) string {
	if c.counts && s.Max == 0 {
		return "0"
	}
	return s.text(c.decimals)
}

func rateOf(f figures) float64   { return f.Rate }
func p99Of(f figures) float64    { return f.P99 / 1e3 }
func maxOf(f figures) float64    { return f.Max / 1e3 }
func cpuOf(f figures) float64    { return f.CPU }
func memoryOf(f figures) float64 { return f.Memory }
func failedOf(f figures) float64 { return float64(f.Failed) }

func latencyColumns() []column {
	return []column{
		{title: "p50 ms", decimals: 2, of: func(f figures) float64 { return f.P50 / 1e3 }},
		{title: "p99 ms", decimals: 2, of: p99Of},
		{title: "p99.9 ms", decimals: 2, of: func(f figures) float64 { return f.P999 / 1e3 }},
	}
}

func closedColumns() []column {
	columns := append([]column{{title: "requests/s", of: rateOf}}, latencyColumns()...)
	return append(columns,
		column{title: "server µs", decimals: 1, of: func(f figures) float64 { return f.ServerCPU }},
		column{title: "Redis µs", decimals: 1, of: func(f figures) float64 { return f.RedisCPU }},
		column{title: "both µs", decimals: 1, of: cpuOf},
		column{title: "script µs", decimals: 2, of: func(f figures) float64 { return f.Script }},
		column{title: "batch", decimals: 1, of: func(f figures) float64 { return f.Batch }},
		column{title: "bytes/order", of: memoryOf},
	)
}

func burstColumns() []column {
	return append(latencyColumns(), column{title: "slowest ms", of: maxOf},
		column{title: "failed", of: failedOf, counts: true})
}

func halfColumns() []column {
	columns := append([]column{
		{title: "asked/s", of: func(f figures) float64 { return f.Asked }},
		{title: "answered/s", of: rateOf},
	}, latencyColumns()...)
	return append(columns, column{title: "slowest ms", decimals: 1, of: maxOf},
		column{title: "sent late, p99 ms", decimals: 2, of: func(f figures) float64 { return f.Late / 1e3 }},
		column{title: "failed", of: failedOf, counts: true})
}

// ratio compares two subjects' figures of the same round, so that a slow spell of the machine in one round does not
// count as a difference.
type ratio struct {
	what, above, below string
	of                 func(figures) float64
}

func (q ratio) name() string { return q.what + ", " + q.above + " / " + q.below }

func ratios() (all []ratio) {
	server := func(f figures) float64 { return f.ServerCPU }
	script := func(f figures) float64 { return f.Script }
	for _, name := range []string{gateName, "signed", "no-buyer", "sold-out", "replicated"} {
		all = append(all, ratio{"throughput", name, "floor", rateOf}, ratio{"throughput", name, "peer", rateOf})
	}
	return append(all,
		ratio{"CPU per request", gateName, "peer", cpuOf},
		ratio{"CPU per request", "no-buyer", "peer", cpuOf},
		ratio{"CPU per request of the server", "signed", gateName, server},
		ratio{"script time per decision", gateName, "peer", script},
		ratio{"script time per decision", "no-buyer", "peer", script},
		ratio{"script time per decision", "sold-out", "peer", script},
	)
}

func (l load) note() string {
	if !l.New {
		return ""
	}
	return fmt.Sprintf("A new connection for each request, for %s and at most %d of them, for each uses up a local "+
		"port for a minute. "+
		"Times count from a request's first byte, without the handshake.", l.Duration, l.Most)
}

func burstNote(n int, h host) string {
	return fmt.Sprintf("%d new connections at once, each with one request, from a client in a process of its own. "+
		"The backlog is %d. "+
		"Times count from the one instant at which all are due, with the handshake, and with what the client itself "+
		"takes on the same cores.", n, h.Backlog)
}

func halfNote(l load) string {
	return fmt.Sprintf("Each round measures the peak at %d kept connections for %s, and then asks for half of that "+
		"rate as long, in an open loop: "+
		"requests are due at a steady rate, whatever the gate does, and times count from when they were due. "+
		"What was sent late waited for the client, or for an earlier answer on its connection.",
		l.Connections, l.Duration)
}

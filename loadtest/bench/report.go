package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// report is all that a run found out.
type report struct {
	Machine  host                         `json:"machine"`
	Load     load                         `json:"load"`
	Rounds   []map[string]figures         `json:"rounds"` // by subject
	Subjects map[string]map[string]spread `json:"subjects"`
	Ratios   map[string]spread            `json:"ratios"`

	order []string // of the subjects
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

// column is a figure as it is shown.
type column struct {
	title, name string // name is that of the JSON
	decimals    int
	of          func(figures) float64
}

func columns() []column {
	return []column{
		{"requests/s", "requests_per_second", 0, func(f figures) float64 { return f.Rate }},
		{"p50 ms", "p50_ms", 2, func(f figures) float64 { return f.P50 / 1e3 }},
		{"p99 ms", "p99_ms", 2, func(f figures) float64 { return f.P99 / 1e3 }},
		{"server µs", "server_cpu_us_per_request", 1, func(f figures) float64 { return f.ServerCPU }},
		{"redis µs", "redis_cpu_us_per_request", 1, func(f figures) float64 { return f.RedisCPU }},
		{"both µs", "cpu_us_per_request", 1, func(f figures) float64 { return f.CPU }},
		{"script µs", "script_us_per_decision", 2, func(f figures) float64 { return f.Script }},
		{"batch", "decisions_per_script_call", 1, func(f figures) float64 { return f.Batch }},
		{"bytes/order", "redis_bytes_per_order", 0, func(f figures) float64 { return f.Memory }},
	}
}

// ratio is of two subjects' figures in the same round, so that what slowed the
// machine in one round does not count as a difference.
type ratio struct {
	what, above, below string
	of                 func(figures) float64
}

func ratios() []ratio {
	rate := func(f figures) float64 { return f.Rate }
	cpu := func(f figures) float64 { return f.CPU }
	server := func(f figures) float64 { return f.ServerCPU }
	script := func(f figures) float64 { return f.Script }
	return []ratio{
		{"throughput", "gate", "floor", rate},
		{"throughput", "gate", "peer", rate},
		{"throughput", "no-buyer", "peer", rate},
		{"throughput", "sold-out", "floor", rate},
		{"throughput", "sold-out", "peer", rate},
		{"CPU per request", "gate", "peer", cpu},
		{"CPU per request", "no-buyer", "peer", cpu},
		{"CPU per request of the gate", "signed", "gate", server},
		{"script time per decision", "gate", "peer", script},
		{"script time per decision", "no-buyer", "peer", script},
		{"script time per decision", "sold-out", "peer", script},
	}
}

func (r ratio) name() string { return r.what + ", " + r.above + " / " + r.below }

// newReport sums the rounds up.
func newReport(h host, l load, subjects []subject, rounds []map[string]figures) *report {
	r := &report{Machine: h, Load: l, Rounds: rounds, Subjects: map[string]map[string]spread{}, Ratios: map[string]spread{}}
	for _, s := range subjects {
		r.order = append(r.order, s.name)
		r.Subjects[s.name] = map[string]spread{}
		for _, c := range columns() {
			var values []float64
			for _, round := range rounds {
				values = append(values, c.of(round[s.name]))
			}
			r.Subjects[s.name][c.name] = spreadOf(values)
		}
	}
	for _, q := range ratios() {
		var values []float64
		for _, round := range rounds {
			if below := q.of(round[q.below]); below > 0 && q.of(round[q.above]) > 0 {
				values = append(values, q.of(round[q.above])/below)
			}
		}
		if values != nil {
			r.Ratios[q.name()] = spreadOf(values)
		}
	}
	return r
}

// print writes the report as aligned text.
func (r *report) print(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	w := &lines{to: t}
	w.line("%s", r.Machine)
	w.line("%d connections, %d threads of wrk, %d rounds of %s, a V1 JSON body with an order of its own in each request",
		r.Load.Connections, r.Load.Threads, len(r.Rounds), r.Load.Duration)
	w.line("median (min–max) over the rounds; µs are CPU time per request, script µs Redis' own time per decision\n")
	header := ""
	for _, name := range r.order {
		header += "\t" + name
	}
	w.line("%s", header)
	for _, c := range columns() {
		row := c.title
		for _, name := range r.order {
			row += "\t" + r.Subjects[name][c.name].text(c.decimals)
		}
		w.line("%s", row)
	}
	w.line("")
	for _, q := range ratios() {
		if s, ok := r.Ratios[q.name()]; ok {
			w.line("%s\t%s", q.name(), s.text(2))
		}
	}
	return errors.Join(w.err, t.Flush())
}

// text is the spread with so many decimals; a dash where it does not apply.
func (s spread) text(decimals int) string {
	if s.Max == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", decimals, s.Median, decimals, s.Min, decimals, s.Max)
}

// lines writes lines, and keeps the first error.
type lines struct {
	to  io.Writer
	err error
}

func (l *lines) line(format string, args ...any) {
	if _, err := fmt.Fprintf(l.to, format+"\n", args...); l.err == nil {
		l.err = err
	}
}

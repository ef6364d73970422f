package bench

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// markdown is the report for people: aligned, so that it can be read as it is.
func (r *report) markdown() string {
	p := &page{}
	p.line("# Results\n\nWritten by `make bench`.\n\n%s\n", r.Machine)
	p.line("Client, servers and Redis share these cores. Figures are medians over %d rounds (lowest to highest). "+
		"Each request is a V1 "+
		"body in JSON with an order and a buyer of its own; each trial has a fresh server and a fresh, empty Redis.\n",
		r.Rounds)
	r.goals(p)
	r.subjects(p)
	for _, c := range r.Loads {
		p.comparison(c.Title+" connections", c)
	}
	r.ratios(p)
	if r.Burst != nil {
		p.comparison("A burst", r.Burst)
	}
	if r.Half != nil {
		p.comparison("Half of the peak rate", r.Half)
	}
	r.growth(p)
	if r.GoBenchmarks != "" {
		p.line("## Go's benchmarks\n\n```text\n%s```\n", r.GoBenchmarks)
	}
	return strings.TrimRight(p.text.String(), "\n") + "\n"
}

// goal is what the gate is held to.
type goal struct {
	what, want string
	decimals   int
	got        spread
	reached    bool
}

// goals judges by the median, and a burst by its worst round.
func (r *report) goals(p *page) {
	var goals []goal
	if c := r.load(halfAt, false); c != nil {
		at := fmt.Sprintf(" at %s connections", c.Title)
		add := func(q ratio, want string, reached func(float64) bool) {
			if got, ok := c.ratio(q); ok {
				goals = append(goals, goal{q.name() + at, want, 2, got, reached(got.Median)})
			}
		}
		add(ratio{"throughput", gateName, "floor", rateOf}, "0.65 or more", func(x float64) bool { return x >= 0.65 })
		add(ratio{"throughput", gateName, "peer", rateOf}, "2.3 or more", func(x float64) bool { return x >= 2.3 })
		add(ratio{"CPU per request", gateName, "peer", cpuOf}, "0.45 or less",
			func(x float64) bool { return x <= 0.45 })
		if got := c.of(gateName, memoryOf); got.Max > 0 {
			goals = append(goals, goal{"Redis, bytes per order", "350 or less", 0, got, got.Median <= 350})
		}
	}
	if r.Half != nil {
		got := r.Half.of(gateName, p99Of)
		goals = append(goals, goal{"p99 at half of the peak rate, ms", "below 5", 2, got, got.Median < 5})
	}
	if r.Burst != nil {
		slowest, failed := r.Burst.of(gateName, maxOf), r.Burst.of(gateName, failedOf)
		goals = append(goals, goal{
			r.Burst.Title + ", slowest answer, ms", "2000 or less, none failed", 0, slowest,
			slowest.Max <= 2000 && failed.Max == 0,
		})
	}
	if goals == nil {
		return
	}
	rows := [][]string{{"goal", "wanted", "measured", "reached"}}
	for _, g := range goals {
		rows = append(rows, []string{
			g.what, g.want, g.got.text(g.decimals),
			map[bool]string{true: "yes", false: "no"}[g.reached],
		})
	}
	p.line("## Goals\n")
	p.table(rows)
}

func (r *report) subjects(p *page) {
	if r.Loads == nil {
		return
	}
	p.line("## Subjects\n")
	for _, s := range r.Loads[0].subjects {
		p.line("- *%s*: %s", s.name, s.about)
	}
	p.line("\nµs are CPU time per request, of the server's process and as Redis tells it; script µs is Redis' own " +
		"time per decision, batch the decisions of one script call, bytes/order all that Redis keeps of an order.\n")
}

// ratios has a row for each ratio, and a column for each load.
func (r *report) ratios(p *page) {
	head := []string{""}
	for _, c := range r.Loads {
		head = append(head, c.Title)
	}
	rows := [][]string{head}
	for _, q := range ratios() {
		row, any := []string{q.name()}, false
		for _, c := range r.Loads {
			got, ok := c.ratio(q)
			row, any = append(row, got.text(2)), any || ok
		}
		if any {
			rows = append(rows, row)
		}
	}
	if len(rows) > 1 {
		p.line("## Side by side\n\nRatios within a round, then the median of them.\n")
		p.table(rows)
	}
}

func (r *report) growth(p *page) {
	if r.Growth == nil {
		return
	}
	p.line("## One sale, growing\n\nAt each size, %d more batches of %d orders each; a batch's time is the whole "+
		"call, as a gate sees it. "+
		"The peer's script has as many orders, and nothing else to find.\n", sampleCalls, sampleBatch)
	rows := [][]string{{
		"orders", "script, µs per decision", "peer's script", "batch p50 µs", "batch p99 µs",
		"Redis, bytes per order",
	}}
	for _, s := range r.Growth {
		if s.Skipped != "" {
			p.line("%s.\n", s)
			continue
		}
		rows = append(rows, []string{
			fmt.Sprint(s.Orders), fmt.Sprintf("%.2f", s.Script), fmt.Sprintf("%.2f", s.Peer), fmt.Sprintf("%.0f",
				s.P50), fmt.Sprintf("%.0f", s.P99), fmt.Sprintf("%.0f", s.Memory),
		})
	}
	p.table(rows)
}

// page is Markdown in the making.
type page struct{ text strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

// comparison has a row for each figure, and a column for each subject.
func (p *page) comparison(title string, c *comparison) {
	p.line("## %s\n", title)
	if c.note != "" {
		p.line("%s\n", c.note)
	}
	head := []string{""}
	for _, s := range c.subjects {
		head = append(head, s.name)
	}
	rows := [][]string{head}
	for _, column := range c.columns {
		row := []string{column.title}
		for _, s := range c.subjects {
			row = append(row, column.text(c.of(s.name, column.of)))
		}
		rows = append(rows, row)
	}
	p.table(rows)
}

// table writes rows with their cells aligned. The first row is the head.
func (p *page) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	rule := make([]string, len(widths))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
	}
	for _, row := range append([][]string{rows[0], rule}, rows[1:]...) {
		for i, cell := range row {
			p.text.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		p.text.WriteString("|\n")
	}
	p.line("")
}

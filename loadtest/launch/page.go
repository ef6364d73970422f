package launch

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"
)

//go:embed page.html
var pageText string

// WriteHTML writes the report as one page that loads nothing.
func (report *Report) WriteHTML(w io.Writer) error {
	funcs := template.FuncMap{
		"number": func(n int) string { return grouped(int64(n)) },
		"short":  short,
		"utc":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}
	page, err := template.New("page").Funcs(funcs).Parse(pageText)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	return page.Execute(w, struct {
		*Report
		Charts   []chart
		Shares   []share
		Withheld bool // some units are
	}{
		report, report.charts(), report.shares(),
		slices.ContainsFunc(report.Units, func(u UnitsView) bool { return u.Withheld != 0 }),
	})
}

// share is a share of the requests, and how long they took at most.
type share struct {
	Name           string
	Answered, Late float64
}

func (report *Report) shares() []share {
	l, d := report.Latency, report.SendDelay
	return []share{
		{"p50", l.P50, d.P50},
		{"p90", l.P90, d.P90},
		{"p99", l.P99, d.P99},
		{"p99.9", l.P999, d.P999},
		{"p99.99", l.P4, d.P4},
		{"slowest", l.Max, d.Max},
	}
}

func (report *Report) charts() []chart {
	seconds := float64(max(1, len(report.Timeline))) * report.Each
	over := func(name, colour string, value func(m *Moment) float64) line {
		l, most := line{Colour: colour}, 0.0
		for i := range report.Timeline {
			y := value(&report.Timeline[i])
			l.points, most = append(l.points, spot{(float64(i) + .5) * report.Each, y}), max(most, y)
		}
		l.Name = fmt.Sprintf("%s (at most %s)", name, short(most))
		return l
	}
	rate := func(name, colour string, count func(m *Moment) int) line {
		return over(name, colour, func(m *Moment) float64 { return float64(count(m)) / report.Each })
	}
	charts := []chart{
		newChart("Latency, ms", seconds,
			over("slowest", "red", func(m *Moment) float64 { return m.Max }),
			over("p99", "amber", func(m *Moment) float64 { return m.P99 }),
			over("p50", "blue", func(m *Moment) float64 { return m.P50 }),
		),
		newChart("Answers, a second", seconds,
			rate("refused", "amber", func(m *Moment) int { return m.Refused }),
			rate("told 200", "green", func(m *Moment) int { return m.Accepted }),
			rate("no answer", "red", func(m *Moment) int { return m.Failed }),
		),
		newChart("Requests, a second", seconds,
			rate("due", "grey", func(m *Moment) int { return m.Due }),
			rate("sent", "blue", func(m *Moment) int { return m.Sent }),
		),
	}
	if len(report.Left) > 0 {
		charts = append([]chart{unitsLeft(report.Left, seconds)}, charts...)
	}
	return charts
}

// unitsLeft draws each level up to the next one. What comes back after the run is
// on it too.
func unitsLeft(levels []Level, seconds float64) chart {
	first, last := levels[0], levels[len(levels)-1]
	seconds = max(seconds, last.At)
	l, lowest := line{Colour: "green"}, first.Left
	for i, v := range levels {
		if i > 0 {
			l.points = append(l.points, spot{v.At, float64(levels[i-1].Left)})
		}
		l.points, lowest = append(l.points, spot{v.At, float64(v.Left)}), min(lowest, v.Left)
	}
	l.points = append(l.points, spot{seconds, float64(last.Left)})
	l.Name = fmt.Sprintf("left in Redis: %s at first, %s at the lowest, %s at the end", grouped(first.Left),
		grouped(lowest), grouped(last.Left))
	return newChart("Units left", seconds, l)
}

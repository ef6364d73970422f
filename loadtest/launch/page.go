package launch

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

//go:embed page.html
var pageText string

// Size of a chart.
const chartWidth, chartHeight = 24 * vg.Centimeter, 6 * vg.Centimeter

// chart is one drawing of the timeline, over the seconds of the run.
type chart struct {
	Title string
	Lines []line
}

type line struct {
	Name   string
	colour color.RGBA
	value  func(*Moment) float64
}

// Colour is the line's colour in CSS.
func (l line) Colour() template.CSS {
	return template.CSS(fmt.Sprintf("#%02x%02x%02x", l.colour.R, l.colour.G, l.colour.B))
}

// Most is the line's greatest value.
func (l line) Most(timeline []Moment) string {
	most := 0.0
	for i := range timeline {
		most = max(most, l.value(&timeline[i]))
	}
	return short(most)
}

// short writes a number with a digit behind the point at most.
func short(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// WriteHTML writes the report as one page that loads nothing.
func (report *Report) WriteHTML(w io.Writer) error {
	funcs := template.FuncMap{"mark": mark, "counts": counts, "svg": report.draw}
	page, err := template.New("page").Funcs(funcs).Parse(pageText)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	return page.Execute(w, struct {
		*Report
		Charts []chart
	}{report, report.charts()})
}

func (report *Report) charts() []chart {
	blue, amber, red := color.RGBA{0x2a, 0x7a, 0xb9, 0xff}, color.RGBA{0xd9, 0x8c, 0, 0xff}, color.RGBA{0xb3, 0x35, 0x2c, 0xff}
	green, grey := color.RGBA{0x2b, 0x8a, 0x3e, 0xff}, color.RGBA{0x88, 0x88, 0x88, 0xff}
	perSecond := func(count func(m *Moment) int) func(m *Moment) float64 {
		return func(m *Moment) float64 { return float64(count(m)) / report.Each }
	}
	charts := []chart{
		{"Latency, ms", []line{
			{"p50", blue, func(m *Moment) float64 { return m.P50 }},
			{"p99", amber, func(m *Moment) float64 { return m.P99 }},
			{"slowest", red, func(m *Moment) float64 { return m.Max }},
		}},
		{"Answers, a second", []line{
			{"accepted", green, perSecond(func(m *Moment) int { return m.Accepted })},
			{"refused", amber, perSecond(func(m *Moment) int { return m.Refused })},
			{"no answer", red, perSecond(func(m *Moment) int { return m.Failed })},
		}},
		{"Requests, a second", []line{
			{"due", grey, perSecond(func(m *Moment) int { return m.Due })},
			{"sent", blue, perSecond(func(m *Moment) int { return m.Sent })},
		}},
	}
	if len(report.Timeline) > 0 && report.Timeline[0].Left != nil {
		charts = append(charts, chart{"Units left", []line{{"left", green, func(m *Moment) float64 { return float64(*m.Left) }}}})
	}
	return charts
}

// draw returns a chart as an SVG element.
func (report *Report) draw(c chart) (template.HTML, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Min, p.X.Min = "s", 0, 0
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{}
	for _, style := range []*text.Style{&p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans"
	}
	p.Add(plotter.NewGrid())
	for _, l := range c.Lines {
		points := make(plotter.XYs, len(report.Timeline))
		for i := range report.Timeline {
			points[i] = plotter.XY{X: (float64(i) + .5) * report.Each, Y: l.value(&report.Timeline[i])}
		}
		drawn, err := plotter.NewLine(points)
		if err != nil {
			return "", fmt.Errorf("drawing %s: %w", c.Title, err)
		}
		drawn.Color = l.colour
		p.Add(drawn)
	}
	canvas := vgsvg.New(chartWidth, chartHeight)
	p.Draw(draw.New(canvas))
	var written bytes.Buffer
	if _, err := canvas.WriteTo(&written); err != nil {
		return "", fmt.Errorf("drawing %s: %w", c.Title, err)
	}
	_, element, _ := bytes.Cut(written.Bytes(), []byte("<svg"))
	return template.HTML("<svg" + string(element)), nil // drawn from numbers, and names of our own
}

// ticks are the usual ones, with numbers written short.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(low, high float64) []plot.Tick {
	all := plot.DefaultTicks{}.Ticks(low, high)
	for i, t := range all {
		if !t.IsMinor() {
			all[i].Label = short(t.Value)
		}
	}
	return all
}

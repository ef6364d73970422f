package launch

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// chart is one drawing over the seconds of a run. The page sizes it and colours
// it: its lines are drawn into a square of chartSide, and its ticks lie at shares
// of its sides, so that their labels stay readable on a phone.
type chart struct {
	Title string
	Lines []line
	X, Y  []tick
}

const chartSide = 1000

// line is one line of a chart.
type line struct {
	Name   string // for the legend
	Colour string // of the page's
	Points string // as SVG has them
	points []spot
}

// spot is a value at a second of the run.
type spot struct{ x, y float64 }

// tick is a mark at the side of a chart.
type tick struct {
	Label string
	At    float64 // percent of the side, from the left or from below
}

// Side is where a mark of the vertical side lies in the drawing.
func (t tick) Side() float64 { return chartSide - t.At*chartSide/100 }

// newChart draws lines from 0 to a second of the run.
func newChart(title string, seconds float64, lines ...line) chart {
	low, high := 0.0, 0.0
	for _, l := range lines {
		for _, p := range l.points {
			low, high = min(low, p.y), max(high, p.y)
		}
	}
	if high == low {
		high = low + 1
	}
	c := chart{Title: title, Lines: lines}
	step := tickStep(high-low, 4)
	low, high = math.Floor(low/step)*step, math.Ceil(high/step)*step
	for i := range c.Lines {
		c.Lines[i].draw(seconds, low, high)
	}
	c.Y = ticks(low, high, step)
	c.X = ticks(0, seconds, tickStep(seconds, 6))
	return c
}

func (l *line) draw(seconds, low, high float64) {
	var b strings.Builder
	for _, p := range l.points {
		fmt.Fprintf(&b, "%.1f,%.1f ", chartSide*p.x/seconds, chartSide*(high-p.y)/(high-low))
	}
	l.Points = strings.TrimSuffix(b.String(), " ")
}

// tickStep is the smallest of 1, 2, 5, 10, … and their tenths that has so many
// steps in a range at most.
func tickStep(width float64, most int) float64 {
	for step := math.Pow10(int(math.Floor(math.Log10(width / float64(most))))); ; step *= 10 {
		for _, times := range []float64{1, 2, 5} {
			if width/(step*times) <= float64(most) {
				return step * times
			}
		}
	}
}

// ticks are marks from the beginning of a side to its end.
func ticks(low, high, step float64) (all []tick) {
	for i := 0; low+float64(i)*step <= high+step/1e6; i++ {
		v := low + float64(i)*step
		all = append(all, tick{short(v), 100 * (v - low) / (high - low)})
	}
	return all
}

// short writes a number as one reads it at a glance: from 100 on as a whole
// number, a smaller one with two digits behind the point at most.
func short(v float64) string {
	if math.Abs(v) >= 100 || v == math.Trunc(v) {
		return grouped(int64(math.Round(v)))
	}
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

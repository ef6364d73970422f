package launch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Shape is how the rate of requests goes over a run: straight lines between
// points. It is a vegeta.Pacer that says of every request when it is due, so
// that a client that falls behind shows as latency and is not left out.
type Shape struct {
	points  []point
	opening float64 // seconds from the start until the sale opens
}

// point is where a line begins.
type point struct {
	at   float64 // seconds from the start
	rate float64 // requests a second
	sent float64 // requests due before it
}

var _ vegeta.Pacer = (*Shape)(nil)

// outline is a shape of one second with a peak of one request a second.
type outline struct {
	points  [][2]float64 // time and rate
	opening float64
}

// outlines are the shapes by name. A launch is a trickle of those who try too
// early, all the others the moment it opens, and a tail.
func outlines() map[string]outline {
	return map[string]outline{
		"launch": {[][2]float64{{0, .05}, {.25, .05}, {.25, 1}, {.5, 1}, {.8, .1}, {1, .1}}, .25},
		"steady": {[][2]float64{{0, 1}, {1, 1}}, 0},
		"ramp":   {[][2]float64{{0, 0}, {1, 1}}, 0},
	}
}

// Shapes returns the names of the shapes that there are.
func Shapes() []string { return []string{"launch", "steady", "ramp"} }

// NewShape returns the named shape with the given peak rate, in requests a
// second.
func NewShape(name string, peak float64, duration time.Duration) (*Shape, error) {
	o, ok := outlines()[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("shape %q: must be one of %s", name, strings.Join(Shapes(), ", "))
	case !(peak > 0) || math.IsInf(peak, 1):
		return nil, fmt.Errorf("rate %v: must be more than 0", peak)
	case duration <= 0:
		return nil, fmt.Errorf("duration %s: must be more than 0", duration)
	}
	d := duration.Seconds()
	s := &Shape{opening: o.opening * d}
	for i, p := range o.points {
		next := point{at: p[0] * d, rate: p[1] * peak}
		if i > 0 {
			last := s.points[i-1]
			next.sent = last.sent + (next.at-last.at)*(next.rate+last.rate)/2
		}
		s.points = append(s.points, next)
	}
	return s, nil
}

// ShapeFor returns the named shape with the given peak rate that is as long as
// so many requests need.
func ShapeFor(name string, peak float64, requests int) (*Shape, error) {
	unit, err := NewShape(name, peak, time.Second)
	if err != nil {
		return nil, err
	}
	seconds := (float64(requests) + 0.5) / unit.last().sent
	return NewShape(name, peak, time.Duration(seconds*float64(time.Second)))
}

func (s *Shape) last() point { return s.points[len(s.points)-1] }

// Requests returns how many requests are due in all.
func (s *Shape) Requests() int { return int(s.last().sent + 1e-6) }

// Duration returns how long the run lasts.
func (s *Shape) Duration() time.Duration { return seconds(s.last().at) }

// Opening returns when in the run the sale is to open.
func (s *Shape) Opening() time.Duration { return seconds(s.opening) }

// Peak returns the highest rate, in requests a second.
func (s *Shape) Peak() float64 {
	return slices.MaxFunc(s.points, func(a, b point) int { return int(math.Copysign(1, a.rate-b.rate)) }).rate
}

// Due returns when the request with the given number is due, counted from 0 and
// from the start of the run.
func (s *Shape) Due(request int) time.Duration {
	n := float64(request)
	i := 1
	for i < len(s.points)-1 && s.points[i].sent <= n {
		i++
	}
	from, to := s.points[i-1], s.points[i]
	missing, slope := n-from.sent, (to.rate-from.rate)/(to.at-from.at)
	if missing <= 0 {
		return seconds(from.at)
	}
	// The root of rate·x + slope·x²/2 = missing, in the form that also holds without a slope.
	root := math.Sqrt(max(0, from.rate*from.rate+2*slope*missing))
	return seconds(min(to.at, from.at+2*missing/(from.rate+root)))
}

// Pace implements vegeta.Pacer.
func (s *Shape) Pace(elapsed time.Duration, sent uint64) (wait time.Duration, stop bool) {
	if sent >= uint64(s.Requests()) {
		return 0, true
	}
	return max(0, s.Due(int(sent))-elapsed), false
}

// Rate implements vegeta.Pacer.
func (s *Shape) Rate(elapsed time.Duration) float64 {
	at := elapsed.Seconds()
	for i := len(s.points) - 1; i > 0; i-- {
		from, to := s.points[i-1], s.points[i]
		if at >= from.at && at <= to.at && to.at > from.at {
			return from.rate + (to.rate-from.rate)*(at-from.at)/(to.at-from.at)
		}
	}
	return 0
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

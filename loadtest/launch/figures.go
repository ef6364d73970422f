package launch

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"
)

// Latency is how long answers took from when their requests were due, in
// milliseconds. What never was answered is not in it.
type Latency struct {
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p99.9_ms"`
	P4   float64 `json:"p99.99_ms"`
	Max  float64 `json:"max_ms"`
	Mean float64 `json:"mean_ms"`
}

func latencyOf(took []time.Duration) Latency {
	if len(took) == 0 {
		return Latency{}
	}
	slices.Sort(took)
	var sum time.Duration
	for _, t := range took {
		sum += t
	}
	return Latency{
		ms(quantile(took, .5)), ms(quantile(took, .9)), ms(quantile(took, .99)), ms(quantile(took, .999)),
		ms(quantile(took, .9999)),
		ms(took[len(took)-1]), ms(sum / time.Duration(len(took))),
	}
}

// quantile returns the smallest of the sorted values that is not less than the
// given share of them.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

func ms(d time.Duration) float64 { return math.Round(float64(d)/float64(time.Microsecond)) / 1000 }

// Moment is what happened in one slice of the run. A request belongs to the
// slice in which it was due.
type Moment struct {
	At       float64 `json:"at_s"` // its beginning, in seconds from the start
	Due      int     `json:"due"`
	Sent     int     `json:"sent"` // in this slice, whenever they were due
	Accepted int     `json:"accepted"`
	Refused  int     `json:"refused"`
	Failed   int     `json:"failed"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}

// slices of a run: enough to see its shape, few enough to draw.
const maxMoments = 120

func width(d time.Duration) time.Duration {
	w := 100 * time.Millisecond
	for d/w >= maxMoments {
		w *= 2
	}
	return w
}

// timeline cuts the run into moments.
func (r *Run) timeline() (moments []Moment, each time.Duration) {
	whole := r.Plan.shape.Duration()
	for number := range r.sent { // a client that falls behind sends later than the shape has it
		whole = max(whole, r.answers[number].sent)
	}
	each = width(whole)
	moments = make([]Moment, int(whole/each)+1)
	took := make([][]time.Duration, len(moments))
	at := func(t time.Duration) int { return max(0, min(int(t/each), len(moments)-1)) }
	for number := range r.sent {
		a := &r.answers[number]
		m := &moments[at(a.due)]
		m.Due++
		moments[at(a.sent)].Sent++
		switch {
		case a.failure != "":
			m.Failed++
			continue
		case a.held():
			m.Accepted++
		default:
			m.Refused++
		}
		took[at(a.due)] = append(took[at(a.due)], a.latency())
	}
	for i := range moments {
		l := latencyOf(took[i])
		moments[i].At, moments[i].P50, moments[i].P99, moments[i].Max = float64(i)*each.Seconds(), l.P50, l.P99, l.Max
	}
	return moments, each
}

// counts writes counts as a list, the highest first.
func counts(by map[string]int) string {
	names := make([]string, 0, len(by))
	for name := range by {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		if by[names[i]] != by[names[j]] {
			return by[names[i]] > by[names[j]]
		}
		return names[i] < names[j]
	})
	parts := make([]string, 0, len(names))
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s %d", name, by[name]))
	}
	return strings.Join(parts, ", ")
}

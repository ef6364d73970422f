package bench

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// observation is all counts at one instant.
type observation struct {
	server, redis time.Duration // CPU time
	script        scriptCost
	counters      counters // zero where the server counts nothing
}

// counters are what a gate counts of the sale.
type counters struct {
	held, decided, batches int64
}

// parseCounters reads a gate's metrics. It has no outcomes before the first
// request.
func parseCounters(text string) (counters, error) {
	const sale = `sale="` + saleName + `"}`
	held, _ := sample(text, `flashgate_confirms_total{outcome="held",`+sale)
	decided, found := sample(text, "flashgate_batch_size_sum{"+sale)
	batches, _ := sample(text, "flashgate_batch_size_count{"+sale)
	if !found {
		return counters{}, errors.New("flashgate_batch_size is not among them")
	}
	return counters{held, decided, batches}, nil
}

// sample returns the count that a page of metrics has for a series.
func sample(text, series string) (n int64, found bool) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return int64(f), err == nil
		}
	}
	return 0, false
}

// trial is one subject under load in one round.
type trial struct {
	wrk           result
	before, after observation
	orders        int   // in the store afterwards
	memory        int64 // bytes that the store grew by
}

// verify checks that every request was answered as it should be, and that the
// store has the orders that were answered 200, no more and no less. The client
// leaves without the answers to its last requests, at most one a connection.
func (t *trial) verify(s subject, l load) error {
	want, unseen := 0, 0
	if s.sells {
		want, unseen = t.wrk.Requests, l.Connections
	}
	accepted := t.wrk.Requests - t.wrk.Refused
	switch {
	case t.wrk.Broken > 0:
		return fmt.Errorf("%d connections or requests broke", t.wrk.Broken)
	case accepted != want:
		return fmt.Errorf("%d of %d requests were answered 200, not %d", accepted, t.wrk.Requests, want)
	case s.orders != nil && (t.orders < want || t.orders > want+unseen):
		return fmt.Errorf("the store has %d orders, but %d were answered 200", t.orders, want)
	case s.count != nil && int64(t.orders) != t.after.counters.held:
		return fmt.Errorf("the store has %d orders, but the server answered %d with 200", t.orders,
			t.after.counters.held)
	}
	return nil
}

// figures are what one round says of a subject. Zero is: does not apply.
type figures struct {
	Rate      float64 `json:"requests_per_second"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	P999      float64 `json:"p999_us"`
	ServerCPU float64 `json:"server_cpu_us_per_request"`
	RedisCPU  float64 `json:"redis_cpu_us_per_request"`
	CPU       float64 `json:"cpu_us_per_request"` // of both
	Script    float64 `json:"script_us_per_decision"`
	Batch     float64 `json:"decisions_per_script_call"`
	Memory    float64 `json:"redis_bytes_per_order"`
	Requests  int     `json:"requests"`
	Refused   int     `json:"refused"`
	Orders    int     `json:"orders"`

	// Asked, Max, Late and Failed are zero but in the open-loop parts.
	Asked  float64 `json:"asked_per_second,omitempty"`
	Max    float64 `json:"max_us,omitempty"`
	Late   float64 `json:"late_p99_us,omitempty"` // how late requests went out
	Failed int     `json:"failed,omitempty"`
}

func (t *trial) figures() figures {
	requests := float64(t.wrk.Requests)
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / requests }
	f := figures{
		Rate: requests / t.wrk.Duration * 1e6,
		P50:  t.wrk.P50, P99: t.wrk.P99, P999: t.wrk.P999,
		ServerCPU: micros(t.after.server - t.before.server),
		RedisCPU:  micros(t.after.redis - t.before.redis),
		Requests:  t.wrk.Requests, Refused: t.wrk.Refused, Orders: t.orders,
	}
	f.CPU = f.ServerCPU + f.RedisCPU
	calls := t.after.script.calls - t.before.script.calls
	decided := t.after.counters.decided - t.before.counters.decided
	if batches := t.after.counters.batches - t.before.counters.batches; batches > 0 {
		f.Batch = float64(decided) / float64(batches)
	} else if decided = calls; calls > 0 {
		f.Batch = 1
	}
	if decided > 0 {
		f.Script = float64(t.after.script.micros-t.before.script.micros) / float64(decided)
	}
	if t.orders > 0 {
		f.Memory = float64(t.memory) / float64(t.orders)
	}
	return f
}

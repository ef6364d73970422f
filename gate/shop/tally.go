package shop

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
)

// outcome is the outcome of a question, in metrics and in the log.
type outcome uint8

const (
	askYes outcome = iota
	askNo
	askFailed
	askSilent
	askNone
	outcomes // how many there are
)

// names of the outcomes, by their number.
func names() [outcomes]string {
	return [outcomes]string{
		askYes: "yes", askNo: "no", askFailed: "failed", askSilent: "no_answer",
		askNone: "not_asked",
	}
}

// outcomeOf returns the outcome of a question, by the answer's cause if it has one.
func outcomeOf(a gate.Answer) outcome {
	switch {
	case a.Word == gate.Yes:
		return askYes
	case a.Word == gate.No:
		return askNo
	case a.Cause == gate.ShopFailed:
		return askFailed
	case a.Cause == gate.ShopNoAnswer:
		return askSilent
	}
	return askNone
}

// tally counts the outcomes for each sale that asks.
type tally struct {
	metrics *Metrics
	mu      sync.Mutex
	sales   map[string]*tallied
}

// tallied is one sale's part of a tally. If the sale is gone, its counters still work, but are not
// shown.
type tallied struct {
	counts     [outcomes]prometheus.Counter
	took       prometheus.Observer
	secretless prometheus.Gauge // 1 if there is no secret to sign questions with
	lines      [outcomes]gate.NowAndThen
	warned     bool // that there is no secret; used by LastWord.Run alone
}

func newTally(metrics *Metrics) *tally { return &tally{metrics: metrics, sales: map[string]*tallied{}} }

// of returns a sale's part. A new part is shown with zeros.
func (t *tally) of(sale string) *tallied {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.sales[sale]
	if of == nil {
		of = &tallied{
			took:       t.metrics.askTook.WithLabelValues(sale),
			secretless: t.metrics.askSecretless.WithLabelValues(sale),
		}
		for i, name := range names() {
			of.counts[i] = t.metrics.asks.WithLabelValues(sale, name)
		}
		t.sales[sale] = of
	}
	return of
}

// keep removes the other sales.
func (t *tally) keep(known func(sale string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for sale := range t.sales {
		if !known(sale) {
			delete(t.sales, sale)
			t.metrics.forgetAsks(sale)
		}
	}
}

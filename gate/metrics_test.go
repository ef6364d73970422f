package gate

import (
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Alerts ask whether a sale is open at times when nobody can ask the store: what
// was read last and the gate's clock must do, by the store's clock.
func TestASaleIsShownAsOpenByTheStoresClockEvenWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	clock := time.Now() // of the gate, a minute behind the store's
	sale := testSale()
	sale.OpensAt, sale.ClosesAt = clock.Add(time.Hour), clock.Add(2*time.Hour)
	s := &fakeStore{decide: accept, states: map[string]State{"race": {Sale: sale, Version: 1, Now: clock.Add(time.Minute)}}}
	registry := prometheus.NewRegistry()
	g := New(s, NewMetrics(registry), Options{Queue: 7, Now: func() time.Time { return clock }, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(g.close)
	g.refresh(t.Context())
	s.err = errors.New("connection refused")

	f := func(when time.Time, want int) {
		t.Helper()
		clock = when
		g.refresh(t.Context())
		text := `# HELP flashgate_sale_open 1 within the sale's window while it is not paused, else 0.
# TYPE flashgate_sale_open gauge
flashgate_sale_open{sale="race"} ` + strconv.Itoa(want) + "\n"
		if err := testutil.GatherAndCompare(registry, strings.NewReader(text), "flashgate_sale_open"); err != nil {
			t.Errorf("at %v: %v", when, err)
		}
	}
	f(sale.OpensAt.Add(-61*time.Second), 0)
	f(sale.OpensAt.Add(-60*time.Second), 1)
	f(sale.ClosesAt.Add(-61*time.Second), 1)
	f(sale.ClosesAt.Add(-60*time.Second), 0)

	s.err = nil
	s.change("race", func(state *State) { state.Paused, state.Now = true, sale.OpensAt })
	f(sale.OpensAt, 0)
	s.change("race", func(state *State) { state.Paused = false })
	f(sale.OpensAt, 1)
}

func TestAQueuesCapacityIsShownBesideItsDepth(t *testing.T) {
	t.Parallel()
	_, registry := startGate(t, &fakeStore{decide: accept}, Options{Queue: 7})
	text := `# HELP flashgate_queue_capacity Confirms that may wait; more are refused as busy.
# TYPE flashgate_queue_capacity gauge
flashgate_queue_capacity{sale="race"} 7
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(text), "flashgate_queue_capacity"); err != nil {
		t.Error(err)
	}
}

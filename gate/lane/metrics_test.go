package lane

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
)

// Alerts ask whether a sale is open at times when nobody can ask the store: what
// was read last and the gate's clock must do, by the store's clock.
func TestASaleIsShownAsOpenByTheStoresClockEvenWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	clock := time.Now() // of the gate, a minute behind the store's
	sale := testSale()
	sale.OpensAt, sale.ClosesAt = clock.Add(time.Hour), clock.Add(2*time.Hour)
	s := &fakeStore{
		decide: accept,
		states: map[string]gate.State{"race": {Sale: sale, Version: 1, Times: gate.Times{Now: clock.Add(time.Minute)}}},
	}
	registry := prometheus.NewRegistry()
	g := New(Deps{
		Store: s, Metrics: NewMetrics(registry), Now: func() time.Time { return clock },
		Log: slog.New(slog.DiscardHandler),
	}, Options{Queue: 7})
	t.Cleanup(g.close)
	g.refresh(t.Context())
	s.err = errors.New("connection refused")

	f := func(when time.Time, want int) {
		t.Helper()
		clock = when
		g.refresh(t.Context())
		text := `# HELP flashgate_sale_open 1 while the sale is within its window and not paused, else 0.
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
	s.change("race", func(state *gate.State) { state.Paused, state.Now = true, sale.OpensAt })
	f(sale.OpensAt, 0)
	s.change("race", func(state *gate.State) { state.Paused = false })
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

// Whoever is on call must see that nothing is given back.
func TestABrakeThatHoldsIsShown(t *testing.T) {
	t.Parallel()
	s := &fakeStore{decide: accept, states: map[string]gate.State{"race": {Sale: testSale(), Version: 1}}}
	registry := prometheus.NewRegistry()
	g := New(Deps{
		Store: s, Metrics: NewMetrics(registry), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}, Options{})
	t.Cleanup(g.close)
	for want, brake := range []*gate.Brake{nil, {Rule: gate.BrakeUnreadable}} {
		s.change("race", func(state *gate.State) { state.Brake = brake })
		g.refresh(t.Context())
		text := `# HELP flashgate_refund_brake 1 while the brake on the sale's refunds holds and gates cancel nothing, else 0.
# TYPE flashgate_refund_brake gauge
flashgate_refund_brake{sale="race"} ` + strconv.Itoa(want) + "\n"
		if err := testutil.GatherAndCompare(registry, strings.NewReader(text), "flashgate_refund_brake"); err != nil {
			t.Error(err)
		}
	}
}

// Whoever is on call must see why payments are refused while Redis answers.
func TestAClockInDoubtIsShown(t *testing.T) {
	t.Parallel()
	s := &fakeStore{decide: accept, states: map[string]gate.State{"race": {Sale: testSale(), Version: 1}}}
	registry := prometheus.NewRegistry()
	g := New(Deps{
		Store: s, Metrics: NewMetrics(registry), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}, Options{})
	t.Cleanup(g.close)
	for _, test := range []struct {
		times   gate.Times
		doubted int
		offset  string
	}{
		{gate.Times{Now: time.Now()}, 0, "0"},
		{gate.Times{Now: time.Now(), Ahead: 90 * time.Second, Doubt: &gate.ClockError{}}, 1, "90"},
		{gate.Times{Now: time.Now(), Ahead: -time.Second}, 0, "-1"},
	} {
		s.change("race", func(state *gate.State) { state.Times = test.times })
		g.refresh(t.Context())
		text := fmt.Sprintf(`# HELP flashgate_clock_doubted 1 while Redis' clock is in doubt and the sale is neither sold nor settled, else 0.
# TYPE flashgate_clock_doubted gauge
flashgate_clock_doubted{sale="race"} %d
# HELP flashgate_clock_offset_seconds Redis' clock minus this gate's.
# TYPE flashgate_clock_offset_seconds gauge
flashgate_clock_offset_seconds %s
`, test.doubted, test.offset)
		if err := testutil.GatherAndCompare(registry, strings.NewReader(text), "flashgate_clock_doubted",
			"flashgate_clock_offset_seconds"); err != nil {
			t.Error(err)
		}
	}
}

func TestADoubtedClockIsSaidInWords(t *testing.T) {
	t.Parallel()
	own := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	f := func(redis time.Time, want string) {
		t.Helper()
		state := gate.State{
			Sale:  testSale(),
			Times: gate.Times{Now: own, Doubt: &gate.ClockError{Redis: redis, Own: own}},
		}
		if got := state.View().Clock; !strings.HasPrefix(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const own1 = "this machine's 2026-12-01T10:00:00Z, and nothing is changed while they are more than 1m0s apart: " +
		"Redis' clock is "
	f(own.Add(60*24*time.Hour+time.Second),
		"Redis' clock says 2027-01-30T10:00:01Z, "+own1+"1440h0m0s ahead of this machine's. Have NTP set")
	f(own.Add(-2*time.Minute),
		"Redis' clock says 2026-12-01T09:58:00Z, "+own1+"2m0s behind this machine's. Have NTP set")
	if got := (&gate.State{Sale: testSale()}).View().Clock; got != "" {
		t.Errorf("without doubt: %s", got)
	}
}

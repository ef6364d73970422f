package lane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/mirror"
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

// fakeFollower reads a sale whose ledger the test writes.
type fakeFollower struct {
	state   gate.State
	entries chan *gate.Entry // nil is an error of the connection
	fails   error
}

func (f *fakeFollower) Server() (string, int) { return "server", 1 }

func (f *fakeFollower) State(context.Context) (gate.State, error) { return f.state, f.fails }

func (f *fakeFollower) Scan(context.Context, uint64) ([]gate.Change, uint64, error) {
	return nil, 0, f.fails
}

func (f *fakeFollower) Poll(_ context.Context, _ int64, wait time.Duration) (gate.Page, error) {
	if f.fails != nil {
		return gate.Page{}, f.fails
	}
	select {
	case e := <-f.entries:
		if e == nil {
			f.fails = errors.New("connection reset")
			return gate.Page{}, f.fails
		}
		f.state.Seq = e.Seq
		return gate.Page{Seq: e.Seq, Entries: []*gate.Entry{e}, Whole: true}, nil
	case <-time.After(wait):
		return gate.Page{Seq: f.state.Seq, Whole: true}, nil
	}
}

func (f *fakeFollower) Close() error { return nil }

// The sales are read twice a second; a mirror knows in milliseconds. What it knew when it was cut
// off counts for nothing.
func TestUnitsAndOrdersAreTheMirrorsWhileItIsFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sale := testSale()
		sale.SKUs = []gate.SKU{{Name: "full", Stock: 10}}
		units := func(left, held int64) map[string]gate.Units {
			return map[string]gate.Units{"full": {Total: 10, Left: left, Held: held}}
		}
		read := gate.State{Sale: sale, Version: 1, Seq: 1, Units: units(10, 0)}
		s := &fakeStore{decide: accept, states: map[string]gate.State{"race": read}}
		follower := &fakeFollower{state: read, entries: make(chan *gate.Entry)}
		registry := prometheus.NewRegistry()
		g := New(Deps{
			Store: s, Metrics: NewMetrics(registry), Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Mirror: func(sale string) *mirror.Mirror {
				return mirror.New(sale, mirror.Deps{
					Follower: follower, Metrics: mirror.NewMetrics(prometheus.NewRegistry()), Now: time.Now,
					Log: slog.New(slog.DiscardHandler),
				})
			},
		}, Options{})
		t.Cleanup(g.close)
		g.refresh(t.Context())
		shown := func(when string, left, held int64) {
			t.Helper()
			text := fmt.Sprintf(`# HELP flashgate_orders Orders by state.
# TYPE flashgate_orders gauge
flashgate_orders{sale="race",state="asking"} 0
flashgate_orders{sale="race",state="held"} %d
flashgate_orders{sale="race",state="paid"} 0
flashgate_orders{sale="race",state="refund_due"} 0
flashgate_orders{sale="race",state="refunded"} 0
flashgate_orders{sale="race",state="released"} 0
# HELP flashgate_units Units of a SKU by state; total is the sum of the others.
# TYPE flashgate_units gauge
flashgate_units{sale="race",sku="full",state="held"} %d
flashgate_units{sale="race",sku="full",state="left"} %d
flashgate_units{sale="race",sku="full",state="paid"} 0
flashgate_units{sale="race",sku="full",state="total"} 10
flashgate_units{sale="race",sku="full",state="withheld"} 0
`, held, held, left)
			if err := testutil.GatherAndCompare(registry, strings.NewReader(text), "flashgate_orders",
				"flashgate_units"); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
		time.Sleep(time.Second)
		shown("the sale was read", 10, 0)
		accepted := func(seq, held int64) *gate.Entry {
			o := gate.Order{
				ID: fmt.Sprint("order-", seq), State: gate.OrderHeld, Revision: 1,
				Lines: []gate.Line{{SKU: "full", Quantity: 1}}, Taken: time.Now(),
			}
			return &gate.Entry{
				Seq: seq, Kind: "confirm", Time: time.Now(), Counters: units(10-held, held),
				Counts:  gate.OrderCounts{Held: held},
				Changes: []gate.Change{{Order: o.ID, Record: string(gate.AppendRecord(nil, &o))}},
			}
		}
		follower.entries <- accepted(2, 1)
		synctest.Wait()
		shown("an order was accepted", 9, 1)

		s.change("race", func(state *gate.State) {
			state.Seq, state.Units, state.Orders = 3, units(8, 2), gate.OrderCounts{Held: 2}
		})
		g.refresh(t.Context())
		shown("the sale was read anew, and is newer", 8, 2)
		follower.entries <- accepted(3, 2)
		follower.entries <- accepted(4, 3)
		synctest.Wait()
		shown("the mirror is newer again", 7, 3)
		follower.entries <- nil
		time.Sleep(mirror.FreshFor + time.Second)
		shown("the mirror is cut off", 8, 2)
	})
}

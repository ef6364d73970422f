package lane

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/testkit"
)

func TestNewSettingsCountWithinASecond(t *testing.T) {
	t.Parallel()
	s := &fakeStore{decide: accept}
	g, _ := startGate(t, s, Options{})
	lane, _ := g.Lane([]byte("race"))
	before := lane.Settings()
	if before != lane.Settings() {
		t.Error("the settings' pointer changes although they do not")
	}
	s.change("race", func(state *gate.State) { state.Version, state.PerBuyer = 2, 2 })
	testkit.Until(t, "the buyer is demanded",
		func() bool { return confirm(t, g, "order", time.Now()).Code == gate.BadRequest })
	if before.PerBuyer != 0 {
		t.Error("settings that were given out have changed")
	}
}

func TestAHigherRunIsNoticedEvenWithTheSameVersion(t *testing.T) {
	t.Parallel()
	s := &fakeStore{decide: accept}
	g, _ := startGate(t, s, Options{})
	s.change("race", func(state *gate.State) { state.Run, state.OpensAt = 2, time.Now().Add(30*time.Minute) })
	testkit.Until(t, "the new run's opening counts",
		func() bool { return confirm(t, g, "order", time.Now()).Code == gate.NotOpen })
}

// idleGate returns a gate that reads its sales only when the test refreshes it.
func idleGate(t *testing.T, s Store) (*Gate, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	g := New(Deps{
		Store: s, Metrics: NewMetrics(registry), Keys: gate.Unsigned(), Now: time.Now,
		Log: slog.New(slog.DiscardHandler),
	}, Options{})
	t.Cleanup(g.close)
	g.refresh(t.Context())
	return g, registry
}

func TestAGateIsNotReadyBeforeTheSalesWereRead(t *testing.T) {
	t.Parallel()
	s := &fakeStore{decide: accept, err: errors.New("connection refused"), states: map[string]gate.State{}}
	g, _ := idleGate(t, s)
	if g.Ready() {
		t.Error("ready although the store could not be read")
	}
	s.err = nil
	g.refresh(t.Context())
	if !g.Ready() {
		t.Error("not ready although the store was read: it has no sale yet, and that is fine")
	}
	s.err = errors.New("connection refused")
	g.refresh(t.Context())
	if !g.Ready() {
		t.Error("not ready because the store failed later")
	}
}

func TestAReadThatFailsHalfWayLeavesTheGateNotReady(t *testing.T) {
	t.Parallel()
	s := &fakeStore{decide: accept, states: map[string]gate.State{
		"race":  {Sale: testSale(), Version: 1, Times: gate.Times{Now: time.Now()}},
		"other": {Sale: testSale(), Version: 1, Times: gate.Times{Now: time.Now()}},
	}}
	s.broken = map[string]error{"other": errors.New("timeout")}
	g, _ := idleGate(t, s)
	if g.Ready() {
		t.Error("ready although a sale could not be read")
	}
	s.broken = nil
	g.refresh(t.Context())
	if !g.Ready() {
		t.Error("not ready although every sale was read")
	}
}

// What cannot be read is the trouble of one sale: the others are sold.
func TestASaleThatCannotBeReadIsAloneUnavailable(t *testing.T) {
	t.Parallel()
	other := testSale()
	other.Name = "other"
	s := &fakeStore{decide: accept, states: map[string]gate.State{
		"race":  {Sale: testSale(), Version: 1, Times: gate.Times{Now: time.Now()}},
		"other": {Sale: other, Version: 1, Times: gate.Times{Now: time.Now()}},
	}}
	s.broken = map[string]error{"other": &gate.UnreadableError{Sale: "other", Err: errors.New("settings are no JSON")}}
	g, registry := idleGate(t, s)
	if !g.Ready() {
		t.Error("not ready because one sale cannot be read")
	}
	f := func(sale string, want gate.Code) {
		t.Helper()
		if got := confirmIn(g, sale, "order", time.Now()).Code; got != want {
			t.Errorf("%s: %s, want %s", sale, got, want)
		}
	}
	f("race", gate.Held)
	f("other", gate.Unavailable)
	if g.Sales()["other"] != nil {
		t.Error("the settings of a sale that cannot be read are given out")
	}
	s.broken = nil
	g.refresh(t.Context())
	f("other", gate.Held)
	s.broken = map[string]error{"other": &gate.UnreadableError{Sale: "other", Err: errors.New("damaged")}}
	g.refresh(t.Context())
	f("other", gate.Held) // the store decides, as long as it can
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// A lost sale that is made anew has version 1 again: its settings are others.
func TestSettingsThatTheVersionDoesNotTellApartAreTakenUp(t *testing.T) {
	t.Parallel()
	s := &fakeStore{
		decide: accept,
		states: map[string]gate.State{"race": {Sale: testSale(), Version: 1, Times: gate.Times{Now: time.Now()}}},
	}
	g, _ := idleGate(t, s)
	s.change("race", func(state *gate.State) { state.PerBuyer = 2 })
	s.set = true
	g.refresh(t.Context())
	if got := confirm(t, g, "order", time.Now()).Code; got != gate.BadRequest {
		t.Errorf("got %s: the buyer is not demanded", got)
	}
}

func TestMetricsShowTheNewestStock(t *testing.T) {
	t.Parallel()
	s := &fakeStore{
		decide: accept,
		states: map[string]gate.State{"race": {Sale: testSale(), Version: 1, Times: gate.Times{Now: time.Now()}}},
	}
	g, registry := idleGate(t, s)
	s.change("race", func(state *gate.State) {
		state.Units = map[string]gate.Units{"full": {Total: 10, Left: 7, Held: 3}}
		state.Orders = gate.OrderCounts{Held: 3}
	})
	g.refresh(t.Context())
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	n, err := testutil.GatherAndCount(registry, "flashgate_units", "flashgate_orders", "flashgate_queue_depth")
	if err != nil || n != 5+6+1 {
		t.Errorf("%d series of stock, orders and queue, want 12 (%v)", n, err)
	}
	s.change("race", func(state *gate.State) { state.Deleted = time.Now() })
	g.refresh(t.Context())
	if n, _ := testutil.GatherAndCount(registry); n != 2 {
		t.Errorf("%d series after the only sale was deleted, want the clock offset and the time of reading", n)
	}
}

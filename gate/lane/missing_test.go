package lane

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
)

// watched is a gate that reads its sales only when the test says so.
type watched struct {
	*Gate
	t        *testing.T
	store    *fakeStore
	registry *prometheus.Registry
	log      bytes.Buffer
}

func watch(t *testing.T, states map[string]gate.State, expected ...gate.Sale) *watched {
	t.Helper()
	w := &watched{t: t, store: &fakeStore{decide: accept, states: states}, registry: prometheus.NewRegistry()}
	w.Gate = New(Deps{
		Store: w.store, Metrics: NewMetrics(w.registry), Keys: gate.Unsigned(), Now: time.Now,
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}, Options{Expected: expected})
	t.Cleanup(w.close)
	w.refresh(t.Context())
	return w
}

// wants wants that verdict on a confirm, that value of the metric, and that the log
// says so often that the sale is missing.
func (w *watched) wants(code gate.Code, missing float64, said int) {
	w.t.Helper()
	if got := confirm(w.t, w.Gate, "order", time.Now()).Code; got != code {
		w.t.Errorf("a confirm is %s, want %s", got, code)
	}
	var series float64 = -1
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "flashgate_sale_missing" {
			series = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	if series != missing {
		w.t.Errorf("flashgate_sale_missing is %v, want %v", series, missing)
	}
	if got := strings.Count(w.log.String(), `level=ERROR msg="a sale is missing: `); got != said {
		w.t.Errorf("the log says %d times that it is missing, want %d:\n%s", got, said, &w.log)
	}
}

func stored() gate.State {
	return gate.State{Sale: testSale(), Version: 1, Times: gate.Times{Now: time.Now()}}
}

func TestASaleThatVanishesIsMissingUntilItIsThereAgain(t *testing.T) {
	t.Parallel()
	w := watch(t, map[string]gate.State{"race": stored()})
	w.wants(gate.Held, 0, 0)

	w.store.lose()
	w.refresh(t.Context())
	w.wants(gate.Recovering, 1, 0)
	for range 3 {
		w.refresh(t.Context())
	}
	w.wants(gate.Recovering, 1, 1)
	for _, way := range []string{
		`never_sold_yet="flashgate apply -f FILE --open-now"`,
		"lost=deploy/RUNBOOK.md#flashgatesalemissing",
	} {
		if !strings.Contains(w.log.String(), way) {
			t.Errorf("the log does not say %s:\n%s", way, &w.log)
		}
	}
	if !slices.Equal(w.store.expected, []string{"race"}) {
		t.Errorf("made known are %q, want the sale, once", w.store.expected)
	}
	if len(w.Sales()) > 0 {
		t.Error("it is settled, and its shop told of it, although there is nothing of it")
	}
	if n, err := testutil.GatherAndCount(w.registry, "flashgate_units", "flashgate_orders"); err != nil || n > 0 {
		t.Errorf("%d series tell of what it had, %v", n, err)
	}

	w.store.states["race"] = stored() // made anew, and so in the run and version that it had
	w.refresh(t.Context())
	w.wants(gate.Held, 0, 1)
	w.store.lose()
	w.refresh(t.Context())
	w.refresh(t.Context())
	w.wants(gate.Recovering, 1, 2)
}

// lose makes the store forget all that it has.
func (s *fakeStore) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states, s.expected = map[string]gate.State{}, nil
}

func TestAMissingSaleOfTheFileIsAnsweredByItsWindow(t *testing.T) {
	t.Parallel()
	f := func(what string, opens, closes time.Duration, code gate.Code, missing float64, said int, known ...string) {
		t.Run(what, func(t *testing.T) {
			sale := testSale()
			sale.OpensAt, sale.ClosesAt = time.Now().Add(opens), time.Now().Add(closes)
			w := watch(t, map[string]gate.State{}, sale)
			if !w.Ready() {
				t.Error("the gate is not ready")
			}
			w.refresh(t.Context())
			w.refresh(t.Context())
			w.wants(code, missing, said)
			if !slices.Equal(w.store.expected, known) {
				t.Errorf("made known are %q, want %q", w.store.expected, known)
			}
			w.store.states["race"] = stored()
			w.refresh(t.Context())
			w.wants(gate.Held, 0, said)
		})
	}
	f("open", -time.Hour, time.Hour, gate.Recovering, 1, 1, "race")
	f("ahead", time.Hour, 2*time.Hour, gate.NotOpen, 1, 1, "race")
	f("over", -2*time.Hour, -time.Hour, gate.Closed, 0, 0)
}

// What a gate has seen and that is gone was lost, also where its window is over: its
// orders are still to be settled.
func TestASaleThatVanishesAfterItsEndIsLost(t *testing.T) {
	t.Parallel()
	over := stored()
	over.OpensAt, over.ClosesAt = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	w := watch(t, map[string]gate.State{"race": over}, over.Sale)
	w.store.lose()
	w.refresh(t.Context())
	w.refresh(t.Context())
	w.wants(gate.Closed, 1, 1)
}

// Only of a sale or an order that is not there it is asked why.
func TestWhyThereIsNoSuchSaleIsAskedOnlyThen(t *testing.T) {
	t.Parallel()
	if err := gate.Gone(t.Context(), nil, "race", gate.ErrChanged); err != gate.ErrChanged {
		t.Errorf("got %v", err)
	}
}

// A gate without the file knows a missing sale by its name, as others made it known.
func TestASaleIsExpectedWhereItsNameIsKnown(t *testing.T) {
	t.Parallel()
	w := watch(t, map[string]gate.State{"other": stored()})
	w.wants(gate.UnknownSale, 0, 0)
	w.store.expected = []string{"race"}
	w.refresh(t.Context())
	if lane, _ := w.Lane([]byte("race")); !slices.Equal(lane.Settings().Accept, gate.VersionNames()) {
		t.Errorf("it takes %q: a version that it does not take would be refused for that", lane.Settings().Accept)
	}
	if strings.Contains(w.log.String(), "missing") {
		t.Error("a name that comes before its sale is logged as missing")
	}
	w.refresh(t.Context())
	if v := confirm(t, w.Gate, "order", time.Now()); v.Code != gate.Recovering ||
		!strings.Contains(w.log.String(), "a sale is missing") {
		t.Errorf("a confirm is %s, the log has\n%s", v.Code, &w.log)
	}
	if v := checkOffer(w.Gate); v.Code != gate.Recovering {
		t.Error("a link to it is taken")
	}
	gone := stored()
	gone.Deleted = time.Now()
	w.store.states["race"] = gone
	w.refresh(t.Context())
	if v := confirm(t, w.Gate, "order", time.Now()); v.Code != gate.UnknownSale {
		t.Errorf("once it is deleted a confirm is %s", v.Code)
	}
}

// That a store which takes no write cannot be told a name changes nothing else.
func TestAMissingSaleThatCannotBeMadeKnownKeepsNothingUp(t *testing.T) {
	t.Parallel()
	w := watch(t, map[string]gate.State{}, testSale())
	w.store.lose()
	full := &fullStore{w.store}
	w.deps.Store = full
	w.refresh(t.Context())
	w.wants(gate.Recovering, 1, 1)
	if !strings.Contains(w.log.String(), "it is full") {
		t.Errorf("the log does not say why:\n%s", &w.log)
	}
	if read := testutil.ToFloat64(w.deps.Metrics.refreshed); time.Since(time.Unix(int64(read), 0)) > time.Minute {
		t.Error("the sales count as unread")
	}
}

type fullStore struct{ *fakeStore }

func (*fullStore) Expect(context.Context, string) error { return errors.New("it is full") }

// checkOffer tells what a link to the sale would be refused for.
func checkOffer(g *Gate) gate.Verdict {
	lane, _ := g.Lane([]byte("race"))
	return verdictOn(lane.CheckOffer(&gate.Offer{Sale: "race", Items: "free", Order: "o"}))
}

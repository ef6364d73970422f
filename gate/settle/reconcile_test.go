package settle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// checkout is a scene whose payments are made at a simulated PortOne of one version, which
// tells of nothing by webhooks.
type checkout struct {
	*scene
	sim      *portonesim.Sim
	version  gate.Version
	settings *gate.Settings
	client   *portone.Client

	callsMu sync.Mutex
	calls   map[string]int // of PortOne's API, by what they are for
}

// eachCheckout runs a test with a sale at both versions of PortOne's.
func eachCheckout(t *testing.T, change func(*gate.Settings), test func(t *testing.T, c *checkout)) {
	for _, version := range gate.Versions() {
		t.Run(version.String(), func(t *testing.T) {
			t.Parallel()
			test(t, openCheckout(t, version, change))
		})
	}
}

func openCheckout(t *testing.T, version gate.Version, change func(*gate.Settings)) *checkout {
	t.Helper()
	c := &checkout{version: version, calls: map[string]int{}}
	c.scene = openScene(t, func(s *gate.Settings) {
		s.SKUs[0].Stock, s.Hold = 3000, time.Hour
		if change != nil {
			change(s)
		}
		c.settings = s
	})
	c.sim = portonesim.New(portonesim.Deps{Now: c.time, Log: slog.New(slog.DiscardHandler)}, portonesim.Options{
		V1Key: "key", V1Secret: "secret", V2Secret: "secret", Plan: portonesim.Plan{SlowBy: time.Hour},
	})
	handler := c.sim.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.callsMu.Lock()
		c.calls[purpose(r)]++
		c.callsMu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		c.sim.Close()
	})
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	opt := portone.Options{Rate: 1000}
	if version == 1 {
		opt.V1 = portone.V1Options{BaseURL: server.URL, Key: "key", Secret: "secret"}
	} else {
		opt.V2 = portone.V2Options{BaseURL: server.URL, Secret: "secret"}
	}
	client, err := portone.NewClient(portone.Deps{
		Transport: transport, Metrics: portone.NewMetrics(prometheus.NewRegistry()), Now: c.time,
		Log: slog.New(slog.DiscardHandler),
	}, opt)
	if err != nil {
		t.Fatal(err)
	}
	c.client, c.settler.deps.Payments = client, client
	c.settler.refunds.SetLimit(1000)
	return c
}

// purpose is what a call of PortOne's API is for.
func purpose(r *http.Request) string {
	ask := r.URL.Query().Get("requestBody")
	switch path := r.URL.Path; {
	case r.Method == http.MethodPost && strings.HasSuffix(path, "cancel"):
		return "cancel"
	case strings.HasPrefix(path, "/payments/status/all") && r.URL.Query().Has("sorting"),
		strings.Contains(ask, "STATUS_CHANGED_AT"):
		return "changes"
	case path == "/users/getToken":
		return "token"
	}
	return "look"
}

// counted returns how many calls there were since it was asked last.
func (c *checkout) counted() map[string]int {
	c.callsMu.Lock()
	defer c.callsMu.Unlock()
	counted := c.calls
	c.calls = map[string]int{}
	delete(counted, "token")
	return counted
}

// reconciler is that of another gate.
func (c *checkout) reconciler() *Reconciler {
	return NewReconciler(ReconcilerDeps{
		Store: c.store, Changes: c.client, Sales: c.settler.deps.Sales,
		Metrics: NewReconcileMetrics(prometheus.NewRegistry()), Now: c.time,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, ReconcilerOptions{Currency: "KRW"})
}

// pay makes attempts to pay orders, each after a confirm, and returns the attempts' ids.
func (c *checkout) pay(fate string, orders ...string) (attempts []string) {
	c.t.Helper()
	var batch []*gate.Request
	for _, order := range orders {
		o := portonesim.Order{Body: "v1", ID: order, Amount: 1000, Fate: fate}
		if c.version == 2 {
			o.Body = "v2-2024-04-25"
		}
		attempt := c.sim.Pay(c.t.Context(), o).Attempt
		attempts = append(attempts, attempt)
		batch = append(batch, &gate.Request{Confirm: gate.Confirm{
			Order: []byte(order), Attempt: []byte(attempt), Version: c.version, Buyer: []byte("ann"),
			Lines:  []gate.Line{{SKU: "full", Quantity: 1}},
			Amount: gate.Amount{Value: 1000, Known: true},
		}})
	}
	for some := range slices.Chunk(batch, gate.MaxBatch) {
		if err := c.decider.Decide(c.t.Context(), some); err != nil {
			c.t.Fatal(err)
		}
	}
	return attempts
}

// orders are so many names.
func orders(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("o%04d", i))
	}
	return names
}

// state is an order's, with its attempts and what is left of a payment in part.
func (c *checkout) state(order string) string {
	c.t.Helper()
	read, _, err := c.store.Orders(c.t.Context(), "race", []string{order})
	if err != nil || len(read) != 1 {
		c.t.Fatalf("order %s: %v %v", order, read, err)
	}
	text := read[0].State.String()
	for _, a := range read[0].Attempts {
		text += " " + string(a.State)
	}
	if b := read[0].Balance; b.Known {
		text += fmt.Sprint(" ", b.Value)
	}
	return text
}

func (c *checkout) wantStates(want string, orders ...string) {
	c.t.Helper()
	for _, order := range orders {
		if got := c.state(order); got != want {
			c.t.Errorf("order %s is %s, want %s", order, got, want)
		}
	}
}

// reconciled lets a turn's time pass, reconciles, and settles what that has found.
func (c *checkout) reconciled(r *Reconciler) {
	c.t.Helper()
	c.pass(reconcileEvery)
	r.turn(c.t.Context())
	for range 3 {
		c.after(10 * time.Millisecond)
	}
}

func (c *checkout) done(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// settled has orders paid, and lets time pass until nobody looks at them any more.
func (c *checkout) settled(orders ...string) {
	c.t.Helper()
	c.pay("approved", orders...)
	c.after(30 * time.Second)
	c.after(10 * time.Minute)
	c.wantStates("paid P", orders...)
}

func TestWhatIsCancelledAtPortOneIsFoundThoughItsWebhookIsLost(t *testing.T) {
	t.Parallel()
	eachCheckout(t, nil, func(t *testing.T, c *checkout) {
		r := c.reconciler()
		c.settled("console", "rest", "part", "twice", "kept")
		r.turn(t.Context())
		c.after(5 * time.Hour)
		c.counted()
		c.done(c.sim.Cancel("console", "", 0))
		c.done(c.sim.Cancel("part", "", 300))
		c.done(c.sim.Cancel("twice", "", 300))
		read, _, err := c.store.Orders(t.Context(), "race", []string{"rest"})
		c.done(err)
		_, err = c.client.Cancel(t.Context(), portone.CancelRequest{ // by the shop itself
			Order: "rest", Attempt: read[0].Attempts[0].ID, Version: c.version, Balance: 1000, Reason: "shop",
			Key: "shop-shop-shop-shop",
		})
		c.done(err)
		c.reconciled(r)
		c.wantStates("refunded X", "console", "rest")
		c.wantStates("paid P 700", "part", "twice")
		c.wantStates("paid P", "kept")
		c.want(nil, 2997, 0, 3, 0)
		if calls := c.counted(); calls["changes"] > 2 || calls["look"] > 8 {
			t.Errorf("calls: %v", calls)
		}
		if found := testutil.ToFloat64(r.deps.Metrics.found.WithLabelValues("race")); found != 4 {
			t.Errorf("%v orders were found", found)
		}

		c.done(c.sim.Cancel("twice", "", 200))
		c.reconciled(r)
		c.wantStates("paid P 500", "twice")
		c.done(c.sim.Cancel("twice", "", 500))
		c.reconciled(r)
		c.wantStates("refunded X", "twice")
		c.after(time.Hour)
		c.counted()
		c.reconciled(r)
		if calls := c.counted(); calls["look"] != 0 || calls["changes"] != 1 {
			t.Errorf("calls when all is known: %v", calls)
		}
	})
}

func TestWhatIsCancelledAtPortOneIsWithheldAsTheSaleSays(t *testing.T) {
	t.Parallel()
	eachCheckout(t, func(s *gate.Settings) { s.Withhold = true }, func(t *testing.T, c *checkout) {
		r := c.reconciler()
		c.settled("o1")
		c.done(c.sim.Cancel("o1", "", 0))
		c.reconciled(r)
		c.wantStates("refunded X", "o1")
		c.want(nil, 2999, 0, 0, 0)
	})
}

// A cancellation that is only asked for is in no record. It is found when it is done.
func TestACancellationOfAPaidOrderThatTakesItsTimeIsFoundWhenItIsDone(t *testing.T) {
	t.Parallel()
	eachCheckout(t, nil, func(t *testing.T, c *checkout) {
		r := c.reconciler()
		o := portonesim.Order{
			Body: map[gate.Version]string{1: "v1", 2: "v2-2024-04-25"}[c.version], ID: "o1",
			Amount: 1000, Cancels: []string{"requested"},
		}
		attempt := c.sim.Pay(t.Context(), o).Attempt
		c.done(c.decider.Decide(t.Context(), []*gate.Request{{Confirm: gate.Confirm{
			Order: []byte("o1"), Attempt: []byte(attempt), Version: c.version,
			Lines: []gate.Line{{SKU: "full", Quantity: 1}}, Amount: gate.Amount{Value: 1000, Known: true},
		}}}))
		c.after(30 * time.Second)
		_, err := c.client.Cancel(t.Context(), portone.CancelRequest{
			Order: "o1", Attempt: attempt, Version: c.version, Balance: 1000, Reason: "shop",
			Key: "shop-shop-shop-shop",
		})
		c.done(err)
		c.reconciled(r)
		c.wantStates("paid P", "o1")
		c.after(time.Hour)
		c.done(c.sim.Settle("o1", false))
		c.reconciled(r)
		c.wantStates("refunded X", "o1")
	})
}

// V1 may approve an attempt that it has told as failed. The buyer has paid by another one
// by then, and is charged twice.
func TestALateApprovalBesideAnotherPaymentIsGivenBack(t *testing.T) {
	t.Parallel()
	c := openCheckout(t, 1, func(s *gate.Settings) { s.AutoRefund = true })
	r, names := c.reconciler(), orders(20)
	late := c.pay("declines", names...)
	c.after(30 * time.Second)
	c.wantStates("released F", names...)
	c.pay("approved", names...)
	c.after(30 * time.Second)
	c.after(48 * time.Hour) // nobody looks at them any more
	r.turn(t.Context())
	c.wantStates("paid F P", names...)
	c.counted()
	for _, name := range names {
		c.done(c.sim.Revive(name))
	}
	c.reconciled(r)
	for range 5 {
		c.afterRefunds(time.Minute)
	}
	c.wantStates("paid X P", names...)
	c.want(nil, 2980, 0, 20, 0)
	if calls := c.counted(); calls["cancel"] != 20 {
		t.Errorf("calls: %v", calls)
	}
	for _, p := range c.sim.Payments() {
		if isLate := slices.Contains(late, p.Attempt); isLate != (p.Cancelled == 1000) || p.Status == "failed" {
			t.Errorf("payment %+v", p)
		}
	}
}

// A released order is looked at for a day. What is approved later than that is found too.
func TestAnApprovalDaysAfterTheReleaseIsFound(t *testing.T) {
	t.Parallel()
	c := openCheckout(t, 1, nil)
	r := c.reconciler()
	c.pay("declines", "o1")
	c.after(30 * time.Second)
	c.after(72 * time.Hour)
	r.turn(t.Context())
	c.done(c.sim.Revive("o1"))
	c.reconciled(r)
	c.wantStates("paid P", "o1")
}

// An order that was given back once has nothing that anybody looks at, and its other
// attempt is approved after all.
func TestAnApprovalAfterTheRefundIsGivenBack(t *testing.T) {
	t.Parallel()
	c := openCheckout(t, 1, func(s *gate.Settings) { s.AutoRefund = true })
	r := c.reconciler()
	c.pay("declines", "o1")
	c.after(30 * time.Second)
	c.settled2("o1")
	c.done(c.sim.Cancel("o1", "", 0))
	c.reconciled(r)
	c.wantStates("refunded F X", "o1")
	c.done(c.sim.Revive("o1"))
	c.reconciled(r)
	for range 5 {
		c.afterRefunds(time.Minute)
	}
	c.wantStates("refunded X X", "o1")
}

// settled2 has an order paid by its second attempt.
func (c *checkout) settled2(order string) {
	c.t.Helper()
	c.pay("approved", order)
	c.after(30 * time.Second)
	c.after(48 * time.Hour)
	c.wantStates("paid F P", order)
}

func TestMoreChangesThanAPageAreFoundInOneTurn(t *testing.T) {
	t.Parallel()
	eachCheckout(t, nil, func(t *testing.T, c *checkout) {
		r, names := c.reconciler(), orders(1300)
		c.settled(names...)
		r.turn(t.Context())
		c.pass(time.Hour)
		for _, name := range names {
			c.done(c.sim.Cancel(name, "", 0))
		}
		c.reconciled(r)
		c.want(nil, 3000, 0, 0, 0)
	})
}

func TestNothingThatChangesCostsACallForAllOrdersTogether(t *testing.T) {
	t.Parallel()
	eachCheckout(t, nil, func(t *testing.T, c *checkout) {
		r := c.reconciler()
		c.settled(orders(2000)...)
		c.reconciled(r)
		c.pass(quiet + readAgain)
		c.reconciled(r)
		c.counted()
		for range 15 { // ten minutes
			c.reconciled(r)
		}
		if calls := c.counted(); calls["changes"] != 15 || len(calls) != 1 {
			t.Errorf("calls in ten minutes: %v", calls)
		}
	})
}

func TestOneGateAtATimeReadsWhatHasChanged(t *testing.T) {
	t.Parallel()
	eachCheckout(t, nil, func(t *testing.T, c *checkout) {
		one, two := c.reconciler(), c.reconciler()
		c.settled("o1", "o2")
		c.counted()
		for range 3 {
			c.pass(reconcileEvery / 2)
			one.turn(t.Context())
			c.pass(reconcileEvery / 2)
			two.turn(t.Context())
		}
		if calls := c.counted(); calls["changes"] != 3 {
			t.Errorf("two gates: %v", calls)
		}
		c.done(c.sim.Cancel("o1", "", 0)) // one is dead by now
		two.turn(t.Context())
		if calls := c.counted(); len(calls) != 0 {
			t.Errorf("while the lease lasts: %v", calls)
		}
		c.reconciled(two)
		c.wantStates("refunded X", "o1")

		// A gate that ends leaves the sale at once.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		three := c.reconciler()
		c.pass(time.Minute)
		mine := three.claim(t.Context())
		c.done(c.store.KeepReconciling(t.Context(), "race", three.token, 0))
		three.Run(ctx)
		c.done(c.sim.Cancel("o2", "", 0))
		c.reconciled(two)
		c.wantStates("refunded X", "o2")
		if len(mine) != 1 {
			t.Errorf("the gate that ended had %d sales", len(mine))
		}
	})
}

// dying is a store that is gone when orders are to be looked up.
type dying struct{ Reconciled }

func (dying) Again(context.Context, string, []string, time.Duration) (int, error) {
	return 0, errors.New("the gate is dead")
}

func TestAGateThatDiesWhileItReadsLosesNothing(t *testing.T) {
	t.Parallel()
	eachCheckout(t, nil, func(t *testing.T, c *checkout) {
		one, two := c.reconciler(), c.reconciler()
		one.deps.Store = dying{c.store}
		c.settled("o1")
		one.turn(t.Context())
		before, err := c.store.Reconciling(t.Context(), "race")
		c.done(err)
		c.pass(time.Hour)
		c.done(c.sim.Cancel("o1", "", 0))
		c.reconciled(one)
		after, err := c.store.Reconciling(t.Context(), "race")
		c.done(err)
		if before.Marks != after.Marks || before.Marks[c.version].Until.IsZero() {
			t.Errorf("its mark was %+v, and is %+v", before.Marks, after.Marks)
		}
		c.wantStates("paid P", "o1")
		c.pass(time.Minute)
		c.pass(time.Hour)
		c.reconciled(two)
		c.wantStates("refunded X", "o1")
	})
}

// told is a PortOne that lists nothing, and remembers since when it was asked.
type told struct {
	since []time.Time
	until time.Time
	all   bool
	err   error
}

func (*told) Versions() []gate.Version { return []gate.Version{gate.V1} }

func (l *told) EachChanged(_ context.Context, _ gate.Version, since, _ time.Time,
	_ func([]portone.Changed) (bool, error),
) (time.Time, bool, error) {
	l.since = append(l.since, since)
	return l.until, l.all, l.err
}

func TestHowFarChangesWereReadNeverGoesBack(t *testing.T) {
	t.Parallel()
	c := openCheckout(t, 1, nil)
	l := &told{all: true}
	turn := func(r *Reconciler) time.Duration { // before now since when it asks
		c.pass(reconcileEvery)
		r.deps.Changes = l
		r.turn(t.Context())
		return c.time().Sub(l.since[len(l.since)-1])
	}
	r := c.reconciler()
	if ago := turn(r); ago != time.Hour+reconcileEvery+readAgain {
		t.Errorf("the first time it asks for the last %s", ago)
	}
	if ago := turn(r); ago != reconcileEvery+quiet+readAgain { // nothing has changed, so PortOne's clock is unknown
		t.Errorf("then for the last %s", ago)
	}
	l.until = c.time()
	turn(r)
	if ago := turn(r); ago != 2*reconcileEvery+readAgain {
		t.Errorf("after a change for the last %s", ago)
	}
	l.until = at.Add(-30 * time.Minute)
	if ago := turn(r); ago != 3*reconcileEvery+readAgain {
		t.Errorf("after an older one for the last %s", ago)
	}
	l.until, l.all = c.time().Add(-time.Second), false // there are more
	turn(r)
	l.until, l.all, l.err = time.Time{}, false, errors.New("PortOne is away")
	if ago := turn(r); ago != 2*reconcileEvery+time.Second+readAgain {
		t.Errorf("after a part for the last %s", ago)
	}
	state, err := c.store.Reconciling(t.Context(), "race")
	c.done(err)
	if m := state.Marks[1]; m.Trouble != "PortOne is away" || state.Now.Sub(m.Read) != 3*reconcileEvery-reconcileEvery {
		t.Errorf("its mark is %+v at %s", m, state.Now)
	}

	// Another gate, or this one after a restart, goes on from there.
	l.err, l.all = nil, true
	c.pass(restLease)
	r = c.reconciler()
	if ago := turn(r); ago != 3*reconcileEvery+restLease+time.Second+readAgain {
		t.Errorf("another gate asks for the last %s", ago)
	}
	l.until = c.time().AddDate(1, 0, 0) // of a payment with a time yet to come
	turn(r)
	if ago := turn(r); ago != reconcileEvery+readAgain-gate.ClockTolerance {
		t.Errorf("after a time that is not yet for the last %s", ago)
	}

	// A run anew begins anew.
	settings := *c.settings
	settings.OpensAt = c.time().Add(-time.Minute)
	c.done(c.store.Create(t.Context(),
		gate.Creation{Who: "test", Sale: gate.Sale{Name: "race", Run: 2, Settings: settings}, OpenNow: true}))
	*c.settings = settings
	if ago := turn(r); ago != reconcileEvery+time.Minute+readAgain {
		t.Errorf("in a new run for the last %s", ago)
	}
}

func TestAListThatFailsIsReadAgainAfterPausesThatGrow(t *testing.T) {
	t.Parallel()
	c := openCheckout(t, 1, nil)
	l, r := &told{err: errors.New("PortOne is away")}, c.reconciler()
	r.deps.Changes = l
	for range 45 { // half an hour
		c.pass(reconcileEvery)
		r.turn(t.Context())
	}
	if n := len(l.since); n < 6 || n > 12 {
		t.Errorf("it was read %d times", n)
	}
	age := testutil.ToFloat64(r.deps.Metrics.age.WithLabelValues("race", "v1"))
	if want := (time.Hour + 45*reconcileEvery).Seconds(); age != want {
		t.Errorf("its age is %v, want %v", age, want)
	}
	l.err, l.all = nil, true
	c.pass(longestRest)
	r.turn(t.Context())
	n := len(l.since)
	c.pass(reconcileEvery)
	r.turn(t.Context())
	age = testutil.ToFloat64(r.deps.Metrics.age.WithLabelValues("race", "v1"))
	if len(l.since) != n+1 || age != 0 {
		t.Errorf("after that it was read %d times in a turn; its age is %v", len(l.since)-n, age)
	}
}

func TestPortOneIsAskedFromTheOpeningUntilAWhileAfterTheEnd(t *testing.T) {
	t.Parallel()
	f := func(what string, change func(*gate.Settings), at time.Duration, want int) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := openCheckout(t, 1, change)
			l, r := &told{all: true}, c.reconciler()
			r.deps.Changes = l
			c.pass(at)
			r.turn(t.Context())
			if len(l.since) != want {
				t.Errorf("it was read %d times, want %d", len(l.since), want)
			}
		})
	}
	day := 24 * time.Hour
	f("before it opens", func(s *gate.Settings) { s.OpensAt = at.Add(time.Hour) }, 59*time.Minute, 0)
	f("when it opens", func(s *gate.Settings) { s.OpensAt = at.Add(time.Hour) }, time.Hour, 1)
	f("a week after its end", nil, 2*day+7*day, 1)
	f("later", nil, 2*day+7*day+time.Second, 0)
	f("later than the sale says", func(s *gate.Settings) { s.ReconcileFor = day }, 3*day+time.Second, 0)
	f("as long as the sale says", func(s *gate.Settings) { s.ReconcileFor = 30 * day }, 31*day, 1)
	f("never", func(s *gate.Settings) { s.ReconcileFor = gate.NeverReconcile }, time.Hour, 0)
}

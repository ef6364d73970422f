package settle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bank is PortOne as a test wants it: what it says of each attempt.
type bank struct {
	mu        sync.Mutex
	payments  map[string]gate.Payment // by attempt
	down      bool
	apart     string // an attempt that it tells of only where the order is looked up alone
	silent    bool   // its findings are empty
	short     bool   // and there are too few of them
	lists     bool   // payments of the shop that are no gate's
	asked     int    // whether it does
	cancelled []string
	reasons   []string          // of what was cancelled
	account   *gate.BankAccount // of the last one
	taxFree   int64             // of the last one
	says      portone.Cancelled // to a cancellation, instead of carrying it out; CancelDone carries it out
	closed    []string          // attempts whose accounts were to be closed
	open      bool              // no account can be closed
	slow      bool              // nor in any time
	onLookup  func()            // once, while a look-up is under way
}

func (b *bank) set(order, attempt string, state gate.PaymentState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.payments == nil {
		b.payments = map[string]gate.Payment{}
	}
	b.payments[attempt] = gate.Payment{
		Order: order, Attempt: attempt, Version: 1, State: state, Amount: 1000, Balance: 1000,
		Currency: "KRW", Live: true,
	}
}

func (b *bank) Lookup(_ context.Context, queries []portone.Query) []portone.Finding {
	b.mu.Lock()
	between := b.onLookup
	b.onLookup = nil
	b.mu.Unlock()
	if between != nil {
		defer between()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	findings := make([]portone.Finding, len(queries))
	for i, q := range queries {
		findings[i].Order = q.Order
		if b.silent || b.short {
			continue
		}
		if b.down {
			findings[i].Err = errors.New("PortOne is away")
			continue
		}
		for _, a := range q.Attempts {
			if q.Together && a == b.apart {
				findings[i].Err = portone.ErrAlone
				continue
			}
			if p, known := b.payments[a]; known {
				findings[i].Payments = append(findings[i].Payments, p)
			} else {
				findings[i].Missing = append(findings[i].Missing, a)
			}
		}
	}
	if b.short {
		return findings[1:]
	}
	return findings
}

func (b *bank) Any(context.Context, gate.Version) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.down {
		return b.lists, errors.New("PortOne is away")
	}
	return b.lists, nil
}

func (b *bank) CloseAccount(ctx context.Context, _ string, a gate.Attempt) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = append(b.closed, a.ID)
	if b.slow {
		b.mu.Unlock()
		<-ctx.Done()
		b.mu.Lock()
		return ctx.Err()
	}
	if b.open {
		return errors.New("the payment provider closes none")
	}
	p := b.payments[a.ID]
	p.State = gate.PaymentCancelled
	b.payments[a.ID] = p
	return nil
}

func (b *bank) Cancel(_ context.Context, r portone.CancelRequest) (portone.Cancelled, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.payments[r.Attempt]
	if p.State == gate.PaymentCancelled {
		return portone.CancelDone, nil
	}
	b.cancelled, b.reasons = append(b.cancelled, r.Attempt+" "+r.Key), append(b.reasons, r.Reason)
	b.account, b.taxFree = r.Account, r.TaxFree
	switch {
	case p.Balance != r.Balance:
		return portone.CancelFailed, fmt.Errorf("its balance is %d", p.Balance)
	case b.says == portone.CancelRequested:
		p.Requested = p.Balance
	case b.says != portone.CancelDone:
		return b.says, errors.New("PortOne does not take it")
	default:
		p.State, p.Balance = gate.PaymentCancelled, 0
	}
	b.payments[r.Attempt] = p
	return b.says, nil
}

// scene is a sale on a real Redis with a clock of its own.
type scene struct {
	t       *testing.T
	bank    *bank
	redis   *redistest.Server
	store   *store.Store
	settler *Settler
	metrics *Metrics
	decider gate.Decider

	mu    sync.Mutex    // over what follows, while something is under way
	now   time.Time     // as it passes
	wall  time.Duration // how far the machine's clock is ahead, the gate's and Redis'
	ahead time.Duration // how far Redis' clock is ahead of the gate's
}

// clock returns time as it passes, and how far the machine's clock is ahead, and Redis'.
func (sc *scene) clock() (now time.Time, wall, ahead time.Duration) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.now, sc.wall, sc.ahead
}

// time is as it passes.
func (sc *scene) time() time.Time {
	now, _, _ := sc.clock()
	return now
}

// redisTime is Redis' own.
func (sc *scene) redisTime() time.Time {
	now, wall, ahead := sc.clock()
	return now.Add(wall + ahead)
}

// own is the gate's own.
func (sc *scene) own() time.Time {
	now, wall, _ := sc.clock()
	return now.Add(wall)
}

// pass lets time pass.
func (sc *scene) pass(d time.Duration) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.now = sc.now.Add(d)
}

// jump puts the machine's clock ahead.
func (sc *scene) jump(d time.Duration) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.wall += d
}

func openScene(t *testing.T, change ...func(*gate.Settings)) *scene {
	t.Helper()
	sc := &scene{t: t, bank: &bank{says: portone.CancelDone}, redis: redistest.Start(t), now: at}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := store.Open(sc.redis.URL(), store.Deps{Now: sc.redisTime, Own: sc.own, Log: quiet},
		store.Options{Who: "gate-1"})
	if err != nil {
		t.Fatal(err)
	}
	settings := gate.Settings{
		OpensAt: at.Add(-time.Hour), ClosesAt: at.Add(48 * time.Hour), Hold: 5 * time.Minute,
		SKUs: []gate.SKU{{Name: "full", Stock: 10}},
	}
	for _, c := range change {
		c(&settings)
	}
	err = s.Create(t.Context(),
		gate.Creation{
			Who: "test", Sale: gate.Sale{Name: "race", Run: 1, Settings: settings},
			OpenNow: true,
		})
	if err != nil {
		t.Fatal(err)
	}
	sc.store, sc.metrics, sc.decider = s, NewMetrics(prometheus.NewRegistry()), s.Decider("race")
	sc.settler = New(Deps{
		Store: s, Payments: sc.bank, Sales: only(&settings), Reason: code, Metrics: sc.metrics,
		Now: sc.time, Log: quiet,
	}, Options{Who: "gate-1", Currency: "KRW", Grace: grace, MinLook: minLook})
	t.Cleanup(func() {
		if err := errors.Join(sc.decider.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return sc
}

// only has a settler know one sale, race.
func only(settings *gate.Settings) func() map[string]*gate.Settings {
	return func() map[string]*gate.Settings { return map[string]*gate.Settings{"race": settings} }
}

// code words a reason for a refund as its code.
func code(why gate.RefundReason, _ map[string]string) string { return why.String() }

// confirm has one unit held for an order.
func (sc *scene) confirm(order, attempt string) gate.Code {
	sc.t.Helper()
	r := &gate.Request{Confirm: gate.Confirm{
		Order: []byte(order), Attempt: []byte(attempt), Version: 1, Buyer: []byte("ann"),
		Lines:  []gate.Line{{SKU: "full", Quantity: 1}},
		Amount: gate.Amount{Value: 1000, Known: true},
	}}
	if err := sc.decider.Decide(sc.t.Context(), []*gate.Request{r}); err != nil {
		sc.t.Fatal(err)
	}
	return r.Verdict().Code
}

// after lets time pass, and then everything be settled that is due.
func (sc *scene) after(d time.Duration) {
	sc.t.Helper()
	sc.pass(d)
	sc.settle(sc.settler)
}

// afterRefunds is after, and then what waits to be refunded has its turn.
func (sc *scene) afterRefunds(d time.Duration) {
	sc.t.Helper()
	sc.after(d)
	sc.after(time.Millisecond)
}

// settle settles all that is due.
func (sc *scene) settle(s *Settler) {
	sc.t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.turn(sc.t.Context(), "race", s.deps.Sales()["race"]); err != nil {
			sc.t.Error(err)
		}
		s.running.Wait()
	}
}

// everything is more than there is in each queue.
func everything() (most [gate.Queues]int) {
	for q := range most {
		most[q] = 1000
	}
	return most
}

// want holds the orders, the units and the refunds against what they should be.
func (sc *scene) want(orders map[string]string, left, held, paid, refunds int64) {
	sc.t.Helper()
	state, err := sc.store.Sale(sc.t.Context(), "race")
	if err != nil {
		sc.t.Fatal(err)
	}
	u := state.Units["full"]
	if u.Left != left || u.Held != held || u.Paid != paid || u.Sum() != u.Total || state.Orders.Refunds != refunds {
		sc.t.Errorf("units %+v, orders %+v; want %d left, %d held, %d paid, %d refunds", u, state.Orders, left, held,
			paid, refunds)
	}
	read, _, err := sc.store.Orders(sc.t.Context(), "race", slices.Sorted(maps.Keys(orders)))
	if err != nil {
		sc.t.Fatal(err)
	}
	for _, o := range read {
		if got := o.State.String() + " " + attempts(&o); got != orders[o.ID] {
			sc.t.Errorf("order %s is %s, want %s", o.ID, got, orders[o.ID])
		}
	}
	if len(read) != len(orders) {
		sc.t.Errorf("there are %d of %d orders", len(read), len(orders))
	}
}

func TestDeclinedUnitsAreOnSaleAgainAfterTheFirstLook(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.confirm("o3", "a3")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.bank.set("o2", "a2", gate.PaymentFailed)
	sc.bank.set("o3", "a3", gate.PaymentReady)
	sc.after(19 * time.Second)
	sc.want(map[string]string{"o1": "held O a1", "o2": "held O a2", "o3": "held O a3"}, 7, 3, 0, 0)
	sc.after(time.Second)
	sc.want(map[string]string{"o1": "paid P a1", "o2": "released F a2", "o3": "held O a3"}, 8, 1, 1, 0)

	// The third one is never paid: its units are back once the hold and the grace have passed.
	for range 60 {
		sc.after(5 * time.Second)
	}
	sc.want(map[string]string{"o3": "held O a3"}, 8, 1, 1, 0)
	for range 20 {
		sc.after(5 * time.Second)
	}
	sc.want(map[string]string{"o3": "released O a3"}, 9, 0, 1, 0)
	if code := sc.confirm("o3", "a3"); code != gate.AttemptEnded {
		t.Errorf("its old attempt: %s", code)
	}
}

func TestNothingIsReleasedWhilePortOneIsAway(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.down = true
	for range 20 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "held O a1"}, 9, 1, 0, 0)
	if n := testutil.ToFloat64(sc.metrics.unsure.WithLabelValues("race")); n < 5 {
		t.Errorf("%v failed looks are counted", n)
	}
	sc.bank.down = false
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	for range 12 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "paid P a1"}, 9, 0, 1, 0)
}

// A buyer tries again while the first attempt is being looked up: what that
// look-up found is not the whole story any more.
func TestANewAttemptDuringALookUpKeepsTheHold(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentFailed)
	sc.bank.onLookup = func() {
		if code := sc.confirm("o1", "a2"); code != gate.Held {
			t.Errorf("the new attempt: %s", code)
		}
	}
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "held O a1, O a2"}, 9, 1, 0, 0)
	if n := testutil.ToFloat64(sc.metrics.late.WithLabelValues("race")); n != 1 {
		t.Errorf("%v overtaken looks are counted", n)
	}
	sc.bank.set("o1", "a2", gate.PaymentPaid)
	sc.after(0)
	sc.want(map[string]string{"o1": "paid F a1, P a2"}, 9, 0, 1, 0)
}

func TestALatePaymentIsTakenWhereThereIsStockAndRefundedWhereNot(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.SKUs[0].Stock, s.AutoRefund = 2, true })
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.bank.set("o1", "a1", gate.PaymentFailed)
	sc.bank.set("o2", "a2", gate.PaymentFailed)
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "released F a1", "o2": "released F a2"}, 2, 0, 0, 0)

	sc.confirm("o3", "a3")
	sc.bank.set("o3", "a3", gate.PaymentPaid)
	sc.bank.set("o1", "a1", gate.PaymentPaid) // after all
	sc.bank.set("o2", "a2", gate.PaymentPaid) // and this one too, for which there is no unit
	sc.after(20 * time.Second)
	first := map[string]string{"o1": "paid P a1", "o2": "refund_due D a2", "o3": "paid P a3"}
	if o, err := sc.store.Order(t.Context(), "race", "o1"); err != nil || o.State != gate.OrderPaid {
		first["o1"], first["o2"] = "refund_due D a1", "paid P a2" // whichever was first
	}
	sc.want(first, 0, 0, 2, 1)

	for range 10 {
		sc.after(10 * time.Second)
	}
	for id, story := range first {
		if story[:6] == "refund" {
			first[id] = "refunded X" + story[len("refund_due D"):]
		}
	}
	sc.want(first, 0, 0, 2, 0)
	if len(sc.bank.cancelled) != 1 {
		t.Errorf("cancelled: %v", sc.bank.cancelled)
	}
	for range 10 {
		sc.after(time.Minute)
	}
	if len(sc.bank.cancelled) != 1 {
		t.Errorf("cancelled again: %v", sc.bank.cancelled)
	}
}

// A buyer asks for four virtual accounts, one after the other, and pays into all of
// them when they have been released.
func TestLateDepositsDoNotPassTheBuyersLimit(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.PerBuyer, s.RefuseDeposits = 1, true })
	sc.bank.open = true // the accounts cannot be closed
	paid := map[string]string{}
	for i := range 4 {
		order, attempt := fmt.Sprint("o", i), fmt.Sprint("a", i)
		if code := sc.confirm(order, attempt); code != gate.Held {
			t.Fatal(code)
		}
		sc.bank.set(order, attempt, gate.PaymentDeposit)
		sc.after(20 * time.Second)
		paid[order] = "refund_due D " + attempt
	}
	sc.want(map[string]string{
		"o0": "released V a0", "o1": "released V a1", "o2": "released V a2",
		"o3": "released V a3",
	}, 10, 0, 0, 0)
	for i := range 4 {
		sc.bank.set(fmt.Sprint("o", i), fmt.Sprint("a", i), gate.PaymentPaid)
	}
	sc.after(time.Hour)
	for order, story := range paid {
		if o, err := sc.store.Order(t.Context(), "race", order); err == nil && o.State == gate.OrderPaid {
			paid[order] = "paid P" + story[len("refund_due D"):]
		}
	}
	sc.want(paid, 9, 0, 1, 3)
}

func TestRefundsAreLeftToTheShopUnlessItSaysOtherwise(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.confirm("o1", "a2")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.bank.set("o1", "a2", gate.PaymentPaid)
	for range 5 {
		sc.after(20 * time.Second)
	}
	sc.want(map[string]string{"o1": "paid P a1, D a2"}, 9, 0, 1, 1)
	due, err := sc.store.RefundsDue(t.Context(), "race")
	if err != nil || len(due) != 1 || due[0].ID != "o1" || len(sc.bank.cancelled) > 0 {
		t.Errorf("due %+v, %v; cancelled %v", due, err, sc.bank.cancelled)
	}
	sc.bank.set("o1", "a2", gate.PaymentCancelled) // by the shop, in the console
	for range 5 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "paid P a1, X a2"}, 9, 0, 1, 0)
}

// With another shop's credentials PortOne knows no payment at all: that proves
// nothing. Once it has known one, an attempt that it does not know is none.
func TestWhatPortOneDoesNotKnowIsReleasedOnlyOnceItHasKnownSomething(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "invented")
	for range 20 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "held O invented"}, 9, 1, 0, 0)
	sc.confirm("o2", "a2")
	sc.bank.set("o2", "a2", gate.PaymentPaid)
	for range 20 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "released O invented", "o2": "paid P a2"}, 9, 0, 1, 0)
}

// Forged calls take all units before anybody has paid. That PortOne lists payments of
// the shop says that the credentials are right, so their holds end like any others.
// An error, or an empty list, says nothing; neither is asked for over and over.
func TestHoldsOfInventedPaymentsEndWhereTheShopHasOthers(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.SKUs[0].Stock = 2 })
	sc.confirm("o1", "invented")
	sc.confirm("o2", "invented too")
	sc.bank.down, sc.bank.lists = true, true
	for range 20 {
		sc.after(20 * time.Second)
	}
	sc.bank.down, sc.bank.lists = false, false
	for range 20 {
		sc.after(20 * time.Second)
	}
	sc.want(map[string]string{"o1": "held O invented", "o2": "held O invented too"}, 0, 2, 0, 0)
	before := sc.bank.asked
	for range 10 {
		if _, err := sc.store.Hasten(t.Context(), []string{"race"}, "o1"); err != nil {
			t.Fatal(err)
		}
		sc.after(time.Second)
	}
	if n := sc.bank.asked - before; before == 0 || n < 1 || n > 2 {
		t.Errorf("PortOne was asked %d times for any payment, and %d times in ten seconds", before, n)
	}
	sc.bank.lists = true
	for range 20 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "released O invented", "o2": "released O invented too"}, 2, 0, 0, 0)
}

// A deposit without a due date ends with the sale's limit.
func TestADepositWithoutADateEnds(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.DepositLimit = 6 * time.Hour })
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentDeposit)
	for range 6 {
		sc.after(time.Hour)
	}
	sc.want(map[string]string{"o1": "held V a1"}, 9, 1, 0, 0)
	sc.after(time.Hour)
	sc.want(map[string]string{"o1": "released V a1"}, 10, 0, 0, 0)
}

// A webhook has an order looked at at once, in whatever state it is.
func TestAHastenedOrderIsLookedAtNow(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	hasten := func(want bool, order string) {
		t.Helper()
		if known, err := sc.store.Hasten(t.Context(), []string{"race"}, order); err != nil || known != want {
			t.Errorf("%s: %v, %v", order, known, err)
		}
	}
	hasten(true, "o1")
	hasten(false, "o2")
	sc.after(0)
	sc.want(map[string]string{"o1": "paid P a1"}, 9, 0, 1, 0)
	sc.bank.set("o1", "a1", gate.PaymentCancelled)
	hasten(true, "o1")
	sc.after(3 * time.Second)
	sc.want(map[string]string{"o1": "refunded X a1"}, 10, 0, 0, 0)
}

// What a gate claimed and did not end, another one takes over once the lease has
// run out; and what is in no list at all the sweep finds.
func TestWhatADeadGateLeftIsSettledByAnother(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.pass(20 * time.Second)
	due, err := sc.store.Claim(t.Context(), "race", everything(), lease) // and the gate dies
	if err != nil || len(due.Entries) != 1 {
		t.Fatalf("%+v, %v", due, err)
	}
	sc.after(lease - time.Second)
	sc.want(map[string]string{"o1": "held O a1"}, 9, 1, 0, 0)
	sc.after(time.Second)
	sc.want(map[string]string{"o1": "paid P a1"}, 9, 0, 1, 0)
}

func TestAHeldOrderThatNobodyWouldLookAtIsFound(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.redis.Do(t, "ZREM", "fg:{race}:due", "seq:2") // it is forgotten
	sc.bank.set("o1", "a1", gate.PaymentFailed)
	for range 6 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "held O a1"}, 9, 1, 0, 0)
	for range 4 {
		sc.after(time.Minute)
		sc.after(0) // what a sweep has found
	}
	sc.want(map[string]string{"o1": "released F a1"}, 10, 0, 0, 0)
	if n := testutil.ToFloat64(sc.metrics.swept.WithLabelValues("race")); n != 1 {
		t.Errorf("%v swept orders are counted", n)
	}
	if n := testutil.ToFloat64(sc.metrics.overdue.WithLabelValues("race")); n != 1 {
		t.Errorf("%v orders are counted as overdue, want the one, by the sweep that found it", n)
	}
}

// A counter that appears only with what it counts has not risen, for Prometheus.
func TestCountersAreShownBeforeThereIsAnythingToCount(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.settler.turns(t.Context(), "race", sc.settler.deps.Sales()["race"])
	m := sc.metrics
	for i, c := range []*prometheus.CounterVec{m.late, m.failed, m.swept, m.overdue, m.unsure} {
		if n := testutil.CollectAndCount(c); n != 1 {
			t.Errorf("counter %d has %d series, want that of the sale", i, n)
		}
	}
	if n := testutil.CollectAndCount(m.aside); n != 4 {
		t.Errorf("what is set aside has %d series, want one for each reason", n)
	}
	if n := testutil.CollectAndCount(m.refunds); n != 3 {
		t.Errorf("refunds have %d series, want those sent, requested and failed", n)
	}
}

// Without credentials an order waits for the shop's word.
func TestTheShopReportsHowAnOrderEnded(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.settler.deps.Payments = nil
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.confirm("o3", "a3")
	sc.confirm("o3", "a4")
	for range 20 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "held O a1", "o2": "held O a2", "o3": "held O a3, O a4"}, 7, 3, 0, 0)
	if n := testutil.ToFloat64(sc.metrics.overdue.WithLabelValues("race")); n < 3*5 || n > 3*20 || int(n)%3 != 0 {
		t.Errorf("%v orders are counted as overdue, want all three at each sweep since their deadline", n)
	}
	tell := func(r Report, want string) {
		t.Helper()
		o, err := Tell(t.Context(), sc.store, "kim", "race", r)
		got := o.State.String() + " " + attempts(&o)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
	tell(Report{Order: "o1", Paid: true}, "paid P a1")
	tell(Report{Order: "o1", Paid: true}, "paid P a1")
	tell(Report{Order: "o1"}, "the report does not fit the order: it is paid")
	tell(Report{Order: "o2"}, "released F a2")
	tell(Report{Order: "o3", Paid: true},
		"the report does not fit the order: 2 of its open attempts fit; name the one that was paid")
	tell(Report{Order: "o3", Paid: true, Attempt: "a4"}, "paid O a3, P a4")
	tell(Report{Order: "o9"}, gate.ErrNoOrder.Error())
	sc.want(map[string]string{"o1": "paid P a1", "o2": "released F a2", "o3": "paid O a3, P a4"}, 8, 0, 2, 0)
}

func TestHoldsEndByTimeAloneOnlyWhereTheSaleSaysSo(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.ReleaseUnproven = true })
	sc.settler.deps.Payments = nil
	sc.confirm("o1", "a1")
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "held O a1"}, 9, 1, 0, 0)
	for range 40 {
		sc.after(10 * time.Second)
	}
	sc.want(map[string]string{"o1": "released O a1"}, 10, 0, 0, 0)
}

// Several gates settle the same sale at once: each order is settled once.
func TestGatesShareTheWork(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.SKUs[0].Stock = 300 })
	want := map[string]string{}
	for i := range 300 {
		order, attempt := fmt.Sprintf("o%d", i), fmt.Sprintf("a%d", i)
		sc.confirm(order, attempt)
		sc.bank.set(order, attempt, []gate.PaymentState{gate.PaymentPaid, gate.PaymentFailed}[i%2])
		want[order] = []string{"paid P ", "released F "}[i%2] + attempt
	}
	sc.pass(20 * time.Second)
	var gates sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 3 {
		s := New(sc.settler.deps, sc.settler.opt)
		gates.Go(func() { s.Run(ctx) })
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		state, err := sc.store.Sale(t.Context(), "race")
		if err != nil {
			t.Fatal(err)
		}
		if state.Orders.Held == 0 || time.Now().After(deadline) {
			break
		}
	}
	stop()
	gates.Wait()
	sc.want(want, 150, 0, 150, 0)
}

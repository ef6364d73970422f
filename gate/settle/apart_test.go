package settle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/store"
)

// stuck is a PortOne whose calls about some orders do not end until they are let go.
type stuck struct {
	*bank
	lookups, cancels map[string]bool // orders
	entered          chan string     // an order whose call is stuck
	letGo            chan struct{}
}

func newStuck(b *bank, lookups, cancels string) *stuck {
	s := &stuck{
		bank: b, lookups: map[string]bool{}, cancels: map[string]bool{}, entered: make(chan string, 100),
		letGo: make(chan struct{}),
	}
	for _, o := range strings.Fields(lookups) {
		s.lookups[o] = true
	}
	for _, o := range strings.Fields(cancels) {
		s.cancels[o] = true
	}
	return s
}

func (s *stuck) wait(ctx context.Context, order string) {
	s.entered <- order
	select {
	case <-s.letGo:
	case <-ctx.Done():
	}
}

func (s *stuck) Lookup(ctx context.Context, queries []portone.Query) []portone.Finding {
	for _, q := range queries {
		if s.lookups[q.Order] {
			s.wait(ctx, q.Order)
			break
		}
	}
	return s.bank.Lookup(ctx, queries)
}

func (s *stuck) Cancel(ctx context.Context, r portone.CancelRequest) (portone.Cancelled, error) {
	if s.cancels[r.Order] {
		s.wait(ctx, r.Order)
	}
	return s.bank.Cancel(ctx, r)
}

// turn claims and begins what is due, and waits for none of it.
func (sc *scene) turn(d time.Duration) {
	sc.t.Helper()
	sc.pass(d)
	sc.settler.turns(sc.t.Context(), "race", sc.settler.deps.Sales()["race"])
}

// eventually waits until an order is in a state.
func (sc *scene) eventually(order, want string) {
	sc.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		o, err := sc.store.Order(sc.t.Context(), "race", order)
		if err != nil {
			sc.t.Fatal(err)
		}
		if got := o.State.String(); got == want {
			return
		} else if time.Now().After(end) {
			sc.t.Fatalf("order %s is still %s, want %s", order, got, want)
		}
	}
}

// Cancellations that do not end hold up no order, nor do they end before they have.
func TestSlowRefundsHoldUpNobody(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.AutoRefund, s.SKUs[0].Stock = true, 100 })
	names := ""
	for i := range 20 {
		order := fmt.Sprintf("r%d", i)
		names += " " + order
		sc.confirm(order, "a"+order)
		sc.bank.set(order, "a"+order, gate.PaymentPaid)
		p := sc.bank.payments["a"+order]
		p.Amount, p.Balance = 999, 999
		sc.bank.payments["a"+order] = p
	}
	slow := newStuck(sc.bank, "", names)
	sc.settler.deps.Payments = slow
	sc.after(20 * time.Second) // they are refund due
	sc.turn(20 * time.Second)  // they wait in refunds
	sc.settler.running.Wait()
	sc.turn(time.Second)
	for range boundsOf(gate.QueueRefunds).atOnce {
		<-slow.entered
	}
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.turn(20 * time.Second)
	sc.turn(0)
	sc.eventually("o1", "paid")
	if n := len(slow.entered); n > 0 {
		t.Errorf("%d cancellations more than may be are under way", n)
	}
	close(slow.letGo)
	sc.settler.running.Wait()
}

// A look-up that does not end holds up its portion, and no other.
func TestASlowLookUpHoldsUpItsPortionAlone(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	slow := newStuck(sc.bank, "o1", "")
	sc.settler.deps.Payments = slow
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.turn(20 * time.Second)
	sc.turn(0)
	<-slow.entered
	sc.confirm("o2", "a2")
	sc.bank.set("o2", "a2", gate.PaymentPaid)
	sc.turn(20 * time.Second)
	sc.turn(0)
	sc.eventually("o2", "paid")
	sc.want(map[string]string{"o1": "held O a1"}, 8, 1, 1, 0)
	close(slow.letGo)
	sc.settler.running.Wait()
	sc.want(map[string]string{"o1": "paid P a1"}, 8, 0, 2, 0)
}

// However much a webhook flood has hastened, a new hold is looked at.
func TestNewHoldsDoNotWaitBehindHastenedOnes(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.SKUs[0].Stock = 1000 })
	names, b := "", boundsOf(gate.QueueHastened)
	for i := range b.portion*b.atOnce + 10 {
		order := fmt.Sprintf("h%d", i)
		names += " " + order
		sc.confirm(order, "a"+order)
		sc.bank.set(order, "a"+order, gate.PaymentReady)
	}
	sc.after(20 * time.Second) // none of which is due now
	for _, order := range strings.Fields(names) {
		if _, err := sc.store.Hasten(t.Context(), []string{"race"}, order); err != nil {
			t.Fatal(err)
		}
	}
	slow := newStuck(sc.bank, names, "")
	sc.settler.deps.Payments = slow
	sc.turn(0)
	for range b.atOnce {
		<-slow.entered
	}
	sc.turn(time.Second)
	if n := testutil.ToFloat64(sc.metrics.waiting.WithLabelValues("race", "hastened")); n != 1 {
		t.Errorf("the oldest that was hastened waits %v s, want 1", n)
	}
	if n := testutil.ToFloat64(sc.metrics.waiting.WithLabelValues("race", "fresh")); n != 0 {
		t.Errorf("the oldest new hold waits %v s, want 0", n)
	}
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.pass(2 * time.Second)
	sc.redis.Do(t, "ZADD", "fg:{race}:due", sc.redisTime().UnixMilli(), "o:o1")
	sc.turn(0)
	sc.eventually("o1", "paid")
	close(slow.letGo)
	sc.settler.running.Wait()
}

// A gate keeps what it works on for as long as that lasts, and leaves it to the others
// when it dies.
func TestALeaseLastsAsLongAsTheWork(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	slow := newStuck(sc.bank, "o1", "")
	sc.settler.deps.Payments = slow
	sc.settler.lease = 90 * time.Millisecond
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	ctx, die := context.WithCancel(t.Context())
	sc.pass(20 * time.Second)
	for range 2 {
		sc.settler.turns(ctx, "race", sc.settler.deps.Sales()["race"])
	}
	<-slow.entered
	at := func() time.Time {
		times, err := sc.store.LookTimes(t.Context(), "race", []string{"o1"})
		if err != nil {
			t.Fatal(err)
		}
		return times[0]
	}
	for range 5 { // each time it has been renewed, a while passes
		end := time.Now().Add(20 * time.Second)
		for kept := sc.redisTime().Add(sc.settler.lease); at().Before(kept.Truncate(time.Millisecond)); time.Sleep(
			time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the lease is not renewed")
			}
		}
		sc.pass(sc.settler.lease - time.Millisecond)
		if due, err := sc.store.Claim(t.Context(), "race", everything(), lease); err != nil ||
			len(due.Orders[gate.QueueFresh]) > 0 {
			t.Fatalf("another gate takes %+v, %v", due.Orders, err)
		}
	}
	die()
	sc.settler.running.Wait()
	sc.settler = New(sc.settler.deps, sc.settler.opt)
	sc.settler.deps.Payments = sc.bank
	sc.after(time.Second)
	sc.want(map[string]string{"o1": "paid P a1"}, 9, 0, 1, 0)
}

// odd is a PortOne whose answers about some orders are of no use.
type odd struct {
	*bank
	orders map[string]error
}

func (o odd) Lookup(ctx context.Context, queries []portone.Query) []portone.Finding {
	findings := o.bank.Lookup(ctx, queries)
	for i, q := range queries {
		if err := o.orders[q.Order]; err != nil {
			findings[i] = portone.Finding{Order: q.Order, Err: err}
		}
	}
	return findings
}

// aside returns what is set aside, "ORDER TRIES REASON" each.
func (sc *scene) aside() (list []string) {
	sc.t.Helper()
	all, err := sc.store.Aside(sc.t.Context(), "race")
	if err != nil {
		sc.t.Fatal(err)
	}
	for _, a := range all {
		list = append(list, fmt.Sprintf("%s%s %d %s", a.Order, a.Other, a.Tries, a.Reason))
	}
	return list
}

// An order whose look-up fails for it alone is set aside, tried again after growing
// pauses, and goes on when that is over.
func TestALookUpThatFailsForOneOrderSetsItAside(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	broken := odd{sc.bank, map[string]error{"o1": errors.New("its amount is 10.5")}}
	sc.settler.deps.Payments = broken
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.bank.set("o2", "a2", gate.PaymentPaid)
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "held O a1", "o2": "paid P a2"}, 8, 1, 1, 0)
	tries := 1
	for _, pause := range []time.Duration{10, 20, 40} {
		want := []string{fmt.Sprintf("o1 %d its amount is 10.5", tries)}
		sc.after(pause*time.Second - time.Millisecond)
		if got := sc.aside(); len(got) != 1 || got[0] != want[0] {
			t.Errorf("set aside: %q, want %q", got, want)
		}
		sc.after(time.Millisecond)
		tries++
	}
	if n := testutil.ToFloat64(sc.metrics.aside.WithLabelValues("race", "lookup")); n != 4 {
		t.Errorf("%v times are counted, want 4", n)
	}
	sc.after(0)
	if n := testutil.ToFloat64(sc.metrics.apart.WithLabelValues("race")); n != 1 {
		t.Errorf("%v are shown to be set aside, want 1", n)
	}
	delete(broken.orders, "o1")
	if err := sc.store.RetryAside(t.Context(), "race"); err != nil {
		t.Fatal(err)
	}
	sc.after(0)
	sc.want(map[string]string{"o1": "paid P a1", "o2": "paid P a2"}, 8, 0, 2, 0)
	if got := sc.aside(); len(got) > 0 {
		t.Errorf("still set aside: %q", got)
	}
}

// That PortOne is away is no order's own fault.
func TestWhatFailsForAllSetsNoneAside(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.bank.down = true
	sc.after(20 * time.Second)
	if got := sc.aside(); len(got) > 0 {
		t.Errorf("set aside: %q", got)
	}
}

// The script fails on an order's buyer, whose units are garbage: that order is found
// among the others of its portion.
func TestAnOrderThatTheScriptFailsOnHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.SKUs[0].Stock = 100 })
	for i := range 30 {
		order := fmt.Sprintf("o%d", i)
		r := &gate.Request{Confirm: gate.Confirm{
			Order: []byte(order), Attempt: []byte("a" + order), Version: 1, Buyer: []byte("buyer of " + order),
			Lines: []gate.Line{{SKU: "full", Quantity: 1}}, Amount: gate.Amount{Value: 1000, Known: true},
		}}
		if err := sc.decider.Decide(t.Context(), []*gate.Request{r}); err != nil || r.Verdict().Code != gate.Held {
			t.Fatalf("%v, %v", r.Verdict(), err)
		}
		sc.bank.set(order, "a"+order, gate.PaymentFailed)
	}
	sc.redis.Do(t, "HSET", "fg:{race}:buyers", "buyer of o7", "garbage")
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o6": "released F ao6", "o7": "held O ao7", "o8": "released F ao8"}, 99, 1, 0, 0)
	if got := sc.aside(); len(got) != 1 ||
		!strings.HasPrefix(got[0], "o7 1 the script failed on what it was given or found") {
		t.Errorf("set aside: %q", got)
	}
	sc.redis.Do(t, "HSET", "fg:{race}:buyers", "buyer of o7", "1")
	sc.after(10 * time.Second)
	sc.want(map[string]string{"o7": "released F ao7"}, 100, 0, 0, 0)
}

// What stands in a queue and names nothing is set aside too, and an order that is gone is
// looked at no more.
func TestWhatNamesNothingHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.redis.Do(t, "ZADD", "fg:{race}:due", "1", "seq:x", "1", "o:gone", "1", "seq:9999")
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "paid P a1"}, 9, 0, 1, 0)
	if got := sc.aside(); len(got) != 1 || !strings.HasPrefix(got[0], "seq:x 1 ") {
		t.Errorf("set aside: %q", got)
	}
	err := sc.store.EachLook(t.Context(), "race", func(l gate.Look) error {
		if l.Other != "seq:x" {
			t.Errorf("still due: %+v", l)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A webhook that comes while its order is looked at is not lost on that look.
func TestAWebhookDuringALookUpIsAnotherLook(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.after(20 * time.Second)
	hasten := func() {
		if _, err := sc.store.Hasten(t.Context(), []string{"race"}, "o1"); err != nil {
			t.Error(err)
		}
	}
	hasten()
	sc.bank.onLookup = func() {
		hasten()
		sc.bank.set("o1", "a1", gate.PaymentCancelled) // which this look does not see any more
	}
	sc.after(0)
	sc.want(map[string]string{"o1": "paid P a1"}, 9, 0, 1, 0)
	sc.after(3*time.Second - time.Millisecond)
	sc.want(map[string]string{"o1": "paid P a1"}, 9, 0, 1, 0)
	sc.after(time.Millisecond)
	sc.want(map[string]string{"o1": "refunded X a1"}, 10, 0, 0, 0)
}

// What the version before wrote is settled: repeats stand in due, some to be looked at
// since ever.
func TestWhatTheVersionBeforeLeftInDueIsSettled(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.redis.Do(t, "DEL", "fg:{race}:due")
	sc.redis.Do(t, "ZADD", "fg:{race}:due", "0", "o:o1")
	sc.after(time.Second)
	sc.want(map[string]string{"o1": "paid P a1"}, 9, 0, 1, 0)
}

// refusing is a store whose script fails on all that it is given.
type refusing struct{ *store.Store }

func (refusing) Settle(context.Context, string, string, string, []gate.Move, []string) ([]gate.Moved, error) {
	return nil, gate.ErrScript
}

func TestAScriptThatFailsOnAllSetsNoneAside(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.bank.set("o2", "a2", gate.PaymentPaid)
	sc.settler.deps.Store = refusing{sc.store}
	sc.after(20 * time.Second)
	if got := sc.aside(); len(got) > 0 {
		t.Errorf("set aside: %q", got)
	}
	sc.settler.deps.Store = sc.store
	sc.after(lease)
	sc.want(map[string]string{"o1": "paid P a1", "o2": "paid P a2"}, 8, 0, 2, 0)
}

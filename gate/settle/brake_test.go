package settle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// braked is a sale whose gates refund by themselves, as fast as they are let.
func braked(t *testing.T, change ...func(*gate.Settings)) *scene {
	t.Helper()
	sc := openScene(t, append([]func(*gate.Settings){func(s *gate.Settings) {
		s.AutoRefund, s.SKUs[0].Stock = true,
			1000
	}}, change...)...)
	sc.settler.refunds = rate.NewLimiter(rate.Inf, 1)
	return sc
}

// twice has so many orders paid twice: one payment of each is refund due.
func (sc *scene) twice(prefix string, n int) {
	sc.t.Helper()
	for i := range n {
		order := fmt.Sprintf("%s%d", prefix, i)
		for _, attempt := range []string{"p" + order, "d" + order} {
			sc.confirm(order, attempt)
			sc.bank.set(order, attempt, gate.PaymentPaid)
		}
	}
	sc.due(n)
}

// wrong has so many orders paid in another amount, which a setting may cause.
func (sc *scene) wrong(prefix string, n int) {
	sc.t.Helper()
	for i := range n {
		order := fmt.Sprintf("%s%d", prefix, i)
		sc.confirm(order, "p"+order)
		sc.bank.set(order, "p"+order, gate.PaymentPaid)
		p := sc.bank.payments["p"+order]
		p.Amount, p.Balance = 999, 999
		sc.bank.payments["p"+order] = p
	}
	sc.due(n)
}

// due has what was just paid become refund due, and the gates try to give it back.
func (sc *scene) due(n int) {
	sc.t.Helper()
	sc.after(20 * time.Second)
	sc.after(20 * time.Second)
	sc.refundsInTurn(n)
}

// refundsInTurn gives so many refunds their turn.
func (sc *scene) refundsInTurn(n int) {
	sc.t.Helper()
	for range n/boundsOf(gate.QueueRefunds).atOnce + 2 {
		sc.after(time.Millisecond)
	}
}

// sent holds how many cancellations were sent against what it should be.
func (sc *scene) sent(want int) {
	sc.t.Helper()
	if got := len(sc.bank.cancelled); got != want {
		sc.t.Errorf("%d cancellations were sent, want %d", got, want)
	}
}

// report is the sale as operators are shown it.
func (sc *scene) report() gate.SaleView {
	sc.t.Helper()
	state, err := sc.store.Sale(sc.t.Context(), "race")
	if err != nil {
		sc.t.Fatal(err)
	}
	r, err := state.FullView(sc.t.Context(), sc.store)
	if err != nil {
		sc.t.Fatal(err)
	}
	return r
}

// holds holds the brake against what it should be; the zero one does not hold.
func (sc *scene) holds(want gate.Brake, waiting int64) {
	sc.t.Helper()
	got := sc.report().RefundBrake
	if got == nil {
		if want.Rule != "" {
			sc.t.Error("the brake does not hold")
		}
		return
	}
	if got.Since.IsZero() || got.Since.After(sc.redisTime()) {
		sc.t.Errorf("it holds since %s", got.Since)
	}
	got.Since = time.Time{}
	if got.Brake != want || got.Waiting.Payments != waiting || int64(got.Waiting.Orders) != waiting {
		sc.t.Errorf("got %+v with %+v, want %+v with %d", got.Brake, got.Waiting, want, waiting)
	}
}

// goOn is a person's word, who has seen so many payments waiting.
func (sc *scene) goOn(payments int64) {
	sc.t.Helper()
	done, err := GoOn(sc.t.Context(), sc.store, "kim", "race", payments)
	if err != nil || !done.Released {
		sc.t.Errorf("go on: %+v, %v", done, err)
	}
	sc.after(time.Minute)
	sc.refundsInTurn(done.Orders)
	sc.after(time.Minute)
}

// None more is sent than may be, the books go on, and a person lets the rest go.
func TestTheBrakeHoldsBackWhatIsTooMany(t *testing.T) {
	t.Parallel()
	sc := braked(t)
	var logged bytes.Buffer
	sc.settler.deps.Log = slog.New(slog.NewTextHandler(&logged, nil))
	sc.twice("o", 25)
	sc.sent(20)
	held := gate.Brake{Rule: gate.BrakeRate, Reason: "paid_twice", Count: 21, Bound: 20}
	sc.holds(held, 5)
	if w := sc.report().RefundBrake.Waiting; w.Amount != "5000" || w.Unknown != 0 {
		t.Errorf("waiting: %+v", w)
	}
	if n := strings.Count(logged.String(), "the brake on refunds holds"); n != 1 || !strings.Contains(logged.String(),
		`why="21 refunds within ten minutes, where 20 may be; the last for paid_twice"`) {
		t.Errorf("logged %d times: %s", n, logged.String())
	}
	if sent := sc.days(1); sent != 0 {
		t.Errorf("%d were sent in a day", sent)
	}
	sc.holds(held, 5)
	for id, p := range sc.bank.payments { // somebody cancels one at PortOne's console
		if p.State == gate.PaymentPaid && id[0] == 'd' {
			sc.bank.set(p.Order, id, gate.PaymentCancelled)
			break
		}
	}
	sc.twice("late", 1)
	sc.days(1)
	sc.sent(20)
	sc.holds(held, 5)
	sc.goOn(5)
	sc.sent(25)
	sc.holds(gate.Brake{}, 0)
	if due := sc.report().Orders.Refunds; due != 0 {
		t.Errorf("%d are due", due)
	}
	story := map[string]string{}
	for e, err := range sc.store.Ledger(t.Context(), "race", 1) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == "brake" || e.Kind == "go-on" {
			story[e.Kind] += e.Who
		}
	}
	if story["brake"] != "gate-1" || story["go-on"] != "kim" {
		t.Errorf("the ledger tells %v", story)
	}
}

func TestTheBrakeLetsATwentiethOfThePaidOrdersPass(t *testing.T) {
	t.Parallel()
	sc := braked(t)
	sc.redis.Do(t, "HSET", "fg:{race}", "orders", "0,0,960,0,0,0,0")
	sc.twice("o", 55) // with these 1015 are paid
	sc.sent(50)
	sc.holds(gate.Brake{Rule: gate.BrakeRate, Reason: "paid_twice", Count: 51, Bound: 50}, 5)
}

func TestTenInARowForWhatASettingCausesPullTheBrake(t *testing.T) {
	t.Parallel()
	sc := braked(t)
	sc.wrong("o", 9)
	sc.twice("between", 1)
	sc.wrong("p", 9)
	sc.sent(19)
	sc.holds(gate.Brake{}, 0)
	sc.pass(time.Hour) // it is a row however long it takes
	sc.wrong("q", 3)
	sc.sent(19)
	sc.holds(gate.Brake{Rule: gate.BrakeRow, Reason: "amount", Count: 10, Bound: 10}, 3)
}

// Another reason that a setting causes begins another row.
func TestARowIsOfOneReason(t *testing.T) {
	t.Parallel()
	sc := braked(t)
	sc.wrong("o", 9)
	sc.pass(time.Hour)
	for i := range 9 {
		order := fmt.Sprintf("t%d", i)
		sc.confirm(order, "p"+order)
		sc.bank.set(order, "p"+order, gate.PaymentPaid)
		p := sc.bank.payments["p"+order]
		p.Live = false
		sc.bank.payments["p"+order] = p
	}
	sc.due(9)
	sc.sent(18)
	sc.holds(gate.Brake{}, 0)
}

func TestRefundsCountForTenMinutes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		later time.Duration
		sent  int
	}{{9 * time.Minute, 20}, {10 * time.Minute, 22}} {
		sc := braked(t)
		sc.twice("o", 20)
		sc.sent(20)
		sc.pass(test.later)
		sc.twice("late", 2)
		sc.sent(test.sent)
	}
	sc := braked(t)
	for i := range 50 { // 36 s from each to the next: never more than 17 within ten minutes
		sc.twice(fmt.Sprintf("spread%d-", i), 1)
	}
	sc.sent(50)
	sc.holds(gate.Brake{}, 0)
}

// However many gates there are, they send together what one may.
func TestTwoGatesSendNoMoreThanOne(t *testing.T) {
	t.Parallel()
	sc := braked(t)
	opt := sc.settler.opt
	opt.Who = "gate-2"
	other := New(sc.settler.deps, opt)
	other.refunds = rate.NewLimiter(rate.Inf, 1)
	sc.bank.down = true // until all are due
	for i := range 40 {
		order := fmt.Sprintf("o%d", i)
		for _, attempt := range []string{"p" + order, "d" + order} {
			sc.confirm(order, attempt)
			sc.bank.set(order, attempt, gate.PaymentPaid)
		}
	}
	sc.bank.down = false
	sc.after(20 * time.Second)
	sc.after(20 * time.Second)
	for range 20 {
		sc.pass(time.Millisecond)
		var both sync.WaitGroup
		both.Go(func() { sc.settle(sc.settler) })
		both.Go(func() { sc.settle(other) })
		both.Wait()
	}
	sc.sent(20)
	sc.holds(gate.Brake{Rule: gate.BrakeRate, Reason: "paid_twice", Count: 21, Bound: 20}, 20)
}

func TestASaleMayHaveNoBrake(t *testing.T) {
	t.Parallel()
	off := func(s *gate.Settings) { s.Unbraked = true }
	sc := braked(t, off)
	sc.twice("o", 25)
	sc.sent(25)
	sc.configure(func(s *gate.Settings) { s.Unbraked = false })
	sc.twice("p", 21) // what was sent without the brake does not count
	sc.sent(45)
	sc.holds(gate.Brake{Rule: gate.BrakeRate, Reason: "paid_twice", Count: 21, Bound: 20}, 1)
	sc.configure(off)
	sc.holds(gate.Brake{}, 0)
	sc.days(1)
	sc.sent(46)
	sc.configure(func(s *gate.Settings) { s.Unbraked = false })
	sc.twice("q", 20)
	sc.sent(66)
	sc.holds(gate.Brake{}, 0)
}

// One that is tried again, by whichever gate, is counted once; and a gate that starts
// finds the brake as it is.
func TestARefundIsCountedOnce(t *testing.T) {
	t.Parallel()
	sc := braked(t)
	sc.bank.says = portone.CancelUnknown
	sc.twice("o", 15)
	for _, says := range []portone.Cancelled{portone.CancelUnknown, portone.CancelFailed, portone.CancelRequested} {
		sc.settler = New(sc.settler.deps, sc.settler.opt) // the gate died
		sc.settler.refunds = rate.NewLimiter(rate.Inf, 1)
		sc.bank.says = says
		for range 3 {
			sc.after(time.Minute)
			sc.refundsInTurn(15)
		}
	}
	for id, p := range sc.bank.payments {
		p.Requested = 0 // all of them have failed
		sc.bank.payments[id] = p
	}
	sc.bank.says = portone.CancelDone
	sc.days(1)
	sc.holds(gate.Brake{}, 0)
	sc.twice("p", 21)
	sc.holds(gate.Brake{Rule: gate.BrakeRate, Reason: "paid_twice", Count: 21, Bound: 20}, 1)
	before := len(sc.bank.cancelled)
	sc.settler = New(sc.settler.deps, sc.settler.opt)
	sc.days(1)
	sc.sent(before)
}

// What is counted twice in the ten minutes is what is not counted once.
func TestTriesWithinTenMinutesAreOneRefund(t *testing.T) {
	t.Parallel()
	sc := braked(t)
	sc.bank.says = portone.CancelUnknown
	sc.twice("o", 15)
	for range 4 {
		sc.after(time.Minute)
		sc.refundsInTurn(15)
	}
	if n := len(sc.bank.cancelled); n < 30 {
		t.Errorf("only %d were sent", n)
	}
	sc.holds(gate.Brake{}, 0)
}

// A person's word on one order is sent although the brake holds, and no other is.
func TestAPersonRefundsOneOrderWhileTheBrakeHolds(t *testing.T) {
	t.Parallel()
	sc := braked(t)
	sc.wrong("o", 12)
	sc.sent(9)
	waiting := func() (ids []string) {
		reports, err := gate.RefundViews(t.Context(), sc.store, "race")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reports {
			if r.Refunds[0].Waits == gate.WaitBrake {
				ids = append(ids, r.Order)
			}
		}
		return ids
	}
	ids := waiting()
	if len(ids) != 3 {
		t.Fatalf("waiting: %v", ids)
	}
	if err := GiveBack(t.Context(), sc.store, "race", ids[0], nil); err != nil {
		t.Fatal(err)
	}
	if n := len(waiting()); n != 2 {
		t.Errorf("%d wait for the brake", n)
	}
	sc.days(1)
	sc.sent(10)
	sc.holds(gate.Brake{Rule: gate.BrakeRow, Reason: "amount", Count: 10, Bound: 10}, 2)
}

// So many go uncounted as a person has seen waiting, within a day; what is beyond that is counted.
func TestWhatAPersonHasNotSeenIsCountedAnew(t *testing.T) {
	t.Parallel()
	sc := braked(t)
	sc.twice("o", 50)
	sc.sent(20)
	sc.goOn(5) // of 30: 5 are not counted, 20 are
	sc.sent(45)
	sc.holds(gate.Brake{Rule: gate.BrakeRate, Reason: "paid_twice", Count: 21, Bound: 20}, 5)
	sc.goOn(30) // 25 more than there are
	sc.sent(50)
	sc.pass(25 * time.Hour)
	sc.twice("p", 22)
	sc.sent(70)
	sc.holds(gate.Brake{Rule: gate.BrakeRate, Reason: "paid_twice", Count: 21, Bound: 20}, 2)
	if done, err := GoOn(t.Context(), sc.store, "kim", "swim", 1); err == nil || done.Released {
		t.Errorf("of a sale that there is not: %+v, %v", done, err)
	}
}

// Said again, or to a sale whose brake does not hold, it has what waits for nobody tried.
func TestGoOnMayBeSaidAgain(t *testing.T) {
	t.Parallel()
	sc := braked(t)
	sc.bank.says = portone.CancelFailed
	sc.twice("o", 3)
	sc.sent(3)
	sc.bank.says = portone.CancelDone
	done, err := GoOn(t.Context(), sc.store, "kim", "race", 0)
	if err != nil || done.Released || done.Orders != 3 {
		t.Errorf("%+v, %v", done, err)
	}
	sc.after(time.Minute) // one that has just failed rests all the same
	sc.refundsInTurn(3)
	sc.sent(6)
}

// A brake in doubt holds: what cannot be read, a clock that is wrong, a Redis that is away.
func TestABrakeInDoubtHolds(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]gate.BrakeRule{
		"brake":       gate.BrakeUnreadable,
		"brake_count": gate.BrakeUnreadable,
	} {
		sc := braked(t)
		sc.redis.Do(t, "HSET", "fg:{race}", field, "junk")
		sc.twice("o", 1)
		sc.sent(0)
		if b := sc.report().RefundBrake; b == nil || b.Rule != want || b.Waiting.Payments != 1 {
			t.Errorf("%s: %+v", field, b)
		}
		sc.goOn(1)
		sc.sent(1)
	}
	sc := braked(t)
	sc.settler.deps.Store = &brokenBrake{sc.settler.deps.Store}
	sc.twice("o", 1)
	sc.sent(0)
	sc.holds(gate.Brake{}, 0)
}

// brokenBrake is a store that cannot tell what the brake says, and lets it pass all the same.
type brokenBrake struct{ Store }

func (b *brokenBrake) PassBrake(_ context.Context, _, _, _, _ string, _ gate.RefundReason, _ gate.RefundAttempt) (bool,
	*gate.Brake, error,
) {
	return true, nil, errors.New("Redis is away")
}

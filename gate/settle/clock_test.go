package settle

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// The machine's clock is put ahead an hour while buyers are paying, for the gate and
// for Redis: no hold ends by that.
// What PortOne says has failed is released at once, and the rest when the hold has
// passed that it was given.
func TestAClockThatIsPutAheadEndsNoHold(t *testing.T) {
	t.Parallel()
	for name, restarted := range map[string]bool{"while the gate runs": false, "while no gate runs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sc := openScene(t)
			sc.after(0)
			sc.confirm("o1", "a1")
			sc.confirm("o2", "a2")
			sc.confirm("o3", "a3")
			sc.confirm("o4", "a4")
			sc.bank.set("o1", "a1", gate.PaymentReady)
			sc.bank.set("o2", "a2", gate.PaymentFailed)
			sc.bank.set("o3", "a3", gate.PaymentPaid) // and PortOne does not know a4
			sc.wall = time.Hour
			if restarted {
				sc.settler = New(sc.settler.deps, sc.settler.opt)
			}
			sc.after(time.Second)
			sc.want(map[string]string{"o1": "held O a1", "o2": "released F a2", "o3": "paid P a3", "o4": "held O a4"},
				7, 2, 1, 0)
			sc.bank.set("o4", "a4", gate.PaymentPaid)
			for range 17 {
				sc.after(20 * time.Second)
			}
			sc.want(map[string]string{"o1": "held O a1", "o4": "paid P a4"}, 7, 1, 2, 0)
			for range 3 {
				sc.after(20 * time.Second)
			}
			sc.want(map[string]string{"o1": "released O a1"}, 8, 0, 2, 0)
		})
	}
}

// Redis' clock alone is put ahead: nothing is sold and nothing settled until it is
// right again, and then all goes on as if nothing had been.
func TestARedisClockThatIsPutAheadIsDoubted(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{2 * time.Minute, 60 * 24 * time.Hour, 365 * 24 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			sc := openScene(t)
			sc.after(0)
			sc.confirm("o1", "a1")
			sc.confirm("o2", "a2")
			sc.bank.set("o1", "a1", gate.PaymentReady)
			sc.bank.set("o2", "a2", gate.PaymentFailed)
			sc.ahead = by
			for range 20 {
				sc.doubted(20 * time.Second)
			}
			sc.ahead = 0
			sc.want(map[string]string{"o1": "held O a1", "o2": "held O a2"}, 8, 2, 0, 0)
			if code := sc.confirm("o3", "a3"); code != gate.Held {
				t.Errorf("when the clock is back: %s", code)
			}
			sc.after(time.Second)
			sc.want(map[string]string{"o1": "released O a1", "o2": "released F a2", "o3": "held O a3"}, 9, 1, 0, 0)
		})
	}
}

// What a gate wrote whose clock and Redis' were both a year ahead for a moment is
// mended when they are right again: the sale is open, each hold lasts as long as it
// should, and whatever is held is looked at.
func TestWhatAYearAheadLeftIsMended(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.ClosesAt = at.Add(400 * 24 * time.Hour) })
	sc.after(0)
	sc.confirm("before", "a0")
	sc.bank.set("before", "a0", gate.PaymentReady)
	sc.confirm("failed", "a1")
	sc.bank.set("failed", "a1", gate.PaymentFailed)
	sc.wall = 365 * 24 * time.Hour
	if _, err := sc.store.Claim(t.Context(), "race", everything(), lease); err != nil { // and dies
		t.Fatal(err)
	}
	sc.confirm("before", "a0")
	for order, state := range map[string]gate.PaymentState{
		"ready": gate.PaymentReady, "paid": gate.PaymentPaid,
		"account": gate.PaymentDeposit,
	} {
		sc.confirm(order, "of-"+order)
		sc.bank.set(order, "of-"+order, state)
	}
	deposit := sc.bank.payments["of-account"]
	deposit.DepositBy = sc.now.Add(24 * time.Hour)
	sc.bank.payments["of-account"] = deposit
	sc.wall = 0
	if code := sc.confirm("after", "a9"); code != gate.Held {
		t.Errorf("when the clocks are back: %s", code)
	}
	sc.bank.set("after", "a9", gate.PaymentPaid)
	for range 2 {
		sc.after(20 * time.Second)
	}
	want := map[string]string{
		"before": "held O a0", "failed": "released F a1", "ready": "held O of-ready", "paid": "paid P of-paid",
		"account": "held V of-account", "after": "paid P a9",
	}
	sc.want(want, 5, 3, 2, 0)
	for order := range want {
		o, err := sc.store.Order(t.Context(), "race", order)
		if latest := sc.now.Add(25 * time.Hour); err != nil || o.Taken.After(sc.now) || o.Settled.After(sc.now) ||
			o.Deadline.After(latest) {
			t.Errorf("%+v, %v", o, err)
		}
	}
	for range 30 {
		sc.after(20 * time.Second)
	}
	want["before"], want["ready"] = "released O a0", "released O of-ready"
	sc.want(want, 7, 1, 2, 0)
	for range 30 {
		sc.after(time.Hour)
	}
	want["account"] = "released C of-account"
	sc.want(want, 8, 0, 2, 0)
}

// Redis' clock alone is put back an hour: time stands still for the sale. An order is
// looked at when a webhook asks for it, and nothing ends by time until the clock is
// right. Where it is an hour behind and has caught up with the sale, it is doubted.
func TestARedisClockThatIsPutBackLosesNothing(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.SKUs[0].Stock = 4 })
	sc.after(0)
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.bank.set("o1", "a1", gate.PaymentReady)
	sc.bank.set("o2", "a2", gate.PaymentFailed)
	sc.ahead = -time.Hour
	sc.confirm("o3", "a3")
	sc.confirm("o4", "a4")
	sc.bank.set("o3", "a3", gate.PaymentPaid)
	sc.bank.set("o4", "a4", gate.PaymentFailed)
	if code := sc.confirm("o5", "a5"); code != gate.SoldOut {
		t.Errorf("a unit is sold twice: %s", code)
	}
	if _, err := sc.store.Hasten(t.Context(), []string{"race"}, "o2"); err != nil {
		t.Fatal(err)
	}
	sc.after(time.Second)
	sc.want(map[string]string{"o1": "held O a1", "o2": "released F a2", "o3": "held O a3", "o4": "held O a4"}, 1, 3, 0,
		0)
	for range 58 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "held O a1", "o3": "held O a3", "o4": "held O a4"}, 1, 3, 0, 0)
	sc.doubted(4 * time.Minute)
	sc.ahead = 0
	for range 10 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "released O a1", "o3": "paid P a3", "o4": "released F a4"}, 3, 0, 1, 0)
}

// The machine's clock is put ahead two hours and then right again: the sale has seen
// the time that never was, and goes back with it.
func TestAClockThatIsPutAheadAndBackLosesNothing(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.after(0)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentReady)
	sc.wall = 2 * time.Hour
	sc.after(time.Second)
	sc.confirm("o2", "a2")
	sc.bank.set("o2", "a2", gate.PaymentFailed)
	sc.wall = 0
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "held O a1", "o2": "released F a2"}, 9, 1, 0, 0)
	for range 18 {
		sc.after(20 * time.Second)
	}
	sc.want(map[string]string{"o1": "released O a1", "o2": "released F a2"}, 10, 0, 0, 0)
}

// All leases end when the machine's clock is put ahead: two gates then settle the same
// orders at the same time. Each is settled once, and each payment refunded once.
func TestALeaseThatTheClockEndsDoesNothingTwice(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.AutoRefund = true })
	sc.after(0)
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.confirm("o2", "a3")
	sc.bank.set("o1", "a1", gate.PaymentFailed)
	sc.bank.set("o2", "a2", gate.PaymentPaid)
	sc.bank.set("o2", "a3", gate.PaymentPaid)
	other := New(sc.settler.deps, sc.settler.opt)
	jump := func() {
		sc.jump(time.Hour)
		sc.settle(other)
	}
	sc.bank.onLookup = jump
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "released F a1", "o2": "paid P a2, D a3"}, 9, 0, 1, 1)
	sc.bank.onLookup = jump
	for range 10 {
		sc.after(10 * time.Second)
	}
	sc.want(map[string]string{"o1": "released F a1", "o2": "paid P a2, X a3"}, 9, 0, 1, 0)
	if len(sc.bank.cancelled) != 1 {
		t.Errorf("cancelled: %v", sc.bank.cancelled)
	}
}

// What a gate had claimed when it died is taken over also if the machine's clock is
// put back then, or Redis' alone and right again.
func TestAClaimOfADeadGateOutlivesNoClock(t *testing.T) {
	t.Parallel()
	claimed := func(t *testing.T) *scene {
		sc := openScene(t)
		sc.confirm("o1", "a1")
		sc.bank.set("o1", "a1", gate.PaymentFailed)
		sc.now = sc.now.Add(20 * time.Second)
		if due, err := sc.store.Claim(t.Context(), "race", everything(), lease); err != nil || len(due.Entries) != 1 {
			t.Fatalf("%+v, %v", due, err)
		}
		return sc
	}
	t.Run("the machine's", func(t *testing.T) {
		t.Parallel()
		sc := claimed(t)
		sc.wall = -2 * time.Hour
		sc.after(lease)
		sc.want(map[string]string{"o1": "released F a1"}, 10, 0, 0, 0)
	})
	t.Run("Redis'", func(t *testing.T) {
		t.Parallel()
		sc := claimed(t)
		sc.ahead = -time.Hour
		sc.after(lease - time.Second)
		sc.want(map[string]string{"o1": "held O a1"}, 9, 1, 0, 0)
		sc.ahead = 0
		sc.after(time.Second)
		sc.want(map[string]string{"o1": "released F a1"}, 10, 0, 0, 0)
	})
}

// A gate whose own clock is an hour off settles and sells nothing by itself. Beside
// one that sells, whose clock is right, it does all of its work: the sale has just
// seen the time that it would doubt.
func TestAGateWhoseOwnClockIsWrongWorksBesideOneThatIsRight(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			sc := openScene(t)
			sc.after(0)
			sc.confirm("o1", "a1")
			sc.bank.set("o1", "a1", gate.PaymentFailed)
			sc.wall, sc.ahead = by, -by
			sc.doubted(2 * time.Minute)
			sc.wall, sc.ahead = 0, 0
			sc.confirm("o2", "a2") // by the other gate
			sc.wall, sc.ahead = by, -by
			if code := sc.confirm("o3", "a3"); code != gate.Held {
				t.Errorf("just after the other: %s", code)
			}
			sc.after(time.Second)
			sc.want(map[string]string{"o1": "released F a1", "o2": "held O a2", "o3": "held O a3"}, 8, 2, 0, 0)
		})
	}
}

// doubted lets time pass, and sees that nothing is sold and nothing settled then.
func (sc *scene) doubted(d time.Duration) {
	sc.t.Helper()
	sc.now = sc.now.Add(d)
	before := sc.redis.Do(sc.t, "HGETALL", "fg:{race}")
	_, err := sc.settler.turn(sc.t.Context(), "race", sc.settler.deps.Sales()["race"])
	if !errors.As(err, new(*gate.ClockError)) {
		sc.t.Errorf("settling: %v", err)
	}
	r := &gate.Request{Confirm: gate.Confirm{
		Order: []byte("doubted"), Attempt: []byte("doubted"), Version: 1,
		Lines: []gate.Line{{SKU: "full", Quantity: 1}},
	}}
	if err := sc.decider.Decide(sc.t.Context(), []*gate.Request{r}); !errors.As(err, new(*gate.ClockError)) ||
		r.Verdict() != (gate.Verdict{}) {
		sc.t.Errorf("a confirm: %v, %v", r.Verdict(), err)
	}
	if after := sc.redis.Do(sc.t, "HGETALL", "fg:{race}"); !reflect.DeepEqual(after, before) {
		sc.t.Errorf("the sale was %v, is %v", before, after)
	}
}

package settle

import (
	"context"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

// The attempt that is looked up is confirmed again and again: that moves the
// deadline by a quarter of the hold each time, and says nothing about what PortOne
// said.
func TestAnOrderThatIsConfirmedOverAndOverIsSettled(t *testing.T) {
	t.Parallel()
	for state, want := range map[gate.PaymentState]string{
		gate.PaymentPaid:   "paid P a1",
		gate.PaymentFailed: "released F a1",
	} {
		t.Run(state.String(), func(t *testing.T) {
			t.Parallel()
			sc := openScene(t)
			sc.confirm("o1", "a1")
			sc.bank.set("o1", "a1", state)
			sc.bank.onLookup = func() {
				for range 3 {
					sc.pass(75 * time.Second)
					if code := sc.confirm("o1", "a1"); code != gate.Held {
						t.Errorf("confirmed during the look-up: %s", code)
					}
				}
			}
			sc.after(20 * time.Second)
			paid := int64(0)
			if state == gate.PaymentPaid {
				paid = 1
			}
			sc.want(map[string]string{"o1": want}, 10-paid, 0, paid, 0)
			o, err := sc.store.Order(t.Context(), "race", "o1")
			if err != nil || o.Revision != 5 || o.Deadline.Sub(at) != 5*time.Minute+20*time.Second+3*75*time.Second {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}

// The 200 that a failed attempt got in the moment of its release is worth nothing
// to PortOne, which has ended that attempt itself. Should it be paid all the same,
// then it is a late payment like any other.
func TestARepeatInTheMomentOfTheReleaseLeaksNothing(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.SKUs[0].Stock = 1 })
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentFailed)
	sc.bank.onLookup = func() { sc.confirm("o1", "a1") }
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "released F a1"}, 1, 0, 0, 0)
	if code := sc.confirm("o1", "a1"); code != gate.AttemptEnded {
		t.Errorf("confirmed after the release: %s", code)
	}
	if code := sc.confirm("o2", "a2"); code != gate.Held {
		t.Errorf("the unit is not on sale again: %s", code)
	}
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.bank.set("o2", "a2", gate.PaymentPaid)
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "refund_due D a1", "o2": "paid P a2"}, 0, 0, 1, 1)
}

// A release by time alone is overtaken by a confirm: its 200 has moved the
// deadline, and the payment may yet come.
func TestARepeatKeepsAHoldThatWouldHaveEndedByTime(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentReady)
	sc.bank.onLookup = func() {
		if code := sc.confirm("o1", "a1"); code != gate.Held {
			t.Errorf("confirmed during the look-up: %s", code)
		}
	}
	sc.after(6*time.Minute + time.Second)
	sc.want(map[string]string{"o1": "held O a1"}, 9, 1, 0, 0)
	for range 6 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "held O a1"}, 9, 1, 0, 0)
	sc.after(2 * time.Second)
	sc.want(map[string]string{"o1": "released O a1"}, 10, 0, 0, 0)
}

// A 200 that moves no deadline is worth three quarters of the hold all the same: the
// release by time that does not see it comes later than that.
func TestARepeatThatWritesNothingKeepsThreeQuartersOfTheHold(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentReady)
	sc.after(75*time.Second - time.Millisecond)
	if code := sc.confirm("o1", "a1"); code != gate.Held {
		t.Errorf("confirmed again: %s", code)
	}
	sc.after(225 * time.Second) // of 300, since the repeat
	o, err := sc.store.Order(t.Context(), "race", "o1")
	if err != nil || o.State != gate.OrderHeld || o.Revision != 1 || o.Deadline.Sub(at) != 5*time.Minute ||
		!sc.time().Before(o.Deadline) {
		t.Errorf("%+v, %v", o, err)
	}
	sc.after(time.Minute) // the grace
	sc.want(map[string]string{"o1": "held O a1"}, 9, 1, 0, 0)
	sc.after(3 * time.Second)
	sc.want(map[string]string{"o1": "released O a1"}, 10, 0, 0, 0)
}

// repeating is a store in which an order is confirmed again whenever it was read.
type repeating struct {
	*store.Store
	confirm func()
}

func (r repeating) Orders(ctx context.Context, sale string, ids []string) ([]gate.Order, []error, error) {
	defer r.confirm()
	return r.Store.Orders(ctx, sale, ids)
}

func TestAReportIsTakenOfAnOrderThatIsConfirmedOverAndOver(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	f := func(order, attempt string, paid bool) {
		t.Helper()
		again := repeating{sc.store, func() {
			sc.pass(2 * time.Minute)
			sc.confirm(order, attempt)
		}}
		if _, err := Tell(t.Context(), again, "kim", "race", Report{Order: order, Paid: paid}); err != nil {
			t.Errorf("%s: %v", order, err)
		}
	}
	f("o1", "a1", true)
	f("o2", "a2", false)
	sc.want(map[string]string{"o1": "paid P a1", "o2": "released F a2"}, 9, 0, 1, 0)
}

package settle

import (
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Redis' clock is put ahead an hour while buyers are paying: no hold ends by that.
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
			sc.ahead = time.Hour
			if restarted {
				sc.settler = New(sc.settler.opt)
			}
			sc.after(time.Second)
			sc.want(map[string]string{"o1": "held O a1", "o2": "released F a2", "o3": "paid P a3", "o4": "held O a4"}, 7, 2, 1, 0)
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

// Redis' clock is put back an hour: time stands still for the sale until the clock
// has caught up. Until then an order is looked at when a webhook asks for it, and
// nothing ends by time. Then all goes on.
func TestAClockThatIsPutBackLosesNothing(t *testing.T) {
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
	sc.want(map[string]string{"o1": "held O a1", "o2": "released F a2", "o3": "held O a3", "o4": "held O a4"}, 1, 3, 0, 0)
	for range 58 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "held O a1", "o3": "held O a3", "o4": "held O a4"}, 1, 3, 0, 0)
	for range 10 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "released O a1", "o3": "paid P a3", "o4": "released F a4"}, 3, 0, 1, 0)
}

// A clock that is put ahead and then right again: the sale has seen the time that
// never was.
func TestAClockThatIsPutAheadAndBackLosesNothing(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.after(0)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentReady)
	sc.ahead = time.Hour
	sc.after(time.Second)
	sc.confirm("o2", "a2")
	sc.bank.set("o2", "a2", gate.PaymentFailed)
	sc.ahead = 0
	for range 59 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "held O a1", "o2": "held O a2"}, 8, 2, 0, 0)
	for range 40 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "released O a1", "o2": "released F a2"}, 10, 0, 0, 0)
}

// All leases end when Redis' clock is put ahead: two gates then settle the same
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
	other := New(sc.settler.opt)
	jump := func() {
		sc.ahead += time.Hour
		if _, err := other.round(t.Context(), "race", sc.settler.opt.Sales()["race"]); err != nil {
			t.Error(err)
		}
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

// What a gate had claimed when it died is taken over also if Redis' clock is put
// back then: when it has caught up.
func TestAClaimOfADeadGateOutlivesNoClock(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentFailed)
	sc.now = sc.now.Add(20 * time.Second)
	if due, err := sc.store.Claim(t.Context(), "race", most, lease); err != nil || len(due.Entries) != 1 {
		t.Fatalf("%+v, %v", due, err)
	}
	sc.ahead = -time.Hour
	sc.after(time.Hour + lease - time.Second)
	sc.want(map[string]string{"o1": "held O a1"}, 9, 1, 0, 0)
	sc.after(time.Second)
	sc.want(map[string]string{"o1": "released F a1"}, 10, 0, 0, 0)
}

// The gate's own clock decides nothing: where it is put ahead all stays as it was,
// and where it is put back no unit comes back early, nor later than a hold and its
// grace after that.
func TestTheGatesOwnClockMayBePutAheadOrBack(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			sc := openScene(t)
			sc.after(0)
			sc.confirm("o1", "a1")
			sc.confirm("o2", "a2")
			sc.bank.set("o1", "a1", gate.PaymentReady)
			sc.bank.set("o2", "a2", gate.PaymentFailed)
			sc.now, sc.ahead = sc.now.Add(by), -by
			sc.after(20 * time.Second)
			sc.want(map[string]string{"o1": "held O a1", "o2": "released F a2"}, 9, 1, 0, 0)
			for range 17 {
				sc.after(20 * time.Second)
			}
			sc.want(map[string]string{"o1": "held O a1"}, 9, 1, 0, 0)
			for range 3 {
				sc.after(20 * time.Second)
			}
			sc.want(map[string]string{"o1": "released O a1"}, 10, 0, 0, 0)
		})
	}
}

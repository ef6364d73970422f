package settle

import (
	"slices"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func refuseDeposits(s *gate.Settings) { s.RefuseDeposits = true }

// An account stays open until it is paid into: whoever does has paid for nothing, once
// the order was released.
func TestTheAccountOfAReleasedOrderIsClosedOnce(t *testing.T) {
	t.Parallel()
	sc := openScene(t, refuseDeposits)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentDeposit)
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "released V a1"}, 10, 0, 0, 0)
	sc.after(soon)
	sc.want(map[string]string{"o1": "released C a1"}, 10, 0, 0, 0)
	for range 50 {
		sc.after(time.Hour)
	}
	if !slices.Equal(sc.bank.closed, []string{"a1"}) {
		t.Errorf("closed: %v", sc.bank.closed)
	}
}

func TestTheAccountOfAnOrderThatWaitsForItStaysOpen(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentDeposit)
	p := sc.bank.payments["a1"]
	p.DepositBy = sc.now.Add(24 * time.Hour)
	sc.bank.payments["a1"] = p
	for range 20 {
		sc.after(time.Hour)
	}
	sc.want(map[string]string{"o1": "held V a1"}, 9, 1, 0, 0)
	if len(sc.bank.closed) > 0 {
		t.Errorf("closed: %v", sc.bank.closed)
	}
	for range 30 { // it was never paid into
		sc.after(time.Hour)
	}
	sc.want(map[string]string{"o1": "released C a1"}, 10, 0, 0, 0)
	if !slices.Equal(sc.bank.closed, []string{"a1"}) {
		t.Errorf("closed: %v", sc.bank.closed)
	}
}

// An order that is held for another attempt does not wait for an account that its sale
// refuses, and one that another attempt pays waits for none: it would be paid twice.
func TestTheAccountOfAnotherAttemptIsClosed(t *testing.T) {
	t.Parallel()
	sc := openScene(t, refuseDeposits)
	for _, order := range []string{"o1", "o2"} {
		sc.confirm(order, order+"a")
		sc.confirm(order, order+"b")
		sc.bank.set(order, order+"a", gate.PaymentDeposit)
	}
	sc.bank.set("o1", "o1b", gate.PaymentReady)
	sc.bank.set("o2", "o2b", gate.PaymentPaid)
	for range 6 {
		sc.after(20 * time.Second)
	}
	sc.want(map[string]string{"o1": "held C o1a, O o1b", "o2": "paid C o2a, P o2b"}, 8, 1, 1, 0)
	slices.Sort(sc.bank.closed)
	if !slices.Equal(sc.bank.closed, []string{"o1a", "o2a"}) {
		t.Errorf("closed: %v", sc.bank.closed)
	}
}

// Some payment providers close no account. That harms nothing: what is paid into it all
// the same is a late payment.
func TestAnAccountThatCannotBeClosedHarmsNothing(t *testing.T) {
	t.Parallel()
	sc := openScene(t, refuseDeposits)
	sc.bank.open = true
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentDeposit)
	for range 30 {
		sc.after(time.Hour)
	}
	sc.want(map[string]string{"o1": "released V a1"}, 10, 0, 0, 0)
	if n := len(sc.bank.closed); n < 2 || n > 30 {
		t.Errorf("tried %d times", n)
	}
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	if _, err := sc.store.Hasten(t.Context(), []string{"race"}, "o1"); err != nil {
		t.Fatal(err)
	}
	sc.after(time.Second)
	sc.want(map[string]string{"o1": "paid P a1"}, 9, 0, 1, 0)
}

// One that takes for ever holds up nobody's order for longer than a few seconds.
func TestAnAccountThatIsNotClosedInTimeIsLeft(t *testing.T) {
	t.Parallel()
	sc := openScene(t, refuseDeposits)
	sc.bank.slow = true
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentDeposit)
	sc.after(20 * time.Second)
	sc.confirm("o2", "a2")
	sc.bank.set("o2", "a2", gate.PaymentFailed)
	began := time.Now()
	sc.after(20 * time.Second)
	if took := time.Since(began); took < closing || took > 3*closing {
		t.Errorf("a round took %v", took)
	}
	sc.want(map[string]string{"o1": "released V a1", "o2": "released F a2"}, 10, 0, 0, 0)
}

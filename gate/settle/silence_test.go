package settle

import (
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// A finding that says nothing of an attempt is no word that there is no payment.
func TestNothingIsReleasedOnSilence(t *testing.T) {
	t.Parallel()
	for name, silence := range map[string]func(*bank){
		"empty findings":   func(b *bank) { b.silent = true },
		"too few findings": func(b *bank) { b.short = true },
	} {
		sc := openScene(t)
		sc.confirm("o1", "a1")
		sc.bank.set("o2", "a2", gate.PaymentPaid)
		sc.confirm("o2", "a2")
		sc.after(20 * time.Second) // PortOne has known something
		silence(sc.bank)
		sc.after(time.Hour)
		if t.Failed() {
			t.Fatal(name)
		}
		sc.want(map[string]string{"o1": "held O a1", "o2": "paid P a2"}, 8, 1, 1, 0)
	}
}

// An attempt that no version of PortOne can be asked about is open.
func TestAnAttemptThatNobodyCanAskAboutKeepsItsHold(t *testing.T) {
	t.Parallel()
	settler := &Settler{deps: Deps{Payments: &bank{}}}
	order := gate.Order{ID: "o1", State: gate.OrderHeld, Attempts: []gate.Attempt{{ID: "a1", State: gate.AttemptOpen}}}
	if f := settler.lookup(t.Context(), "race", []gate.Order{order}, gate.QueueFresh); !f[0].unsure {
		t.Errorf("got %+v, want it unsure", f[0])
	}
}

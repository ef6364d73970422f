package settle

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// line returns the only refund that the sale owes, as it is listed.
func (sc *scene) line() gate.RefundView {
	sc.t.Helper()
	reports, err := gate.RefundViews(sc.t.Context(), sc.store, "race")
	if err != nil || len(reports) != 1 || len(reports[0].Refunds) != 1 {
		sc.t.Fatalf("listed: %+v, %v", reports, err)
	}
	return reports[0]
}

// days lets so many days pass, and returns how many cancellations were sent in them.
func (sc *scene) days(n int) (sent int) {
	sc.t.Helper()
	before := len(sc.bank.cancelled)
	for range n * 48 {
		sc.after(30 * time.Minute)
	}
	return len(sc.bank.cancelled) - before
}

// deposited makes the payment that is refund due one by way of a virtual account.
func (sc *scene) deposited() {
	p := sc.bank.payments["a2"]
	p.Deposited = true
	sc.bank.payments["a2"] = p
}

// configure changes the sale's settings.
func (sc *scene) configure(change func(*gate.Settings)) {
	sc.t.Helper()
	state, err := sc.store.Sale(sc.t.Context(), "race")
	if err == nil {
		change(&state.Settings)
		err = sc.store.Configure(sc.t.Context(), "kim", "apply", "race", state.Version, state.Settings)
	}
	if err != nil {
		sc.t.Fatal(err)
	}
}

// One that PortOne would refuse again and again is sent once, and listed in its own
// words, until something has changed: then it is sent again.
func TestAFinalRefusalWaitsForAChange(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*scene){
		"a person's word": func(sc *scene) {
			if err := GiveBack(sc.t.Context(), sc.store, "race", "o1", nil); err != nil {
				sc.t.Error(err)
			}
		},
		"the amount": func(sc *scene) {
			p := sc.bank.payments["a2"]
			p.State, p.Balance = gate.PaymentPartCancelled, 400
			sc.bank.payments["a2"] = p
		},
		"the settings": func(sc *scene) { sc.configure(func(s *gate.Settings) { s.PerBuyer++ }) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			sc := paidTwice(t)
			sc.bank.says = portone.CancelFinal
			if sent := sc.days(1); sent != 1 {
				t.Errorf("sent %d times in a day", sent)
			}
			if l := sc.line().Refunds[0]; l.Waits != gate.WaitChange || l.Reason != "paid_twice" || l.Tries != 1 ||
				l.Said != "PortOne does not take it" || l.At.IsZero() || l.State != "refund_due" {
				t.Errorf("listed: %+v", l)
			}
			change(sc)
			if sent := sc.days(1); sent != 1 {
				t.Errorf("sent %d times in a day after the change", sent)
			}
			sc.bank.says = portone.CancelDone
			if sent := sc.days(1); sent != 0 {
				t.Errorf("sent %d times without a change", sent)
			}
		})
	}
}

func TestARefusalThatMayPassIsListedAndTriedAgain(t *testing.T) {
	t.Parallel()
	sc := paidTwice(t)
	sc.bank.says = portone.CancelFailed
	sc.afterRefunds(time.Minute)
	if l := sc.line().Refunds[0]; l.Waits != gate.WaitNobody || l.Said != "PortOne does not take it" || l.Tries != 1 {
		t.Errorf("listed: %+v", l)
	}
	sc.bank.says = portone.CancelRequested
	sc.days(1)
	if l := sc.line().Refunds[0]; l.State != "refund_requested" || l.Waits != gate.WaitNobody {
		t.Errorf("listed: %+v", l)
	}
	if err := GiveBack(t.Context(), sc.store, "race", "o1", nil); !errors.Is(err, ErrGiveBack) ||
		!strings.Contains(err.Error(), "accepted the cancellation") {
		t.Errorf("while it is requested: %v", err)
	}
	sc.bank.says = portone.CancelUnknown
	sc.bank.set("o1", "a2", gate.PaymentPaid) // it has failed
	sc.after(time.Hour)
	if l := sc.line().Refunds[0]; l.State != "refund_due" || !strings.Contains(l.Said, "it has failed") {
		t.Errorf("listed: %+v", l)
	}
}

// A payment in another currency is listed for a person, and no word has a gate send it.
func TestWhatOnlyAPersonMayCancelIsListed(t *testing.T) {
	t.Parallel()
	sc := paidTwice(t)
	p := sc.bank.payments["a2"]
	p.Currency = "USD"
	sc.bank.payments["a2"] = p
	sc.days(1)
	if l := sc.line().Refunds[0]; l.Waits != gate.WaitPerson || l.Reason != "currency" {
		t.Errorf("listed: %+v", l)
	}
	if err := GiveBack(t.Context(), sc.store, "race", "o1", nil); err != nil {
		t.Error(err)
	}
	if sent := sc.days(1); sent != 0 {
		t.Errorf("sent %d times", sent)
	}
}

// A deposit can only go back to a bank account of the buyer's. Until there is one
// nothing is sent, and it is kept no longer than the refund is owed.
func TestADepositWaitsForTheBuyersBankAccount(t *testing.T) {
	t.Parallel()
	sc := paidTwice(t)
	sc.deposited()
	if sent := sc.days(2); sent != 0 {
		t.Errorf("sent %d times without an account", sent)
	}
	if r := sc.line(); r.Refunds[0].Waits != gate.WaitAccount || r.AccountGiven {
		t.Errorf("listed: %+v", r)
	}
	account := &gate.BankAccount{Bank: "004", Number: "110-1", Holder: "ann"}
	refused := func(what, sale, order string, account *gate.BankAccount) {
		t.Helper()
		if err := GiveBack(t.Context(), sc.store, sale, order, account); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	refused("half an account", "race", "o1", &gate.BankAccount{Bank: "004"})
	refused("no such bank", "race", "o1", &gate.BankAccount{Bank: "0 4", Number: "1", Holder: "ann"})
	refused("no such order", "race", "o9", account)
	refused("no such sale", "swim", "o1", account)
	sc.confirm("o2", "a3")
	refused("nothing is owed", "race", "o2", account)
	sc.configure(func(s *gate.Settings) { s.AutoRefund = false })
	refused("no auto_refund", "race", "o1", account)
	if l := sc.line().Refunds[0]; l.Waits != gate.WaitShop {
		t.Errorf("without auto_refund: %+v", l)
	}
	sc.configure(func(s *gate.Settings) { s.AutoRefund = true })

	if err := GiveBack(t.Context(), sc.store, "race", "o1", account); err != nil {
		t.Fatal(err)
	}
	if r := sc.line(); !r.AccountGiven {
		t.Errorf("listed: %+v", r)
	}
	sc.bank.says = portone.CancelRequested
	sc.afterRefunds(0)
	if a := sc.bank.account; a == nil || *a != *account || len(sc.bank.cancelled) != 1 {
		t.Errorf("sent %v", sc.bank.cancelled)
	}
	known := func() bool {
		note, _, err := sc.store.RefundNote(t.Context(), "race", "o1")
		return err != nil || note.Account != nil || len(note.Attempts) > 0
	}
	if !known() {
		t.Error("the account is forgotten while the refund is under way")
	}
	sc.bank.set("o1", "a2", gate.PaymentCancelled)
	sc.days(1)
	sc.want(map[string]string{"o1": "paid P a1, X a2"}, 9, 0, 1, 0)
	if known() {
		t.Error("what is known of the refund is kept after it")
	}
	err := sc.store.TellRefund(t.Context(), "race", "o1", func(n *gate.RefundNote) { n.Account = account })
	if !errors.Is(err, gate.ErrNoRefund) || known() {
		t.Errorf("an account for a refund that is done: %v", err)
	}
}

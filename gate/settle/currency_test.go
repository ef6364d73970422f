package settle

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// paidIn has the bank say that an attempt was paid in a currency.
func (b *bank) paidIn(order, attempt, currency string) {
	b.set(order, attempt, gate.PaymentPaid)
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.payments[attempt]
	p.Currency = currency
	b.payments[attempt] = p
}

// replace makes a gate with another --currency settle the sale from here on.
func (sc *scene) replace(currency string) {
	opt := sc.settler.opt
	opt.Currency = currency
	sc.settler = New(sc.settler.deps, opt)
}

func autoRefund(s *gate.Settings) { s.AutoRefund = true }

func TestAPaymentInAnotherCurrencyIsNeverCancelledByItself(t *testing.T) {
	t.Parallel()
	sc := openScene(t, autoRefund)
	var log bytes.Buffer
	deps := sc.settler.deps
	deps.Log = slog.New(slog.NewTextHandler(&log, nil))
	sc.settler = New(deps, sc.settler.opt)
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.confirm("o2", "a3")
	sc.bank.paidIn("o1", "a1", "USD")
	sc.bank.paidIn("o2", "a2", "KRW")
	sc.bank.paidIn("o2", "a3", "KRW") // twice, so one of them is cancelled as ever
	for range 30 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "released D a1", "o2": "paid P a2, X a3"}, 9, 0, 1, 1)
	if len(sc.bank.cancelled) != 1 || !strings.HasPrefix(sc.bank.cancelled[0], "a3 ") {
		t.Errorf("cancelled: %v", sc.bank.cancelled)
	}
	if said := log.String(); strings.Count(said, "If they are right, correct --currency") != 1 ||
		!strings.Contains(said, "in=USD") ||
		!strings.Contains(said, "wait for a person: they are in another currency than --currency, or were") {
		t.Errorf("the log says\n%s", said)
	}
	sc.bank.set("o1", "a1", gate.PaymentCancelled) // by a person
	for range 30 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "released X a1", "o2": "paid P a2, X a3"}, 9, 0, 1, 0)
}

// A code that is in use and not meant makes genuine payments refund due. Neither
// that gate cancels them, nor the one that is right beside it, nor the one that
// comes after it.
func TestACurrencyByMistakeHasNoGenuinePaymentCancelled(t *testing.T) {
	t.Parallel()
	sc := openScene(t, autoRefund)
	sc.replace("USD")
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.bank.paidIn("o1", "a1", "KRW")
	sc.bank.paidIn("o2", "a2", "KRW")
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "held D a1", "o2": "held D a2"}, 8, 2, 0, 2)
	for _, currency := range []string{"KRW", "USD", "EUR", "KRW"} {
		sc.replace(currency)
		for range 10 {
			sc.after(time.Minute)
		}
		sc.want(map[string]string{"o1": "released D a1", "o2": "released D a2"}, 10, 0, 0, 2)
	}
	if len(sc.bank.cancelled) > 0 {
		t.Errorf("cancelled: %v", sc.bank.cancelled)
	}
}

func TestWhatIsRefundDueIsCancelledOnlyForAReasonThatIsSeen(t *testing.T) {
	t.Parallel()
	f := func(what string, want gate.RefundReason, o gate.Order, text string) {
		t.Helper()
		if got := won().why(&o, &found(text).payments[0]); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	due := orderOf(gate.OrderReleased, "D a1")
	f("it would count", gate.RefundUnclear, due, "a1 paid")
	f("another amount", gate.RefundAmount, due, "a1 paid 999")
	f("a part of a unit more", gate.RefundAmount, due, "a1 paid cents")
	f("a test channel", gate.RefundTestChannel, due, "a1 paid test")
	f("another currency", gate.RefundCurrency, due, "a1 paid dollars")
	f("another currency and amount", gate.RefundCurrency, due, "a1 paid dollars 999")
	f("another currency, test", gate.RefundCurrency, due, "a1 paid dollars test")
	f("no units were left", gate.RefundNoUnits, orderOf(gate.OrderRefundDue, "D a1"), "a1 paid")
	f("no units were left, another currency", gate.RefundCurrency, orderOf(gate.OrderRefundDue, "D a1"),
		"a1 paid dollars")
	f("paid twice", gate.RefundPaidTwice, orderOf(gate.OrderPaid, "D a1", "P a2"), "a1 paid")
	f("paid twice, once in another currency", gate.RefundCurrency, orderOf(gate.OrderPaid, "D a1", "P a2"),
		"a1 paid dollars")
	f("the other was refunded", gate.RefundOrderEnded, orderOf(gate.OrderRefunded, "D a1", "X a2"), "a1 paid")
	f("the other was refunded, its units withheld", gate.RefundOrderEnded,
		orderOf(gate.OrderWithheld, "D a1", "X a2"), "a1 paid")
	f("held still", gate.RefundUnclear, orderOf(gate.OrderHeld, "D a1", "O a2"), "a1 paid")
	for _, r := range []gate.RefundReason{gate.RefundUnclear, gate.RefundCurrency} {
		if r.ByGate() {
			t.Errorf("a gate cancels for %s without a person", r)
		}
	}
	if len(gate.RefundReasons()) != 5 {
		t.Errorf("a gate cancels for %v", gate.RefundReasons())
	}
}

package settle

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
)

// returning has the payment a1 be cancelled by staff, and its money be where the status says.
func (sc *scene) returning(state gate.PaymentState, status string) {
	sc.t.Helper()
	sc.bank.set("o1", "a1", state)
	p := sc.bank.payments["a1"]
	p.Balance, p.Deposited, p.RefundStatus = 0, true, status
	sc.bank.payments["a1"] = p
	if _, err := sc.store.Hasten(sc.t.Context(), []string{"race"}, "o1"); err != nil {
		sc.t.Fatal(err)
	}
}

// PortOne calls a deposit's payment cancelled before the bank has sent the money. Until it
// has arrived the unit stays with the order, nothing is sent, and the refund is listed.
func TestMoneyThatHasNotArrivedIsNotRefunded(t *testing.T) {
	t.Parallel()
	for _, auto := range []bool{true, false} {
		sc := openScene(t, func(s *gate.Settings) { s.AutoRefund = auto })
		sc.confirm("o1", "a1")
		sc.bank.set("o1", "a1", gate.PaymentPaid)
		sc.after(time.Minute)
		sc.want(map[string]string{"o1": "paid P a1"}, 9, 0, 1, 0)

		sc.returning(gate.PaymentRefunding, "PENDING")
		sc.days(2)
		sc.want(map[string]string{"o1": "paid Q a1"}, 9, 0, 1, 0)
		if l := sc.line().Refunds[0]; l.State != "refund_requested" || sc.requested() != 1 {
			t.Errorf("listed: %+v", l)
		}

		sc.returning(gate.PaymentStranded, "FAILED")
		sc.days(2)
		sc.want(map[string]string{"o1": "paid D a1 tried 1"}, 9, 0, 1, 1)
		if l := sc.line().Refunds[0]; l.State != "refund_due" || l.Waits != gate.WaitBank ||
			l.Said != "refundStatus: FAILED" || l.At.IsZero() {
			t.Errorf("listed: %+v", l)
		}
		if n := testutil.ToFloat64(sc.metrics.refunds.WithLabelValues("race", "failed")); n == 0 {
			t.Error("no failure is counted")
		}
		err := GiveBack(t.Context(), sc.store, "race", "o1", nil)
		if err == nil || auto && !strings.Contains(err.Error(), "the bank did not send the money") {
			t.Errorf("a person's word: %v", err)
		}
		if code := sc.confirm("o1", "a2"); code != gate.AlreadyPaid {
			t.Errorf("another attempt: %s", code)
		}

		sc.bank.set("o1", "a1", gate.PaymentCancelled)
		sc.days(1)
		sc.want(map[string]string{"o1": "refunded X a1 tried 1"}, 10, 0, 0, 0)
		if note, _, err := sc.store.RefundNote(t.Context(), "race", "o1"); err != nil || len(note.Attempts) > 0 ||
			len(sc.bank.cancelled) > 0 {
			t.Errorf("noted: %+v, %v; sent: %v", note, err, sc.bank.cancelled)
		}
	}
}

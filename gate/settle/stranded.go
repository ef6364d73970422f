package settle

import (
	"context"

	"github.com/flashgate/flashgate/gate"
)

// noteStranded logs and notes payments that PortOne has cancelled, but whose money did not reach
// the buyer: a bank sends the refund of a virtual account, and that may fail. The payment cannot be
// cancelled again, so a person has the bank send the money, and a look finds that it was sent.
func (s *Settler) noteStranded(ctx context.Context, sale string, moves []gate.Move, findings []finding) {
	for i := range moves {
		o := &moves[i].Before
		for k := range o.Attempts {
			a := &o.Attempts[k]
			f := paymentOf(findings[i].payments, o, a)
			if f == nil || f.State != gate.PaymentStranded || a.State != gate.AttemptRefundDue {
				continue
			}
			is := gate.RefundAttempt{Waits: gate.WaitBank, Said: "refundStatus: " + f.RefundStatus, At: s.deps.Now()}
			if !s.strands(ctx, sale, o.ID, a.ID, &is) {
				continue
			}
			s.note(ctx, sale, o.ID, a.ID, is)
			s.deps.Metrics.refunds.WithLabelValues(sale, "failed").Inc()
			s.deps.Log.Error("PortOne has cancelled a payment, and its money did not reach the buyer: flashgate "+
				"refunds lists it",
				"sale", sale, "order", o.ID, "attempt", a.ID, "refund_status", f.RefundStatus)
		}
	}
}

// strands fills in a stranded refund's note, and reports whether the stored note lacks it.
func (s *Settler) strands(ctx context.Context, sale, order, attempt string, is *gate.RefundAttempt) bool {
	note, _, err := s.deps.Store.RefundNote(ctx, sale, order)
	was := note.Attempts[attempt]
	is.Reason = was.Reason
	return err == nil && (was.Waits != is.Waits || was.Said != is.Said)
}

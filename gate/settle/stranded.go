package settle

import (
	"context"

	"github.com/flashgate/flashgate/gate"
)

// noteStranded tells of payments that PortOne has cancelled, whose money did not reach the
// buyer: a virtual account's refund is sent by a bank, and may fail. Nothing can be
// cancelled once more, so a person has it sent, and a look finds that it was.
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

// strands completes what is to be noted of a refund, and reports whether it is not noted yet.
func (s *Settler) strands(ctx context.Context, sale, order, attempt string, is *gate.RefundAttempt) bool {
	note, _, err := s.deps.Store.RefundNote(ctx, sale, order)
	was := note.Attempts[attempt]
	is.Reason = was.Reason
	return err == nil && (was.Waits != is.Waits || was.Said != is.Said)
}

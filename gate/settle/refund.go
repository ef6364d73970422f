package settle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// refund cancels payments that were refund due before this look, and were found
// to be still charged. What came of it the next look tells.
func (s *Settler) refund(ctx context.Context, sale string, p policy, moves []gate.Move, findings []finding) {
	waiting, example := 0, gate.Payment{}
	for i := range moves {
		m := &moves[i]
		for k := range m.Before.Attempts {
			a := &m.Before.Attempts[k]
			if a.State != gate.AttemptRefundDue {
				continue
			}
			f := paymentOf(findings[i].payments, &m.Before, a)
			if f == nil || f.Balance <= 0 || f.State != gate.PaymentPaid && f.State != gate.PaymentPartCancelled {
				continue
			}
			if !p.mayCancel(&m.Before, f) {
				waiting, example = waiting+1, *f
				continue
			}
			s.cancel(ctx, sale, m, a, f)
		}
	}
	if waiting > 0 {
		s.opt.Log.Warn("payments that are refund due wait for a person: they are in another currency than --currency, or were for a gate that looked before",
			"sale", sale, "payments", waiting, "--currency", p.currency, "order", example.Order, "attempt", example.Attempt, "in", example.Currency)
	}
}

// cancel gives back what was found to be charged of one attempt of an order. What is
// to be recorded of it, and when the order is looked at next, goes into the order's move.
func (s *Settler) cancel(ctx context.Context, sale string, m *gate.Move, a *gate.Attempt, f *gate.Payment) {
	err := s.opt.Payments.Cancel(ctx, portone.CancelRequest{
		Order: m.Before.ID, Attempt: a.ID, Version: a.Version, Balance: f.Balance,
		Reason: "no units were left for this payment", Key: refundKey(sale, m.Before.ID, a.ID, f.Balance),
	})
	if err != nil {
		m.Look = s.opt.MinLook
		s.opt.Metrics.refunds.WithLabelValues(sale, "failed").Inc()
		s.opt.Log.Error("a payment that is refund due could not be cancelled: it is looked up and tried again",
			"sale", sale, "order", m.Before.ID, "attempt", a.ID, "error", err)
		return
	}
	m.Look = soon
	s.opt.Metrics.refunds.WithLabelValues(sale, "sent").Inc()
	s.opt.Log.Info("a payment that was refund due was cancelled", "sale", sale, "order", m.Before.ID, "attempt", a.ID)
}

// refundKey is the same for the same cancellation, whichever gate sends it.
func refundKey(sale, order, attempt string, balance int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%d", sale, order, attempt, balance))
	return "flashgate-" + hex.EncodeToString(sum[:16])
}

// warnOfCurrency says once of each payment that it becomes refund due because of
// its currency: if many do, the setting is what is wrong.
func (s *Settler) warnOfCurrency(sale string, moves []gate.Move, findings []finding) {
	due, example := 0, gate.Payment{}
	for i := range moves {
		before, after := &moves[i].Before, moves[i].After
		if after == nil {
			continue
		}
		for k := range after.Attempts {
			a := &after.Attempts[k]
			if a.State != gate.AttemptRefundDue || before.Attempts[k].State == gate.AttemptRefundDue {
				continue
			}
			if f := paymentOf(findings[i].payments, before, a); f != nil && f.Currency != s.opt.Currency {
				due, example = due+1, *f
			}
		}
	}
	if due > 0 {
		s.opt.Log.Error("payments are in another currency than --currency: they are refund due, and wait for a person, also with auto_refund. "+
			"If they are right, correct --currency", "sale", sale, "payments", due, "--currency", s.opt.Currency,
			"order", example.Order, "attempt", example.Attempt, "in", example.Currency)
	}
}

package portonesim

import (
	"fmt"
	"time"
)

// dispute is a buyer's complaint at the card company.
type dispute struct {
	reason            string
	created, resolved time.Time // resolved is zero while it goes on
}

// Cancel gives an amount back from PortOne's console, 0 for all that is left. An
// empty attempt is the order's payment that was paid. It fails where that was
// not paid, or where less is left.
func (s *Sim) Cancel(order, attempt string, amount int64) error {
	return s.cancelPaid(order, attempt, amount, byConsole)
}

// Chargeback has the card company take back what is left of an order's payment.
func (s *Sim) Chargeback(order string) error { return s.cancelPaid(order, "", 0, chargeback) }

func (s *Sim) cancelPaid(order, attempt string, amount int64, who string) error {
	s.mu.Lock()
	r := s.book.find(order, attempt, func(r *record) bool {
		left, _ := r.left()
		return attempt != "" || left > 0
	})
	s.mu.Unlock()
	if r == nil {
		return fmt.Errorf("order %q has no such payment", order)
	}
	ask := cancelAsk{reason: "console", trigger: who, tell: true}
	if who == chargeback {
		ask.reason = "chargeback"
	}
	if amount != 0 {
		ask.amount = &amount
	}
	_, err := s.cancel(r, ask)
	return err
}

// Revive approves an order's payment of V1 that has failed, as V1 documents it for
// Paymentwall.
func (s *Sim) Revive(order string) error {
	s.mu.Lock()
	r := s.book.find(order, "", func(r *record) bool { return r.order.Version == 1 && r.state == failed })
	s.mu.Unlock()
	if r == nil {
		return fmt.Errorf("order %q has no payment of V1 that has failed", order)
	}
	s.approve(r)
	return nil
}

// Dispute has an order's buyer dispute the payment at the card company. V1 knows
// no disputes.
func (s *Sim) Dispute(order string) error {
	return s.contest(order, disputeCreated, func(r *record) bool {
		if r.state != paid || r.order.Version != 2 {
			return false
		}
		r.disputes = append(r.disputes, &dispute{reason: "구매자가 결제 사실을 부인합니다.", created: s.deps.Now()})
		return true
	})
}

// Resolve ends the dispute of an order, in the shop's favour: where the buyer is
// right there is a Chargeback beside it.
func (s *Sim) Resolve(order string) error {
	return s.contest(order, disputeResolved, func(r *record) bool {
		for _, d := range r.disputes {
			if d.resolved.IsZero() {
				d.resolved = s.deps.Now()
				return true
			}
		}
		return false
	})
}

// contest does something to a payment of an order, and tells of it.
func (s *Sim) contest(order string, news happening, do func(*record) bool) error {
	s.mu.Lock()
	r := s.book.find(order, "", do)
	if r != nil {
		r.changed = s.deps.Now()
	}
	s.mu.Unlock()
	if r == nil {
		return fmt.Errorf("order %q has no payment of V2 that is paid and can be disputed, or whose dispute "+
			"can be resolved", order)
	}
	s.tell(r, news, "")
	return nil
}

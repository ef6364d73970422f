package portonesim

import (
	"fmt"
	"strings"
	"time"
)

// depositTime is how long a virtual account waits for its deposit.
const depositTime = 24 * time.Hour

// issue gives out the account to send the money to.
func (r *record) issue(now time.Time) {
	r.turn(deposit, now)
	r.issued, r.depositBy = now, r.order.DepositBy
	switch {
	case r.order.NoDueDate:
		r.depositBy = time.Time{}
	case r.depositBy.IsZero():
		r.depositBy = now.Add(depositTime)
	}
}

// Deposit pays into the virtual account of an order. It fails where none waits.
func (s *Sim) Deposit(order string) error {
	s.mu.Lock()
	r := s.book.find(order, "", func(r *record) bool { return r.state == deposit })
	s.mu.Unlock()
	if r == nil || !s.deposited(r) {
		return fmt.Errorf("order %q has no virtual account that waits for its deposit", order)
	}
	return nil
}

// deposited takes the money, and reports whether the account still waited for it.
func (s *Sim) deposited(r *record) bool {
	s.mu.Lock()
	waits := r.state == deposit
	if waits {
		s.pay(r)
	}
	s.mu.Unlock()
	if waits {
		s.paidFor(r)
	}
	return waits
}

// closeAccount takes a virtual account back that waits for its deposit, and
// reports whether it did. PortOne does not say what becomes of the payment: here
// it is cancelled, without a cancellation.
func (s *Sim) closeAccount(r *record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.state != deposit {
		return false
	}
	now := s.deps.Now()
	r.turn(cancelled, now)
	r.cancelledAt = now
	return true
}

// endRefund ends the sending of money to the buyer's own account, where it is under way.
func (s *Sim) endRefund(r *record, fails bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.refund != "PENDING" {
		return
	}
	r.changed = s.deps.Now()
	switch {
	case !fails:
		r.refund = "COMPLETED"
	case r.state == cancelled:
		r.refund = "FAILED"
	default:
		r.refund = "PARTIAL_REFUND_FAILED"
	}
}

// sendAfterAll has the money of a refund that has failed reach the buyer.
func (s *Sim) sendAfterAll(r *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.refund, r.changed = "COMPLETED", s.deps.Now()
}

// Settle ends at once what an order's bank or card company still has to do: the
// cancellations that are requested, and the refund of a virtual account. Where
// fails is true they fail; else a refund that has failed is sent after all. Its error is that there is nothing.
func (s *Sim) Settle(order string, fails bool) error {
	s.mu.Lock()
	var open []func()
	for _, r := range s.book.all {
		if r.order.ID != order {
			continue
		}
		for _, c := range r.cancels {
			if c.status == requested {
				open = append(open, func() { s.endRequest(r, c, fails) })
			}
		}
		switch {
		case r.refund == "PENDING":
			open = append(open, func() { s.endRefund(r, fails) })
		case !fails && strings.HasSuffix(r.refund, "FAILED"):
			open = append(open, func() { s.sendAfterAll(r) })
		}
	}
	s.mu.Unlock()
	for _, end := range open {
		end()
	}
	if len(open) == 0 {
		return fmt.Errorf("order %q has no cancellation that is requested, and no refund that is pending or has failed",
			order)
	}
	return nil
}

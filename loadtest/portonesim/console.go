package portonesim

import (
	"errors"
	"fmt"
	"strconv"
)

// Deposit pays into the virtual account of an order. It fails where none waits.
func (s *Sim) Deposit(order string) error {
	r := s.deposited(order)
	if r == nil {
		return fmt.Errorf("order %q has no virtual account that waits for its deposit", order)
	}
	s.tell(r, wasPaid, "")
	return nil
}

func (s *Sim) deposited(order string) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.book.all {
		if r.order.ID == order && r.state == deposit {
			r.state, r.paidAt = paid, s.opt.Now()
			r.changed = r.paidAt
			return r
		}
	}
	return nil
}

// Cancel gives an amount back from PortOne's console, 0 for all that is left. An
// empty attempt is the order's payment that was paid. It fails where that was
// not paid, or where less is left.
func (s *Sim) Cancel(order, attempt string, amount int64) error {
	s.mu.Lock()
	var r *record
	for _, candidate := range s.book.all {
		if candidate.order.ID == order && (candidate.attempt == attempt || attempt == "" && candidate.balance() > 0) {
			r = candidate
		}
	}
	s.mu.Unlock()
	if r == nil {
		return fmt.Errorf("order %q has no such payment", order)
	}
	_, err := s.cancel(r, amount, nil, "console", true)
	return err
}

// Why a cancellation is refused.
var (
	errCancelled = errors.New("all of it is cancelled already")
	errNotPaid   = errors.New("it is not paid")
	errBalance   = errors.New("another amount can be cancelled")
	errTooMuch   = errors.New("less than that can be cancelled")
)

// cancel gives an amount back, 0 for all that is left. Where balance is given it
// must be what is left.
func (s *Sim) cancel(r *record, amount int64, balance *int64, reason string, tell bool) (cancellation, error) {
	s.mu.Lock()
	c, news, err := s.cancelLocked(r, amount, balance, reason)
	s.mu.Unlock()
	if err == nil && tell {
		s.tell(r, news, c.id)
	}
	return c, err
}

func (s *Sim) cancelLocked(r *record, amount int64, balance *int64, reason string) (cancellation, happening, error) {
	left := r.balance()
	if amount == 0 {
		amount = left
	}
	switch {
	case r.state == cancelled:
		return cancellation{}, 0, errCancelled
	case r.state != paid:
		return cancellation{}, 0, errNotPaid
	case balance != nil && *balance != left:
		return cancellation{}, 0, errBalance
	case amount < 0 || amount > left:
		return cancellation{}, 0, errTooMuch
	}
	sum := s.hash("cancel", r.attempt, strconv.Itoa(len(r.cancels)))
	c := cancellation{id: fmt.Sprintf("imp_can_%x", sum[:6]), reason: reason, amount: amount, at: s.opt.Now()}
	r.cancels, r.changed = append(r.cancels, c), c.at
	if amount < left {
		return c, partCancelled, nil
	}
	r.state = cancelled
	return c, allCancelled, nil
}

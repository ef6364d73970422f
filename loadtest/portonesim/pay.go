package portonesim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// depositTime is how long a virtual account waits for its deposit.
const depositTime = 24 * time.Hour

// Result is what a buyer sees of an attempt.
type Result struct {
	Attempt       string `json:"attempt"`       // empty where the payment window did not open
	ConfirmStatus int    `json:"confirmStatus"` // 0: nobody was asked, or no answer came
	ConfirmBody   string `json:"confirmBody"`
	Status        string `json:"status"` // as V1 has it: ready, paid, failed, cancelled
	FailReason    string `json:"failReason"`
}

// Pay makes one attempt to pay: the confirm call, then approval or what the plan
// has instead. It returns when the attempt has ended or is left for ever; its
// webhooks may still be under way. Where ctx ends first, the buyer has left.
func (s *Sim) Pay(ctx context.Context, o Order) Result {
	if err := o.complete(); err != nil {
		return Result{Status: failed.v1(), FailReason: err.Error()}
	}
	first, err := s.begin(o)
	if err != nil {
		return Result{Status: failed.v1(), FailReason: err.Error()}
	}
	var other sync.WaitGroup
	if s.chance(s.opt.Plan.Twice, first, "twice") {
		if second, err := s.begin(o); err == nil {
			other.Go(func() { s.attempt(ctx, second) })
		}
	}
	s.attempt(ctx, first)
	other.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return Result{first.attempt, first.confirmStatus, first.confirmBody, first.state.v1(), first.failReason}
}

// begin opens the payment window.
func (s *Sim) begin(o Order) (*record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := o.key()
	if o.Version == 2 && s.book.successful(key) {
		return nil, errors.New("ALREADY_PAID: the paymentId was paid before")
	}
	s.book.tries[key]++
	r := &record{order: o, number: s.book.tries[key], amount: o.Amount, started: s.opt.Now()}
	r.changed, r.attempt = r.started, s.attemptID(o, r.number)
	if s.chance(s.opt.Plan.WrongAmount, r, "amount") {
		r.amount = max(o.Amount/2, 1)
	}
	if p, ok := s.book.prepared[o.ID]; ok && o.Version == 1 && (p.Amount != r.amount || p.Currency != "" && p.Currency != o.Currency) {
		return nil, fmt.Errorf("the amount is %d, not the %d that was registered in advance", r.amount, p.Amount)
	}
	r.test = o.Test || s.chance(s.opt.Plan.TestChannel, r, "test")
	if r.fate = s.opt.Plan.fate(s.draw("fate", key, strconv.Itoa(r.number))); r.fate == invented && o.ConfirmURL == "" {
		r.fate = approved // there is nobody to deceive
	}
	s.book.add(r)
	return r, nil
}

// chance draws for an attempt.
func (s *Sim) chance(share float64, r *record, what string) bool {
	return s.draw(what, r.order.key(), strconv.Itoa(r.number)) < share
}

// attempt goes the way from the payment window to the approval.
func (s *Sim) attempt(ctx context.Context, r *record) {
	if r.fate != invented {
		s.tell(r, opened, "")
	}
	if r.order.ConfirmURL != "" && !s.confirmed(ctx, r) {
		return
	}
	switch r.fate {
	case declined:
		s.fail(r, "카드사 승인 거절")
	case invented, never:
	case slow:
		if s.pause(ctx, s.opt.Plan.SlowBy) {
			s.approve(r)
		}
	case pending:
		s.mu.Lock()
		r.state, r.changed = paying, s.opt.Now()
		s.mu.Unlock()
		s.tell(r, payPending, "")
		if s.pause(ctx, s.opt.Plan.SlowBy) {
			s.approve(r)
		}
	default:
		s.approve(r)
	}
}

// confirmed asks the shop, and ends the attempt unless its answer is 200.
func (s *Sim) confirmed(ctx context.Context, r *record) bool {
	status, body, err := s.confirm(ctx, r)
	if r.fate == lost {
		status, body, err = 0, "", errors.New("no answer came")
	}
	s.mu.Lock()
	r.confirmStatus, r.confirmBody = status, body
	s.mu.Unlock()
	switch {
	case r.fate == invented:
		return false
	case err != nil:
		s.opt.Log.Info("a confirm call failed", "order", r.order.ID, "attempt", r.attempt, "error", err)
		s.fail(r, "confirm: "+err.Error())
	case status != 200:
		s.fail(r, refusal(r.order.Version, status, body))
	}
	return err == nil && status == 200
}

func (s *Sim) fail(r *record, reason string) {
	s.mu.Lock()
	r.state, r.failReason, r.failedAt = failed, reason, s.opt.Now()
	r.changed = r.failedAt
	s.mu.Unlock()
	s.tell(r, hasFailed, "")
}

// approve takes the money, or gives out the account to send it to.
func (s *Sim) approve(r *record) {
	s.mu.Lock()
	now := s.opt.Now()
	r.changed = now
	var news happening
	switch {
	case r.order.Version == 2 && s.book.successful(r.order.key()):
		r.state, r.failReason, r.failedAt, news = failed, "ALREADY_PAID", now, hasFailed
	case r.order.VirtualAccount:
		r.state, r.issued, r.depositBy, news = deposit, now, now.Add(depositTime), accountIssued
	default:
		r.state, r.paidAt, news = paid, now, wasPaid
	}
	s.mu.Unlock()
	s.tell(r, news, "")
	if news == wasPaid && s.chance(s.opt.Plan.PartCancels, r, "part") {
		if err := s.Cancel(r.order.ID, r.attempt, max(r.amount/2, 1)); err != nil {
			s.opt.Log.Warn("could not cancel a part", "order", r.order.ID, "error", err)
		}
	}
}

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

// pause waits, unless ctx ends or the simulator closes: then it is false.
func (s *Sim) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.closing:
	}
	return false
}

package portonesim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Result is what a buyer sees of an attempt.
type Result struct {
	Attempt       string `json:"attempt"`       // empty where the payment window did not open
	ConfirmStatus int    `json:"confirmStatus"` // 0: nobody was asked, or no answer came
	ConfirmBody   string `json:"confirmBody"`
	Status        string `json:"status"` // as V1 has it: ready, paid, failed, cancelled
	FailReason    string `json:"failReason"`
	PaymentToken  string `json:"paymentToken,omitempty"` // what the shop's server confirms with, where that is manual
}

// Pay makes one attempt to pay: the confirm call, then approval or what the plan
// has instead. It returns when the attempt has ended or is left for ever; its
// webhooks may still be under way. Where ctx ends first, the buyer has left, and
// the result is that of the moment: the attempt itself goes on without him.
func (s *Sim) Pay(ctx context.Context, o Order) Result {
	if err := o.complete(); err != nil {
		return unopened(err)
	}
	r, err := s.window(o)
	if err != nil {
		return unopened(err)
	}
	windows := []*record{r}
	if s.chance(s.opt.Plan.Twice, r, "twice") {
		if other, err := s.window(o); err == nil {
			windows = append(windows, other)
		}
	}
	s.buy(ctx, windows...)
	if ctx.Err() == nil && s.result(r).Status == failed.v1() && s.chance(s.opt.Plan.TriesAgain, r, "again") {
		if next, err := s.window(o); err == nil {
			r = next
			s.buy(ctx, r)
		}
	}
	return s.result(r)
}

func unopened(err error) Result { return Result{Status: failed.v1(), FailReason: err.Error()} }

func (s *Sim) result(r *record) Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Result{r.attempt, r.confirmStatus, r.confirmBody, r.state.v1(), r.failReason, r.token}
}

// buy goes through with attempts, until they have ended or ctx has.
func (s *Sim) buy(ctx context.Context, attempts ...*record) {
	for _, r := range attempts {
		s.start(r, func() { s.attempt(r) })
	}
	for _, r := range attempts {
		select {
		case <-r.ended:
		case <-ctx.Done():
		}
	}
}

// window opens the payment window.
func (s *Sim) window(o Order) (*record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := o.key()
	if o.Version == 2 && s.book.successful(key) {
		return nil, errors.New("ALREADY_PAID: the paymentId was paid before")
	}
	r := s.record(o)
	r.attempt = s.attemptID(o, r.number)
	if s.chance(s.opt.Plan.WrongAmount, r, "amount") {
		r.order.halve()
	}
	if p := s.book.prepared[key]; p.hundredths != 0 && p.hundredths != r.hundredths() || p.currency != "" &&
		p.currency != o.Currency {
		return nil, fmt.Errorf("the payment is of %s %s, not of the %s %s that were registered in advance",
			units(r.hundredths()), o.Currency, units(p.hundredths), p.currency)
	}
	if r.fate == invented && o.ConfirmURL == "" {
		r.fate = approved // there is nobody to deceive
	}
	s.book.add(r)
	return r, nil
}

// record returns a new attempt's record, which is in no book yet.
func (s *Sim) record(o Order) *record {
	key := o.key()
	s.book.tries[key]++
	r := &record{
		order: s.vary(o, s.book.tries[key]), number: s.book.tries[key], started: s.deps.Now(),
		ended: make(chan struct{}), settled: map[string]chan struct{}{},
	}
	r.turn(ready, r.started)
	if r.fate = s.opt.Plan.fate(s.draw("fate", key, strconv.Itoa(r.number))); o.Fate != "" {
		r.fate = fates()[o.Fate]
	}
	return r
}

// start goes through with an attempt in the background, unless the simulator is
// closed: then nothing comes of it.
func (s *Sim) start(r *record, attempt func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		close(r.ended)
		return
	}
	s.work.Go(func() {
		defer close(r.ended)
		attempt()
	})
}

// chance draws for an attempt.
func (s *Sim) chance(share float64, r *record, what string) bool {
	return s.draw(what, r.order.key(), strconv.Itoa(r.number)) < share
}

// attempt goes the way from the payment window to what came of it.
func (s *Sim) attempt(r *record) {
	s.open(r)
	switch {
	case r.order.ManualConfirm:
		s.handOut(r)
	case r.order.ConfirmURL == "":
		s.proceed(r)
	default:
		status, body, err := s.confirm(r)
		if err != nil {
			s.deps.Log.Info("a confirm call failed", "order", r.order.ID, "attempt", r.attempt, "error", err)
		}
		s.answered(r, status, body)
	}
}

// open tells that the payment window is open, and lets forgers have their say.
func (s *Sim) open(r *record) {
	if r.fate == invented {
		return
	}
	s.tell(r, opened, "")
	if s.chance(s.opt.Plan.ForgedHooks, r, "forged") {
		s.forge(r)
	}
}

// answered goes on where the shop's answer was 200, and ends the attempt
// otherwise; the status is 0 where no answer came.
func (s *Sim) answered(r *record, status int, body string) {
	if r.fate == lost {
		status, body = 0, ""
	}
	s.mu.Lock()
	r.confirmStatus, r.confirmBody = status, body
	held := s.book.prepared[r.order.key()].hundredths != 0 // to the amount that was registered in advance
	if status == 200 && !held && s.chance(s.opt.Plan.SwitchedAmount, r, "switched") {
		r.order.halve()
	}
	s.mu.Unlock()
	switch {
	case r.fate == invented:
	case status == 200:
		s.proceed(r)
	default:
		s.fail(r, refusal(r.order.Version, status, body))
	}
}

// proceed approves the payment, or does what the plan has instead.
func (s *Sim) proceed(r *record) {
	switch r.fate {
	case declined:
		s.fail(r, "카드사 승인 거절")
	case never:
	case revived:
		s.fail(r, "(PG사 결제 장애) Internal error")
		if r.order.Version == 1 {
			s.later(func() { s.approve(r) }) // the buyer does not wait for it
		}
	case slow:
		s.approveLater(r)
	case pending:
		s.mu.Lock()
		r.turn(paying, s.deps.Now())
		s.mu.Unlock()
		s.tell(r, payPending, "")
		s.approveLater(r)
	default:
		s.approve(r)
	}
}

func (s *Sim) fail(r *record, reason string) {
	s.mu.Lock()
	s.failLocked(r, reason)
	s.mu.Unlock()
	s.tell(r, hasFailed, "")
}

func (s *Sim) failLocked(r *record, reason string) {
	now := s.deps.Now()
	r.turn(failed, now)
	r.failReason, r.failedAt = reason, now
}

func (s *Sim) approveLater(r *record) {
	if s.pause(s.opt.Plan.SlowBy) {
		s.approve(r)
	}
}

// approve takes the money, or gives out the account to send it to.
func (s *Sim) approve(r *record) {
	s.mu.Lock()
	r.failReason, r.failedAt = "", time.Time{}
	switch {
	case r.order.Version == 2 && s.book.successful(r.order.key()):
		s.failLocked(r, "ALREADY_PAID")
	case r.order.VirtualAccount:
		r.issue(s.deps.Now())
	default:
		s.pay(r)
	}
	to := r.state
	s.mu.Unlock()
	switch to {
	case failed:
		s.tell(r, hasFailed, "")
	case deposit:
		s.tell(r, accountIssued, "")
		if s.chance(s.opt.Plan.Deposits, r, "deposit") {
			s.later(func() { s.deposited(r) })
		}
	default:
		s.paidFor(r)
	}
}

// pay takes the money.
func (s *Sim) pay(r *record) {
	r.turn(paid, s.deps.Now())
	r.paidAt = r.turned
	s.book.events = append(s.book.events, r.eventOf(nil))
}

// paidFor tells of a payment that was made, and has happen what the plan has after it.
func (s *Sim) paidFor(r *record) {
	if !r.silent {
		s.tell(r, wasPaid, "")
	}
	plan, unwanted := s.opt.Plan, func(err error) {
		if err != nil {
			s.deps.Log.Warn("what the plan has did not happen", "order", r.order.ID, "attempt", r.attempt, "error", err)
		}
	}
	if s.chance(plan.PartCancels, r, "part") {
		unwanted(s.Cancel(r.order.ID, r.attempt, half(r.order.Amount)))
	}
	if r.order.VirtualAccount { // no card company has to do with it
		return
	}
	if r.order.Version == 2 && s.chance(plan.Disputes, r, "dispute") {
		unwanted(s.Dispute(r.order.ID))
	}
	if s.chance(plan.Chargebacks, r, "chargeback") {
		s.later(func() { _ = s.cancelPaid(r.order.ID, r.attempt, 0, chargeback) }) // unless it is cancelled by then
	}
}

// later does something in the background after SlowBy, unless the simulator closes
// before: then it never happens.
func (s *Sim) later(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return
	}
	s.work.Go(func() {
		if s.pause(s.opt.Plan.SlowBy) {
			do()
		}
	})
}

// pause waits, unless the simulator closes: then it is false.
func (s *Sim) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.life.Done():
		return false
	}
}

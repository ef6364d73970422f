package settle

import (
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	// soon is the time until the next look at an order whose payment was just cancelled.
	soon = 2 * time.Second
)

// finding is the result of looking up an order's payments.
type finding struct {
	payments []gate.Payment
	unsure   bool // not all of it could be looked up
	asked    bool // it was looked up; false if the gate cannot look payments up
	open     bool // another look-up may find more

	// alone is the queue in which the order waits for a look-up of its own, if the look-up together
	// with others left something open; QueueFresh otherwise.
	alone gate.Queue
	// fault is why the look-up failed for this order and not for the others.
	fault error
}

// policy is how a sale and its gate judge payments.
type policy struct {
	settings *gate.Settings
	currency string        // that payments must be in
	test     bool          // whether payments of a test channel count
	grace    time.Duration // how long after a hold's deadline its units stay taken
	minLook  time.Duration // the shortest time between two looks at an order
	put      time.Time     // when the store's clock was last put ahead; zero for never
}

// judge returns the move of an order that its payments lead to: see "An order's life" in package
// gate. Now is the store's clock.
func (p policy) judge(o gate.Order, f finding, now time.Time) gate.Move {
	next := p.mended(o, now)
	next.Attempts = slices.Clone(o.Attempts)
	pending, requested, between, stranded := f.unsure, false, false, false
	for i := range next.Attempts {
		a := &next.Attempts[i]
		payment := paymentOf(f.payments, &o, a)
		if payment == nil {
			between = between || a.Owed()
			continue
		}
		p.see(&next, a, payment)
		between = between || a.Owed() && !payment.Charged()
		stranded = stranded || a.State == gate.AttemptRefundDue && a.State != o.Attempts[i].State &&
			payment.State == gate.PaymentStranded
		requested = requested || payment.Requested > 0
		pending = pending || payment.State == gate.PaymentPending
	}
	if o.State == gate.OrderRefunded || o.State == gate.OrderWithheld || o.State == gate.OrderRefundDue {
		refundOthers(next.Attempts, -1)
	} else if paid := kept(&o, next.Attempts); paid >= 0 {
		refundOthers(next.Attempts, paid)
	}
	next.State = p.state(&next, f, pending, between, now)
	m := p.move(o, next, now)
	// The shop has asked PortOne to cancel a paid order: PortOne need not report when it is done.
	// Nor need it report again what led to this look-up.
	if (requested || f.open) && m.Look == 0 {
		m.Look = p.wait(&next, now)
	}
	// to close its account, or to note why its refund is stranded
	if o.State.HasUnits() && next.State == gate.OrderReleased && awaitsDeposit(&next) || stranded {
		m.Look = soon
	}
	return m
}

// awaitsDeposit reports whether a virtual account of the order is still open.
func awaitsDeposit(o *gate.Order) bool {
	return slices.ContainsFunc(o.Attempts, func(a gate.Attempt) bool { return a.State == gate.AttemptDeposit })
}

// mended is an order without times from a clock that was ahead: those in the future, or later than
// any hold or deposit lasts. Its hold then counts from now on, because nobody knows when its units
// were taken.
func (p policy) mended(o gate.Order, now time.Time) gate.Order {
	latest := now.Add(gate.ClockTolerance)
	if o.Taken.After(latest) {
		o.Taken, o.Deadline = now, now.Add(o.Deadline.Sub(o.Taken))
	}
	if o.Settled.After(latest) {
		o.Settled = now
	}
	// An order that was taken before may have been confirmed again, or may wait for a deposit longer
	// than the settings allow now.
	anew, deposit := now.Add(p.settings.Hold), o.Taken.Add(p.settings.LongestDeposit())
	if waits(&o) && deposit.After(anew) {
		anew = deposit
	}
	if o.State.HasUnits() && o.Deadline.After(latest.Add(gate.MaxHold)) && o.Deadline.After(anew) {
		o.Deadline = anew
	}
	return o
}

// paymentOf returns the payment that was found for an attempt. A payment of another order does not
// count: somebody has sent its id to the gate.
func paymentOf(payments []gate.Payment, o *gate.Order, a *gate.Attempt) *gate.Payment {
	for i := range payments {
		if f := &payments[i]; f.Order == o.ID && f.Attempt == a.ID && f.Version == a.Version {
			return f
		}
	}
	return nil
}

// see sets an attempt's state by the payment that was found for it.
func (p policy) see(o *gate.Order, a *gate.Attempt, f *gate.Payment) {
	open := a.State == gate.AttemptOpen || a.State == gate.AttemptDeposit
	ended := a.State == gate.AttemptFailed || a.State == gate.AttemptCancelled
	switch f.State {
	case gate.PaymentPaid, gate.PaymentPartCancelled:
		if open || ended {
			a.State = gate.AttemptRefundDue
			if p.counts(o, f) {
				a.State = gate.AttemptPaid
			}
		}
		switch {
		case a.State == gate.AttemptRefundDue && f.Requested > 0:
			a.State = gate.AttemptRequested
		case a.State == gate.AttemptRequested && f.Requested == 0: // the cancellation has failed
			a.State, a.Tries = gate.AttemptRefundDue, a.Tries+1
		case a.State == gate.AttemptPaid:
			o.Amount, o.Balance = gate.Amount{Value: f.Amount, Known: true}, gate.Amount{}
			if f.State == gate.PaymentPartCancelled {
				o.Balance = gate.Amount{Value: f.Balance, Known: true}
			}
		}
	case gate.PaymentCancelled:
		switch {
		case a.State == gate.AttemptPaid:
			a.State, o.Balance = gate.AttemptRefunded, gate.Amount{}
		case a.State == gate.AttemptRefundDue, a.State == gate.AttemptRequested:
			a.State = gate.AttemptRefunded
		case open:
			a.State = gate.AttemptCancelled
		}
	case gate.PaymentChargedBack: // the shop did not refund it, and decides whether the buyer keeps the goods
		switch {
		case a.Owed():
			a.State = gate.AttemptRefunded
		case open:
			a.State = gate.AttemptCancelled
		}
	case gate.PaymentRefunding:
		if a.State != gate.AttemptRefunded {
			a.State = gate.AttemptRequested
		}
	case gate.PaymentStranded:
		if a.State == gate.AttemptRequested { // the cancellation has failed
			a.Tries++
		}
		if a.State != gate.AttemptRefunded {
			a.State = gate.AttemptRefundDue
		}
	case gate.PaymentFailed:
		if open {
			a.State = gate.AttemptFailed
		}
	case gate.PaymentDeposit:
		if open {
			a.State = gate.AttemptDeposit
			if by := p.depositBy(o, f); !p.settings.RefuseDeposits && by.After(o.Deadline) {
				o.Deadline = by
			}
		}
	}
}

// depositBy is how long the order waits for a deposit: until the deposit is due, if that is known,
// and never longer than the sale's deposit_limit.
func (p policy) depositBy(o *gate.Order, f *gate.Payment) time.Time {
	limit := o.Taken.Add(p.settings.LongestDeposit())
	if f.DepositBy.IsZero() || f.DepositBy.After(limit) {
		return limit
	}
	return f.DepositBy
}

// counts reports whether a payment pays the order.
func (p policy) counts(o *gate.Order, f *gate.Payment) bool {
	return f.Currency == p.currency && (f.Live || p.test) && f.AmountCents == 0 &&
		(!o.Amount.Known || f.Amount == o.Amount.Value)
}

// why returns the reason, as seen now, for which a payment is refund due.
func (p policy) why(o *gate.Order, f *gate.Payment) gate.RefundReason {
	switch {
	case f.Currency != p.currency:
		return gate.RefundCurrency
	case !f.Live && !p.test:
		return gate.RefundTestChannel
	case !p.counts(o, f):
		return gate.RefundAmount
	case o.State == gate.OrderRefunded, o.State == gate.OrderWithheld:
		return gate.RefundOrderEnded
	case o.State == gate.OrderRefundDue:
		return gate.RefundNoUnits
	case kept(o, o.Attempts) >= 0:
		return gate.RefundPaidTwice
	}
	return gate.RefundUnclear
}

// kept returns the index of the paid attempt that pays the order: the one that did already, or the
// first; -1 if none is paid.
func kept(was *gate.Order, attempts []gate.Attempt) int {
	first := -1
	for i, a := range attempts {
		if a.State != gate.AttemptPaid {
			continue
		}
		if was.Attempts[i].State == gate.AttemptPaid {
			return i
		}
		if first < 0 {
			first = i
		}
	}
	return first
}

// refundOthers makes all paid attempts refund due except the one that is kept.
func refundOthers(attempts []gate.Attempt, kept int) {
	for i := range attempts {
		if attempts[i].State == gate.AttemptPaid && i != kept {
			attempts[i].State = gate.AttemptRefundDue
		}
	}
}

// state is the state that an order's attempts lead to. between says that the money of one of them
// may be with neither the shop nor the buyer.
func (p policy) state(o *gate.Order, f finding, pending, between bool, now time.Time) gate.OrderState {
	has := func(states ...gate.AttemptState) bool {
		return slices.ContainsFunc(o.Attempts, func(a gate.Attempt) bool { return slices.Contains(states, a.State) })
	}
	switch o.State {
	case gate.OrderAsking: // no payment was let go ahead, so there is nothing to look up
		if !now.Before(p.end(o)) {
			return gate.OrderReleased
		}
	case gate.OrderHeld:
		late := now.After(p.end(o))
		switch {
		case has(gate.AttemptPaid):
			return gate.OrderPaid
		case pending:
		case !f.asked && late && p.settings.ReleaseUnproven:
			return gate.OrderReleased
		case !f.asked:
		case late, p.ended(o):
			return gate.OrderReleased
		}
	case gate.OrderReleased:
		if has(gate.AttemptPaid) {
			return gate.OrderPaid
		}
	case gate.OrderPaid:
		if !has(gate.AttemptPaid) && has(gate.AttemptRefunded) && !between {
			if p.settings.Withhold {
				return gate.OrderWithheld
			}
			return gate.OrderRefunded
		}
	case gate.OrderRefundDue:
		if !o.OwesRefund() {
			return gate.OrderRefunded
		}
	}
	return o.State
}

// end is when an order's hold ends by time. A clock that is put ahead ends no hold: each lasts as
// long again from then on. An asking order ends at its deadline, without grace.
func (p policy) end(o *gate.Order) time.Time {
	if o.State == gate.OrderAsking {
		return o.Deadline
	}
	deadline := o.Deadline
	if anew := p.put.Add(p.settings.Hold); anew.After(deadline) {
		deadline = anew
	}
	return deadline.Add(p.grace)
}

// ended reports whether a held order has no attempt left to wait for.
func (p policy) ended(o *gate.Order) bool {
	return !o.OwesRefund() && !slices.ContainsFunc(o.Attempts, func(a gate.Attempt) bool {
		return a.State == gate.AttemptOpen || a.State == gate.AttemptDeposit && !p.settings.RefuseDeposits
	})
}

// move is the move from order o to next, with the time of the next look. Only a release by time and
// the due date of a deposit depend on the deadline.
func (p policy) move(o, next gate.Order, now time.Time) gate.Move {
	m := gate.Move{Before: o, Look: p.look(&next, now)}
	if same(&o, &next) {
		return m
	}
	if next.OwesRefund() && !o.OwesRefund() { // the order may be old, but its buyer waits from now on
		m.Look = min(m.Look, p.minLook)
	}
	next.Revision++
	byTime := o.State.HasUnits() && next.State == gate.OrderReleased && !p.ended(&next)
	if next.Deadline.Equal(o.Deadline) && !byTime {
		next.Deadline = time.Time{}
	}
	m.After = &next
	if o.State == gate.OrderReleased && next.State == gate.OrderPaid {
		without := next // paid, but its units are gone, or its buyer has reached the limit
		without.State, without.Attempts = gate.OrderRefundDue, slices.Clone(next.Attempts)
		refundOthers(without.Attempts, -1)
		m.Otherwise = &without
		m.Look = p.minLook // whether it becomes paid or refund due
	}
	return m
}

func same(a, b *gate.Order) bool {
	return a.State == b.State && slices.Equal(a.Attempts, b.Attempts) && a.Amount == b.Amount &&
		a.Balance == b.Balance &&
		a.Taken.Equal(b.Taken) && a.Deadline.Equal(b.Deadline) && a.Settled.Equal(b.Settled)
}

// wait is the time to the next look at an order: the older the order, the longer.
func (p policy) wait(o *gate.Order, now time.Time) time.Duration {
	since := o.Taken
	if !o.Settled.IsZero() {
		since = o.Settled
	}
	if p.put.After(since) { // the clock was put ahead: only the time since then counts
		since = p.put
	}
	return min(max(now.Sub(since)/2, p.minLook), gate.LongestLook)
}

// look is the time until an order must be looked at again; 0 means never. V1 does not report that a
// payment failed, so orders with open attempts are looked up, the older the less often. Orders that
// owe refunds are looked up until they are refunded.
func (p policy) look(o *gate.Order, now time.Time) time.Duration {
	wait := p.wait(o, now)
	switch {
	case o.State == gate.OrderHeld || o.State == gate.OrderAsking:
		if left := p.end(o).Sub(now); left >= 0 {
			wait = min(wait, left+time.Second)
		}
		return wait
	case o.OwesRefund():
		return wait
	case o.State == gate.OrderReleased, o.State == gate.OrderPaid && open(o):
		if !o.Settled.IsZero() && now.Sub(o.Settled) > gate.LatePayment {
			return 0
		}
		return wait
	}
	return 0
}

// waits reports whether the order waits for a deposit.
func waits(o *gate.Order) bool {
	return slices.ContainsFunc(o.Attempts, func(a gate.Attempt) bool { return a.State == gate.AttemptDeposit })
}

// open reports whether an attempt of the order may still come to something.
func open(o *gate.Order) bool {
	return slices.ContainsFunc(o.Attempts, func(a gate.Attempt) bool {
		return a.State == gate.AttemptOpen || a.State == gate.AttemptDeposit
	})
}

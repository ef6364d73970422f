package settle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// refund cancels payments that were refund due before this look and are still charged, with no
// cancellation requested.
func (s *Settler) refund(ctx context.Context, sale string, p policy, moves []gate.Move, findings []finding) {
	for i := range moves {
		m := &moves[i]
		for _, c := range charged(&m.Before, findings[i]) {
			s.cancel(ctx, sale, p, m, c.attempt, c.payment, p.why(&m.Before, c.payment))
		}
	}
}

// warnOfPersons logs at each look how many payments wait for a person.
func (s *Settler) warnOfPersons(sale string, p policy, moves []gate.Move, findings []finding) {
	waiting, example := 0, gate.Payment{}
	for i := range moves {
		o := &moves[i].Before
		for _, c := range charged(o, findings[i]) {
			if !p.why(o, c.payment).ByGate() {
				waiting, example = waiting+1, *c.payment
			}
		}
	}
	if waiting > 0 {
		s.deps.Log.Warn("payments that are refund due wait for a person: they are in another currency than "+
			"--currency, or were for a gate that looked before",
			"sale", sale, "payments", waiting, "--currency", p.currency, "order", example.Order, "attempt",
			example.Attempt, "in", example.Currency)
	}
}

// chargedAttempt is an attempt that was refund due before this look, and its payment, which is
// still charged with no cancellation requested.
type chargedAttempt struct {
	attempt int // its place in the order
	payment *gate.Payment
}

// charged returns the attempts of an order whose payments are to be cancelled.
func charged(o *gate.Order, found finding) (all []chargedAttempt) {
	for k := range o.Attempts {
		a := &o.Attempts[k]
		if a.State != gate.AttemptRefundDue {
			continue
		}
		if f := paymentOf(found.payments, o, a); f != nil && f.Charged() && f.Requested == 0 {
			all = append(all, chargedAttempt{k, f})
		}
	}
	return all
}

// leftOpen returns the attempts that were refund due before this look, and that this look at many
// orders together says nothing about.
func leftOpen(o *gate.Order, found finding) (attempts []int) {
	for k := range o.Attempts {
		a := &o.Attempts[k]
		if a.State == gate.AttemptRefundDue && found.open && paymentOf(found.payments, o, a) == nil {
			attempts = append(attempts, k)
		}
	}
	return attempts
}

// maySend reports whether a refund of an order may be sent now, so that the order belongs in the
// queue of refunds. It does not if the refund pauses after a failure, or waits for somebody and its
// note says so: webhooks for many such orders must not delay others there. An attempt that this
// look says nothing about is looked up alone in that queue, if its refund was tried before or a
// person has ordered it.
func (s *Settler) maySend(ctx context.Context, sale string, p policy, m *gate.Move, found finding) bool {
	all, open := charged(&m.Before, found), leftOpen(&m.Before, found)
	if len(all)+len(open) == 0 {
		return false
	}
	note, version, err := s.deps.Store.RefundNote(ctx, sale, m.Before.ID)
	if err != nil {
		return len(all) > 0 // the one who sends it reads the note again
	}
	// If a refund pauses, the next look is at the end of the pause, at the latest.
	rests := func(a *gate.Attempt, was gate.RefundAttempt) bool {
		rest := p.rest(&m.Before, a, was, s.deps.Now())
		if rest > 0 {
			m.Look = min(m.Look, rest)
		}
		return rest > 0
	}
	for _, c := range all {
		a := &m.Before.Attempts[c.attempt]
		was, is := standing(note, version, a, c.payment, p.why(&m.Before, c.payment))
		listed := is.Waits != gate.WaitNobody && is.Waits == was.Waits && is.Reason == was.Reason
		if !listed && (is.Waits != gate.WaitNobody || !rests(a, was)) {
			return true
		}
	}
	for _, k := range open {
		a := &m.Before.Attempts[k]
		was := note.Attempts[a.ID]
		if was.Waits == gate.WaitNobody && (was.Ordered || !was.At.IsZero()) && !rests(a, was) {
			return true
		}
	}
	return false
}

// standing returns what the note says of an attempt's refund, and how the refund stands now.
func standing(note gate.RefundNote, version int64, a *gate.Attempt, f *gate.Payment, why gate.RefundReason) (was,
	is gate.RefundAttempt,
) {
	was = note.Attempts[a.ID]
	is = gate.RefundAttempt{
		Reason: why.String(), Said: was.Said, At: was.At, Balance: gate.AmountText(f.Balance,
			f.BalanceCents), Version: version,
		Ordered: was.Ordered,
	}
	is.Waits = waitsFor(why, f, note.Account, was, is)
	return was, is
}

// cancel cancels the payment of attempt k of an order, unless its refund waits for somebody. It
// adds the outcome and the time of the next look to the move. A certain failure is counted in the
// record, so that the next try has a new key at whichever gate.
func (s *Settler) cancel(ctx context.Context, sale string, p policy, m *gate.Move, k int, f *gate.Payment,
	why gate.RefundReason,
) {
	a := &m.Before.Attempts[k]
	log := s.deps.Log.With("sale", sale, "order", m.Before.ID, "attempt", a.ID, "reason", why.String())
	note, version, err := s.deps.Store.RefundNote(ctx, sale, m.Before.ID)
	if err != nil {
		log.Warn("a payment that is refund due is not cancelled now: what is known of it cannot be read", "error", err)
		return
	}
	was, is := standing(note, version, a, f, why)
	if is.Waits != gate.WaitNobody {
		if is.Waits != was.Waits || is.Reason != was.Reason {
			log.Warn("a payment that is refund due waits: flashgate refunds lists it", "waits_for", is.Waits)
			s.note(ctx, sale, m.Before.ID, a.ID, is)
		}
		return
	}
	if rest := p.rest(&m.Before, a, was, s.deps.Now()); rest > 0 {
		m.Look = min(m.Look, rest)
		return
	}
	if !is.Ordered && !s.passes(ctx, log, sale, m.Before.ID, a.ID, why, is) {
		return
	}
	came, err := s.deps.Payments.Cancel(ctx, portone.CancelRequest{
		Order: m.Before.ID, Attempt: a.ID, Version: a.Version, Balance: f.Balance, BalanceCents: f.BalanceCents,
		TaxFree: f.TaxFree, Reason: s.deps.Reason(why, p.settings.Messages), Key: refundKey(sale, m.Before.ID, a,
			f), Account: note.Account,
	})
	count := s.deps.Metrics.refunds
	switch came {
	case portone.CancelDone:
		m.Look = min(m.Look, soon)
		count.WithLabelValues(sale, "sent").Inc()
		log.Info("a payment that was refund due was cancelled")
	case portone.CancelRequested:
		change(m, k, func(a *gate.Attempt) { a.State = gate.AttemptRequested })
		count.WithLabelValues(sale, "requested").Inc()
		log.Info("PortOne has accepted a cancellation: the payment is looked up until it is carried out")
	case portone.CancelFailed, portone.CancelFinal:
		change(m, k, func(a *gate.Attempt) { a.Tries++ })
		m.Look = min(m.Look, p.pause(a.Tries))
		if came == portone.CancelFinal {
			is.Waits = gate.WaitChange
		}
		count.WithLabelValues(sale, "failed").Inc()
		log.Error("a payment that is refund due was not cancelled", "tries", a.Tries+1, "waits_for", is.Waits,
			"look_in", m.Look, "error", err)
	default:
		is.Unsure = true
		count.WithLabelValues(sale, "failed").Inc()
		log.Error("a payment that is refund due could not be cancelled: it is looked up and tried again", "in",
			m.Look, "error", err)
	}
	if err != nil {
		is.Said, is.At = portone.Said(err), s.deps.Now()
		s.note(ctx, sale, m.Before.ID, a.ID, is)
	}
}

// waitsFor returns whom or what a refund waits for, by what is seen now and by its note.
func waitsFor(why gate.RefundReason, f *gate.Payment, account *gate.BankAccount, was,
	is gate.RefundAttempt,
) gate.RefundWait {
	switch {
	case !why.ByGate():
		return gate.WaitPerson
	case f.Deposited && account == nil:
		return gate.WaitAccount
	case was.Waits == gate.WaitChange && was.Balance == is.Balance && was.Version == is.Version:
		return gate.WaitChange
	}
	return gate.WaitNobody
}

// note writes down how the refund of an attempt stands, for flashgate refunds.
func (s *Settler) note(ctx context.Context, sale, order, attempt string, is gate.RefundAttempt) {
	err := s.deps.Store.NoteRefund(ctx, sale, order, func(n *gate.RefundNote) {
		was := n.Attempts[attempt]
		is.Counted, is.Ordered = was.Counted, was.Ordered
		n.Set(attempt, is)
	})
	if err != nil && !errors.Is(err, gate.ErrNoRefund) && !errors.Is(err, gate.ErrNoSale) {
		s.deps.Log.Warn("the state of a refund could not be written down: the next look finds it again",
			"sale", sale, "order", order, "attempt", attempt, "error", err)
	}
}

// pause is the time from a failed cancellation to the next try, after the given number of earlier
// failures: twice as long each time, up to an hour.
func (p policy) pause(tries int64) time.Duration {
	return min(p.minLook<<min(tries, 20), gate.LongestLook)
}

// rest is how much of the pause is left since the last cancellation failed, or ended unknown. It
// matters because anybody may hasten the order by a webhook of V1. If the balance or the settings
// have changed since, there is no pause.
func (p policy) rest(o *gate.Order, a *gate.Attempt, was gate.RefundAttempt, now time.Time) time.Duration {
	if was.At.IsZero() || was.At.After(now) || was.Waits != gate.WaitNobody {
		return 0
	}
	pause := p.wait(o, was.At)
	if a.Tries > 0 && !was.Unsure {
		pause = min(pause, p.pause(a.Tries-1))
	}
	return was.At.Add(pause).Sub(now)
}

// change makes a change of an attempt part of a move.
func change(m *gate.Move, k int, how func(*gate.Attempt)) {
	if m.After == nil {
		after := m.Before
		after.Attempts, after.Deadline = slices.Clone(after.Attempts), time.Time{} // the move needs no deadline
		after.Revision++
		m.After = &after
	}
	how(&m.After.Attempts[k])
	if m.Otherwise != nil {
		how(&m.Otherwise.Attempts[k])
	}
}

// refundKey is the idempotency key of a cancellation, the same at every gate. PortOne keeps its
// answer under the key for three hours, so a try after a certain failure has another key.
func refundKey(sale, order string, a *gate.Attempt, f *gate.Payment) string {
	text := fmt.Appendf(nil, "%s\n%s\n%s\n%s", sale, order, a.ID, gate.AmountText(f.Balance, f.BalanceCents))
	if a.Tries > 0 {
		text = fmt.Appendf(text, "\n%d", a.Tries)
	}
	sum := sha256.Sum256(text)
	return "flashgate-" + hex.EncodeToString(sum[:16])
}

// noteFailures logs and notes cancellations that PortOne had accepted and that have failed since:
// those payments are refund due again.
func (s *Settler) noteFailures(ctx context.Context, sale string, moves []gate.Move) {
	for i := range moves {
		before, after := &moves[i].Before, moves[i].After
		if after == nil {
			continue
		}
		for k, a := range before.Attempts {
			if a.State == gate.AttemptRequested && after.Attempts[k].State == gate.AttemptRefundDue {
				s.note(ctx, sale, before.ID, a.ID, gate.RefundAttempt{
					Said: "PortOne accepted the cancellation, and it has failed", At: s.deps.Now(),
				})
				s.deps.Metrics.refunds.WithLabelValues(sale, "failed").Inc()
				s.deps.Log.Error("a cancellation that PortOne had accepted has failed: the payment is refund due again",
					"sale", sale, "order", before.ID, "attempt", a.ID)
			}
		}
	}
}

// warnOfCurrency logs each payment once that becomes refund due because of its currency: if there
// are many, --currency is wrong.
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
		s.deps.Log.Error("payments are in another currency than --currency: they are refund due, and wait for a "+
			"person, also with auto_refund. "+
			"If they are right, correct --currency", "sale", sale, "payments", due, "--currency", s.opt.Currency,
			"order", example.Order, "attempt", example.Attempt, "in", example.Currency)
	}
}

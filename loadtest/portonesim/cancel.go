package portonesim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/flashgate/flashgate/loadtest/chance"
)

// cancelStatus is where a cancellation stands.
type cancelStatus int

const (
	requested cancelStatus = iota + 1
	succeeded
	refused // it failed
)

// Who has cancelled, as V2 calls it.
const (
	byAPI      = "API"
	byConsole  = "CONSOLE"
	chargeback = "CHARGEBACK"
)

// cancellation is money that was given back, or is asked to be.
type cancellation struct {
	id, reason, trigger  string
	status               cancelStatus
	amount, taxFree, vat int64
	asked, done          time.Time // done is zero unless it has succeeded
}

// cancelAsk is what a cancellation is asked for.
type cancelAsk struct {
	amount, balance, taxFree, vat *int64 // nil where the call leaves it out
	retain                        bool   // keep a promotion's discount
	account                       bool   // the bank account for the money was named
	reason, trigger               string
	tell                          bool // by a webhook
}

// Why a cancellation is refused, as V2 calls it.
const (
	alreadyCancelled = "PAYMENT_ALREADY_CANCELLED"
	notPaid          = "PAYMENT_NOT_PAID"
	otherBalance     = "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN"
	tooMuch          = "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT"
	partsTooMuch     = "SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT"
	taxedTooMuch     = "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT"
	taxFreeTooMuch   = "CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT"
	tooOften         = "MAX_CANCEL_COUNT_REACHED"
	belowPromotion   = "NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT"
	retainChanged    = "PROMOTION_DISCOUNT_RETAIN_OPTION_SHOULD_NOT_BE_CHANGED"
	invalidRequest   = "INVALID_REQUEST"
	pgProvider       = "PG_PROVIDER"
)

// finalRefusals are those that the same request meets again and again.
func finalRefusals() []string {
	return []string{tooOften, retainChanged, belowPromotion, partsTooMuch, taxedTooMuch, taxFreeTooMuch, invalidRequest}
}

// outcome is what a cancellation by the API comes to.
type outcome string

const (
	atOnce       outcome = "done"
	slowly       outcome = "slow"
	later        outcome = "requested"
	laterFailed  outcome = "request-fails"
	atOnceFailed outcome = "failed"
	neverArrives outcome = "refund-fails" // done, but the money never reaches the account
)

// known reports whether an outcome is one of those above, or an error's type.
func (o outcome) known() bool {
	return slices.Contains([]outcome{atOnce, slowly, later, laterFailed, atOnceFailed, neverArrives}, o) || o.refuses()
}

// refuses reports whether the outcome is a refusal.
func (o outcome) refuses() bool {
	return slices.Contains(append(finalRefusals(), pgProvider, alreadyCancelled, notPaid, otherBalance, tooMuch),
		string(o))
}

// cancelOutcome is what the next cancellation of a payment comes to.
func (s *Sim) cancelOutcome(r *record) outcome {
	if words := r.order.Cancels; len(words) > 0 {
		return outcome(words[min(r.cancelCalls, len(words))-1])
	}
	p := s.opt.Plan
	if s.chance(p.FinalRefusals, r, "final refusal") {
		all := finalRefusals()
		return outcome(all[int(s.draw("which refusal", r.attempt)*float64(len(all)))])
	}
	draw := s.draw("cancel outcome", r.order.key(), strconv.Itoa(r.number), strconv.Itoa(r.cancelCalls))
	picked := chance.Pick(draw, p.SlowCancels, p.RequestedCancels, p.FailedRequests, p.FailedCancels, p.PGErrors)
	if picked < 0 {
		return atOnce
	}
	return [...]outcome{slowly, later, laterFailed, atOnceFailed, pgProvider}[picked]
}

// cancelError is a refused cancellation. It is V2's word for the reason.
type cancelError string

func (e cancelError) Error() string { return "the payment cannot be cancelled: " + string(e) }

// cancel gives money back, or asks for it. Its error is a cancelError.
func (s *Sim) cancel(r *record, ask cancelAsk) (cancellation, error) {
	comes := atOnce
	if ask.trigger == byAPI {
		s.mu.Lock()
		r.cancelCalls++
		comes = s.cancelOutcome(r)
		s.mu.Unlock()
	}
	if comes == slowly {
		s.pause(s.opt.Plan.SlowBy) // whether or not whoever asked for it still listens
	}
	s.mu.Lock()
	if why := cmp.Or(s.refusal(r, &ask), comes.refusal()); why != "" {
		s.mu.Unlock()
		return cancellation{}, cancelError(why)
	}
	c := s.enterCancellation(r, ask, comes)
	seen, news := *c, r.news()
	s.mu.Unlock()
	switch seen.status {
	case succeeded:
		s.given(r, seen, news, ask.tell, comes == neverArrives)
	case requested:
		if ask.tell {
			s.tell(r, cancelPending, seen.id)
		}
		s.later(func() { s.endRequest(r, c, comes == laterFailed) })
	}
	return seen, nil
}

// refusal is the outcome's reason to refuse; empty where it does not.
func (o outcome) refusal() string {
	if o.refuses() {
		return string(o)
	}
	return ""
}

// refusal says why a cancellation cannot be; empty where it can. It completes what
// the call may leave out.
func (s *Sim) refusal(r *record, ask *cancelAsk) string {
	left, leftFree := r.left()
	ask.amount = cmp.Or(ask.amount, &left)
	if ask.taxFree == nil {
		all := int64(0) // what says nothing of tax is taxed
		if ask.trigger != byAPI {
			all = max(*ask.amount-(left-leftFree), 0)
		}
		ask.taxFree = &all
	}
	if ask.vat == nil {
		vat := (*ask.amount - *ask.taxFree) / 11
		ask.vat = &vat
	}
	taxed, limit := *ask.amount-*ask.taxFree, s.opt.Plan.MaxCancels
	switch {
	case r.state == cancelled && !r.paidAt.IsZero():
		return alreadyCancelled
	case r.state != paid:
		return notPaid
	case limit > 0 && len(r.cancels) >= limit:
		return tooOften
	case ask.balance != nil && *ask.balance != left:
		return otherBalance
	case *ask.taxFree < 0 || *ask.vat < 0:
		return invalidRequest
	case *ask.amount <= 0 || *ask.amount > left:
		return tooMuch
	case *ask.taxFree+*ask.vat > *ask.amount:
		return partsTooMuch
	case *ask.taxFree > leftFree:
		return taxFreeTooMuch
	case taxed > left-leftFree:
		return taxedTooMuch
	case r.order.VirtualAccount && !ask.account && ask.trigger == byAPI:
		return invalidRequest
	case r.order.Promotion > 0 && ask.trigger != chargeback:
		return r.promotionRefusal(ask, left)
	}
	return ""
}

// promotionRefusal says why a promotion forbids a cancellation. Its discount takes
// a purchase of half the order's amount, which is the simulator's own rule: where
// less is left the discount is taken off what is given back, unless it is retained.
func (r *record) promotionRefusal(ask *cancelAsk, left int64) string {
	rest := left - *ask.amount
	switch {
	case r.retained != nil && *r.retained != ask.retain:
		return retainChanged
	case !ask.retain && rest > 0 && rest < r.order.Amount/2 && *ask.amount < r.order.Promotion:
		return belowPromotion
	}
	return ""
}

// enterCancellation adds a cancellation that can be.
func (s *Sim) enterCancellation(r *record, ask cancelAsk, comes outcome) *cancellation {
	sum := s.hash("cancel", r.attempt, strconv.Itoa(len(r.cancels)))
	c := &cancellation{
		id: fmt.Sprintf("imp_can_%x", sum[:6]), reason: ask.reason, trigger: ask.trigger,
		amount: *ask.amount, taxFree: *ask.taxFree, vat: *ask.vat, asked: s.deps.Now(),
	}
	r.cancels, r.changed = append(r.cancels, c), c.asked
	if r.order.Promotion > 0 && r.retained == nil {
		r.retained = &ask.retain
	}
	switch comes {
	case later, laterFailed:
		c.status = requested
	case atOnceFailed:
		c.status = refused
	default:
		s.succeed(r, c)
	}
	return c
}

// succeed gives back what a cancellation asks for.
func (s *Sim) succeed(r *record, c *cancellation) {
	c.status, c.done = succeeded, s.deps.Now()
	to := paid
	if r.cancelled() == r.order.Amount {
		to = cancelled
	}
	r.turn(to, c.done)
	r.cancelledAt = c.done
	if r.order.VirtualAccount {
		r.refund = "PENDING"
	}
	s.book.events = append(s.book.events, r.eventOf(c))
}

// news is what the payment's latest cancellation has made of it.
func (r *record) news() happening {
	if r.state == cancelled {
		return allCancelled
	}
	return partCancelled
}

// given tells of a cancellation that was done, and has the bank send the money of
// a virtual account.
func (s *Sim) given(r *record, c cancellation, news happening, tell, fails bool) {
	if tell {
		s.tell(r, news, c.id)
	}
	if r.order.VirtualAccount {
		fails = fails || s.chance(s.opt.Plan.FailedRefunds, r, "refund")
		s.later(func() { s.endRefund(r, fails) })
	}
}

// endRequest ends a cancellation that was requested, unless it has ended.
func (s *Sim) endRequest(r *record, c *cancellation, fails bool) {
	s.mu.Lock()
	if c.status != requested {
		s.mu.Unlock()
		return
	}
	if fails {
		c.status, r.changed = refused, s.deps.Now()
		s.mu.Unlock()
		return
	}
	s.succeed(r, c)
	seen, news := *c, r.news()
	s.mu.Unlock()
	s.given(r, seen, news, true, false)
}

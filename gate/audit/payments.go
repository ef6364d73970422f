package audit

import (
	"context"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

const (
	// together is how many orders are looked up at once: together, in few calls.
	together = 2000
	// alone is how many are looked up again one by one, which shows them as they
	// are now: a list of PortOne's may be seconds old.
	alone = 20
	// overdue is how long after its time an order must have been looked at. It is long enough that an
	// order which a gate is looking at just now does not count.
	overdue = 2 * time.Minute
)

// comparePayments compares the orders with their payments at PortOne.
func (a *auditor) comparePayments(ctx context.Context) error {
	var orders []gate.Order
	look := func() error {
		err := a.lookUp(ctx, orders)
		orders = orders[:0]
		return err
	}
	err := a.deps.Store.EachOrder(ctx, a.sale, func(id string, o gate.Order, fault error) error {
		acc := a.accounts.order(id)
		if fault != nil || acc.lookedUp || len(o.Attempts) == 0 {
			return nil
		}
		acc.lookedUp = true
		orders = append(orders, o)
		a.report.Payments++
		if len(orders) < together {
			return nil
		}
		return look()
	})
	if err != nil {
		return err
	}
	return look()
}

// lookUp compares orders with PortOne, and those that differ again, alone, until
// they are the same before and after their look-up.
func (a *auditor) lookUp(ctx context.Context, orders []gate.Order) error {
	findings, err := a.ask(ctx, orders)
	if err != nil {
		return err
	}
	var differ []string
	for i := range orders {
		if len(findings[i].differences) > 0 {
			differ = append(differ, orders[i].ID)
		} else if findings[i].err != nil {
			a.unsure(findings[i].err)
		}
	}
	for round := 0; len(differ) > 0; round++ {
		if round == rounds {
			a.report.Moving += int64(len(differ))
			return nil
		}
		var moving []string
		for part := range slices.Chunk(differ, alone) {
			changed, err := a.lookAgain(ctx, part)
			if err != nil {
				return err
			}
			moving = append(moving, changed...)
		}
		differ = moving
	}
	return nil
}

// lookAgain reads orders, looks them up and reads them again. It reports what
// differs of those that stayed the same, and returns the others.
func (a *auditor) lookAgain(ctx context.Context, ids []string) (moving []string, err error) {
	before, err := a.current(ctx, ids)
	if err != nil {
		return nil, err
	}
	findings, err := a.ask(ctx, before)
	if err != nil {
		return nil, err
	}
	after, err := a.current(ctx, ids)
	if err != nil {
		return nil, err
	}
	if err := a.follow(ctx); err != nil {
		return nil, err
	}
	times, err := a.deps.Store.LookTimes(ctx, a.sale, ids)
	if err != nil {
		return nil, err
	}
	state, err := a.deps.Store.Inspect(ctx, a.sale)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		switch f := findings[i]; {
		case a.accounts.digest(&before[i]) != a.accounts.digest(&after[i]):
			moving = append(moving, id)
		case f.err != nil:
			a.unsure(f.err)
		default:
			coming := state.Now.Before(a.lookTime(id, times[i]).Add(overdue))
			for _, d := range f.differences {
				if !coming || !d.Kind.passes() {
					a.report.add(d)
				}
			}
		}
	}
	return moving, nil
}

// passes reports whether a look at the order makes good what differs.
func (k Kind) passes() bool { return k == PaidThereOnly || k == RefundedThere || k == Amount }

// lookTime is when an order is looked at next: by itself, with a ledger entry, or,
// where it has changed since due was read, soon after that.
func (a *auditor) lookTime(id string, alone time.Time) time.Time {
	acc := a.accounts.order(id)
	at := alone
	if with := a.looks[acc.due]; with.After(at) {
		at = with
	}
	if changed := time.UnixMilli(acc.changedAt); acc.changed > a.begun && changed.After(at) {
		at = changed
	}
	return at
}

// current reads orders as they are now. Those that cannot be read have no attempts.
func (a *auditor) current(ctx context.Context, ids []string) ([]gate.Order, error) {
	orders := make([]gate.Order, 0, len(ids))
	err := a.deps.Store.Records(ctx, a.sale, ids, func(id string, o *gate.Order, fault error) {
		if o == nil || fault != nil {
			o = &gate.Order{ID: id}
		}
		orders = append(orders, *o)
	})
	return orders, err
}

func (a *auditor) unsure(err error) {
	a.report.NotLookedUp++
	a.report.Problem = err.Error()
}

// compared is what a look-up of an order brought.
type compared struct {
	differences []Finding
	err         error
}

// ask looks orders up and compares each with its payments.
func (a *auditor) ask(ctx context.Context, orders []gate.Order) ([]compared, error) {
	results := make([]compared, len(orders))
	var queries []portone.Query
	var of []int // which order each query is of
	for i := range orders {
		for _, q := range portone.QueriesOf(&orders[i]) {
			queries, of = append(queries, q), append(of, i)
		}
	}
	if len(queries) == 0 {
		return results, nil
	}
	found := a.deps.Payments.Lookup(ctx, queries)
	if len(found) != len(queries) {
		found = make([]portone.Finding, len(queries)) // nobody knows which is whose
	}
	for k := range found {
		r := &results[of[k]]
		if err := found[k].Doubt(queries[k]); err != nil {
			r.err = err
			continue
		}
		r.differences = append(r.differences, differences(&orders[of[k]], queries[k].Version, found[k].Payments)...)
	}
	a.deps.Progress("orders at PortOne", a.report.Payments)
	return results, ctx.Err()
}

// differences compares an order's attempts of one version with what PortOne has.
func differences(o *gate.Order, version gate.Version, payments []gate.Payment) (all []Finding) {
	add := func(kind Kind, format string, args ...any) { all = append(all, ofOrder(kind, o.ID, format, args...)) }
	known := map[string]bool{}
	for _, attempt := range o.Attempts {
		if attempt.Version != version {
			continue
		}
		known[attempt.ID] = true
		p := paymentOf(payments, o, attempt.ID)
		there, charged := "not there", false
		if p != nil {
			there, charged = p.State.String(), p.State == gate.PaymentPaid || p.State == gate.PaymentPartCancelled
		}
		switch attempt.State {
		case gate.AttemptPaid:
			switch {
			case p != nil && (p.State == gate.PaymentCancelled || p.State == gate.PaymentRefunding ||
				p.State == gate.PaymentStranded):
				add(RefundedThere, "is %s here by attempt %s, and at PortOne that is %s", o.State, attempt.ID, there)
			case p != nil && p.State == gate.PaymentChargedBack: // it stays paid here
			case !charged:
				add(PaidHereOnly, "is %s here by attempt %s, and at PortOne that is %s", o.State, attempt.ID, there)
			default:
				compareAmount(o, p, add)
			}
		case gate.AttemptRefunded:
			if charged || p != nil && (p.State == gate.PaymentRefunding || p.State == gate.PaymentStranded) {
				add(RefundedHere, "has the attempt %s, which is refunded here, and at PortOne it is %s",
					attempt.ID, there)
			}
		case gate.AttemptOpen, gate.AttemptDeposit, gate.AttemptFailed, gate.AttemptCancelled:
			if charged {
				add(PaidThereOnly, "is %s here, its attempt %s is %s, and at PortOne that is %s", o.State, attempt.ID,
					attempt.State, there)
			}
		}
	}
	for _, p := range payments {
		if p.Order == o.ID && !known[p.Attempt] &&
			(p.State == gate.PaymentPaid || p.State == gate.PaymentPartCancelled) {
			all = append(all, neverConfirmed(o, &p))
		}
	}
	return all
}

// neverConfirmed is the finding that an order has a charged payment which no confirm
// told of.
func neverConfirmed(o *gate.Order, p *gate.Payment) Finding {
	return ofOrder(PaidThereOnly, o.ID,
		"is %s here, and at PortOne its attempt %s is %s, which was never confirmed here", o.State, p.Attempt, p.State)
}

func compareAmount(o *gate.Order, p *gate.Payment, add func(Kind, string, ...any)) {
	balance := o.Amount.Value
	if o.Balance.Known {
		balance = o.Balance.Value
	}
	switch {
	case o.Amount.Known && (o.Amount.Value != p.Amount || p.AmountCents > 0):
		add(Amount, "has the amount %d here, and %s at PortOne", o.Amount.Value,
			gate.AmountText(p.Amount, p.AmountCents))
	case o.Amount.Known && balance != p.Balance:
		add(Amount, "has %d of its amount left here, and %d at PortOne", balance, p.Balance)
	}
}

func paymentOf(payments []gate.Payment, o *gate.Order, attempt string) *gate.Payment {
	for i := range payments {
		if p := &payments[i]; p.Order == o.ID && p.Attempt == attempt {
			return p
		}
	}
	return nil
}

package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// books are what PortOne and the gates have of a sale at one time.
type books struct {
	m        *mischief
	status   gate.SaleView
	orders   map[string]gate.Order
	listed   map[string]gate.RefundLine // by attempt
	payments []portonesim.Payment

	// money by order, in hundredths: at PortOne; of paid orders; listed for a person
	kept, paid, waiting map[string]int64
	waits               map[string]int // refunds by what they wait for
}

func (m *mischief) books() *books {
	m.t.Helper()
	b := &books{
		m: m, status: readStatus(m.t, m.redis.URL(),
			"race"), orders: map[string]gate.Order{}, listed: map[string]gate.RefundLine{},
		payments: m.sim.Payments(), kept: map[string]int64{}, paid: map[string]int64{}, waiting: map[string]int64{},
		waits: map[string]int{},
	}
	for _, r := range m.refunds() {
		for _, line := range r.Refunds {
			b.listed[line.Attempt] = line
		}
	}
	err := m.store.EachOrder(m.t.Context(), "race", func(id string, o gate.Order, fault error) error {
		b.orders[id] = o
		return fault
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

// check holds PortOne's books against the gates'. Those who have just tried refunds again
// are not waited for any more once each is done, or refused.
func (b *books) check(tried []string) error {
	if err := b.checkUnits(); err != nil {
		return err
	}
	for i := range b.payments {
		if err := b.checkPayment(&b.payments[i]); err != nil {
			return fmt.Errorf("%w: %+v, %+v", err, b.payments[i], b.orders[b.payments[i].Order])
		}
	}
	for id := range b.orders {
		if b.kept[id] != b.paid[id]+b.waiting[id] {
			return fmt.Errorf("of order %s PortOne keeps %d, %d of it are paid and %d wait for a person", id,
				b.kept[id], b.paid[id], b.waiting[id])
		}
	}
	for _, id := range tried {
		for _, a := range b.orders[id].Attempts {
			if b.listed[a.ID].Waits == gate.WaitAccount {
				return fmt.Errorf("order %s has a bank account, and waits for it", id)
			}
		}
	}
	return b.m.wire.check(b.payments, b.listed)
}

// checkPayment holds one payment against its order.
func (b *books) checkPayment(p *portonesim.Payment) error {
	kept := p.Amount - p.Cancelled
	if p.Version == 2 && p.Refund == "FAILED" { // V1 does not say
		kept = p.Amount
	}
	if !p.Decimals {
		kept *= 100
	}
	if !p.Paid {
		kept = 0
	}
	o := b.orders[p.Order]
	k := slices.IndexFunc(o.Attempts, func(a gate.Attempt) bool { return a.ID == p.Attempt })
	line, listed := b.listed[p.Attempt]
	switch {
	case p.Requested > 0, p.Refund == "PENDING":
		return errors.New("a cancellation is requested, or its money is on the way")
	case kept == 0 && listed:
		return fmt.Errorf("what was given back is listed: %+v", line)
	// V1 names no chargebacks
	case kept == 0 && k >= 0 && o.Attempts[k].State == gate.AttemptPaid && !(p.Version == 2 && p.ChargedBack):
		return errors.New("PortOne has nothing of an attempt that is paid")
	case kept == 0:
		return nil
	case k < 0:
		return errors.New("a payment is kept that the gates know nothing of")
	}
	b.kept[p.Order] += kept
	switch {
	case listed && b.forPerson(p, line):
		b.waiting[p.Order] += kept
		b.waits[string(line.Waits)]++
		return nil
	case listed:
		return fmt.Errorf("a refund is due: %+v", line)
	case o.State != gate.OrderPaid || o.Attempts[k].State != gate.AttemptPaid:
		return errors.New("a payment is kept that pays nothing")
	}
	balance := o.Amount
	if o.Balance.Known {
		balance = o.Balance
	}
	b.paid[p.Order] += 100 * balance.Value
	return nil
}

// forPerson reports whether a refund waits for somebody. V1 has no word for a refusal that
// is final, nor does it say what of a payment is tax-free: the gates list what it says, and
// try again ever less often.
func (b *books) forPerson(p *portonesim.Payment, line gate.RefundLine) bool {
	refused := b.m.refusedForGood(p.Order) || p.TaxFree > 0
	return line.Waits != gate.WaitNobody || p.Version == 1 && refused && line.Said != ""
}

// waitsForNobody reports whether a refund that an order owes is the gates' to see to.
func (b *books) waitsForNobody(o *gate.Order) bool {
	return slices.ContainsFunc(o.Attempts,
		func(a gate.Attempt) bool { return a.Owed() && b.listed[a.ID].Waits == gate.WaitNobody })
}

// checkUnits recounts the units of each SKU from the orders' records.
func (b *books) checkUnits() error {
	paid := map[string]int64{}
	for id, o := range b.orders {
		switch o.State {
		case gate.OrderHeld, gate.OrderAsking:
			return fmt.Errorf("order %s is %s: %+v, %+v", id, o.State, o, b.paymentsOf(id))
		case gate.OrderPaid:
			for _, line := range o.Lines {
				paid[line.SKU] += line.Quantity
			}
		}
	}
	for _, u := range b.status.SKUs {
		if u.Total != u.Sum() || u.Left < 0 || u.Held != 0 || u.Withheld != 0 || u.Paid != paid[u.SKU] {
			return fmt.Errorf("of %s the orders have %d paid, and its units are %+v", u.SKU, paid[u.SKU], u)
		}
	}
	return nil
}

// paymentsOf returns an order's payments.
func (b *books) paymentsOf(order string) (of []portonesim.Payment) {
	for _, p := range b.payments {
		if p.Order == order {
			of = append(of, p)
		}
	}
	return of
}

// String is the sum of the books.
func (b *books) String() string {
	sum := func(of map[string]int64) (all int64) {
		for _, n := range of {
			all += n
		}
		return all / 100
	}
	return fmt.Sprintf("of %d payments PortOne keeps %d = %d of paid orders + %d of %v refunds listed by what they "+
		"wait for; orders %+v, units %+v",
		len(b.payments), sum(b.kept), sum(b.paid), sum(b.waiting), b.waits, b.status.Orders, b.status.SKUs)
}

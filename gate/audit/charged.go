package audit

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// before is how long before a sale opens a payment for it may have been begun: its
// window stood open already.
const before = 15 * time.Minute

// compareCharged compares what PortOne has charged in the sale's time with the
// orders: a payment whose order is forgotten is found by nothing else. An order is
// read after the list that has its payment, and a confirm comes before the charge:
// what is not in the order then has been forgotten, or was never confirmed.
func (a *auditor) compareCharged(ctx context.Context) error {
	state, err := a.deps.Store.Inspect(ctx, a.sale)
	if err != nil {
		return err
	}
	to := a.window.ClosesAt
	if state.Now.Before(to) {
		to = state.Now
	}
	var payments []gate.Payment
	compare := func() error {
		err := a.compareWithOrders(ctx, payments)
		payments = payments[:0]
		return err
	}
	var wrong error // with the sale; what is wrong with the list hides no difference that is found
	err = a.deps.Payments.EachCharged(ctx, a.window.OpensAt.Add(-before), to, func(p gate.Payment, fault error) error {
		if fault != nil {
			a.unsure(fault)
			return nil
		}
		a.report.Charged++
		a.deps.Progress("payments charged at PortOne", a.report.Charged)
		if payments = append(payments, p); len(payments) < chunk {
			return nil
		}
		wrong = compare()
		return wrong
	})
	switch {
	case wrong != nil:
		return wrong
	case err != nil:
		a.unsure(err)
	}
	return compare()
}

// compareWithOrders finds the payments that no order has.
func (a *auditor) compareWithOrders(ctx context.Context, payments []gate.Payment) error {
	orders, err := a.recordsOf(ctx, a.sale, payments)
	if err != nil {
		return err
	}
	var unknown []gate.Payment
	for _, p := range payments {
		o, known := orders[p.Order]
		switch {
		case !known:
			unknown = append(unknown, p)
		case o == nil, slices.ContainsFunc(o.Attempts,
			func(t gate.Attempt) bool { return t.ID == p.Attempt && t.Version == p.Version }):
		default:
			a.report.addOnce(neverConfirmed(o, &p))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	if unknown, err = a.ofNoSale(ctx, unknown); err != nil {
		return err
	}
	for _, p := range unknown {
		a.report.add(ofOrder(Forgotten, p.Order,
			"is %s at PortOne by its attempt %s, with %d %s, and no sale knows the order", p.State, p.Attempt,
			p.Amount, p.Currency))
	}
	return nil
}

// ofNoSale returns the payments of orders that no other sale has either, and that
// the shop's sales might have.
func (a *auditor) ofNoSale(ctx context.Context, payments []gate.Payment) ([]gate.Payment, error) {
	payments = slices.DeleteFunc(payments,
		func(p gate.Payment) bool { return a.opt.Known || !p.Live || !strings.HasPrefix(p.Order, a.opt.Prefix) })
	names, err := a.deps.Store.Sales(ctx)
	if err != nil {
		return nil, err
	}
	for _, sale := range names {
		if sale == a.sale || len(payments) == 0 {
			continue
		}
		orders, err := a.recordsOf(ctx, sale, payments)
		if err != nil {
			return nil, err
		}
		payments = slices.DeleteFunc(payments, func(p gate.Payment) bool { _, has := orders[p.Order]; return has })
	}
	return payments, nil
}

// recordsOf returns the orders of payments that a sale has; nil for one that cannot
// be read.
func (a *auditor) recordsOf(ctx context.Context, sale string, payments []gate.Payment) (map[string]*gate.Order, error) {
	ids := make([]string, 0, len(payments))
	for _, p := range payments {
		ids = append(ids, p.Order)
	}
	slices.Sort(ids)
	orders := map[string]*gate.Order{}
	err := a.deps.Store.Records(ctx, sale, slices.Compact(ids), func(id string, o *gate.Order, fault error) {
		switch {
		case fault != nil:
			orders[id] = nil
		case o != nil:
			orders[id] = o
		}
	})
	return orders, err
}

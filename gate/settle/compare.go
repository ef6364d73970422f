package settle

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// compare compares a page of changes with a sale's orders, and makes the orders that differ due. It
// returns how many differ, and renews the sale's lease.
func (r *Reconciler) compare(ctx context.Context, s *reconciled, page []portone.Changed) (found int, err error) {
	if err := r.deps.Store.KeepReconciling(ctx, s.name, r.token, reconcileLease); err != nil {
		return 0, err
	}
	of := make(map[string][]*portone.Changed, len(page))
	for i := range page {
		if gate.ValidID(page[i].Order) {
			of[page[i].Order] = append(of[page[i].Order], &page[i])
		}
	}
	// the settler sets aside what cannot be read
	orders, _, err := r.deps.Store.Orders(ctx, s.name, slices.Collect(maps.Keys(of)))
	if err != nil {
		return 0, err
	}
	p := policy{settings: s.settings, currency: r.opt.Currency, test: r.opt.Test}
	var now, open []string
	for i := range orders {
		o := &orders[i]
		if o.State == gate.OrderAsking || o.State == gate.OrderHeld && s.Now.Sub(o.Taken) < young {
			continue
		}
		switch {
		case slices.ContainsFunc(of[o.ID],
			func(c *portone.Changed) bool { return c.Err == nil && p.says(o, c, s.Now) }):
			now = append(now, o.ID)
		case slices.ContainsFunc(of[o.ID], func(c *portone.Changed) bool { return unclear(o, c) }):
			open = append(open, o.ID)
		}
	}
	if len(now) > 0 {
		if found, err = r.deps.Store.Again(ctx, s.name, now, 0); err != nil {
			return 0, err
		}
		r.deps.Metrics.found.WithLabelValues(s.name).Add(float64(found))
		r.deps.Log.Info("PortOne's list differs from the records of orders: they are looked up now", "sale", s.name,
			"orders", found, "order", now[0])
	}
	if len(open) > 0 {
		_, _, err = r.deps.Store.Look(ctx, s.name, open)
	}
	return found, err
}

// says reports whether a payment in the list differs from the order's record.
func (p policy) says(o *gate.Order, c *portone.Changed, now time.Time) bool {
	return p.judge(*o, finding{payments: []gate.Payment{c.Payment}, unsure: true}, now).After != nil
}

// unclear reports whether a payment of an order cannot be read, or is requested back and not given
// back yet. Records do not say so, so the order is looked at until that is over.
func unclear(o *gate.Order, c *portone.Changed) bool {
	return (c.Err != nil || c.Payment.Requested > 0) &&
		slices.ContainsFunc(o.Attempts, func(a gate.Attempt) bool { return a.ID == c.Attempt })
}

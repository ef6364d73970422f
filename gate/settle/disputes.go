package settle

import (
	"context"
	"errors"
	"slices"

	"github.com/flashgate/flashgate/gate"
)

// disputes reads the known disputes and chargebacks of orders before their look-up. If that fails,
// the orders are settled without noting new ones.
func (s *Settler) disputes(ctx context.Context, sale string, orders []gate.Order) map[string][]gate.Dispute {
	if s.deps.Payments == nil || len(orders) == 0 {
		return nil
	}
	ids := make([]string, len(orders))
	for i := range orders {
		ids[i] = orders[i].ID
	}
	all, err := s.deps.Store.DisputesOf(ctx, sale, ids)
	if err != nil {
		s.deps.Log.Warn("disputes of payments could not be read: the next look reads them again", "sale", sale,
			"orders", len(orders), "error", err)
		return nil
	}
	known := map[string][]gate.Dispute{}
	for i := range ids {
		known[ids[i]] = all[i]
	}
	return known
}

// noteDisputes writes down disputes and chargebacks that are new or over. A paid order with a
// dispute is looked at until the dispute ends, because PortOne need not report the end.
func (s *Settler) noteDisputes(ctx context.Context, p portion, known map[string][]gate.Dispute, moves []gate.Move,
	findings []finding,
) {
	for i := range moves {
		m := &moves[i]
		was, read := known[m.Before.ID]
		if !read {
			continue
		}
		is := against(&m.Before, was, findings[i].payments)
		if m.Look == 0 && paidAfter(m) &&
			slices.ContainsFunc(is, func(d gate.Dispute) bool { return d.Kind == gate.Disputed }) {
			m.Look = p.policy.wait(&m.Before, p.now)
		}
		if !slices.EqualFunc(was, is, sameDispute) {
			s.noteDispute(ctx, p.sale, m.Before.ID, was, is)
		}
	}
}

func (s *Settler) noteDispute(ctx context.Context, sale, order string, was, is []gate.Dispute) {
	switch err := s.deps.Store.NoteDisputes(ctx, sale, order, was, is); {
	case errors.Is(err, gate.ErrChanged), errors.Is(err, gate.ErrNoOrder), errors.Is(err, gate.ErrNoSale):
		return // another gate was faster, or the order is gone
	case err != nil:
		s.deps.Log.Warn("a dispute of a payment could not be written down: the next look finds it again", "sale", sale,
			"order", order, "error", err)
		return
	}
	for _, d := range is {
		if slices.ContainsFunc(was, func(known gate.Dispute) bool { return sameDispute(known, d) }) {
			continue
		}
		s.deps.Metrics.disputes.WithLabelValues(sale, d.Kind).Inc()
		s.deps.Log.Warn("a payment is disputed or charged back: flashgate disputes lists it, and its order "+
			"stays as it is",
			"sale", sale, "order", order, "attempt", d.Attempt, "kind", d.Kind, "reason", d.Reason, "amount", d.Amount)
	}
}

// against returns the disputes and chargebacks of an order: PortOne's newest for payments that were
// found, the known ones for the others.
func against(o *gate.Order, was []gate.Dispute, payments []gate.Payment) []gate.Dispute {
	var is []gate.Dispute
	for k := range o.Attempts {
		a := &o.Attempts[k]
		switch f := paymentOf(payments, o, a); {
		case f == nil:
			is = append(is, slices.DeleteFunc(slices.Clone(was),
				func(d gate.Dispute) bool { return d.Attempt != a.ID })...)
		case f.Disputes != nil:
			is = append(is, f.Disputes.All...)
		}
	}
	gate.SortDisputes(is)
	return is
}

func sameDispute(a, b gate.Dispute) bool {
	a.At, b.At = a.At.UTC(), b.At.UTC()
	return a == b
}

// paidAfter reports whether the order is paid after a move.
func paidAfter(m *gate.Move) bool {
	if m.After != nil {
		return m.After.State == gate.OrderPaid
	}
	return m.Before.State == gate.OrderPaid
}

package audit

import (
	"context"
	"slices"

	"github.com/flashgate/flashgate/gate"
)

// compareSales looks for payments that pay an order here and one of another sale: a
// shop may have signed one payment into both, and no script spans two sales.
func (a *auditor) compareSales(ctx context.Context) error {
	sales, err := a.deps.Store.Sales(ctx)
	if err != nil {
		return err
	}
	slices.Sort(sales)
	others := slices.DeleteFunc(sales, func(sale string) bool { return sale == a.sale })
	if len(others) == 0 {
		return nil
	}
	var paid []string
	seen := map[string]bool{} // an order that changes meanwhile may come twice
	compare := func() error {
		for _, other := range others {
			if err := a.compareSale(ctx, other, paid); err != nil {
				return err
			}
		}
		paid = paid[:0]
		return nil
	}
	err = a.deps.Store.EachOrder(ctx, a.sale, func(id string, o gate.Order, fault error) error {
		if fault != nil || seen[id] || !slices.ContainsFunc(o.Attempts, pays) {
			return nil
		}
		seen[id] = true
		if paid = append(paid, id); len(paid) < chunk {
			return nil
		}
		return compare()
	})
	if err != nil {
		return err
	}
	return compare()
}

// compareSale compares orders that are paid here with those of the same ids in
// another sale. A payment has one order, so it can pay no others.
func (a *auditor) compareSale(ctx context.Context, other string, ids []string) error {
	there, err := a.paidBy(ctx, other, ids)
	if err != nil || len(there) == 0 {
		return err
	}
	here, err := a.paidBy(ctx, a.sale, ids) // anew: it may have been refunded since
	if err != nil {
		return err
	}
	for _, id := range ids {
		for _, attempt := range here[id] {
			if slices.Contains(there[id], attempt) {
				f := ofOrder(PaidElsewhere, id, "is paid here by attempt %s, which pays order %s of sale %s too",
					attempt.ID, id, other)
				f.Sale = other
				a.report.add(f)
			}
		}
	}
	return nil
}

// paidBy returns the attempts that pay each of the orders in a sale.
func (a *auditor) paidBy(ctx context.Context, sale string, ids []string) (map[string][]gate.Attempt, error) {
	paid := map[string][]gate.Attempt{}
	err := a.deps.Store.Records(ctx, sale, ids, func(id string, o *gate.Order, fault error) {
		if o == nil || fault != nil {
			return
		}
		for _, attempt := range o.Attempts {
			if pays(attempt) {
				paid[id] = append(paid[id], attempt)
			}
		}
	})
	return paid, err
}

func pays(a gate.Attempt) bool { return a.State == gate.AttemptPaid }

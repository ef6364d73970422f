package settle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Report is what the shop says came of an order, where payments cannot be looked
// up or the shop knows better.
type Report struct {
	Order   string
	Attempt string // that was paid; needed only where the order has several that are open
	Paid    bool   // else no payment of it was approved, and none will be
}

// reportLook is when an order is looked at that the shop has reported: PortOne
// may know more of it.
const reportLook = time.Minute

// ErrReport says that a report does not fit its order.
var ErrReport = errors.New("the report does not fit the order")

// Tell makes a held order paid or released as the shop reports it. Reporting
// again what is so already does nothing. It returns gate.ErrNoOrder, gate.ErrNoSale,
// gate.ErrChanged, or an error that is ErrReport.
func Tell(ctx context.Context, store Store, who, sale string, r Report) (gate.Order, error) {
	orders, err := store.Orders(ctx, sale, []string{r.Order})
	if err != nil {
		return gate.Order{}, err
	}
	if len(orders) == 0 {
		return gate.Order{}, gate.ErrNoOrder
	}
	next, err := r.apply(orders[0])
	if err != nil || same(&orders[0], &next) {
		return next, err
	}
	next.Revision++
	after := next
	after.Deadline = time.Time{} // a report does not rest on it
	moved, err := store.Settle(ctx, who, "report", sale, []gate.Move{{Before: orders[0], After: &after, Look: reportLook}}, nil)
	if err != nil {
		return gate.Order{}, fmt.Errorf("report order %q: %w", r.Order, err)
	}
	if moved[0] != gate.MovedOn {
		return gate.Order{}, gate.ErrChanged
	}
	return next, nil
}

func (r Report) apply(o gate.Order) (gate.Order, error) {
	to := gate.OrderReleased
	if r.Paid {
		to = gate.OrderPaid
	}
	switch o.State {
	case to:
		return o, nil
	case gate.OrderHeld, gate.OrderAsking:
	default:
		return o, fmt.Errorf("%w: it is %s", ErrReport, o.State)
	}
	o.Attempts = slices.Clone(o.Attempts)
	var among []int // attempts that the report may be about
	for i := range o.Attempts {
		a := &o.Attempts[i]
		switch {
		case a.State != gate.AttemptOpen && a.State != gate.AttemptDeposit:
		case !r.Paid:
			a.State = gate.AttemptFailed
		case r.Attempt == "" || r.Attempt == a.ID:
			among = append(among, i)
		}
	}
	if r.Paid {
		if len(among) != 1 {
			return o, fmt.Errorf("%w: %d of its open attempts fit; name the one that was paid", ErrReport, len(among))
		}
		o.Attempts[among[0]].State = gate.AttemptPaid
	}
	o.State = to
	return o, nil
}

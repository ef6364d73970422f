package settle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Report is how an order ended as the shop says, if payments cannot be looked up or the shop knows
// better.
type Report struct {
	Order   string
	Attempt string // the one that was paid; needed only if several of the order's are open
	Paid    bool   // false: no payment of it was approved, and none will be
}

// reportLook is the time from the shop's report to a look at the order: PortOne may know more.
const reportLook = time.Minute

// ErrReport says that a report does not fit its order.
var ErrReport = errors.New("the report does not fit the order")

// Reports is what Tell needs of a store.
type Reports interface {
	Orders(ctx context.Context, sale string, ids []string) (orders []gate.Order, faults []error, err error)
	// Report makes a move. Without an After it only makes sure that the order is still Before and
	// is at the replicas. It returns gate.ErrNoSale, or a *gate.UnsecuredError with the outcome of
	// the move.
	Report(ctx context.Context, who, sale string, move gate.Move) (gate.Moved, error)
}

// Tell makes a held order paid or released as the shop reports it. A repeated report changes
// nothing. It returns gate.ErrNoOrder, gate.ErrNoSale, gate.ErrChanged, an error that is ErrReport,
// or a *gate.UnsecuredError with the order as it is now.
func Tell(ctx context.Context, store Reports, who, sale string, r Report) (gate.Order, error) {
	orders, faults, err := store.Orders(ctx, sale, []string{r.Order})
	if err = errors.Join(append(faults, err)...); err != nil {
		return gate.Order{}, err
	}
	if len(orders) == 0 {
		return gate.Order{}, gate.ErrNoOrder
	}
	next, err := r.apply(orders[0])
	if err != nil {
		return next, err
	}
	move, want := gate.Move{Before: orders[0], Look: reportLook}, gate.MovedNothing
	if !same(&orders[0], &next) {
		next.Revision++
		after := next
		after.Deadline = time.Time{} // a report does not depend on the deadline
		move.After, want = &after, gate.MovedOn
	}
	moved, err := store.Report(ctx, who, sale, move)
	if err != nil {
		err = fmt.Errorf("report order %q: %w", r.Order, err)
	}
	switch moved {
	case want:
		return next, err
	case 0:
		return gate.Order{}, err
	}
	return gate.Order{}, gate.ErrChanged
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

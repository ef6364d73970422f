package settle

import (
	"context"
	"errors"

	"github.com/flashgate/flashgate/gate"
)

// Why orders are set aside, in metrics.
const (
	whyUnreadable = "unreadable" // what Redis has of it cannot be read
	whyLookup     = "lookup"     // PortOne's answer for this order is of no use
	whyRefused    = "refused"    // the script that settles failed on it
	whyMember     = "member"     // a member of a queue names neither an order nor a ledger entry
)

// errMember is why a queue member that names nothing is set aside.
var errMember = errors.New("this member of a queue names neither an order nor a ledger entry: remove it")

// read reads the orders of a portion, and returns also those that the sale does not have (gone). An
// order that cannot be read is set aside, so that it holds up no other.
func (s *Settler) read(ctx context.Context, sale string, ids []string) (orders []gate.Order, gone []string, err error) {
	var faults []error
	err = s.persist(ctx, sale, func() (err error) {
		orders, faults, err = s.deps.Store.Orders(ctx, sale, ids)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	s.setAside(ctx, sale, whyUnreadable, faults...)
	there := make(map[string]bool, len(ids))
	for i := range orders {
		there[orders[i].ID] = true
	}
	for _, err := range faults {
		var fault *gate.FaultError
		if errors.As(err, &fault) {
			there[fault.Order] = true
		}
	}
	for _, id := range ids {
		if !there[id] {
			gone = append(gone, id)
		}
	}
	return orders, gone, nil
}

// setAside sets aside orders that fail by themselves, counts and logs them.
func (s *Settler) setAside(ctx context.Context, sale, why string, faults ...error) {
	if len(faults) == 0 {
		return
	}
	s.deps.Metrics.aside.WithLabelValues(sale, why).Add(float64(len(faults)))
	s.deps.Log.Error("orders are set aside because each fails by itself: they stay as they are, and are tried again "+
		"ever less often; "+
		"flashgate aside lists them", "sale", sale, "orders", len(faults), "why", why, "first", faults[0])
	err := s.persist(ctx, sale, func() error {
		_, err := s.deps.Store.SetAside(ctx, sale, faults, false)
		return err
	})
	if err != nil && ctx.Err() == nil { // its lease ends, and it is tried again
		s.trouble(ctx, sale, &gate.Backoff{}, err)
	}
}

// noteFaults sets aside orders that a sweep could not read. Those that are set aside already stay
// as they are.
func (s *Settler) noteFaults(ctx context.Context, sale string, faults []error) {
	if len(faults) == 0 {
		return
	}
	var added int
	err := s.persist(ctx, sale, func() (err error) {
		added, err = s.deps.Store.SetAside(ctx, sale, faults, true)
		return err
	})
	if added > 0 {
		s.deps.Metrics.aside.WithLabelValues(sale, whyUnreadable).Add(float64(added))
		s.deps.Log.Error("orders cannot be read: they stay as they are; flashgate aside lists them", "sale", sale,
			"orders", added, "first", faults[0])
	}
	if err != nil && ctx.Err() == nil {
		s.trouble(ctx, sale, &gate.Backoff{}, err)
	}
}

// persist repeats a call to the store until it succeeds, would fail again in the same way, or ctx
// is done.
func (s *Settler) persist(ctx context.Context, sale string, call func() error) error {
	for wait := (gate.Backoff{}); ; {
		err := call()
		if err == nil || errors.Is(err, gate.ErrNoSale) || errors.Is(err, gate.ErrScript) || ctx.Err() != nil {
			return err
		}
		s.trouble(ctx, sale, &wait, err)
	}
}

// trouble counts and logs a failure, and waits.
func (s *Settler) trouble(ctx context.Context, sale string, wait *gate.Backoff, err error) {
	s.deps.Metrics.failed.WithLabelValues(sale).Inc()
	s.deps.Log.Log(ctx, wait.Level(), "orders could not be settled: they stay as they are, and are tried again", "sale",
		sale, "in", wait.Next(), "error", err)
	wait.Wait(ctx)
}

package settle

import (
	"context"
	"errors"

	"github.com/flashgate/flashgate/gate"
)

// read reads the orders that are due. One that cannot be read is found by each
// sweep, and holds up no other.
func (s *Settler) read(ctx context.Context, sale string, due gate.Due) (orders []gate.Order, err error) {
	var ids []string
	var unread, unreadable []error
	err = s.persist(ctx, sale, func() (err error) {
		ids, unread, err = s.opt.Store.Changed(ctx, sale, due.Entries)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.persist(ctx, sale, func() (err error) {
		orders, unreadable, err = s.opt.Store.Orders(ctx, sale, merge(ids, due.Orders))
		return err
	})
	if faults := append(unread, unreadable...); len(faults) > 0 {
		s.opt.Log.Error("orders cannot be read: they stay as they are; flashgate audit names all of them", "sale", sale, "faults", len(faults), "first", faults[0])
	}
	return orders, err
}

func merge(ids, more []string) []string {
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		seen[id] = true
	}
	for _, id := range more {
		if !seen[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// persist calls the store until it answers or ctx is done.
func (s *Settler) persist(ctx context.Context, sale string, call func() error) error {
	for wait := (gate.Backoff{}); ; {
		err := call()
		if err == nil || errors.Is(err, gate.ErrNoSale) || ctx.Err() != nil {
			return err
		}
		s.trouble(ctx, sale, &wait, err)
	}
}

// trouble tells of a failure, and waits.
func (s *Settler) trouble(ctx context.Context, sale string, wait *gate.Backoff, err error) {
	s.opt.Metrics.failed.WithLabelValues(sale).Inc()
	s.opt.Log.Log(ctx, wait.Level(), "orders could not be settled: they stay as they are, and it is tried again", "sale", sale, "in", wait.Next(), "error", err)
	wait.Wait(ctx)
}

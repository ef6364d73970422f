package settle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// portion is some orders that were claimed from one queue. A slow order holds up its portion and no
// other.
type portion struct {
	sale   string
	policy policy
	queue  gate.Queue
	ids    []string
	now    time.Time // the store's clock, when they were claimed
}

// work settles a portion. It renews the lease until the moves are written; if the gate dies before,
// another gate takes the orders.
func (s *Settler) work(ctx context.Context, p portion) {
	moves, gone, err := s.found(ctx, p)
	if err == nil && len(moves)+len(gone) > 0 {
		err = s.write(ctx, p.sale, moves, gone)
	}
	if err != nil && ctx.Err() == nil {
		s.trouble(ctx, p.sale, &gate.Backoff{}, err)
	}
}

// found renews a portion's lease, looks its orders up and returns their moves. It sets aside orders
// that fail by themselves to be read or looked up.
func (s *Settler) found(ctx context.Context, p portion) (moves []gate.Move, gone []string, err error) {
	keep := func() error { return s.deps.Store.Keep(ctx, p.sale, p.queue, p.ids, s.lease) }
	if err := s.persist(ctx, p.sale, keep); err != nil {
		return nil, nil, fmt.Errorf("keep what was claimed: %w", err)
	}
	defer s.renew(ctx, p.sale, keep)()
	if !s.enter(ctx, p.queue) {
		return nil, nil, ctx.Err()
	}
	defer s.leave(p.queue)
	if p.queue == gate.QueueRefunds {
		if err := s.refunds.Wait(ctx); err != nil {
			return nil, nil, err
		}
	}
	orders, gone, err := s.read(ctx, p.sale, p.ids)
	if err != nil {
		return nil, nil, err
	}
	disputes := s.disputes(ctx, p.sale, orders)
	findings := s.lookup(ctx, p.sale, orders, p.queue)
	var faults []error
	for i, o := range orders {
		f := &findings[i]
		m := p.policy.judge(o, *f, p.now)
		if f.fault != nil && m.After == nil && !p.underWay(&o) {
			faults = append(faults, &gate.FaultError{Order: o.ID, Err: f.fault})
			continue
		}
		m.Queue, m.From = p.next(&m, f), p.queue
		moves = append(moves, m)
		findings[len(moves)-1] = *f
	}
	s.setAside(ctx, p.sale, whyLookup, faults...)
	findings = findings[:len(moves)]
	s.warnOfCurrency(p.sale, moves, findings)
	s.noteFailures(ctx, p.sale, moves)
	s.noteStranded(ctx, p.sale, moves, findings)
	s.noteDisputes(ctx, p, disputes, moves, findings)
	if s.deps.Payments != nil {
		s.closeAccounts(ctx, p.sale, p.policy, moves, findings)
	}
	if p.policy.settings.AutoRefund && s.deps.Payments != nil {
		s.sendRefunds(ctx, p, moves, findings)
	}
	return moves, gone, nil
}

// underWay reports whether another portion may be cancelling a payment of the order. Then it is not
// set aside, because that would take it out of the other portion's queue.
func (p *portion) underWay(o *gate.Order) bool {
	return p.policy.settings.AutoRefund && o.OwesRefund() && p.queue != gate.QueueRefunds
}

// next returns the queue in which an order waits for a look-up of its own. It can wait for its next
// regular look if it is settled already, or if only a webhook names it.
func (p *portion) next(m *gate.Move, f *finding) gate.Queue {
	held := m.Before.State == gate.OrderHeld
	switch {
	case f.alone == gate.QueueFresh, m.After != nil && m.After.State != m.Before.State,
		p.queue == gate.QueueHastened && !held:
		return gate.QueueAgain
	}
	return f.alone
}

// sendRefunds cancels payments that are refund due, if this is a portion of QueueRefunds. In other
// portions it moves orders whose refund may be sent to that queue.
func (s *Settler) sendRefunds(ctx context.Context, p portion, moves []gate.Move, findings []finding) {
	if p.queue == gate.QueueRefunds {
		s.refund(ctx, p.sale, p.policy, moves, findings)
		return
	}
	s.warnOfPersons(p.sale, p.policy, moves, findings)
	for i := range moves {
		m := &moves[i]
		if s.maySend(ctx, p.sale, p.policy, m, findings[i]) {
			m.Queue, m.Look = gate.QueueRefunds, time.Millisecond
		}
	}
}

// renew renews a lease until stop is called.
func (s *Settler) renew(ctx context.Context, sale string, keep func() error) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	s.running.Go(func() {
		defer close(ended)
		ticker := time.NewTicker(s.lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := keep(); err != nil && ctx.Err() == nil {
				s.trouble(ctx, sale, &gate.Backoff{}, fmt.Errorf("renew the lease of what was claimed: %w", err))
			}
		}
	})
	return func() {
		cancel()
		<-ended
	}
}

// write writes the moves. If the script fails, halving finds the orders that it fails on, and these
// are set aside. If it fails on each of several orders, the orders are not to blame.
func (s *Settler) write(ctx context.Context, sale string, moves []gate.Move, gone []string) error {
	refused, err := s.halves(ctx, sale, moves, gone)
	if len(refused) > 0 && len(refused) == len(moves) && len(moves) > 1 {
		return errors.Join(err, refused[0])
	}
	s.setAside(ctx, sale, whyRefused, refused...)
	return err
}

func (s *Settler) halves(ctx context.Context, sale string, moves []gate.Move,
	gone []string,
) (refused []error, err error) {
	var moved []gate.Moved
	err = s.persist(ctx, sale, func() (err error) {
		moved, err = s.deps.Store.Settle(ctx, s.opt.Who, "settle", sale, moves, gone)
		return err
	})
	switch {
	case err == nil:
		s.count(sale, moves, moved)
		return nil, nil
	case errors.Is(err, gate.ErrNoSale):
		return nil, nil // deleted meanwhile
	case !errors.Is(err, gate.ErrScript) || len(moves) == 0:
		return nil, fmt.Errorf("settle %d orders: %w", len(moves), err)
	case len(moves) == 1:
		return []error{&gate.FaultError{Order: moves[0].Before.ID, Err: err}}, nil
	}
	half := len(moves) / 2
	first, err1 := s.halves(ctx, sale, moves[:half], gone)
	second, err2 := s.halves(ctx, sale, moves[half:], nil)
	return append(first, second...), errors.Join(err1, err2)
}

package settle

import (
	"context"
	"sync/atomic"

	"github.com/flashgate/flashgate/gate"
)

// refundsASecond is how many refunds begin in a second. Each takes at least two of the fifty calls
// a second that a gate makes to PortOne by default.
const refundsASecond = 5

// bounds limit how much of a queue is under way at once.
type bounds struct {
	portion int // orders of one portion: they are looked up together and wait for one another
	atOnce  int // portions of one sale
	overall int // portions of all sales
}

// boundsOf returns a queue's bounds. A portion of a hundred is one call to V1. Orders that need a
// look-up each come in small portions, few at once, so that calls are left for the others. A refund
// may take a minute and is a portion of its own.
func boundsOf(q gate.Queue) bounds {
	switch q {
	case gate.QueueFresh:
		return bounds{portion: 100, atOnce: 24, overall: 96}
	case gate.QueueAgain:
		return bounds{portion: 100, atOnce: 8, overall: 32}
	case gate.QueueHastened:
		return bounds{portion: 100, atOnce: 4, overall: 16}
	case gate.QueueAlone:
		return bounds{portion: 10, atOnce: 2, overall: 4}
	case gate.QueueStrangers:
		return bounds{portion: 10, atOnce: 1, overall: 2}
	case gate.QueueRefunds:
		return bounds{portion: 1, atOnce: 4, overall: 8}
	}
	return bounds{portion: 10, atOnce: 1, overall: 4}
}

// desk counts what is under way for one sale.
type desk struct {
	busy     [gate.Queues]atomic.Int64 // portions of each queue
	sweeping atomic.Bool
}

func (s *Settler) desk(sale string) *desk {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.desks[sale] == nil {
		s.desks[sale] = &desk{}
	}
	return s.desks[sale]
}

// room returns how many orders of each queue may be claimed for a sale now; none if all sales
// together have reached the bound.
func (s *Settler) room(d *desk) (most [gate.Queues]int) {
	for q := range gate.Queues {
		b := boundsOf(q)
		if len(s.rooms[q]) < b.overall {
			most[q] = max(0, b.atOnce-int(d.busy[q].Load())) * b.portion
		}
	}
	return most
}

// begin settles a portion in a goroutine of its own. Several sales may have claimed the same room;
// then a portion waits, with its lease renewed.
func (s *Settler) begin(ctx context.Context, d *desk, p portion) {
	d.busy[p.queue].Add(1)
	s.running.Go(func() {
		defer d.busy[p.queue].Add(-1)
		ctx, cancel := context.WithTimeout(ctx, longest)
		defer cancel()
		s.work(ctx, p)
	})
}

// enter waits for room among the portions of all sales. If it returns true, leave must give the
// room back.
func (s *Settler) enter(ctx context.Context, q gate.Queue) bool {
	select {
	case s.rooms[q] <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Settler) leave(q gate.Queue) { <-s.rooms[q] }

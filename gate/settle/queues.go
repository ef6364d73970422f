package settle

import (
	"context"
	"sync/atomic"

	"github.com/flashgate/flashgate/gate"
)

// refundsASecond is how many refunds begin in a second. Each is two calls of PortOne's
// at least, of the fifty that a gate makes by default.
const refundsASecond = 5

// bounds are how much of a queue is under way.
type bounds struct {
	portion int // orders that are looked up together, and wait for one another
	atOnce  int // portions of one sale
	overall int // portions of all sales
}

// boundsOf returns a queue's bounds. Portions of a hundred are one call of V1's. Those
// who are to be asked for one by one come in portions that a look-up takes as few, and
// so few of them at once that they leave calls to the others. A refund may take a
// minute, and is a portion of its own.
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

// desk is what is under way of one sale.
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

// room returns how many orders of each queue may be claimed for a sale now: none
// where all sales together have as many under way as may be.
func (s *Settler) room(d *desk) (most [gate.Queues]int) {
	for q := range gate.Queues {
		b := boundsOf(q)
		if len(s.rooms[q]) < b.overall {
			most[q] = max(0, b.atOnce-int(d.busy[q].Load())) * b.portion
		}
	}
	return most
}

// begin settles a portion in a goroutine of its own. Several sales may have claimed
// what there was room for but once: then a portion waits, with its lease renewed.
func (s *Settler) begin(ctx context.Context, d *desk, p portion) {
	d.busy[p.queue].Add(1)
	s.running.Go(func() {
		defer d.busy[p.queue].Add(-1)
		ctx, cancel := context.WithTimeout(ctx, longest)
		defer cancel()
		s.work(ctx, p)
	})
}

// enter waits for room among the portions of all sales. It reports whether there is;
// then leave gives it back.
func (s *Settler) enter(ctx context.Context, q gate.Queue) bool {
	select {
	case s.rooms[q] <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Settler) leave(q gate.Queue) { <-s.rooms[q] }

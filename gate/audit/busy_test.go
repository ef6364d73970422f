package audit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// What moves while an audit reads is no damage.
func TestABusySaleHasNoFindings(t *testing.T) {
	t.Parallel()
	sc := open(t)
	busy, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	var changes atomic.Int64
	for i := range 3 {
		work.Go(func() { sc.confirms(busy, i, &changes) })
		work.Go(func() { sc.settles(busy, uint64(i), &changes) })
	}
	var moved, found int64
	for range 15 {
		before := changes.Load()
		r := sc.audit(sc.agreeing())
		moved += changes.Load() - before
		found += r.Payments
		if r.Differences != 0 { // with so few orders, one may be changed each time that it is compared
			t.Errorf("found %+v", r)
		}
	}
	stop()
	work.Wait()
	if r := sc.audit(nil); r.Differences != 0 {
		t.Errorf("afterwards: %+v", r)
	}
	if moved < 100 || found < 100 {
		t.Errorf("only %d changes were made while it was audited, and %d orders looked up", moved, found)
	}
}

// agreeing is PortOne that has what the orders say, at the time of the look-up.
func (sc *scene) agreeing() asking {
	return func(q portone.Query) portone.Finding {
		found := portone.Finding{Order: q.Order}
		orders, _, err := sc.s.Orders(sc.t.Context(), "race", []string{q.Order})
		if err != nil {
			return portone.Finding{Order: q.Order, Err: err}
		}
		for _, a := range orders[0].Attempts {
			to := map[gate.AttemptState]gate.PaymentState{
				gate.AttemptPaid: gate.PaymentPaid, gate.AttemptFailed: gate.PaymentFailed,
				gate.AttemptRefunded: gate.PaymentCancelled,
			}[a.State]
			if to == 0 {
				to = gate.PaymentReady
			}
			found.Payments = append(found.Payments,
				charged(q.Order, state(to), func(p *gate.Payment) { p.Attempt = a.ID }))
		}
		return found
	}
}

// confirms has orders held again and again, of a few buyers, some anew and some
// with another attempt, until ctx is done.
func (sc *scene) confirms(ctx context.Context, who int, changes *atomic.Int64) {
	d := sc.s.Decider("race")
	defer d.Close()
	random := rand.New(rand.NewPCG(1, uint64(who)))
	for n := 0; ctx.Err() == nil; n++ {
		var batch []*gate.Request
		for range 1 + random.IntN(8) {
			id := n/4 + random.IntN(40) // ever new ones, for an order that is refunded changes no more
			batch = append(batch, &gate.Request{Confirm: gate.Confirm{
				Order: fmt.Appendf(nil, "b%d", id), Attempt: fmt.Appendf(nil, "a%d", random.IntN(6)), Version: 1,
				Buyer: fmt.Appendf(nil, "buyer%d", id%7), Lines: []gate.Line{{SKU: "full", Quantity: int64(1 + id%2)}},
			}})
		}
		if d.Decide(ctx, batch) == nil {
			changes.Add(1)
		}
	}
}

// settles moves orders on to wherever they may go, until ctx is done.
func (sc *scene) settles(ctx context.Context, seed uint64, changes *atomic.Int64) {
	random := rand.New(rand.NewPCG(2, seed))
	for ctx.Err() == nil {
		due, err := sc.s.Claim(ctx, "race", [gate.Queues]int{20, 20}, time.Millisecond)
		if err != nil {
			continue
		}
		if _, err := sc.s.Unfold(ctx, "race", due.Entries); err != nil {
			continue
		}
		ids := slices.Concat(due.Orders[gate.QueueFresh], due.Orders[gate.QueueAgain])
		slices.Sort(ids)
		orders, _, _ := sc.s.Orders(ctx, "race", slices.Compact(ids))
		var moves []gate.Move
		for _, o := range orders {
			next := o
			next.Attempts = slices.Clone(o.Attempts)
			next.Revision++
			last := &next.Attempts[len(next.Attempts)-1]
			switch {
			case o.State == gate.OrderHeld && random.IntN(2) == 0:
				next.State, last.State = gate.OrderPaid, gate.AttemptPaid
			case o.State == gate.OrderHeld:
				next.State, last.State = gate.OrderReleased, gate.AttemptFailed
			case o.State == gate.OrderReleased:
				next.State, last.State = gate.OrderPaid, gate.AttemptPaid
			case o.State == gate.OrderPaid:
				next.State = gate.OrderRefunded
				for i := range next.Attempts {
					if a := &next.Attempts[i]; a.State == gate.AttemptPaid {
						a.State = gate.AttemptRefunded
					}
				}
			default:
				continue
			}
			moves = append(moves, gate.Move{Before: o, After: &next, Look: 50 * time.Millisecond})
		}
		if _, err := sc.s.Settle(ctx, "gate-2", "settle", "race", moves, nil); err == nil {
			changes.Add(1)
		}
	}
}

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// Members of a sale's due are written as the scripts write them.
const (
	entryMember = "seq:"
	orderMember = "o:"
	sweepMember = "sweep"
)

const (
	// sweepEvery is how often held orders are searched for that nobody looks at.
	sweepEvery = time.Minute
	// sweepPage is how many orders a sweep reads at once.
	sweepPage = 500
)

// Claim takes what is due of a sale, at most the given number of members, for as
// long as the lease lasts: then another gate may take it.
func (s *Store) Claim(ctx context.Context, sale string, most int, lease time.Duration) (gate.Due, error) {
	k := keysOf(sale)
	reply, err := s.run(ctx, luascripts.Claim, []string{k.sale, k.due}, s.clock(), lease.Milliseconds(), most, sweepEvery.Milliseconds(), gate.LongestLook.Milliseconds())
	if err != nil {
		return gate.Due{}, err
	}
	due := gate.Due{Now: time.UnixMilli(number(reply, 0))}
	for _, member := range reply[1:] {
		text := fmt.Sprint(member)
		if id, ok := strings.CutPrefix(text, orderMember); ok {
			due.Orders = append(due.Orders, id)
			continue
		}
		if text == sweepMember {
			due.Sweep = true
			continue
		}
		seq, err := strconv.ParseInt(strings.TrimPrefix(text, entryMember), 10, 64)
		if err != nil {
			return gate.Due{}, fmt.Errorf("due of sale %s has the unknown member %q", sale, text)
		}
		due.Entries = append(due.Entries, seq)
	}
	return due, nil
}

// Keep leaves what was claimed to its gate for as long as the lease lasts from now.
func (s *Store) Keep(ctx context.Context, sale string, due gate.Due, lease time.Duration) error {
	k := keysOf(sale)
	args := []any{s.clock(), lease.Milliseconds()}
	for _, seq := range due.Entries {
		args = append(args, entryMember+strconv.FormatInt(seq, 10))
	}
	for _, id := range due.Orders {
		args = append(args, orderMember+id)
	}
	_, err := s.run(ctx, luascripts.Keep, []string{k.sale, k.due}, args...)
	return err
}

// Changed returns the ids of the orders that ledger entries changed, each once, and
// what is wrong with the entries that cannot be read. One that is gone, with a run
// that is over, has none.
func (s *Store) Changed(ctx context.Context, sale string, entries []int64) (ids []string, faults []error, err error) {
	seen := map[string]bool{}
	err = s.eachAt(ctx, sale, entries, func(e *gate.Entry, fault error) {
		if fault != nil {
			faults = append(faults, fault)
			return
		}
		for _, o := range e.Orders {
			if !seen[o.ID] {
				seen[o.ID] = true
				ids = append(ids, o.ID)
			}
		}
	})
	return ids, faults, err
}

// ordersAtOnce is how many orders are read by one call: reading all those of large
// batches would keep everybody else waiting, and take longer than a call may.
const ordersAtOnce = 1000

// Orders reads orders, and tells what is wrong with those that cannot be read. Those
// that the sale does not have are left out.
func (s *Store) Orders(ctx context.Context, sale string, ids []string) (orders []gate.Order, faults []error, err error) {
	orders = make([]gate.Order, 0, len(ids))
	for some := range slices.Chunk(ids, ordersAtOnce) {
		err = s.Records(ctx, sale, some, func(_ string, o *gate.Order, fault error) {
			switch {
			case fault != nil:
				faults = append(faults, fault)
			case o != nil:
				orders = append(orders, *o)
			}
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return orders, faults, nil
}

// Settle makes moves of orders, each of its own order, in one script call. Who
// and kind go into the ledger. The ledger entries in done need not be looked at again.
// It returns gate.ErrNoSale where the sale is gone.
func (s *Store) Settle(ctx context.Context, who, kind, sale string, moves []gate.Move, done []int64) ([]gate.Moved, error) {
	reply, err := s.run(ctx, luascripts.Settle, keysOf(sale).settling(), s.settleArgs(who, kind, moves, done)...)
	if err != nil {
		return nil, err
	}
	return outcomes(reply, len(moves))
}

// Report makes the move that a report of the shop leads to, or makes sure of an
// order that is what was reported already, and waits for the replicas as every
// change does that somebody is told of. It returns gate.ErrNoSale where the sale
// is gone, or a *gate.UnsecuredError beside what became of the move.
func (s *Store) Report(ctx context.Context, who, sale string, move gate.Move) (gate.Moved, error) {
	if move.After == nil && s.opt.WaitReplicas == 0 {
		return gate.MovedNothing, nil
	}
	moves := []gate.Move{move}
	reply, acked, err := s.change(ctx, sale, luascripts.Settle, keysOf(sale).settling(), s.settleArgs(who, "report", moves, nil)...)
	if err != nil {
		return 0, err
	}
	moved, err := outcomes(reply, 1)
	if err != nil {
		return 0, err
	}
	return moved[0], s.secured(sale, acked)
}

func (s *Store) settleArgs(who, kind string, moves []gate.Move, done []int64) []any {
	args := make([]any, 0, 4+5*len(moves)+len(done))
	args = append(args, s.clock(), who, kind, len(moves))
	for i := range moves {
		m := &moves[i]
		look := ""
		if m.Look > 0 {
			look = strconv.FormatInt(max(m.Look.Milliseconds(), 1), 10)
		}
		args = append(args, m.Before.ID, string(appendRecord(nil, &m.Before)), unsettled(m.After), unsettled(m.Otherwise), look)
	}
	for _, seq := range done {
		args = append(args, entryMember+strconv.FormatInt(seq, 10))
	}
	return args
}

// outcomes reads what became of n moves.
func outcomes(reply []any, n int) ([]gate.Moved, error) {
	said := word(reply)
	switch {
	case len(reply) == 1:
		return nil, gate.ErrNoSale
	case len(said) != n:
		return nil, unknownReply(luascripts.Settle, reply)
	}
	return []gate.Moved(said), nil
}

// unsettled is an order's record without its settled time, which the script
// adds as it numbers it; empty where there is no order.
func unsettled(o *gate.Order) string {
	if o == nil {
		return ""
	}
	without := *o
	without.Settled = time.Time{}
	return string(appendRecord(nil, &without))
}

// Hasten has an order looked at now in each of the sales that has it, and reports
// whether any has. All sales are asked at once.
func (s *Store) Hasten(ctx context.Context, sales []string, id string) (known bool, err error) {
	calls := make([]scriptCall, len(sales))
	for i, sale := range sales {
		calls[i] = lookCall(sale, false, id)
	}
	for i, cmd := range s.runAll(ctx, luascripts.Look, calls) {
		reply, problem := cmd.Slice()
		if problem != nil {
			err = errors.Join(err, fmt.Errorf("have order %q of sale %s looked at: %w", id, sales[i], problem))
		}
		known = known || number(reply, 0) == 1
	}
	return known, err
}

// look has orders looked at now, or only those that are missing in due. It returns
// how many of them the sale has, and how many of these were missing.
func (s *Store) look(ctx context.Context, sale string, missing bool, ids ...any) (known, found int, err error) {
	call := lookCall(sale, missing, ids...)
	reply, err := s.run(ctx, luascripts.Look, call.keys, call.args...)
	return int(number(reply, 0)), int(number(reply, 1)), err
}

// lookCall calls the script look.
func lookCall(sale string, missing bool, ids ...any) scriptCall {
	k := keysOf(sale)
	return scriptCall{[]string{k.sale, k.orders, k.due}, append([]any{yes(missing)}, ids...)}
}

// Sweep counts the held orders whose deadline is before the given time, and has
// those of them looked at that nobody would look at: found of all overdue ones.
func (s *Store) Sweep(ctx context.Context, sale string, before time.Time) (overdue, found int, err error) {
	var page []any
	have := func() error { // them looked at
		if len(page) == 0 {
			return nil
		}
		late, missing, err := s.look(ctx, sale, true, page...)
		if err != nil {
			return fmt.Errorf("have %d orders looked at: %w", len(page), err)
		}
		overdue, found, page = overdue+late, found+missing, page[:0]
		return nil
	}
	var wrong error // with a record; it hides no other
	err = s.EachOrder(ctx, sale, func(id string, o gate.Order, fault error) error {
		switch {
		case fault != nil:
			wrong = cmp.Or(wrong, fault)
			return nil
		case o.State != gate.OrderHeld && o.State != gate.OrderAsking, !o.Deadline.Before(before):
			return nil
		}
		if page = append(page, id); len(page) < sweepPage {
			return nil
		}
		return have()
	})
	if err == nil {
		err = have()
	}
	if err = cmp.Or(err, wrong); err != nil {
		return overdue, found, fmt.Errorf("sweep sale %s: %w", sale, err)
	}
	return overdue, found, nil
}

// RefundsDue returns the orders of a sale with an attempt that is to be refunded:
// it is due, or requested. They are read from all orders.
func (s *Store) RefundsDue(ctx context.Context, sale string) ([]gate.Order, error) {
	var due []gate.Order
	seen := map[string]bool{}
	err := s.EachOrder(ctx, sale, func(id string, o gate.Order, fault error) error {
		if fault == nil && o.OwesRefund() && !seen[id] {
			seen[id] = true
			due = append(due, o)
		}
		return fault
	})
	return due, err
}

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// sweepPage is how many orders a sweep reads by one call.
const sweepPage = 500

// ordersAtOnce is how many orders one call reads: all orders of large batches would delay everybody
// else, and take longer than a call may.
const ordersAtOnce = 1000

// Orders reads orders. For each order that cannot be read it returns a *gate.FaultError; orders
// that the sale does not have are left out.
func (s *Store) Orders(ctx context.Context, sale string, ids []string) (orders []gate.Order,
	faults []error, err error,
) {
	orders = make([]gate.Order, 0, len(ids))
	for some := range slices.Chunk(ids, ordersAtOnce) {
		err = s.Records(ctx, sale, some, func(id string, o *gate.Order, fault error) {
			switch {
			case fault != nil:
				faults = append(faults, &gate.FaultError{Order: id, Err: fault})
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

// Settle makes moves in one script call, at most one for each order. Who and kind go into the
// ledger. The orders in gone, which the sale does not have, leave the queues. Settle returns
// gate.ErrNoSale if the sale is gone, and an error that is gate.ErrScript if the same call would
// fail again.
func (s *Store) Settle(ctx context.Context, who, kind, sale string, moves []gate.Move,
	gone []string,
) ([]gate.Moved, error) {
	reply, err := s.run(ctx, luascripts.Settle, keysOf(sale).settling(), s.settleArgs(who, kind, moves, gone)...)
	if err != nil {
		if failedItself(err) {
			err = fmt.Errorf("%w: %w", gate.ErrScript, err)
		}
		return nil, err
	}
	return outcomes(reply, len(moves))
}

// failedItself reports whether err comes from a script that ran and failed: such an error names the
// line.
func failedItself(err error) bool {
	var answer redis.Error
	if !errors.As(err, &answer) {
		return false
	}
	text := answer.Error()
	return strings.HasPrefix(text, "ERR ") && !strings.Contains(text, "Error compiling script") &&
		(strings.Contains(text, "user_script:") || strings.Contains(text, "Error running script"))
}

// Report makes the move that a report of the shop leads to. If the order is already as reported, it
// only secures it. It waits for the replicas, as every change by a person does. It returns
// gate.ErrNoSale if the sale is gone, or a *gate.UnsecuredError with the outcome of the move.
func (s *Store) Report(ctx context.Context, who, sale string, move gate.Move) (gate.Moved, error) {
	if move.After == nil && s.opt.WaitReplicas == 0 {
		return gate.MovedNothing, nil
	}
	moves := []gate.Move{move}
	reply, acked, err := s.change(ctx, sale, luascripts.Settle, keysOf(sale).settling(),
		s.settleArgs(who, "report", moves, nil)...)
	if err != nil {
		return 0, err
	}
	moved, err := outcomes(reply, 1)
	if err != nil {
		return 0, err
	}
	return moved[0], s.secured(sale, acked)
}

func (s *Store) settleArgs(who, kind string, moves []gate.Move, gone []string) []any {
	args := make([]any, 0, 4+5*len(moves)+len(gone))
	args = append(args, s.clock(), who, kind, len(moves))
	for i := range moves {
		m := &moves[i]
		look := ""
		if m.Look > 0 {
			look = strconv.FormatInt(max(m.Look.Milliseconds(), 1), 10) + queueLetter(m)
		}
		args = append(args, m.Before.ID, string(gate.AppendRecord(nil, &m.Before)), unsettled(m.After),
			unsettled(m.Otherwise), look)
	}
	for _, id := range gone {
		args = append(args, orderMember+id)
	}
	return args
}

// queueLetter is the settle script's letter for a move's queue; empty for the other queues.
func queueLetter(m *gate.Move) string {
	switch {
	case m.Queue == gate.QueueRefunds:
		return "R"
	case m.From == gate.QueueRefunds:
		return "D"
	case m.Queue == gate.QueueAlone:
		return "A"
	case m.Queue == gate.QueueStrangers:
		return "S"
	}
	return ""
}

// outcomes reads the outcomes of n moves.
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

// unsettled is an order's record without its settled time, which the script adds with the revision;
// empty for a nil order.
func unsettled(o *gate.Order) string {
	if o == nil {
		return ""
	}
	without := *o
	without.Settled = time.Time{}
	return string(gate.AppendRecord(nil, &without))
}

// Look makes those of the orders due now that are missing from the queues. It returns how many of
// the orders the sale has, and how many of these it added.
func (s *Store) Look(ctx context.Context, sale string, ids []string) (known, added int, err error) {
	k := keysOf(sale)
	args := []any{s.clock()}
	for _, id := range ids {
		args = append(args, id)
	}
	reply, err := s.run(ctx, luascripts.Look, append([]string{k.sale, k.orders}, k.standing()...), args...)
	if err != nil {
		return 0, 0, fmt.Errorf("have %d orders looked at: %w", len(ids), err)
	}
	return int(number(reply, 0)), int(number(reply, 1)), nil
}

// Again makes orders due, whatever their state, after at most the given time. It returns how many
// of them the sale has.
func (s *Store) Again(ctx context.Context, sale string, ids []string, in time.Duration) (known int, err error) {
	k := keysOf(sale)
	for some := range slices.Chunk(ids, sweepPage) {
		args := []any{s.clock(), in.Milliseconds()}
		for _, id := range some {
			args = append(args, id)
		}
		reply, err := s.run(ctx, luascripts.Again, []string{k.sale, k.orders, k.again}, args...)
		if err != nil {
			return known, fmt.Errorf("have %d orders looked up again: %w", len(some), err)
		}
		known += int(number(reply, 0))
	}
	return known, nil
}

// Sweep counts the held orders whose deadline is before the given time (overdue), and makes those
// due that are missing from the queues (found). For each order that cannot be read it returns a
// *gate.FaultError.
func (s *Store) Sweep(ctx context.Context, sale string, before time.Time) (overdue, found int,
	faults []error, err error,
) {
	var page []string
	have := func() error { // makes them due
		if len(page) == 0 {
			return nil
		}
		known, added, err := s.Look(ctx, sale, page)
		if err != nil {
			return err
		}
		overdue, found, page = overdue+known, found+added, page[:0]
		return nil
	}
	err = s.EachOrder(ctx, sale, func(id string, o gate.Order, fault error) error {
		switch {
		case fault != nil:
			faults = append(faults, &gate.FaultError{Order: id, Err: fault})
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
	if err != nil {
		err = fmt.Errorf("sweep sale %s: %w", sale, err)
	}
	return overdue, found, faults, err
}

// RefundsDue returns the orders of a sale with an attempt that is refund due or requested. It reads
// all orders.
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

package store

import (
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

// The members of a sale's queues, as the scripts write them.
const (
	entryMember = "seq:"
	orderMember = "o:"
	sweepMember = "sweep"
)

const (
	// sweepEvery is the pause between two sweeps, which re-queue held orders that are missing from
	// the queues.
	sweepEvery = time.Minute
	// hastenEvery is the shortest time between two looks at an order that webhooks cause: whoever
	// knows an order's id can send them over and over.
	hastenEvery = 3 * time.Second
)

// Claim takes the members of a sale's queues that are due, at most the given number from each
// queue. When the lease ends, another gate may take them. Claim returns gate.ErrNoSale if the sale
// is gone.
func (s *Store) Claim(ctx context.Context, sale string, most [gate.Queues]int, lease time.Duration) (gate.Due, error) {
	k := keysOf(sale)
	queues := k.queues()
	args := []any{s.clock(), lease.Milliseconds(), sweepEvery.Milliseconds(), gate.LongestLook.Milliseconds()}
	for _, n := range most {
		args = append(args, n)
	}
	reply, err := s.run(ctx, luascripts.Claim, append([]string{k.sale}, queues[:]...), args...)
	if err != nil {
		return gate.Due{}, err
	}
	due := gate.Due{Now: time.UnixMilli(number(reply, 0)), Aside: int(number(reply, 1))}
	if len(reply) == 1 {
		return due, gate.ErrNoSale
	}
	if len(reply) != 2+int(gate.Queues) {
		return gate.Due{}, unknownReply(luascripts.Claim, reply)
	}
	for q := range gate.Queues {
		list, _ := reply[2+int(q)].([]any)
		if since := number(list, 0); since > 0 {
			due.Since[q] = time.UnixMilli(since)
		}
		for _, member := range list[min(1, len(list)):] {
			switch look := parseMember(fmt.Sprint(member)); {
			case look.Order != "":
				due.Orders[q] = append(due.Orders[q], look.Order)
			case look.Entry != 0:
				due.Entries = append(due.Entries, look.Entry)
			case look.Other == sweepMember:
				due.Sweep = true
			default:
				due.Others = append(due.Others, look.Other)
			}
		}
	}
	return due, nil
}

// parseMember reads a member of a queue.
func parseMember(member string) gate.Look {
	if id, ok := strings.CutPrefix(member, orderMember); ok && id != "" {
		return gate.Look{Order: id}
	}
	if text, ok := strings.CutPrefix(member, entryMember); ok {
		if seq, err := strconv.ParseInt(text, 10, 64); err == nil && seq > 0 {
			return gate.Look{Entry: seq}
		}
	}
	return gate.Look{Other: member}
}

// Keep renews the lease of orders that were claimed from a queue, to lease from now.
func (s *Store) Keep(ctx context.Context, sale string, q gate.Queue, ids []string, lease time.Duration) error {
	k := keysOf(sale)
	if q == gate.QueueHastened {
		q = gate.QueueAgain // claim.lua has put them there
	}
	args := []any{s.clock(), lease.Milliseconds()}
	for _, id := range ids {
		args = append(args, orderMember+id)
	}
	_, err := s.run(ctx, luascripts.Keep, []string{k.sale, k.queues()[q]}, args...)
	return err
}

// Unfold replaces ledger entries in the queue by their orders, each due now. For an entry that
// cannot be read it returns a *gate.FaultError, and leaves the entry. An entry that is gone with an
// earlier run is dropped.
func (s *Store) Unfold(ctx context.Context, sale string, entries []int64) (faults []error, err error) {
	k := keysOf(sale)
	for some := range slices.Chunk(entries, entriesAtOnce) {
		ids, bad, err := s.changed(ctx, sale, some)
		if err != nil {
			return faults, err
		}
		args := []any{s.clock(), len(ids)}
		for _, id := range ids {
			args = append(args, id)
		}
		for _, seq := range some {
			if fault := bad[seq]; fault != nil {
				faults = append(faults, &gate.FaultError{Entry: seq, Err: fault})
				continue
			}
			args = append(args, entryMember+strconv.FormatInt(seq, 10))
		}
		if _, err := s.run(ctx, luascripts.Unfold, []string{k.sale, k.due, k.aside, k.faults}, args...); err != nil {
			return faults, err
		}
	}
	return faults, nil
}

// changed returns the ids of the orders that ledger entries changed, each once, and a fault for
// each entry that cannot be read.
func (s *Store) changed(ctx context.Context, sale string, entries []int64) (ids []string,
	faults map[int64]error, err error,
) {
	seen := map[string]bool{}
	faults = map[int64]error{}
	err = s.eachAt(ctx, sale, entries, func(seq int64, e *gate.Entry, fault error) {
		if fault != nil {
			faults[seq] = fault
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

// Hasten makes an order due now in each of the sales that has it, at most every three seconds, and
// reports whether any has it. All sales are asked at once.
func (s *Store) Hasten(ctx context.Context, sales []string, id string) (known bool, err error) {
	calls := make([]scriptCall, len(sales))
	for i, sale := range sales {
		calls[i] = s.hastenCall(sale, id)
	}
	for i, cmd := range s.runAll(ctx, luascripts.Hasten, calls) {
		reply, problem := cmd.Slice()
		if problem != nil {
			err = errors.Join(err, fmt.Errorf("have order %q of sale %s looked at: %w", id, sales[i], doubted(problem)))
		}
		known = known || number(reply, 0) == 1
	}
	return known, err
}

func (s *Store) hastenCall(sale, id string) scriptCall {
	k := keysOf(sale)
	return scriptCall{[]string{k.sale, k.orders, k.hastened}, []any{s.clock(), hastenEvery.Milliseconds(), id}}
}

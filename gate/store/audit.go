package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
)

// Inspect reads a sale as Sale does, and the copies of its settings that the scripts obey. It
// returns gate.ErrNoSale.
func (s *Store) Inspect(ctx context.Context, sale string) (gate.Inspection, error) {
	now, hash, err := s.hash(ctx, sale)
	if err != nil {
		return gate.Inspection{}, err
	}
	state, err := parseState(sale, now, hash, nil)
	if err != nil || !state.Deleted.IsZero() {
		return gate.Inspection{State: state}, err
	}
	var p parser
	obeyed := gate.Settings{
		OpensAt: p.Time(hash["opens"]), ClosesAt: p.Time(hash["closes"]),
		Hold:     time.Duration(p.Int(hash["hold"])) * time.Millisecond,
		PerBuyer: p.Int(hash["per_buyer"]), Paused: hash["paused"] == flag(true),
		Unbraked: hash["brake_off"] == flag(true),
	}
	latest := p.Time(hash["time"])
	if p.Err != nil {
		return gate.Inspection{State: state}, fmt.Errorf("read what the scripts obey of sale %s: %w", sale, p.Err)
	}
	counted, counts := hash["brake_count"]
	return gate.Inspection{
		State: state, Obeyed: obeyed, Latest: latest,
		Uncountable: counts && !brakeCount.MatchString(counted),
	}, nil
}

// EachOrder calls do for all orders of a sale. If a record cannot be read, do gets a fault instead
// of an order. An order that changes meanwhile may come twice.
func (s *Store) EachOrder(ctx context.Context, sale string, do func(id string, o gate.Order, fault error) error) error {
	return s.scan(ctx, "orders of sale "+sale, s.client.HScan, keysOf(sale).orders, func(id, record string) error {
		o, fault := gate.ParseRecord(id, record)
		return do(id, o, fault)
	})
}

// Records calls do for each of the orders. If a record cannot be read, do gets a fault; if there is
// no record, it gets neither an order nor a fault.
func (s *Store) Records(ctx context.Context, sale string, ids []string,
	do func(id string, o *gate.Order, fault error),
) error {
	if len(ids) == 0 {
		return nil
	}
	records, err := s.client.HMGet(ctx, keysOf(sale).orders, ids...).Result()
	if err != nil {
		return fmt.Errorf("read %d orders of sale %s: %w", len(ids), sale, err)
	}
	for i, record := range records {
		text, ok := record.(string)
		if !ok {
			do(ids[i], nil, nil)
			continue
		}
		o, fault := gate.ParseRecord(ids[i], text)
		do(ids[i], &o, fault)
	}
	return nil
}

// EachBuyer calls do for all buyers of a sale. Units are below zero if Redis' value is not a count.
func (s *Store) EachBuyer(ctx context.Context, sale string, do func(buyer string, units int64) error) error {
	return s.scan(ctx, "buyers of sale "+sale, s.client.HScan, keysOf(sale).buyers, func(buyer, units string) error {
		return do(buyer, parseBought(units))
	})
}

// Bought returns the units of each of the buyers: 0 if Redis has none, and below zero if Redis'
// value is not a count.
func (s *Store) Bought(ctx context.Context, sale string, buyers []string) ([]int64, error) {
	if len(buyers) == 0 {
		return nil, nil
	}
	values, err := s.client.HMGet(ctx, keysOf(sale).buyers, buyers...).Result()
	if err != nil {
		return nil, fmt.Errorf("read %d buyers of sale %s: %w", len(buyers), sale, err)
	}
	units := make([]int64, len(values))
	for i, value := range values {
		if text, ok := value.(string); ok {
			units[i] = parseBought(text)
		}
	}
	return units, nil
}

// parseBought reads what scripts write of a buyer: a number above zero.
func parseBought(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return -1
	}
	return n
}

// EachLook calls do for all members of a sale's queues. A member that is moved meanwhile may come
// twice.
func (s *Store) EachLook(ctx context.Context, sale string, do func(gate.Look) error) error {
	for _, key := range keysOf(sale).queues() {
		err := s.scan(ctx, "queues of sale "+sale, s.client.ZScan, key, func(member, score string) error {
			at, err := strconv.ParseFloat(score, 64)
			if err != nil {
				return fmt.Errorf("the time of %q in the queue %s: %w", member, key, err)
			}
			look := parseMember(member)
			if look.Other == sweepMember || at < 0 { // below zero: it was hastened once, see hasten.lua
				return nil
			}
			look.At = time.UnixMilli(int64(at))
			return do(look)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// LookTimes returns when each order is looked at next; zero for an order in no queue.
func (s *Store) LookTimes(ctx context.Context, sale string, ids []string) ([]time.Time, error) {
	next := make([]time.Time, len(ids))
	members := make([]string, len(ids))
	for i, id := range ids {
		members[i] = orderMember + id
	}
	keys := keysOf(sale).standing()
	// once more: an order may go from a queue not yet read to one read before
	for _, key := range append(keys, keys...) {
		times, err := s.scores(ctx, key, members)
		if err != nil {
			return nil, fmt.Errorf("read when %d orders of sale %s are looked at: %w", len(ids), sale, err)
		}
		for i, at := range times {
			if !at.IsZero() && (next[i].IsZero() || at.Before(next[i])) {
				next[i] = at
			}
		}
	}
	return next, nil
}

// scores returns the scores of a queue's members as times; zero for a member that is not there.
func (s *Store) scores(ctx context.Context, queue string, members []string) ([]time.Time, error) {
	if len(members) == 0 {
		return nil, nil
	}
	args := []any{"ZMSCORE", queue}
	for _, member := range members {
		args = append(args, member)
	}
	scores, err := s.client.Do(ctx, args...).Slice()
	if err != nil {
		return nil, err
	}
	times := make([]time.Time, len(scores))
	for i, score := range scores {
		if score == nil {
			continue
		}
		at, err := strconv.ParseFloat(fmt.Sprint(score), 64)
		if err != nil {
			return nil, err
		}
		times[i] = time.UnixMilli(int64(at))
	}
	return times, nil
}

// NewestEntry returns the number of a sale's newest ledger entry, 0 if there
// is no entry.
func (s *Store) NewestEntry(ctx context.Context, sale string) (int64, error) {
	reply, err := s.client.Do(ctx, "XREVRANGE", keysOf(sale).ledger, "+", "-", "COUNT", 1).Slice()
	if err != nil {
		return 0, fmt.Errorf("read the newest ledger entry of sale %s: %w", sale, err)
	}
	if len(reply) == 0 {
		return 0, nil
	}
	_, seq, _, err := parseItem(reply[0])
	return seq, err
}

// EachEntry calls do for the ledger entries numbered from to upto, oldest first. If an entry cannot
// be read, do gets a fault instead.
func (s *Store) EachEntry(ctx context.Context, sale string, from, upto int64,
	do func(seq int64, e *gate.Entry, fault error) error,
) error {
	start, end := strconv.FormatInt(from, 10), strconv.FormatInt(upto, 10)
	for from <= upto {
		page, err := s.client.Do(ctx, "XRANGE", keysOf(sale).ledger, start, end, "COUNT", ledgerPage).Slice()
		if err != nil {
			return fmt.Errorf("read the ledger of sale %s: %w", sale, err)
		}
		for _, item := range page {
			id, seq, fields, err := parseItem(item)
			if err != nil {
				return err
			}
			e, fault := parseEntry(id, fields)
			if err := do(seq, e, fault); err != nil {
				return err
			}
			start = "(" + id
		}
		if len(page) < ledgerPage {
			return nil
		}
	}
	return nil
}

// scan reads a hash or a sorted set page by page, and calls do for each pair.
func (s *Store) scan(ctx context.Context, what string,
	read func(context.Context, string, uint64, string, int64) *redis.ScanCmd,
	key string, do func(name, value string) error,
) error {
	for cursor := uint64(0); ; {
		page, next, err := read(ctx, key, cursor, "", sweepPage).Result()
		if err != nil {
			return fmt.Errorf("read the %s: %w", what, err)
		}
		for i := 0; i+1 < len(page); i += 2 {
			if err := do(page[i], page[i+1]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

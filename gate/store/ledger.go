package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
)

// ledgerPage is how many entries are read at once: an entry may hold a whole
// batch.
const ledgerPage = 200

// Order reads an order. It returns gate.ErrNoOrder if the sale does not have it.
func (s *Store) Order(ctx context.Context, sale, id string) (gate.Order, error) {
	record, err := s.client.HGet(ctx, keysOf(sale).orders, id).Result()
	if errors.Is(err, redis.Nil) {
		return gate.Order{}, gate.ErrNoOrder
	}
	if err != nil {
		return gate.Order{}, fmt.Errorf("read order %q of sale %s from Redis: %w", id, sale, err)
	}
	return gate.ParseRecord(id, record)
}

// Ledger yields the entries of a sale's ledger from number from on, oldest first. It ends after the
// newest entry, or with an error.
func (s *Store) Ledger(ctx context.Context, sale string, from int64) iter.Seq2[*gate.Entry, error] {
	return func(yield func(*gate.Entry, error) bool) {
		for start := strconv.FormatInt(from, 10); ; {
			page, err := s.entries(ctx, "XRANGE", keysOf(sale).ledger, start, "+")
			if err != nil {
				yield(nil, fmt.Errorf("read the ledger of sale %s: %w", sale, err))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				start = strconv.FormatInt(e.Seq+1, 10)
			}
			if len(page) < ledgerPage {
				return
			}
		}
	}
}

// Story returns the ledger entries that changed an order, oldest first, each with this order's
// records alone. It calls progress with the number of entries read so far.
func (s *Store) Story(ctx context.Context, sale, id string, progress func(read int)) ([]*gate.Entry, error) {
	if _, err := s.Order(ctx, sale, id); err != nil {
		return nil, err
	}
	var story []*gate.Entry
	for end, read, first := "+", 0, false; !first; { // from the newest back to revision 1
		page, err := s.entries(ctx, "XREVRANGE", keysOf(sale).ledger, end, "-")
		if err != nil {
			return nil, fmt.Errorf("read the ledger of sale %s: %w", sale, err)
		}
		for _, e := range page {
			e.Orders = slices.DeleteFunc(e.Orders, func(o gate.Order) bool { return o.ID != id })
			if len(e.Orders) > 0 {
				story = append(story, e)
				first = first || e.Orders[0].Revision == 1
			}
			end = "(" + strconv.FormatInt(e.Seq, 10) + "-0"
		}
		read += len(page)
		progress(read)
		first = first || len(page) < ledgerPage
	}
	slices.Reverse(story)
	return story, nil
}

// entries reads a page of a ledger. The client's own reader of streams returns maps, which lose the
// sequence of fields and repeated names; both matter here.
func (s *Store) entries(ctx context.Context, command, key, start, end string) ([]*gate.Entry, error) {
	return parsePage(s.client.Do(ctx, command, key, start, end, "COUNT", ledgerPage))
}

func parsePage(answer *redis.Cmd) ([]*gate.Entry, error) {
	reply, err := answer.Slice()
	if err != nil {
		return nil, fmt.Errorf("ask Redis for entries: %w", err)
	}
	return parseItems(reply, parseEntry)
}

// parseItems reads items of a ledger, each by parse.
func parseItems(items []any, parse func(id string, fields []string) (*gate.Entry, error)) ([]*gate.Entry, error) {
	page := make([]*gate.Entry, 0, len(items))
	for _, item := range items {
		id, _, fields, err := parseItem(item)
		if err != nil {
			return nil, err
		}
		e, err := parse(id, fields)
		if err != nil {
			return nil, err
		}
		page = append(page, e)
	}
	return page, nil
}

// parseItem reads one item of a stream: its id "SEQ-0", the number in it, and its
// flat list of fields.
func parseItem(item any) (id string, seq int64, fields []string, err error) {
	pair, _ := item.([]any)
	if len(pair) != 2 {
		return "", 0, nil, fmt.Errorf("%w: %v", errEntry, item)
	}
	id = fmt.Sprint(pair[0])
	number, _, _ := strings.Cut(id, "-")
	if seq, err = strconv.ParseInt(number, 10, 64); err != nil {
		return "", 0, nil, fmt.Errorf("ledger entry %s: %w", id, err)
	}
	values, _ := pair[1].([]any)
	fields = make([]string, len(values))
	for i, v := range values {
		fields[i], _ = v.(string)
	}
	return id, seq, fields, nil
}

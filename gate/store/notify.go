package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// Fields of a sale's hash notify. The script writes three more: token, until and retry.
const (
	positionField = "position"
	troubleField  = "trouble"
	listedField   = "o:" // before the order's id
)

// keepMost bounds how many orders one script call lists.
const keepMost = 500

// listedJSON is the stored form of an order in the list. Times are milliseconds.
type listedJSON struct {
	Entry  int64  `json:"entry"`
	Since  int64  `json:"since"`
	Tries  int    `json:"tries"`
	Tried  int64  `json:"tried"`
	Next   int64  `json:"next"`
	GiveUp int64  `json:"give_up"`
	Error  string `json:"error"`
}

// ClaimDelivery lets the holder of the token send a sale's changes to the shop, until the lease
// ends. It returns gate.ErrClaimed while another gate has the lease, and gate.ErrNoSale.
func (s *Store) ClaimDelivery(ctx context.Context, sale, token string, lease time.Duration) (gate.Delivery, error) {
	return s.notify(ctx, sale, "claim", token, lease)
}

// KeepDelivery writes what the holder of the token has done, and renews its lease; a lease of 0
// gives it up. If another gate has claimed the sale meanwhile, or the run is over, it writes
// nothing and returns gate.ErrClaimed. Of the Delivery it fills in only Now, Run, Seq and Retry.
func (s *Store) KeepDelivery(ctx context.Context, sale, token string, lease time.Duration,
	p gate.Progress,
) (gate.Delivery, error) {
	var fields []any
	for order, listed := range p.Listed {
		text := ""
		if listed != nil {
			b, err := json.Marshal(listedJSON{
				Entry: listed.Entry, Since: listed.Since.UnixMilli(), Tries: listed.Tries,
				Tried: listed.Tried.UnixMilli(),
				Next:  listed.Next.UnixMilli(), GiveUp: listed.GiveUp.UnixMilli(), Error: listed.Error,
			})
			if err != nil {
				return gate.Delivery{}, fmt.Errorf("write down what order %q waits for: %w", order, err)
			}
			text = string(b)
		}
		fields = append(fields, listedField+order, text)
		if len(fields) == 2*keepMost { // the position is written last, after all of the list
			if _, err := s.notify(ctx, sale, "keep", token, lease, fields...); err != nil {
				return gate.Delivery{}, err
			}
			fields = fields[:0]
		}
	}
	return s.notify(ctx, sale, "keep", token, lease,
		append(fields, positionField, p.Position, troubleField, p.Trouble)...)
}

// RetryDelivery makes the whole list of undelivered orders due now, also those that were given up.
// It returns gate.ErrNoSale, or a *gate.UnsecuredError.
func (s *Store) RetryDelivery(ctx context.Context, sale string) error {
	k := keysOf(sale)
	reply, acked, err := s.change(ctx, sale, luascripts.Lease, []string{k.sale, k.notify}, s.clock(), "retry", "", 0)
	if err != nil {
		return err
	}
	switch word(reply) {
	case "held":
		return s.secured(sale, acked)
	case "-":
		return gate.ErrNoSale
	}
	return unknownReply(luascripts.Lease, reply)
}

func (s *Store) notify(ctx context.Context, sale, what, token string, lease time.Duration,
	fields ...any,
) (gate.Delivery, error) {
	reply, hash, err := s.lease(ctx, sale, keysOf(sale).notify, what, token, lease, fields...)
	if err != nil {
		return gate.Delivery{}, err
	}
	d, err := parseDelivery(sale, hash)
	d.Now, d.Run, d.Seq = time.UnixMilli(number(reply, 1)), number(reply, 2), number(reply, 3)
	d.Retry = time.UnixMilli(number(reply, 4))
	return d, err
}

// lease claims or renews a lease on a sale for the holder of a token. After a claim it returns the
// fields of the lease's key.
func (s *Store) lease(ctx context.Context, sale, key, what, token string, lease time.Duration,
	fields ...any,
) (reply []any, hash map[string]string, err error) {
	args := append([]any{s.clock(), what, token, lease.Milliseconds()}, fields...)
	reply, err = s.run(ctx, luascripts.Lease, []string{keysOf(sale).sale, key}, args...)
	if err != nil {
		return nil, nil, err
	}
	switch word(reply) {
	case "held":
		flat, _ := reply[5].([]any)
		return reply, hashOf(flat), nil
	case "other":
		return nil, nil, gate.ErrClaimed
	case "-":
		return nil, nil, gate.ErrNoSale
	}
	return nil, nil, unknownReply(luascripts.Lease, reply)
}

// Delivery reads how many of a sale's changes the shop has got. It returns gate.ErrNoSale if the
// sale is gone.
func (s *Store) Delivery(ctx context.Context, sale string) (gate.Delivery, error) {
	state, err := s.Sale(ctx, sale)
	if err == nil && !state.Deleted.IsZero() {
		err = gate.ErrNoSale
	}
	if err != nil {
		return gate.Delivery{}, err
	}
	hash, err := s.client.HGetAll(ctx, keysOf(sale).notify).Result()
	if err != nil {
		return gate.Delivery{}, fmt.Errorf("read what the shop was told of sale %s: %w", sale, err)
	}
	d, err := parseDelivery(sale, hash)
	d.Now, d.Run, d.Seq, d.Notify = state.Now, state.Run, state.Seq, state.Notify
	return d, err
}

// parseDelivery reads a sale's hash notify. The list is sorted by ledger entry.
func parseDelivery(sale string, hash map[string]string) (gate.Delivery, error) {
	var p parser
	d := gate.Delivery{Trouble: hash[troubleField]}
	if text := hash[positionField]; text != "" {
		d.Position = p.Int(text)
	}
	for field, text := range hash {
		order, listed := strings.CutPrefix(field, listedField)
		if !listed {
			continue
		}
		var l listedJSON
		if err := json.Unmarshal([]byte(text), &l); err != nil || l.Entry < 1 {
			p.Fail("order %q is listed as %q", order, text)
			continue
		}
		d.Listed = append(d.Listed, gate.Undelivered{
			Order: order, Entry: l.Entry, Since: time.UnixMilli(l.Since), Tries: l.Tries,
			Tried: time.UnixMilli(l.Tried),
			Next:  time.UnixMilli(l.Next), GiveUp: time.UnixMilli(l.GiveUp), Error: l.Error,
		})
	}
	if p.Err != nil {
		return d, fmt.Errorf("read what the shop was told of sale %s: %w", sale, p.Err)
	}
	slices.SortFunc(d.Listed, func(a, b gate.Undelivered) int {
		return cmp.Or(cmp.Compare(a.Entry, b.Entry), cmp.Compare(a.Order, b.Order))
	})
	return d, nil
}

// Entries reads at most most ledger entries after number after, oldest first.
func (s *Store) Entries(ctx context.Context, sale string, after int64, most int) ([]*gate.Entry, error) {
	page, err := parsePage(s.client.Do(ctx, "XRANGE", keysOf(sale).ledger, strconv.FormatInt(after+1, 10), "+",
		"COUNT", most))
	if err != nil {
		return nil, fmt.Errorf("read the ledger of sale %s: %w", sale, err)
	}
	return page, nil
}

// EntriesAt reads the ledger entries with the given numbers. An entry that is gone with an earlier
// run is left out.
func (s *Store) EntriesAt(ctx context.Context, sale string, seqs []int64) (entries []*gate.Entry, err error) {
	var wrong error
	err = s.eachAt(ctx, sale, seqs, func(_ int64, e *gate.Entry, fault error) {
		wrong = cmp.Or(wrong, fault)
		entries = append(entries, e)
	})
	if err = cmp.Or(err, wrong); err != nil {
		return nil, err
	}
	return entries, nil
}

// entriesAtOnce is how many entries one round trip reads. Each may hold a whole batch, and the
// reply must come within the time of one call.
const entriesAtOnce = 50

// eachAt calls do for the ledger entries with the given numbers. If an entry cannot be read, do
// gets a fault instead.
func (s *Store) eachAt(ctx context.Context, sale string, seqs []int64,
	do func(seq int64, e *gate.Entry, fault error),
) error {
	for some := range slices.Chunk(seqs, entriesAtOnce) {
		pipe := s.client.Pipeline()
		replies := make([]*redis.Cmd, len(some))
		for i, seq := range some {
			id := fmt.Sprintf("%d-0", seq)
			replies[i] = pipe.Do(ctx, "XRANGE", keysOf(sale).ledger, id, id)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("read %d ledger entries of sale %s: %w", len(some), sale, err)
		}
		for i, reply := range replies {
			page, err := parsePage(reply)
			if err != nil {
				do(some[i], nil, fmt.Errorf("read the ledger of sale %s: %w", sale, err))
			}
			for _, e := range page {
				do(e.Seq, e, nil)
			}
		}
	}
	return nil
}

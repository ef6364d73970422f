package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
)

const (
	// followPage bounds the entries of one reply. Each may hold a whole batch.
	followPage = 100
	// checkEvery is how often a poll also asks whether the server is still a primary, and
	// still has the sale.
	checkEvery = 250 * time.Millisecond
)

// follower reads one sale on a connection of its own: a blocked read would hold up
// others, and a change of server must be seen.
type follower struct {
	connection
	sale string
	k    keys

	checked   time.Time // when the server was last checked,
	checkedOn int       // and by which connection
}

// Follower implements lane.Store.
func (s *Store) Follower(sale string) gate.Follower {
	k := keysOf(sale)
	return &follower{
		connection: connection{store: s, key: k.sale, longer: gate.LongestPoll}, sale: sale, k: k,
	}
}

// Server implements gate.Follower.
func (f *follower) Server() (id string, connections int) { return f.runID, f.connections }

// State implements gate.Follower.
func (f *follower) State(ctx context.Context) (state gate.State, err error) {
	err = f.on(ctx, func() error {
		times, hash, err := f.store.readHash(ctx, f.client, f.k.sale)
		if err == nil && len(hash) == 0 {
			err = gate.ErrNoSale
		}
		if err == nil {
			state, err = parseState(f.sale, times, hash, nil)
		}
		return err
	})
	return state, err
}

// Scan implements gate.Follower.
func (f *follower) Scan(ctx context.Context, cursor uint64) (page []gate.Change, next uint64, err error) {
	err = f.on(ctx, func() error {
		var fields []string
		var err error
		if fields, next, err = f.client.HScan(ctx, f.k.orders, cursor, "", sweepPage).Result(); err != nil {
			return err
		}
		page = make([]gate.Change, 0, len(fields)/2)
		for i := 0; i+1 < len(fields); i += 2 {
			page = append(page, gate.Change{Order: fields[i], Record: fields[i+1]})
		}
		return nil
	})
	return page, next, err
}

// Poll implements gate.Follower. Some polls also check the server: WAIT tells a replica, which
// refuses it, from a primary. A server that is demoted keeps its connections, and would be
// followed for ever.
func (f *follower) Poll(ctx context.Context, after int64, wait time.Duration) (page gate.Page, err error) {
	err = f.on(ctx, func() error {
		pipe := f.client.Pipeline()
		var primary *redis.Cmd
		var head *redis.SliceCmd
		checks := f.checkedOn != f.connections || time.Since(f.checked) >= checkEvery
		if checks {
			primary, head = pipe.Do(ctx, "WAIT", 0, 0), pipe.HMGet(ctx, f.k.sale, "seq")
		}
		read := pipe.Do(ctx, "XREAD", "COUNT", followPage, "BLOCK", wait.Milliseconds(), "STREAMS", f.k.ledger,
			strconv.FormatInt(after, 10)+"-0")
		asked := time.Now()
		_, _ = pipe.Exec(ctx) // what went wrong is in each command
		if checks {
			var err error
			if page.Seq, err = newest(primary, head); err != nil {
				return err
			}
			f.checked, f.checkedOn = asked, f.connections
		}
		var err error
		page.Entries, err = parseRead(read)
		page.Whole = len(page.Entries) < followPage
		return err
	})
	return page, err
}

// newest reads the replies of a check: the number of the sale's newest entry.
func newest(primary *redis.Cmd, head *redis.SliceCmd) (int64, error) {
	if err := errors.Join(primary.Err(), head.Err()); err != nil {
		return 0, err
	}
	seq, known := head.Val()[0].(string)
	if !known {
		return 0, gate.ErrNoSale
	}
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the number of the newest ledger entry: %w", err)
	}
	return n, nil
}

// on runs do on a connection, which it ends after an error.
func (f *follower) on(ctx context.Context, do func() error) error {
	if err := f.connect(ctx); err != nil {
		return err
	}
	err := do()
	if err == nil || errors.Is(err, gate.ErrNoSale) {
		return err
	}
	if redis.IsPermissionError(err) {
		err = fmt.Errorf("%w: give the user +xread, see docs/redis.md", err)
	}
	f.recover(err)
	f.asking = false // while its slot moves, a sale is found by the next redirect
	return fmt.Errorf("follow sale %s: %w", f.sale, errors.Join(err, f.disconnect()))
}

// Close implements gate.Follower.
func (f *follower) Close() error { return f.disconnect() }

// parseRead reads the reply to an XREAD of one stream, whose orders stay as written.
func parseRead(read *redis.Cmd) ([]*gate.Entry, error) {
	streams, err := read.Slice()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var items []any
	if len(streams) == 1 {
		if pair, _ := streams[0].([]any); len(pair) == 2 {
			items, _ = pair[1].([]any)
		}
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%w: %.100v", errEntry, streams)
	}
	return parseItems(items, parseChanges)
}

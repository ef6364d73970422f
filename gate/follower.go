package gate

import (
	"context"
	"time"
)

// LongestPoll is the longest that a Follower may be told to wait for an entry.
const LongestPoll = time.Second

// Follower reads one sale on a connection of its own, for a copy of it. It is used by
// one goroutine. An error of any call ends the connection, and the next call makes
// another one.
type Follower interface {
	// Server returns which server the newest connection is to, empty where it does not
	// tell, and how many connections were made.
	Server() (id string, connections int)
	// State reads the sale. It returns ErrNoSale where there is not even a tombstone.
	State(ctx context.Context) (State, error)
	// Scan reads some of the orders, and returns where to read on: 0 at the end. A
	// cursor is of use on its own connection alone.
	Scan(ctx context.Context, cursor uint64) (page []Change, next uint64, err error)
	// Poll reads some of the ledger entries behind one. Where there is none it waits
	// for some. It returns ErrNoSale where the sale is gone.
	Poll(ctx context.Context, after int64, wait time.Duration) (Page, error)
	Close() error
}

// Page is some of a ledger.
type Page struct {
	Entries []*Entry // in their order, their orders not read
	Whole   bool     // these are all that there were
	Seq     int64    // the sale's newest entry before these were read; 0 if that was not asked
}

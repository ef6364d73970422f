package gate

import (
	"errors"
	"time"
)

// LongestLook is the longest time between two looks at an order. A look that is due later than that
// was set by a clock that was ahead, and is due at once.
const LongestLook = time.Hour

// LatePayment is how long after its release an order is still looked at, for a payment that was
// approved after all.
const LatePayment = 24 * time.Hour

// Move changes one order to what its look-up says. A store makes the move only if the order is
// still what it was before the look-up. A confirm of a known attempt does not count as a change,
// because it moves only the deadline.
//
// What is written gets its revision from the store. If it has no deadline, the order
// keeps its own. If it has one, the move depends on the deadline, and is made only if
// the order's deadline has not moved either since it was read.
type Move struct {
	Before Order
	After  *Order // nil changes nothing but Look
	// Otherwise replaces After if After takes units, and there are too few or the buyer would have too
	// many. If Otherwise is nil, nothing changes then.
	Otherwise *Order

	// Look is the time until the order is looked at again, at most LongestLook; 0 means never. The
	// order waits in QueueAgain, or in QueueRefunds if Queue says so. If Queue is QueueAlone or
	// QueueStrangers, it waits in that queue too, and is due there now.
	Look  time.Duration
	Queue Queue
	From  Queue // where it was claimed: an order that is refund due leaves QueueRefunds only if it was claimed there
}

// Moved is the outcome of a Move.
type Moved byte

// The outcomes of a Move.
const (
	MovedOn        Moved = 'D' // the order is After
	MovedOtherwise Moved = 'O' // the order is Otherwise
	MovedNot       Moved = 'N' // After would have taken units that are gone, or more than its buyer may have
	MovedNothing   Moved = '=' // nothing was to be changed
	MovedLate      Moved = '-' // the order has changed, or is gone; it is looked at again now
)

// Queue is where an order waits to be looked at. There is one queue for each reason, so a flood in
// one does not delay another.
type Queue uint8

// The queues.
const (
	QueueFresh     Queue = iota // held just now, or asking
	QueueAgain                  // looked at before
	QueueHastened               // named by a webhook
	QueueAlone                  // a look-up of many orders together left something open
	QueueStrangers              // the same, and PortOne knew none of its payments
	QueueRefunds                // a payment of it is to be cancelled
	QueueAside                  // it fails by itself, and is tried again after growing pauses
	Queues                      // how many there are
)

// String returns the queue's name in metrics, such as "again".
func (q Queue) String() string {
	return [...]string{"fresh", "again", "hastened", "alone", "strangers", "refunds", "aside"}[q]
}

// Due is what a gate has claimed of a sale's orders that are due to be looked at.
type Due struct {
	Now     time.Time         // the store's clock
	Entries []int64           // ledger entries whose orders are due
	Orders  [Queues][]string  // orders that are due, by queue
	Others  []string          // members that are due and name neither an entry nor an order
	Since   [Queues]time.Time // since when the oldest order that this claim left has been due; zero if it left none
	Aside   int               // how many are set aside
	Sweep   bool              // it is time for a sweep of held orders that are missing from the queues
}

// SetAside is an order, or a ledger entry with all of its orders, that fails by itself to be
// settled.
type SetAside struct {
	Order  string    `json:"order,omitempty"`
	Entry  int64     `json:"entry,omitempty"`
	Other  string    `json:"other,omitempty"` // a queue's member that names neither
	Since  time.Time `json:"since"`           // when it failed first
	Tries  int       `json:"tries"`           // how often it has failed
	Next   time.Time `json:"next"`            // when it is tried again
	Reason string    `json:"reason"`
}

// FaultError says what is wrong with one order, one ledger entry, or one queue member that names
// neither.
type FaultError struct {
	Order string
	Entry int64
	Other string
	Err   error
}

// Error implements error.
func (e *FaultError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *FaultError) Unwrap() error { return e.Err }

// ErrScript says that a script failed on its arguments or on what it found, and changed nothing. It
// would fail again.
var ErrScript = errors.New("the script failed on what it was given or found")

// Look is one member of a sale's queues, and when it is due. It names an order, a ledger entry (for
// all of its orders), or neither.
type Look struct {
	Order string
	Entry int64
	Other string
	At    time.Time
}

package gate

import (
	"errors"
	"time"
)

// LongestLook is the longest time between two looks at an order. A look that is
// further ahead was set by a clock that was ahead, and is due at once.
const LongestLook = time.Hour

// LatePayment is how long after its release an order is looked at for a payment that
// was approved all the same.
const LatePayment = 24 * time.Hour

// Move takes one order from what it was when it was looked up to what came of
// the look-up. A store makes it only if the order is still what it was: a confirm
// of a known attempt does not count as a change, for it moves the deadline alone.
//
// What is written gets its revision from the store. If it has no deadline, the order
// keeps its own. If it has one, the move depends on the deadline, and is made only if
// the order's deadline has not moved either since it was read.
type Move struct {
	Before Order
	After  *Order // nil changes nothing but Look
	// Otherwise holds instead of After where that takes units, and there are too few or their buyer would have too
	// many; nil changes nothing then.
	Otherwise *Order

	// Look is how long it is until the order is looked at again, at most LongestLook;
	// 0 is never. The order waits for that in QueueAgain, or in QueueRefunds if Queue says so. If Queue
	// is QueueAlone or QueueStrangers, it waits in that queue too, and is due there now.
	Look  time.Duration
	Queue Queue
	From  Queue // in which it was claimed: what is refund due leaves QueueRefunds only if that was it
}

// Moved tells what became of a Move.
type Moved byte

// The outcomes of a Move.
const (
	MovedOn        Moved = 'D' // the order is After
	MovedOtherwise Moved = 'O' // the order is Otherwise
	MovedNot       Moved = 'N' // there were no units for After, or not for its buyer
	MovedNothing   Moved = '=' // nothing was to be changed
	MovedLate      Moved = '-' // the order is not what it was any more, or gone; it is looked at again now
)

// Queue is where an order waits to be looked at. There is one for each reason, so
// that a flood in one keeps nobody waiting in another.
type Queue uint8

// The queues.
const (
	QueueFresh     Queue = iota // held just now, or asking
	QueueAgain                  // looked at before
	QueueHastened               // named by a webhook
	QueueAlone                  // the look-up together with others left something of it open
	QueueStrangers              // the same, and PortOne knew none of its payments
	QueueRefunds                // a payment of it is to be cancelled
	QueueAside                  // it failed by itself, and is tried again after growing pauses
	Queues                      // how many there are
)

// String returns the queue's name in metrics, such as "again".
func (q Queue) String() string {
	return [...]string{"fresh", "again", "hastened", "alone", "strangers", "refunds", "aside"}[q]
}

// Due is what a gate has claimed of the orders of a sale that are to be looked at.
type Due struct {
	Now     time.Time         // the store's clock
	Entries []int64           // ledger entries whose orders are due
	Orders  [Queues][]string  // orders that are due by themselves
	Others  []string          // what is due and names neither
	Since   [Queues]time.Time // since when the oldest is due that this claim left; zero if it left none
	Aside   int               // how many are set aside
	Sweep   bool              // held orders that nobody looks at are to be searched for
}

// SetAside is an order, or a ledger entry with all of its orders, that could not be
// settled for a reason of its own.
type SetAside struct {
	Order  string    `json:"order,omitempty"`
	Entry  int64     `json:"entry,omitempty"`
	Other  string    `json:"other,omitempty"` // what names neither
	Since  time.Time `json:"since"`           // when it failed first
	Tries  int       `json:"tries"`           // how often it has failed
	Next   time.Time `json:"next"`            // when it is tried again
	Reason string    `json:"reason"`
}

// FaultError says what is wrong with one order, ledger entry, or member of a queue
// that names neither.
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

// ErrScript says that a script failed on what it was given or found, and changed
// nothing: it would fail again.
var ErrScript = errors.New("the script failed on what it was given or found")

// Look is one reason to look at orders of a sale, and when. It names an order, a
// ledger entry whose orders are meant, or what is neither.
type Look struct {
	Order string
	Entry int64
	Other string
	At    time.Time
}

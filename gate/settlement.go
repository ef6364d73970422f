package gate

import "time"

// LongestLook is the longest time between two looks at an order. A look that is
// further ahead is of a clock that was, and is due at once.
const LongestLook = time.Hour

// Move takes one order from what it was when it was looked up to what came of
// the look-up. A store makes it only if the order is still what it was: a confirm
// of a known attempt does not count as a change, for it moves the deadline alone.
//
// What is written gets its revision from the store. Without a deadline it keeps
// the order's own; with one it rests on it, and is written only if the order's
// has not moved since either.
type Move struct {
	Before    Order
	After     *Order // nil changes nothing but Look
	Otherwise *Order // instead of After, where that takes units and there are too few, or their buyer would have too many; nil changes nothing then

	// Look is how long it is until the order is looked at again, at most LongestLook;
	// 0 is never.
	Look time.Duration
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

// Due is what a gate has claimed of the orders of a sale that are to be looked at.
type Due struct {
	Now     time.Time // the store's clock
	Entries []int64   // ledger entries whose orders are due
	Orders  []string  // orders that are due by themselves
	Sweep   bool      // held orders that nobody looks at are to be searched for
}

// Look is one reason to look at orders of a sale, and when. It names an order, a
// ledger entry whose orders are meant, or what is neither.
type Look struct {
	Order string
	Entry int64
	Other string
	At    time.Time
}

package gate

import (
	"errors"
	"time"
)

// ErrClaimed says that another gate does what one at a time does for a sale.
var ErrClaimed = errors.New("another gate has it")

// Delivery is how far the shop has been told of a sale's changes.
type Delivery struct {
	Now      time.Time // the store's clock
	Run, Seq int64     // of the sale; Seq is the newest ledger entry
	Notify   string    // the shop's URL
	// Position is a ledger entry. Of each change up to it, the change or a newer one of the same order was
	// delivered, or is listed.
	Position int64
	Retry    time.Time // when an operator last had all that is listed tried
	Trouble  string    // why nothing gets through to the shop; empty while something does
	Listed   []Undelivered
}

// Undelivered is an order whose last change the shop did not take. Only the newest state of an order is
// sent.
type Undelivered struct {
	Order  string    `json:"order"`
	Entry  int64     `json:"entry"` // the ledger entry with its newest state
	Since  time.Time `json:"since"` // when the oldest change was made that the shop does not know of
	Tries  int       `json:"tries"`
	Tried  time.Time `json:"tried"` // last
	Next   time.Time `json:"next"`
	GiveUp time.Time `json:"give_up"` // from when on it is tried only when an operator says so
	Error  string    `json:"error"`
}

// Due reports whether it is to be tried at the given time. If its last try lies in the
// future, a clock was ahead when it was stamped: it is then due at once.
func (u *Undelivered) Due(now, retry time.Time) bool {
	return retry.After(u.Tried) || u.Tried.After(now.Add(ClockTolerance)) || now.Before(u.GiveUp) && !now.Before(u.Next)
}

// Progress is what a gate has done for a Delivery.
type Progress struct {
	Position int64
	Trouble  string
	Listed   map[string]*Undelivered // orders whose place in the list has changed; nil takes one off it
}

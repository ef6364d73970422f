package gate

import (
	"errors"
	"time"
)

// ErrClaimed says that another gate holds the lease for work that one gate at a time does for a sale.
var ErrClaimed = errors.New("another gate has it")

// Delivery is how many of a sale's changes the shop has got.
type Delivery struct {
	Now      time.Time // the store's clock
	Run, Seq int64     // of the sale; Seq is the newest ledger entry
	Notify   string    // the shop's URL
	// Position is the number of a ledger entry. Each change up to it was delivered, replaced by a newer
	// change of its order, or is in the list of undelivered orders.
	Position int64
	Retry    time.Time // when an operator last had the whole list tried
	Trouble  string    // why nothing reaches the shop; empty while something does
	Listed   []Undelivered
}

// Undelivered is an order whose newest state the shop has not taken. Older states are not sent any
// more.
type Undelivered struct {
	Order  string    `json:"order"`
	Entry  int64     `json:"entry"` // the ledger entry with its newest state
	Since  time.Time `json:"since"` // when the oldest of its changes that the shop does not know was made
	Tries  int       `json:"tries"`
	Tried  time.Time `json:"tried"` // when it was last tried
	Next   time.Time `json:"next"`
	GiveUp time.Time `json:"give_up"` // from then on it is tried only if an operator says so
	Error  string    `json:"error"`
}

// Due reports whether the order is to be tried at time now; retry is when an operator last had the
// whole list tried. A last try in the future was stamped by a clock that was ahead: the order is
// then due at once.
func (u *Undelivered) Due(now, retry time.Time) bool {
	return retry.After(u.Tried) || u.Tried.After(now.Add(ClockTolerance)) || now.Before(u.GiveUp) && !now.Before(u.Next)
}

// Progress is what a gate writes down of its work on a Delivery.
type Progress struct {
	Position int64
	Trouble  string
	Listed   map[string]*Undelivered // orders to put on the list, or to change there; nil takes an order off it
}

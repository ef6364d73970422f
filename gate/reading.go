package gate

import (
	"errors"
	"fmt"
)

// ErrNoSale says that a store has no sale of that name, not even a tombstone.
var ErrNoSale = errors.New("no such sale")

// Reading is a sale as it was read, or why it could not be.
type Reading struct {
	State State
	// Set reports that the settings differ from those of the last reading. The version alone does
	// not tell: it counts from 1 again in a lost sale that is made anew.
	Set bool
	// Err is ErrNoSale if there is neither a sale nor a tombstone, and an *UnreadableError if what
	// is there cannot be read.
	Err error
}

// UnreadableError says that the store answered, but its data of one sale cannot be read. Other
// sales are not affected.
type UnreadableError struct {
	Sale string
	Err  error
}

// Error implements error.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("sale %s cannot be read, and its payments are refused: look at its keys in Redis, %v",
		e.Sale, e.Err)
}

// Unwrap returns what is wrong with the data.
func (e *UnreadableError) Unwrap() error { return e.Err }

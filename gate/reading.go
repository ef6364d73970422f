package gate

import (
	"errors"
	"fmt"
)

// ErrNoSale says that a store has no sale of that name, not even a tombstone.
var ErrNoSale = errors.New("no such sale")

// Reading is what was read of a sale.
type Reading struct {
	State State
	// Set reports that the settings are not those of the reading before, which the
	// version alone does not tell: a lost sale that is made anew counts from 1.
	Set bool
	// Err is ErrNoSale where there is neither a sale nor a tombstone, and an
	// *UnreadableError where what is there is no sale.
	Err error
}

// UnreadableError says that the store answered, but what it has of a sale cannot
// be read. That is the trouble of this sale alone.
type UnreadableError struct {
	Sale string
	Err  error
}

// Error implements error.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("sale %s cannot be read, and its payments are refused: look at its keys in Redis, %v",
		e.Sale, e.Err)
}

// Unwrap returns what is wrong with it.
func (e *UnreadableError) Unwrap() error { return e.Err }

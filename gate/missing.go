package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// A sale is missing if it is expected and the store has nothing of it, not even a tombstone: it was
// never sold yet, or the store lost its data. Only a person can tell which. In the second case a
// new sale sells the units again.

// What a person does about a missing sale.
const (
	NeverSold = "flashgate apply -f FILE --open-now"     // if it was never sold yet
	WasSold   = "deploy/RUNBOOK.md#flashgatesalemissing" // if its orders are lost
	bothWays  = "If it was never sold yet: " + NeverSold +
		"; if it was, its orders are lost, and selling it anew would sell its units again: see " + WasSold
)

// MissingError says that a sale is expected and the store has nothing of it. It is an ErrNoSale
// too.
type MissingError struct{ Sale string }

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("sale %s is missing: it is expected, and Redis has nothing of it. %s", e.Sale, bothWays)
}

// Unwrap makes it an ErrNoSale.
func (e *MissingError) Unwrap() error { return ErrNoSale }

// DeletedError says that a sale was deleted. It is an ErrNoSale too.
type DeletedError struct {
	Sale string
	Run  int64 // its last one; 0 if it was missing when it was deleted
	At   time.Time
}

// Error implements error.
func (e *DeletedError) Error() string {
	run := fmt.Sprintf(" in run %d", e.Run)
	if e.Run == 0 { // it was missing
		run = ""
	}
	return fmt.Sprintf("sale %s was deleted at %s%s: to sell it anew, give it run %d in its file and apply it",
		e.Sale, e.At.Local().Format(time.RFC3339), run, e.Run+1)
}

// Unwrap makes it an ErrNoSale.
func (e *DeletedError) Unwrap() error { return ErrNoSale }

// UnknownSaleError says that there is no sale of this name, and suggests the nearest name. It is an
// ErrNoSale too.
type UnknownSaleError struct {
	Sale  string
	Sales []string // that exist
}

// Error implements error.
func (e *UnknownSaleError) Error() string {
	hint := DidYouMean(e.Sale, e.Sales)
	if hint != "" {
		hint += " "
	}
	return fmt.Sprintf("there is no sale %s: %sflashgate apply creates one", e.Sale, hint)
}

// Unwrap makes it an ErrNoSale.
func (e *UnknownSaleError) Unwrap() error { return ErrNoSale }

// Listing reads a sale and lists all names, to say why a sale is not there.
type Listing interface {
	// Sale reads a sale as Register's Sale does.
	Sale(ctx context.Context, name string) (State, error)
	// Sales returns the names of the sales, in no order.
	Sales(ctx context.Context) ([]string, error)
}

// FindSale reads a sale. If there is none, it returns a *MissingError, a *DeletedError (only a
// tombstone is left) or an *UnknownSaleError.
func FindSale(ctx context.Context, r Listing, sale string) (State, error) {
	state, err := r.Sale(ctx, sale)
	switch {
	case err == ErrNoSale: // and nothing more is known
		names, unread := r.Sales(ctx)
		return State{}, cmp.Or(unread, error(&UnknownSaleError{Sale: sale, Sales: names}))
	case err != nil:
		return State{}, err
	case !state.Deleted.IsZero():
		return State{}, &DeletedError{Sale: sale, Run: state.Run, At: state.Deleted}
	}
	return state, nil
}

// Gone replaces ErrNoSale and ErrNoOrder by an error of FindSale if the sale is gone. Any other
// error is returned as it is.
func Gone(ctx context.Context, r Listing, sale string, err error) error {
	if !errors.Is(err, ErrNoSale) && !errors.Is(err, ErrNoOrder) {
		return err
	}
	if _, gone := FindSale(ctx, r, sale); gone != nil {
		return gone
	}
	return err
}

// OpenError says that a sale was not made, because its window has begun and the store knows no run
// of it.
type OpenError struct {
	Sale          string
	Opens, Closes time.Time
	Now           time.Time // by the clock that says that the window has begun
}

// Error implements error.
func (e *OpenError) Error() string {
	zone := e.Opens.Location()
	text := func(t time.Time) string { return t.In(zone).Format(time.RFC3339) }
	window := "its window began at " + text(e.Opens)
	if !e.Now.Before(e.Closes) {
		window = "its window ended at " + text(e.Closes)
	}
	return fmt.Sprintf("%s (it is %s), and Redis knows no run of sale %s. %s (in the admin API ?open_now=true)", window,
		text(e.Now), e.Sale, bothWays)
}

// begun returns an *OpenError where the sale's window has begun by one of the clocks.
func (s *Sale) begun(clocks ...time.Time) error {
	for _, now := range clocks {
		if !now.Before(s.OpensAt) {
			return &OpenError{Sale: s.Name, Opens: s.OpensAt, Closes: s.ClosesAt, Now: now}
		}
	}
	return nil
}

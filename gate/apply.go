package gate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Register is what changes sales in a store. Each method is one atomic script.
type Register interface {
	// Sale reads a sale, or its tombstone. Where there is neither it returns
	// ErrNoSale, or a *MissingError, and the store's clock as the state's Now.
	Sale(ctx context.Context, name string) (State, error)
	// Create makes a sale, or starts it afresh in a higher run. It returns
	// ErrExists, a *HeldError or an *OpenError.
	Create(ctx context.Context, c Creation) error
	// Configure replaces the settings that have the given version. It returns
	// ErrChanged, ErrNoSale or a *StockError. Kind goes into the ledger.
	Configure(ctx context.Context, who, kind, sale string, version int64, s Settings) error
	// Delete removes a sale and leaves a tombstone, also of one that is missing. It
	// returns ErrNoSale, or a *HeldError.
	Delete(ctx context.Context, who, sale string, drop Drop) error
}

// Creation is a sale to be made, or to be started afresh in a higher run.
type Creation struct {
	Who  string // for the ledger
	Sale Sale
	Drop Drop // of the lower run
	// OpenNow makes it although its window has begun and the store knows no run of
	// it: it may have been sold from data that is lost.
	OpenNow bool
}

// Drop names what may be lost with a sale. The zero value agrees to no loss.
type Drop struct {
	Held bool // units that are held: a payment that is approved afterwards has no unit
}

var (
	// ErrExists says that the sale, or its tombstone, has this run or a higher one.
	ErrExists = errors.New("the sale exists in this run or a higher one")
	// ErrChanged says that somebody else changed the settings since they were read.
	ErrChanged = errors.New("somebody else is changing the sale: try again")
)

// RunError says that a run of a sale is over.
type RunError struct {
	Sale    string
	Run     int64 // asked for
	Known   int64 // that the sale is in, or was deleted in
	Deleted bool
}

// Error implements error.
func (e *RunError) Error() string {
	if e.Deleted {
		return fmt.Sprintf("sale %s was deleted in run %d: give it run %d to sell it anew", e.Sale, e.Known, e.Known+1)
	}
	return fmt.Sprintf("sale %s is in run %d already: run %d is over, and the same orders cannot come back", e.Sale, e.Known, e.Run)
}

// HeldError says that orders hold units, so the sale cannot be thrown away.
type HeldError struct {
	Sale  string
	Units int64
}

// Error implements error.
func (e *HeldError) Error() string {
	return fmt.Sprintf("%d units of sale %s are held by orders that are being paid: wait until they are settled, "+
		"or drop them with --drop-held (a payment that is approved afterwards has no unit)", e.Units, e.Sale)
}

// StockError says that a stock cannot be as low as asked.
type StockError struct {
	Sale, SKU string
	Stock     int64 // asked for; below zero to remove the SKU
	Units     Units // as they are
}

// Error implements error.
func (e *StockError) Error() string {
	taken := fmt.Sprintf("%d held, %d paid and %d withheld", e.Units.Held, e.Units.Paid, e.Units.Withheld)
	if e.Stock < 0 {
		return fmt.Sprintf("SKU %s of sale %s cannot be removed: of it are %s; to stop selling it set its stock to %d",
			e.SKU, e.Sale, taken, e.least())
	}
	return fmt.Sprintf("the stock of SKU %s of sale %s cannot be %d: of it are %s, so the least is %d",
		e.SKU, e.Sale, e.Stock, taken, e.least())
}

func (e *StockError) least() int64 { return e.Units.Held + e.Units.Paid + e.Units.Withheld }

// Outcome is what Apply did, or would do.
type Outcome string

// The outcomes of Apply.
const (
	Created   Outcome = "created"
	Restarted Outcome = "restarted" // in a higher run
	Changed   Outcome = "changed"
	Unchanged Outcome = "unchanged"
	Kept      Outcome = "kept as it is" // there was something, and only what is not there was to be made
)

// maxConflicts bounds how often a change is tried that others keep overtaking.
const maxConflicts = 10

// Application is a sale to be applied, and how.
type Application struct {
	Who     string // for the ledger
	Sale    Sale
	Drop    Drop  // what may be lost where a higher run begins
	Version int64 // of the settings that the caller has seen; 0 replaces any
	DryRun  bool  // only tell what would be done
	OpenNow bool  // as in Creation
	IfNone  bool  // only make it where the store has nothing of it
	// Now is the caller's own clock: like the store's, it must say that the window of
	// a sale that nobody knows has not begun.
	Now time.Time
}

// Applied is what an application did, or would do.
type Applied struct {
	Outcome Outcome
	Before  Sale // the zero Sale where there was none
	After   Sale
}

// Reminder says what else must be done about a change, empty for nothing: a gate
// whose file has a later opening would make a lost sale anew while it is open.
func (a *Applied) Reminder() string {
	if a.Before.Run == 0 || !a.After.OpensAt.Before(a.Before.OpensAt) {
		return ""
	}
	return "it opens earlier now: write this opens_at into the files given to --sales too"
}

// Apply makes the stored sale as given. It may be done in the middle of a sale,
// and doing it twice is doing it once. Whether the sale is paused stays as it
// is. It returns ErrChanged where the settings have another version than the
// caller has seen, a *HeldError, a *StockError or an *OpenError.
func Apply(ctx context.Context, r Register, a Application) (Applied, error) {
	for range maxConflicts {
		old, err := r.Sale(ctx, a.Sale.Name)
		if err != nil && !errors.Is(err, ErrNoSale) {
			return Applied{}, err
		}
		if a.Version != 0 && a.Version != old.Version {
			return Applied{}, ErrChanged
		}
		if a.IfNone && (old.Run != 0 || !old.Deleted.IsZero()) {
			return Applied{Outcome: Kept, Before: old.Sale, After: old.Sale}, nil
		}
		if old.Run == 0 && !a.OpenNow {
			if err := a.Sale.begun(old.Now, a.Now); err != nil {
				return Applied{}, err
			}
		}
		outcome, next, err := plan(old, a.Sale, a.Drop)
		done := Applied{Outcome: outcome, Before: old.Sale, After: next}
		switch {
		case err != nil:
			return Applied{}, err
		case outcome == Unchanged || a.DryRun:
			return done, nil
		case outcome == Changed:
			err = r.Configure(ctx, a.Who, "apply", a.Sale.Name, old.Version, next.Settings)
		default:
			err = r.Create(ctx, Creation{Who: a.Who, Sale: next, Drop: a.Drop, OpenNow: a.OpenNow})
		}
		switch {
		case err == nil:
			return done, nil
		case !errors.Is(err, ErrChanged) && !errors.Is(err, ErrExists):
			return Applied{}, err
		}
	}
	return Applied{}, ErrChanged
}

// plan tells what Apply does to a sale as it is (the zero State: there is none),
// the sale that it writes, or why it fails.
func plan(old State, sale Sale, drop Drop) (Outcome, Sale, error) {
	switch {
	case old.Run == 0:
		return Created, sale, nil
	case !old.Deleted.IsZero() && sale.Run <= old.Run:
		return "", sale, &RunError{Sale: sale.Name, Run: sale.Run, Known: old.Run, Deleted: true}
	case !old.Deleted.IsZero():
		return Created, sale, nil
	case sale.Run < old.Run:
		return "", sale, &RunError{Sale: sale.Name, Run: sale.Run, Known: old.Run}
	case sale.Run > old.Run:
		if held := heldUnits(old.Units); held > 0 && !drop.Held {
			return "", sale, &HeldError{Sale: sale.Name, Units: held}
		}
		return Restarted, sale, nil
	}
	sale.Paused = old.Paused
	if sale.Settings.Equal(old.Settings) {
		return Unchanged, sale, nil
	}
	for _, k := range sale.SKUs {
		if u, known := old.Units[k.Name]; known && k.Stock < u.Total && k.Stock < u.Total-u.Left {
			return "", sale, &StockError{Sale: sale.Name, SKU: k.Name, Stock: k.Stock, Units: u}
		}
	}
	listed := map[string]bool{}
	for _, k := range sale.SKUs {
		listed[k.Name] = true
	}
	for _, k := range old.SKUs {
		if u := old.Units[k.Name]; !listed[k.Name] && u.Left != u.Total {
			return "", sale, &StockError{Sale: sale.Name, SKU: k.Name, Stock: -1, Units: u}
		}
	}
	return Changed, sale, nil
}

func heldUnits(units map[string]Units) int64 {
	var held int64
	for _, u := range units {
		held += u.Held
	}
	return held
}

// SetPaused pauses a sale, or lets it go on. It reports whether that changed
// anything.
func SetPaused(ctx context.Context, r Register, who, sale string, paused bool) (bool, error) {
	kind := "resume"
	if paused {
		kind = "pause"
	}
	for range maxConflicts {
		old, err := r.Sale(ctx, sale)
		if err != nil {
			return false, err
		}
		if !old.Deleted.IsZero() {
			return false, ErrNoSale
		}
		if old.Paused == paused {
			return false, nil
		}
		next := old.Settings
		next.Paused = paused
		if err = r.Configure(ctx, who, kind, sale, old.Version, next); !errors.Is(err, ErrChanged) {
			return err == nil, err
		}
	}
	return false, ErrChanged
}

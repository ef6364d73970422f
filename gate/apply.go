package gate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Register changes sales in a store. Each method is one atomic script. If the store waits for
// replicas, a method that changes something may also return an *UnsecuredError: the change is made,
// but too few replicas have it.
type Register interface {
	// Sale reads a sale, or its tombstone. If there is neither, it returns ErrNoSale or a
	// *MissingError, and a State that has only the store's clock, in Now.
	Sale(ctx context.Context, name string) (State, error)
	// Losses returns what would be lost if a sale were deleted or started afresh. It returns
	// ErrNoSale, or a *LossError as Create and Delete would.
	Losses(ctx context.Context, sale string, drop Drop) (Loss, error)
	// Create makes a sale, or starts it afresh in a higher run. It returns
	// ErrExists, a *LossError or an *OpenError.
	Create(ctx context.Context, c Creation) error
	// Configure replaces the settings that have the given version. It returns
	// ErrChanged, ErrNoSale or a *StockError. Kind goes into the ledger.
	Configure(ctx context.Context, who, kind, sale string, version int64, s Settings) error
	// Delete removes a sale and leaves a tombstone, also of one that is missing. It
	// returns ErrNoSale, or a *LossError.
	Delete(ctx context.Context, who, sale string, drop Drop) error
	// Secure waits until the replicas have a sale as it is, with settings of the given version. It
	// returns ErrChanged if the settings have another version.
	Secure(ctx context.Context, sale string, version int64) error
}

// Creation is a sale to be made, or to be started afresh in a higher run.
type Creation struct {
	Who  string // for the ledger
	Sale Sale
	Drop Drop // of the lower run
	// OpenNow makes the sale although its window has begun and the store knows no run of it.
	// Without OpenNow that is refused: the sale may have been sold from data that is lost.
	OpenNow bool
}

var (
	// ErrExists says that the sale, or its tombstone, has this run or a higher one.
	ErrExists = errors.New("the sale exists in this run or a higher one")
	// ErrChanged says that somebody else changed the settings since they were read.
	ErrChanged = errors.New("somebody else is changing the sale: try again")
)

// VersionError says that a caller has seen other settings of a sale than it has.
// It is an ErrChanged too.
type VersionError struct {
	Sale  string
	Seen  int64 // by the caller
	Known int64 // that the sale is at; 0 if there is no sale
}

// Error implements error.
func (e *VersionError) Error() string {
	if e.Known == 0 {
		return fmt.Sprintf("there is no sale %s at version %d, nor at any: leave the version out to create it",
			e.Sale, e.Seen)
	}
	return fmt.Sprintf("sale %s is at version %d, and you have seen version %d: read it again, and decide whether it "+
		"is still to be changed", e.Sale, e.Known, e.Seen)
}

// Unwrap makes it an ErrChanged.
func (e *VersionError) Unwrap() error { return ErrChanged }

// RunError says that the run that was asked for is over.
type RunError struct {
	Sale    string
	Run     int64 // asked for
	Known   int64 // that the sale is in, or was in when it was deleted
	Deleted bool
}

// Error implements error.
func (e *RunError) Error() string {
	if e.Deleted {
		return fmt.Sprintf("sale %s was deleted in run %d: give it run %d to sell it anew", e.Sale, e.Known, e.Known+1)
	}
	return fmt.Sprintf("sale %s is in run %d already: run %d is over, and the same orders cannot come back", e.Sale,
		e.Known, e.Run)
}

// UnsecuredError says that a change is made, but too few replicas are known to have it. Making the
// change again changes nothing twice, and waits for the replicas again.
type UnsecuredError struct {
	Sale     string
	Replicas int64 // that have it
	Wanted   int
}

// Error implements error.
func (e *UnsecuredError) Error() string {
	return fmt.Sprintf("it is done, but only %d of %d replicas are known to have what was changed of sale %s: a "+
		"failover may forget it. "+
		"See that the replicas follow (INFO replication at the primary), then do the same again: "+
		"it changes nothing twice, and waits for them again", e.Replicas, e.Wanted, e.Sale)
}

// IsUnsecured reports whether err is an UnsecuredError: the change is made.
func IsUnsecured(err error) bool {
	_, is := errors.AsType[*UnsecuredError](err)
	return is
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
	Kept      Outcome = "kept as it is" // the store had something of it, and IfNone was set
)

// maxConflicts bounds the tries of a change while others keep changing the sale first.
const maxConflicts = 10

// Application is a sale to be applied, and how.
type Application struct {
	Who     string // for the ledger
	Sale    Sale
	Drop    Drop  // what may be lost if a higher run begins
	Version int64 // of the settings that the caller has seen; 0 replaces any
	DryRun  bool  // only return what would be done
	OpenNow bool  // as in Creation
	IfNone  bool  // only make it if the store has nothing of it
	// Now is the caller's own clock. A sale that the store does not know is made only if its window
	// has begun neither by this clock nor by the store's.
	Now time.Time
}

// Applied is what an application did, or would do.
type Applied struct {
	Outcome Outcome
	Before  Sale // the zero Sale if there was none
	After   Sale
	Loss    *Loss // of a dry run that would start the sale afresh: what would be lost with the lower run
}

// Reminder says what else must be done after a change; empty if nothing. A gate whose file still
// has a later opening would make a lost sale anew while it is open.
func (a *Applied) Reminder() string {
	if a.Before.Run == 0 || !a.After.OpensAt.Before(a.Before.OpensAt) {
		return ""
	}
	return "it opens earlier now: write this opens_at into the files given to --sales too"
}

// Apply makes the stored sale as given. It may be called in the middle of a sale, and a second call
// changes nothing. A paused sale stays paused. It returns a *VersionError if the settings are to
// change and have another version than the caller has seen, or a *StockError, a *LossError or an
// *OpenError. With the *LossError of a dry run, and with an *UnsecuredError, Applied is filled in
// too.
func Apply(ctx context.Context, r Register, a Application) (Applied, error) {
	for range maxConflicts {
		old, err := r.Sale(ctx, a.Sale.Name)
		if err != nil && !errors.Is(err, ErrNoSale) {
			return Applied{}, err
		}
		if old.Run == 0 && !a.OpenNow && !a.keeps(&old) {
			if err := a.Sale.begun(old.Now, a.Now); err != nil {
				return Applied{}, err
			}
		}
		outcome, next, err := a.plan(old)
		done := Applied{Outcome: outcome, Before: old.Sale, After: next}
		switch {
		case outcome != Unchanged && outcome != Kept && a.Version != 0 && a.Version != old.Version:
			return Applied{}, &VersionError{Sale: a.Sale.Name, Seen: a.Version, Known: old.Version}
		case err != nil:
			return Applied{}, err
		case a.DryRun:
			return a.addLoss(ctx, r, done)
		case outcome == Kept && !old.Deleted.IsZero():
			return done, nil
		case outcome == Unchanged || outcome == Kept:
			err = r.Secure(ctx, a.Sale.Name, old.Version)
		case outcome == Changed:
			err = r.Configure(ctx, a.Who, "apply", a.Sale.Name, old.Version, next.Settings)
		default:
			err = r.Create(ctx, Creation{Who: a.Who, Sale: next, Drop: a.Drop, OpenNow: a.OpenNow})
		}
		switch {
		case err == nil || IsUnsecured(err):
			return done, err
		case !errors.Is(err, ErrChanged) && !errors.Is(err, ErrExists):
			return Applied{}, err
		}
	}
	return Applied{}, ErrChanged
}

// addLoss adds to the result of a dry run what would be lost.
func (a *Application) addLoss(ctx context.Context, r Register, done Applied) (Applied, error) {
	if done.Outcome != Restarted {
		return done, nil
	}
	loss, err := r.Losses(ctx, a.Sale.Name, a.Drop)
	if _, refused := errors.AsType[*LossError](err); err != nil && !refused {
		return Applied{}, err
	}
	done.Loss = &loss
	return done, err
}

// keeps reports whether a sale, or its tombstone, is to stay as it is.
func (a *Application) keeps(old *State) bool {
	return a.IfNone && (old.Run != 0 || !old.Deleted.IsZero())
}

// plan returns what Apply does to a sale that is in the state old, and the sale that it writes, or why
// it fails. The zero State means that there is no sale.
func (a *Application) plan(old State) (Outcome, Sale, error) {
	sale := a.Sale
	switch {
	case a.keeps(&old):
		return Kept, old.Sale, nil
	case old.Run == 0:
		return Created, sale, nil
	case !old.Deleted.IsZero() && sale.Run <= old.Run:
		return "", sale, &RunError{Sale: sale.Name, Run: sale.Run, Known: old.Run, Deleted: true}
	case !old.Deleted.IsZero():
		return Created, sale, nil
	case sale.Run < old.Run:
		return "", sale, &RunError{Sale: sale.Name, Run: sale.Run, Known: old.Run}
	case sale.Run > old.Run:
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

// SetPaused pauses a sale, or resumes it. It reports whether that changed anything, also with an
// *UnsecuredError. It returns other errors of Register.
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
		change := old.Paused != paused
		if change {
			next := old.Settings
			next.Paused = paused
			err = r.Configure(ctx, who, kind, sale, old.Version, next)
		} else {
			err = r.Secure(ctx, sale, old.Version)
		}
		if !errors.Is(err, ErrChanged) {
			return change && (err == nil || IsUnsecured(err)), err
		}
	}
	return false, ErrChanged
}

// Package settle makes every unit that was held end as paid or on sale again: it
// looks up how payments ended, and moves their orders on.
package settle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

const (
	// tick is how often each sale is asked for what is due.
	tick = 500 * time.Millisecond
	// lease is how long what was claimed is left alone by other gates, and so the
	// bound of one round. It is brief until this gate knows what it has claimed: if
	// the reply is lost, nobody knows.
	lease, brief = time.Minute, 2 * time.Second
	// most is how many members of due one round claims. Each may be the orders of a
	// whole batch.
	most = 500
	// chunk is how many orders one script call settles.
	chunk = 200
)

// Store is what settling needs of a store.
type Store interface {
	Claim(ctx context.Context, sale string, most int, lease time.Duration) (gate.Due, error)
	Keep(ctx context.Context, sale string, due gate.Due, lease time.Duration) error
	Changed(ctx context.Context, sale string, entries []int64) (ids []string, faults []error, err error)
	Orders(ctx context.Context, sale string, ids []string) (orders []gate.Order, faults []error, err error)
	Settle(ctx context.Context, who, kind, sale string, moves []gate.Move, done []int64) ([]gate.Moved, error)
	// RefundNote reads what is known of the refunds that an order owes, and the version of
	// the sale's settings; NoteRefund changes it. It returns gate.ErrNoRefund where the
	// order owes none any more.
	RefundNote(ctx context.Context, sale, order string) (note gate.RefundNote, version int64, err error)
	NoteRefund(ctx context.Context, sale, order string, change func(*gate.RefundNote)) error
	Sweep(ctx context.Context, sale string, before time.Time) (overdue, found int, err error)
}

// Payments is what settling needs of PortOne.
type Payments interface {
	Lookup(ctx context.Context, queries []portone.Query) []portone.Finding
	Cancel(ctx context.Context, r portone.CancelRequest) (portone.Cancelled, error)
	// CloseAccount closes the virtual account of an attempt.
	CloseAccount(ctx context.Context, order string, a gate.Attempt) error
	// Any reports whether PortOne lists any payment to the credentials of a version.
	Any(ctx context.Context, version uint8) (bool, error)
}

// Options of a Settler. Payments may be nil: then orders are held until the shop
// reports what came of them. The rest is needed.
type Options struct {
	Who      string // this gate, for the ledger
	Store    Store
	Payments Payments
	// Sales returns the sales that this gate knows, with their settings.
	Sales    func() map[string]*gate.Settings
	Currency string // that payments must be in, such as "KRW"
	Test     bool   // payments of a test channel count too
	// Reason words why a payment is cancelled, in a sale with the given messages.
	Reason func(why gate.RefundReason, messages map[string]string) string

	// Grace is how long after a hold's deadline its units stay taken: a payment that
	// was begun within the hold may still be approved.
	Grace time.Duration
	// MinLook is the shortest time between two looks at an order. The older an order
	// is, the longer it is.
	MinLook time.Duration
	Metrics *Metrics
	Now     func() time.Time // the gate's own clock
	Log     *slog.Logger
}

// Settler settles the orders of all sales that its gate knows. Any number of
// gates may do so at once: what is due is claimed by one of them.
type Settler struct {
	opt    Options
	proofs [3]proof // by PortOne's version
	began  time.Time

	mu    sync.Mutex // over what follows
	paces map[string]pace
}

// New returns a settler that does nothing until Run.
func New(opt Options) *Settler { return &Settler{opt: opt, began: opt.Now(), paces: map[string]pace{}} }

// Run settles until ctx is done, and returns when the rounds that were under way
// have ended.
func (s *Settler) Run(ctx context.Context) {
	gate.PerSale(ctx, tick, s.opt.Sales, func(sale string, settings *gate.Settings) { s.rounds(ctx, sale, settings) })
}

// rounds settles what is due of a sale until nothing is.
func (s *Settler) rounds(ctx context.Context, sale string, settings *gate.Settings) {
	s.opt.Metrics.counts(sale)
	var wait gate.Backoff
	for more := true; more && settings != nil && ctx.Err() == nil; {
		var err error
		round, cancel := context.WithTimeout(ctx, lease)
		more, err = s.round(round, sale, settings)
		cancel()
		if err == nil || ctx.Err() != nil {
			wait = gate.Backoff{}
			continue
		}
		s.trouble(ctx, sale, &wait, err)
		more, settings = true, s.opt.Sales()[sale] // which may have changed meanwhile
	}
}

// round settles what is due of a sale, and reports whether there may be more. What
// was claimed would be due again only when the lease is over, so from there on the
// store is asked until it answers.
func (s *Settler) round(ctx context.Context, sale string, settings *gate.Settings) (more bool, err error) {
	due, err := s.opt.Store.Claim(ctx, sale, most, brief)
	if err != nil {
		return false, fmt.Errorf("claim what is due: %w", err)
	}
	p := policy{
		settings: settings, currency: s.opt.Currency, test: s.opt.Test, grace: s.opt.Grace, minLook: s.opt.MinLook,
		put: s.pace(sale, due.Now).put,
	}
	if claimed := len(due.Entries) + len(due.Orders); claimed > 0 {
		more, err = claimed == most, s.claimed(ctx, sale, p, due)
	}
	if due.Sweep {
		err = errors.Join(err, s.sweep(ctx, sale, due.Now))
	}
	return more, err
}

// claimed settles what was claimed of a sale.
func (s *Settler) claimed(ctx context.Context, sale string, p policy, due gate.Due) error {
	err := s.persist(ctx, sale, func() error { return s.opt.Store.Keep(ctx, sale, due, lease) })
	if err != nil {
		return fmt.Errorf("keep what was claimed: %w", err)
	}
	orders, err := s.read(ctx, sale, due)
	if err != nil {
		return err
	}
	return s.settle(ctx, sale, p, due, orders)
}

// sweep has orders looked at that are past their deadline and that nobody would
// look at: there are none but after a fault.
func (s *Settler) sweep(ctx context.Context, sale string, now time.Time) error {
	overdue, found, err := s.opt.Store.Sweep(ctx, sale, now.Add(-2*s.opt.Grace))
	s.opt.Metrics.overdue.WithLabelValues(sale).Add(float64(overdue))
	if found > 0 {
		s.opt.Metrics.swept.WithLabelValues(sale).Add(float64(found))
		s.opt.Log.Warn("held orders past their deadline were due to be looked at by nobody", "sale", sale, "orders", found)
	}
	return err
}

// settle looks orders up and moves them on. What was claimed is given up with
// the last of them, so that a gate that dies in between leaves it to the others.
func (s *Settler) settle(ctx context.Context, sale string, p policy, due gate.Due, orders []gate.Order) error {
	findings := s.lookup(ctx, sale, orders)
	moves := make([]gate.Move, len(orders))
	for i, o := range orders {
		moves[i] = p.judge(o, findings[i], due.Now)
	}
	s.warnOfCurrency(sale, moves, findings)
	s.noteFailures(ctx, sale, moves)
	if s.opt.Payments != nil {
		s.closeAccounts(ctx, sale, p, moves, findings)
	}
	if p.settings.AutoRefund && s.opt.Payments != nil {
		s.refund(ctx, sale, p, moves, findings)
	}
	for {
		n := min(len(moves), chunk)
		var done []int64
		if n == len(moves) {
			done = due.Entries
		}
		if n == 0 && len(done) == 0 {
			return nil
		}
		var moved []gate.Moved
		err := s.persist(ctx, sale, func() (err error) {
			moved, err = s.opt.Store.Settle(ctx, s.opt.Who, "settle", sale, moves[:n], done)
			return err
		})
		if errors.Is(err, gate.ErrNoSale) {
			return nil // deleted meanwhile
		}
		if err != nil {
			return fmt.Errorf("settle %d orders: %w", n, err)
		}
		s.count(sale, moves[:n], moved)
		if moves = moves[n:]; len(moves) == 0 {
			return nil
		}
	}
}

func (s *Settler) count(sale string, moves []gate.Move, moved []gate.Moved) {
	for i, outcome := range moved {
		m := &moves[i]
		switch to := m.After; outcome {
		case gate.MovedOtherwise:
			s.opt.Metrics.settled.WithLabelValues(sale, m.Otherwise.State.String()).Inc()
		case gate.MovedOn:
			if to.State != m.Before.State {
				s.opt.Metrics.settled.WithLabelValues(sale, to.State.String()).Inc()
			}
		case gate.MovedLate:
			s.opt.Metrics.late.WithLabelValues(sale).Inc()
		}
	}
}

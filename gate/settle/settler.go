package settle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

const (
	// tick is the pause between two claims of what is due in a sale.
	tick = 500 * time.Millisecond
	// Other gates leave alone what was claimed for a lease, counted from the claim or its
	// last renewal. A claim is for brief at first: if its reply is lost, no gate knows what
	// was claimed.
	lease, brief = 30 * time.Second, 2 * time.Second
	// longest bounds the work on one portion, to PortOne's longest calls with all repeats.
	longest = 10 * time.Minute
)

// Store is what settling needs of a store.
type Store interface {
	Claim(ctx context.Context, sale string, most [gate.Queues]int, lease time.Duration) (gate.Due, error)
	Keep(ctx context.Context, sale string, q gate.Queue, ids []string, lease time.Duration) error
	Unfold(ctx context.Context, sale string, entries []int64) (faults []error, err error)
	Orders(ctx context.Context, sale string, ids []string) (orders []gate.Order, faults []error, err error)
	Settle(ctx context.Context, who, kind, sale string, moves []gate.Move, gone []string) ([]gate.Moved, error)
	// RefundNote reads the note on the refunds that an order owes, and the version of the
	// sale's settings. NoteRefund changes the note; it returns gate.ErrNoRefund where the
	// order no longer owes a refund.
	RefundNote(ctx context.Context, sale, order string) (note gate.RefundNote, version int64, err error)
	NoteRefund(ctx context.Context, sale, order string, change func(*gate.RefundNote)) error
	// DisputesOf reads the disputes and chargebacks of some orders, one list for each.
	// NoteDisputes replaces an order's list, unless it has changed meanwhile.
	DisputesOf(ctx context.Context, sale string, orders []string) ([][]gate.Dispute, error)
	NoteDisputes(ctx context.Context, sale, order string, was, is []gate.Dispute) error
	// PassBrake asks the brake on the sale's refunds whether a cancellation may be sent,
	// and notes how the refund stands. Where this cancellation pulls the brake, it returns
	// the brake too.
	PassBrake(ctx context.Context, who, sale, order, attempt string, why gate.RefundReason,
		is gate.RefundAttempt) (passes bool, pulled *gate.Brake, err error)
	SetAside(ctx context.Context, sale string, faults []error, onlyNew bool) (added int, err error)
	Sweep(ctx context.Context, sale string, before time.Time) (overdue, found int, faults []error, err error)
}

// Payments is what settling needs of PortOne.
type Payments interface {
	Lookup(ctx context.Context, queries []portone.Query) []portone.Finding
	Cancel(ctx context.Context, r portone.CancelRequest) (portone.Cancelled, error)
	// CloseAccount closes the virtual account of an attempt.
	CloseAccount(ctx context.Context, order string, a gate.Attempt) error
	// Any reports whether PortOne lists any payment to the credentials of a version.
	Any(ctx context.Context, version gate.Version) (bool, error)
}

// Deps are the dependencies of a Settler. Payments may be nil: then orders are held until the shop
// reports what came of them. The rest is needed.
type Deps struct {
	Store    Store
	Payments Payments
	// Sales returns the sales that this gate knows, with their settings.
	Sales func() map[string]*gate.Settings
	// Reason words why a payment is cancelled, in a sale with the given messages.
	Reason  func(why gate.RefundReason, messages map[string]string) string
	Metrics *Metrics
	Now     func() time.Time // the gate's own clock
	Log     *slog.Logger
}

// Options of a Settler. All but Test are needed.
type Options struct {
	Who      string // this gate, for the ledger
	Currency string // that payments must be in, such as "KRW"
	Test     bool   // payments of a test channel count too
	// Grace is how long after a hold's deadline its units stay taken: a payment that
	// was begun within the hold may still be approved.
	Grace time.Duration
	// MinLook is the shortest pause between two looks at an order. The older the order,
	// the longer the pause.
	MinLook time.Duration
}

// Settler settles the orders of all sales that its gate knows. Any number of
// gates may do so at once: what is due is claimed by one of them.
type Settler struct {
	deps   Deps
	opt    Options
	proofs [3]proof // by PortOne's version
	began  time.Time

	lease   time.Duration
	running sync.WaitGroup             // portions and sweeps under way
	rooms   [gate.Queues]chan struct{} // room for the portions of all sales, by queue
	refunds *rate.Limiter              // how many begin in a second

	mu    sync.Mutex // over what follows
	paces map[string]pace
	desks map[string]*desk
}

// New returns a settler. It does nothing until Run is called.
func New(deps Deps, opt Options) *Settler {
	s := &Settler{
		deps: deps, opt: opt, began: deps.Now(), lease: lease, refunds: rate.NewLimiter(refundsASecond, 1),
		paces: map[string]pace{}, desks: map[string]*desk{},
	}
	for q := range gate.Queues {
		s.rooms[q] = make(chan struct{}, boundsOf(q).overall)
	}
	return s
}

// Run settles until ctx is done, and returns when all work under way has ended.
func (s *Settler) Run(ctx context.Context) {
	gate.PerSale(ctx, tick, s.sales, func(sale string, settings *gate.Settings) { s.turns(ctx, sale, settings) })
	s.running.Wait()
}

// sales returns the sales that this gate knows, and removes the queue metrics of others.
func (s *Settler) sales() map[string]*gate.Settings {
	sales := s.deps.Sales()
	s.mu.Lock()
	defer s.mu.Unlock()
	for sale := range s.desks {
		if sales[sale] == nil {
			s.deps.Metrics.forget(sale)
		}
	}
	return sales
}

// turns claims a sale's due orders until all are under way, or the room is used up.
func (s *Settler) turns(ctx context.Context, sale string, settings *gate.Settings) {
	s.deps.Metrics.initSale(sale)
	var wait gate.Backoff
	for more := true; more && settings != nil && ctx.Err() == nil; {
		var err error
		more, err = s.turn(ctx, sale, settings)
		if err == nil || ctx.Err() != nil {
			wait = gate.Backoff{}
			continue
		}
		s.trouble(ctx, sale, &wait, err)
		more, settings = true, s.deps.Sales()[sale] // which may have changed meanwhile
	}
}

// turn claims a sale's due orders, as many as there is room for, and begins to settle them in
// portions. It reports whether more are due.
func (s *Settler) turn(ctx context.Context, sale string, settings *gate.Settings) (more bool, err error) {
	desk := s.desk(sale)
	due, err := s.deps.Store.Claim(ctx, sale, s.room(desk), brief)
	if errors.Is(err, gate.ErrNoSale) {
		return false, nil // a deleted or missing sale is not settled
	}
	if err != nil {
		return false, fmt.Errorf("claim what is due: %w", err)
	}
	s.deps.Metrics.queues(sale, due)
	p := policy{
		settings: settings, currency: s.opt.Currency, test: s.opt.Test, grace: s.opt.Grace, minLook: s.opt.MinLook,
		put: s.pace(sale, due.Now).put,
	}
	for q := range gate.Queues {
		for ids := range slices.Chunk(due.Orders[q], boundsOf(q).portion) {
			s.begin(ctx, desk, portion{sale: sale, policy: p, queue: q, ids: ids, now: due.Now})
		}
	}
	if due.Sweep {
		s.beginSweep(ctx, desk, sale, due.Now)
	}
	for _, member := range due.Others {
		s.setAside(ctx, sale, whyMember, &gate.FaultError{Other: member, Err: errMember})
	}
	return len(due.Entries) > 0, s.unfold(ctx, sale, due.Entries)
}

// unfold queues the orders of ledger entries one by one.
func (s *Settler) unfold(ctx context.Context, sale string, entries []int64) error {
	if len(entries) == 0 {
		return nil
	}
	var faults []error
	err := s.persist(ctx, sale, func() (err error) {
		faults, err = s.deps.Store.Unfold(ctx, sale, entries)
		return err
	})
	s.setAside(ctx, sale, whyUnreadable, faults...)
	return err
}

// beginSweep re-queues held orders that are past their deadline and missing from due; this happens
// only after a fault. It reads all orders, so nothing waits for it.
func (s *Settler) beginSweep(ctx context.Context, d *desk, sale string, now time.Time) {
	if !d.sweeping.CompareAndSwap(false, true) {
		return
	}
	s.running.Go(func() {
		defer d.sweeping.Store(false)
		overdue, found, faults, err := s.deps.Store.Sweep(ctx, sale, now.Add(-2*s.opt.Grace))
		s.deps.Metrics.overdue.WithLabelValues(sale).Add(float64(overdue))
		if found > 0 {
			s.deps.Metrics.swept.WithLabelValues(sale).Add(float64(found))
			s.deps.Log.Warn("held orders past their deadline were missing from due: they are queued again; this "+
				"happens only after a fault", "sale", sale, "orders", found)
		}
		s.noteFaults(ctx, sale, faults)
		if err != nil && ctx.Err() == nil {
			s.trouble(ctx, sale, &gate.Backoff{}, err)
		}
	})
}

func (s *Settler) count(sale string, moves []gate.Move, moved []gate.Moved) {
	for i, outcome := range moved {
		m := &moves[i]
		switch to := m.After; outcome {
		case gate.MovedOtherwise:
			s.deps.Metrics.settled.WithLabelValues(sale, m.Otherwise.State.String()).Inc()
		case gate.MovedOn:
			if to.State != m.Before.State {
				s.deps.Metrics.settled.WithLabelValues(sale, to.State.String()).Inc()
			}
		case gate.MovedLate:
			s.deps.Metrics.late.WithLabelValues(sale).Inc()
		}
	}
}

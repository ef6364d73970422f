// Package settle makes every unit that was held end as paid or on sale again: it
// looks up how payments ended, and moves their orders on.
package settle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
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
	Sweep(ctx context.Context, sale string, before time.Time) (overdue, found int, err error)
}

// Payments is what settling needs of PortOne.
type Payments interface {
	Lookup(ctx context.Context, queries []portone.Query) []portone.Finding
	Cancel(ctx context.Context, r portone.CancelRequest) error
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
	opt   Options
	known [3]atomic.Bool // by PortOne's version: it has told of a payment at least once
	began time.Time

	mu    sync.Mutex // over what follows
	paces map[string]pace
}

// errStrangers says that PortOne knows none of the payments that were looked up,
// ever. It does so too when it is asked with another shop's credentials, and then
// nothing may be released for it.
var errStrangers = errors.New("PortOne has known none of the payments so far: are the credentials those of this shop?")

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

// lookup looks up the payments of those orders that need it.
func (s *Settler) lookup(ctx context.Context, sale string, orders []gate.Order) []finding {
	findings := make([]finding, len(orders))
	if s.opt.Payments == nil {
		return findings
	}
	var queries []portone.Query
	var of []int // which order each query is of
	for i := range orders {
		o := &orders[i]
		if o.State == gate.OrderAsking || o.State == gate.OrderRefunded && !o.RefundDue() {
			continue
		}
		attempts := 0
		for _, q := range portone.QueriesOf(o) {
			queries, of = append(queries, q), append(of, i)
			attempts += len(q.Attempts)
		}
		findings[i].asked = true
		findings[i].unsure = attempts < len(o.Attempts) // one is of no version that can be asked
	}
	if len(queries) == 0 {
		return findings
	}
	var problem error
	unsure := 0
	found := s.opt.Payments.Lookup(ctx, queries)
	if len(found) != len(queries) {
		found = make([]portone.Finding, len(queries)) // nobody knows which is whose
	}
	for k := range found {
		if len(found[k].Payments) > 0 {
			s.known[queries[k].Version].Store(true)
		}
	}
	for k := range found {
		f := &findings[of[k]]
		f.payments = append(f.payments, found[k].Payments...)
		err := found[k].Doubt(queries[k])
		if err == nil && len(found[k].Missing) > 0 && !s.known[queries[k].Version].Load() {
			err = errStrangers
		}
		if err != nil {
			f.unsure = true
			problem, unsure = err, unsure+1
		}
	}
	if unsure > 0 {
		s.opt.Metrics.unsure.WithLabelValues(sale).Add(float64(unsure))
		s.opt.Log.Warn("payments could not be looked up: their orders stay as they are", "sale", sale, "orders", unsure, "error", problem)
	}
	return findings
}

// warnOfCurrency says once of each payment that it becomes refund due because of
// its currency: if many do, the setting is what is wrong.
func (s *Settler) warnOfCurrency(sale string, moves []gate.Move, findings []finding) {
	due, example := 0, gate.Payment{}
	for i := range moves {
		before, after := &moves[i].Before, moves[i].After
		if after == nil {
			continue
		}
		for k := range after.Attempts {
			a := &after.Attempts[k]
			if a.State != gate.AttemptRefundDue || before.Attempts[k].State == gate.AttemptRefundDue {
				continue
			}
			if f := paymentOf(findings[i].payments, before, a); f != nil && f.Currency != s.opt.Currency {
				due, example = due+1, *f
			}
		}
	}
	if due > 0 {
		s.opt.Log.Error("payments are in another currency than --currency: they are refund due, and wait for a person, also with auto_refund. "+
			"If they are right, correct --currency", "sale", sale, "payments", due, "--currency", s.opt.Currency,
			"order", example.Order, "attempt", example.Attempt, "in", example.Currency)
	}
}

// refund cancels payments that were refund due before this look, and were found
// to be still charged. What came of it the next look tells.
func (s *Settler) refund(ctx context.Context, sale string, p policy, moves []gate.Move, findings []finding) {
	waiting, example := 0, gate.Payment{}
	for i := range moves {
		m := &moves[i]
		for _, a := range m.Before.Attempts {
			if a.State != gate.AttemptRefundDue {
				continue
			}
			f := paymentOf(findings[i].payments, &m.Before, &a)
			if f == nil || f.Balance <= 0 || f.State != gate.PaymentPaid && f.State != gate.PaymentPartCancelled {
				continue
			}
			if !p.mayCancel(&m.Before, f) {
				waiting, example = waiting+1, *f
				continue
			}
			err := s.opt.Payments.Cancel(ctx, portone.CancelRequest{
				Order: m.Before.ID, Attempt: a.ID, Version: a.Version, Balance: f.Balance,
				Reason: "no units were left for this payment", Key: refundKey(sale, m.Before.ID, a.ID, f.Balance),
			})
			m.Look = soon
			if err != nil {
				m.Look = s.opt.MinLook
				s.opt.Metrics.refunds.WithLabelValues(sale, "failed").Inc()
				s.opt.Log.Error("a payment that is refund due could not be cancelled: it is looked up and tried again",
					"sale", sale, "order", m.Before.ID, "attempt", a.ID, "error", err)
				continue
			}
			s.opt.Metrics.refunds.WithLabelValues(sale, "sent").Inc()
			s.opt.Log.Info("a payment that was refund due was cancelled", "sale", sale, "order", m.Before.ID, "attempt", a.ID)
		}
	}
	if waiting > 0 {
		s.opt.Log.Warn("payments that are refund due wait for a person: they are in another currency than --currency, or were for a gate that looked before",
			"sale", sale, "payments", waiting, "--currency", p.currency, "order", example.Order, "attempt", example.Attempt, "in", example.Currency)
	}
}

// refundKey is the same for the same cancellation, whichever gate sends it.
func refundKey(sale, order, attempt string, balance int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%d", sale, order, attempt, balance))
	return "flashgate-" + hex.EncodeToString(sum[:16])
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

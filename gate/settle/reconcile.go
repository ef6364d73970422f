package settle

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

const (
	// reconcileEvery is how often PortOne is asked what has changed: a call or two a
	// minute for all sales of a gate together.
	reconcileEvery = 40 * time.Second
	// reconcileLease is how long a sale is left to the gate that reads, from each page on.
	// At the end it is left to it until its next turn.
	reconcileLease = time.Minute
	restLease      = reconcileEvery + 5*time.Second
	// longestRest bounds the pauses after a list could not be read.
	longestRest = 5 * time.Minute

	// readAgain is how much of what was read before is read again: PortOne may list a change
	// later than it says it was.
	readAgain = 2 * time.Minute
	// quiet is how far the end of a list is trusted where nothing has changed: PortOne's
	// clock tells only by changes, and may be this far behind.
	quiet = 5 * time.Minute
	// young is how long after its units were taken an order needs no word of PortOne's: it
	// is looked up soon.
	young = 2 * time.Minute
)

// Reconciled is what reconciling needs of a store.
type Reconciled interface {
	// ClaimReconciling makes the holder of a token the one that reconciles a sale. It
	// returns gate.ErrClaimed while somebody else does, and gate.ErrNoSale.
	ClaimReconciling(ctx context.Context, sale, token string, lease time.Duration) (gate.Reconciling, error)
	// KeepReconciling renews its lease, and MarkReconciled writes down how far it has come
	// too. They return gate.ErrClaimed where somebody else reconciles the sale by now.
	KeepReconciling(ctx context.Context, sale, token string, lease time.Duration) error
	MarkReconciled(ctx context.Context, sale, token string, lease time.Duration, version gate.Version,
		m gate.Mark) error
	Orders(ctx context.Context, sale string, ids []string) (orders []gate.Order, faults []error, err error)
	// Again has orders looked up again, and Look those that nobody would look at.
	Again(ctx context.Context, sale string, ids []string, in time.Duration) (known int, err error)
	Look(ctx context.Context, sale string, ids []string) (known, added int, err error)
}

// Changes is what reconciling needs of PortOne.
type Changes interface {
	Versions() []gate.Version
	EachChanged(ctx context.Context, version gate.Version, since, begun time.Time,
		do func(page []portone.Changed) (isNew bool, err error)) (until time.Time, all bool, err error)
}

// ReconcilerDeps are the dependencies of a Reconciler. All are needed.
type ReconcilerDeps struct {
	Store   Reconciled
	Changes Changes
	Sales   func() map[string]*gate.Settings // that this gate knows
	Metrics *ReconcileMetrics
	Now     func() time.Time // the gate's own clock
	Log     *slog.Logger
}

// ReconcilerOptions of a Reconciler. Currency is needed.
type ReconcilerOptions struct {
	Currency string // that payments must be in, such as "KRW"
	Test     bool   // payments of a test channel count too
}

// Reconciler reads PortOne's lists of changes. If a list differs from the record of an order, the
// order is looked up; the list itself decides nothing. So a payment that was cancelled at PortOne, or
// approved late, is found even if its webhook is lost and its order is not looked at any more. Each
// sale is reconciled by one gate at a time, from its opening until a while after its end.
type Reconciler struct {
	deps  ReconcilerDeps
	opt   ReconcilerOptions
	token string
	shown map[string]bool // sales whose age the metrics show
	rests [3]rest         // by PortOne's version
}

// rest is how long a list is left alone that could not be read.
type rest struct {
	pause time.Duration
	until time.Time
}

// NewReconciler returns a reconciler that does nothing until Run.
func NewReconciler(deps ReconcilerDeps, opt ReconcilerOptions) *Reconciler {
	return &Reconciler{deps: deps, opt: opt, token: rand.Text(), shown: map[string]bool{}}
}

// Run reconciles until ctx is done. Then it leaves the sales to the other gates.
func (r *Reconciler) Run(ctx context.Context) {
	ticker := time.NewTicker(reconcileEvery)
	defer ticker.Stop()
	for {
		mine := r.turn(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			for _, s := range mine {
				_ = r.deps.Store.KeepReconciling(last, s.name, r.token, 0) // else its lease ends it
			}
			return
		}
	}
}

// reconciled is a sale that this gate reconciles.
type reconciled struct {
	name     string
	settings *gate.Settings
	gate.Reconciling
}

// since is from when on the changes of a version are to be read.
func (s *reconciled) since(version gate.Version) time.Time {
	if until := s.Marks[version].Until; !until.IsZero() {
		return until.Add(-readAgain)
	}
	return s.settings.OpensAt.Add(-readAgain)
}

// turn reads once what has changed, for all sales that no other gate reconciles.
func (r *Reconciler) turn(ctx context.Context) []*reconciled {
	mine := r.claim(ctx)
	if len(mine) == 0 {
		return nil
	}
	var both sync.WaitGroup
	for _, version := range r.deps.Changes.Versions() {
		both.Go(func() { r.reconcile(ctx, version, mine) })
	}
	both.Wait()
	return mine
}

// claim returns the sales that are to be reconciled and that no other gate reconciles.
func (r *Reconciler) claim(ctx context.Context) (mine []*reconciled) {
	sales, now := r.deps.Sales(), r.deps.Now()
	shown := map[string]bool{}
	for _, sale := range slices.Sorted(maps.Keys(sales)) {
		settings := sales[sale]
		if settings == nil || now.Before(settings.OpensAt) || now.After(settings.ReconciledUntil()) {
			continue
		}
		r.deps.Metrics.initSale(sale)
		state, err := r.deps.Store.ClaimReconciling(ctx, sale, r.token, reconcileLease)
		switch {
		case err == nil:
			mine, shown[sale] = append(mine, &reconciled{sale, settings, state}), true
		case errors.Is(err, gate.ErrClaimed), errors.Is(err, gate.ErrNoSale):
		case ctx.Err() == nil:
			shown[sale] = r.shown[sale]
			r.deps.Metrics.failed.WithLabelValues(sale).Inc()
			r.deps.Log.Warn("a sale could not be compared with PortOne: it is tried again", "sale", sale, "in",
				reconcileEvery, "error", err)
		}
	}
	for sale := range r.shown {
		if !shown[sale] { // another gate shows it, or it is over
			r.deps.Metrics.age.DeletePartialMatch(prometheus.Labels{"sale": sale})
		}
	}
	r.shown = shown
	return mine
}

// reconcile reads what has changed of one version, and writes down how far. What it could
// not do for one sale it does for the others.
func (r *Reconciler) reconcile(ctx context.Context, version gate.Version, mine []*reconciled) {
	defer r.show(version, mine)
	if r.resting(version) {
		return
	}
	since, begun := mine[0].since(version), mine[0].settings.OpensAt
	for _, s := range mine {
		if from := s.since(version); from.Before(since) {
			since = from
		}
		if s.settings.OpensAt.Before(begun) {
			begun = s.settings.OpensAt
		}
	}
	failed := map[string]error{} // by sale
	until, all, err := r.deps.Changes.EachChanged(ctx, version, since, begun,
		func(page []portone.Changed) (isNew bool, err error) {
			for _, s := range mine {
				if failed[s.name] != nil {
					continue
				}
				found, err := r.compare(ctx, s, page)
				if err != nil {
					failed[s.name] = err
				}
				isNew = isNew || found > 0
			}
			if len(failed) == len(mine) {
				return false, failed[mine[0].name]
			}
			return isNew, ctx.Err()
		})
	if ctx.Err() != nil {
		return
	}
	r.rest(version, err)
	for _, s := range mine {
		problem := failed[s.name] // then its mark stays, and all is compared again
		if problem == nil {
			if err != nil {
				r.trouble(s.name, version, err)
			}
			m := advanced(s.Marks[version], s.Now, until, all, err)
			if problem = r.deps.Store.MarkReconciled(ctx, s.name, r.token, restLease, version, m); problem == nil {
				s.Marks[version] = m
			}
		}
		if problem != nil && !errors.Is(problem, gate.ErrClaimed) && !errors.Is(problem, gate.ErrNoSale) {
			r.trouble(s.name, version, problem)
		}
	}
}

// advanced is a mark after a list was read until some time, to its end or not. It never
// goes back.
func advanced(m gate.Mark, now, until time.Time, all bool, err error) gate.Mark {
	if m.Trouble = ""; err != nil {
		m.Trouble = err.Error()
	}
	if latest := now.Add(gate.ClockTolerance); until.After(latest) { // of a payment with a time yet to come
		until = latest
	}
	if until.After(m.Until) {
		m.Until = until
	}
	if all {
		m.Read = now
		if at := now.Add(-quiet); at.After(m.Until) {
			m.Until = at
		}
	}
	return m
}

// resting reports whether a list is left alone because it could not be read.
func (r *Reconciler) resting(version gate.Version) bool {
	return r.deps.Now().Before(r.rests[version].until)
}

// rest leaves a list alone for a while that could not be read, ever longer.
func (r *Reconciler) rest(version gate.Version, err error) {
	if err == nil || errors.Is(err, gate.ErrClaimed) {
		r.rests[version] = rest{}
		return
	}
	pause := min(max(2*r.rests[version].pause, reconcileEvery), longestRest)
	r.rests[version] = rest{pause, r.deps.Now().Add(pause - reconcileEvery/2)} // turns come at their own time
}

func (r *Reconciler) trouble(sale string, version gate.Version, err error) {
	r.deps.Metrics.failed.WithLabelValues(sale).Inc()
	r.deps.Log.Warn("a sale was not compared with all changes at PortOne: the next turn begins at the same place",
		"sale", sale, "version", version, "error", err)
}

// show shows how old the sales' marks are.
func (r *Reconciler) show(version gate.Version, mine []*reconciled) {
	now := r.deps.Now()
	for _, s := range mine {
		read := s.Marks[version].Read
		if read.IsZero() {
			read = s.settings.OpensAt
		}
		r.deps.Metrics.age.WithLabelValues(s.name, version.String()).Set(max(0, now.Sub(read).Seconds()))
	}
}

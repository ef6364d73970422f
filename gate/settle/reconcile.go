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
	// reconcileEvery is the pause between two reads of PortOne's lists: one or two calls a minute
	// for all sales of a gate together.
	reconcileEvery = 40 * time.Second
	// reconcileLease is the lease on a sale, renewed with each page. After the last page it lasts
	// until the gate's next turn.
	reconcileLease = time.Minute
	restLease      = reconcileEvery + 5*time.Second
	// longestRest is the longest pause after a list could not be read.
	longestRest = 5 * time.Minute

	// readAgain is how far before the last mark reading starts: PortOne may list a change later
	// than the change's own time.
	readAgain = 2 * time.Minute
	// quiet is how far before now the mark stays if nothing has changed: only changes show
	// PortOne's clock, and it may be this far behind.
	quiet = 5 * time.Minute
	// young is the age up to which an order is not compared: its first look-up comes soon.
	young = 2 * time.Minute
)

// Reconciled is what a Reconciler needs of a store.
type Reconciled interface {
	// ClaimReconciling lets the holder of a token reconcile a sale. It returns gate.ErrClaimed
	// while another gate has the lease, and gate.ErrNoSale.
	ClaimReconciling(ctx context.Context, sale, token string, lease time.Duration) (gate.Reconciling, error)
	// KeepReconciling renews the lease; MarkReconciled also writes down how far the list was read.
	// Both return gate.ErrClaimed if another gate has the lease by now.
	KeepReconciling(ctx context.Context, sale, token string, lease time.Duration) error
	MarkReconciled(ctx context.Context, sale, token string, lease time.Duration, version gate.Version,
		m gate.Mark) error
	Orders(ctx context.Context, sale string, ids []string) (orders []gate.Order, faults []error, err error)
	// Again makes orders due, and Look those that are missing from the queues.
	Again(ctx context.Context, sale string, ids []string, in time.Duration) (known int, err error)
	Look(ctx context.Context, sale string, ids []string) (known, added int, err error)
}

// Changes is what a Reconciler needs of PortOne.
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

// rest is the pause after a list could not be read.
type rest struct {
	pause time.Duration
	until time.Time
}

// NewReconciler returns a reconciler that does nothing until Run.
func NewReconciler(deps ReconcilerDeps, opt ReconcilerOptions) *Reconciler {
	return &Reconciler{deps: deps, opt: opt, token: rand.Text(), shown: map[string]bool{}}
}

// Run reconciles until ctx is done. Then it gives its leases up and returns.
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
				_ = r.deps.Store.KeepReconciling(last, s.name, r.token, 0) // if it fails, the lease ends by itself
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

// since is the time from which the changes of a version are read.
func (s *reconciled) since(version gate.Version) time.Time {
	if until := s.Marks[version].Until; !until.IsZero() {
		return until.Add(-readAgain)
	}
	return s.settings.OpensAt.Add(-readAgain)
}

// turn reads PortOne's lists once, for all sales that no other gate reconciles.
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

// claim claims the sales that are to be reconciled, and returns those that no other gate has.
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

// reconcile reads the changes of one version, and writes down how far it read. If that fails for
// one sale, it goes on with the others.
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
		problem := failed[s.name] // its mark stays, so everything is compared again
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

// advanced is a mark after a list was read up to time until; all says whether that was its end. A
// mark never goes back.
func advanced(m gate.Mark, now, until time.Time, all bool, err error) gate.Mark {
	if m.Trouble = ""; err != nil {
		m.Trouble = err.Error()
	}
	if latest := now.Add(gate.ClockTolerance); until.After(latest) { // of a payment whose time is in the future
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

// resting reports whether a list is left alone after it could not be read.
func (r *Reconciler) resting(version gate.Version) bool {
	return r.deps.Now().Before(r.rests[version].until)
}

// rest leaves a list alone after it could not be read, twice as long each time.
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

package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoSale says that a store has no sale of that name, not even a tombstone.
var ErrNoSale = errors.New("no such sale")

// refreshEvery is how often the sales are read, so how soon a new sale is known
// and a changed one counts at every gate.
const refreshEvery = time.Second

// Store is what the gate needs of a store.
type Store interface {
	// Sales returns the names of the sales, in no order.
	Sales(ctx context.Context) ([]string, error)
	// Sale reads a sale, or its tombstone. It returns ErrNoSale where there is neither.
	Sale(ctx context.Context, name string) (State, error)
	// Decider returns a sale's decider, which connects when it is first used.
	Decider(sale string) Decider
}

// Options of a Gate. Log and Now are needed, the rest has defaults.
type Options struct {
	Queue int           // confirms that may wait in one lane; default 16384
	Try   time.Duration // bound of one store call, with its wait for replicas; default 500 ms
	Now   func() time.Time
	Log   *slog.Logger
}

// Gate knows the sales and has a lane for each.
type Gate struct {
	store   Store
	opt     Options
	metrics *Metrics
	lanes   atomic.Pointer[map[string]*Lane] // replaced, never changed
	pool    sync.Pool
	running sync.WaitGroup
	trouble string // what went wrong in the last refresh, logged when it changes
}

// New returns a gate that knows no sale until Load or Run.
func New(store Store, metrics *Metrics, opt Options) *Gate {
	if opt.Queue == 0 {
		opt.Queue = 16384
	}
	if opt.Try == 0 {
		opt.Try = 500 * time.Millisecond
	}
	g := &Gate{store: store, opt: opt, metrics: metrics}
	g.pool.New = func() any { return &Request{decided: make(chan struct{}, 1)} }
	return g
}

// MaxTry is the longest bound of one store call that lets the gate answer
// within its budget: two tries, and as long again in the queue before them.
const MaxTry = (AnswerBudget - answerReserve) / (tries + 1)

// Request returns an empty request for one confirm.
func (g *Gate) Request(received time.Time) *Request {
	r := g.pool.Get().(*Request)
	r.Received = received
	return r
}

// Release takes a request back. Nothing of it may be used afterwards.
func (g *Gate) Release(r *Request) {
	r.Confirm.Reset()
	r.verdict = Verdict{}
	g.pool.Put(r)
}

// Lane returns the lane of a sale.
func (g *Gate) Lane(sale []byte) (*Lane, bool) {
	lanes := g.lanes.Load()
	if lanes == nil {
		return nil, false
	}
	l, ok := (*lanes)[string(sale)]
	return l, ok
}

// Ready reports whether the sales have been read. A store that fails later does
// not change it: then the answer is a refusal, and taking every gate out of the
// load balancer would not help.
func (g *Gate) Ready() bool { return g.lanes.Load() != nil }

// Run reads the sales every second until ctx is done, then closes the lanes:
// what waits in them is still decided. It returns when all of them have ended,
// and needs to be called once.
func (g *Gate) Run(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		g.refresh(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			g.close()
			return
		}
	}
}

// refresh reads the sales and logs what goes wrong, once.
func (g *Gate) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*refreshEvery)
	defer cancel()
	err := g.load(ctx)
	trouble := ""
	if err != nil && ctx.Err() != context.Canceled {
		trouble = err.Error()
	}
	if trouble != g.trouble && trouble != "" {
		g.opt.Log.Error("the sales could not be read from the store: going on with what is known", "error", err)
	} else if trouble == "" && g.trouble != "" {
		g.opt.Log.Info("the sales are read from the store again")
	}
	g.trouble = trouble
}

func (g *Gate) load(ctx context.Context) error {
	names, err := g.store.Sales(ctx)
	if err != nil {
		return fmt.Errorf("list the sales: %w", err)
	}
	old := map[string]*Lane{}
	if p := g.lanes.Load(); p != nil {
		old = *p
	}
	wanted := make(map[string]bool, len(names)+len(old))
	for _, name := range names {
		wanted[name] = true
	}
	for name := range old {
		wanted[name] = true
	}
	lanes := make(map[string]*Lane, len(wanted))
	var gone []*Lane
	var problems []error
	for name := range wanted {
		state, err := g.store.Sale(ctx, name)
		lane := old[name]
		switch {
		case err != nil && lane == nil:
			if !errors.Is(err, ErrNoSale) { // a name without a sale is one that is just being made
				problems = append(problems, fmt.Errorf("read sale %s: %w", name, err))
			}
		case err != nil:
			lanes[name] = lane
			if errors.Is(err, ErrNoSale) {
				err = errors.New("it is gone from the store without having been deleted, and its payments are refused")
			}
			problems = append(problems, fmt.Errorf("read sale %s: %w", name, err))
		case !state.Deleted.IsZero():
			if lane != nil {
				gone = append(gone, lane)
			}
		default:
			lanes[name] = g.update(lane, &state)
		}
	}
	if err := errors.Join(problems...); err != nil && len(lanes) < len(names) && len(old) == 0 {
		return err // not ready before every sale has been read once
	}
	g.lanes.Store(&lanes)
	for _, lane := range gone {
		g.opt.Log.Info("a sale was deleted", "sale", lane.name)
		lane.close()
		g.metrics.forget(lane.name)
	}
	if len(problems) == 0 {
		g.metrics.refreshed.SetToCurrentTime()
	}
	return errors.Join(problems...)
}

// update gives a lane the newest settings, and makes it where there is none.
func (g *Gate) update(lane *Lane, state *State) *Lane {
	if lane == nil {
		lane = g.newLane(state)
		g.opt.Log.Info("a sale is known", "sale", state.Name, "run", state.Run, "phase", state.Phase(state.Now),
			"opens_at", state.OpensAt, "closes_at", state.ClosesAt)
	} else if c := lane.catalogue.Load(); c.version != state.Version || c.sale.Run != state.Run {
		lane.catalogue.Store(newCatalogue(state))
		g.opt.Log.Info("a sale has new settings", "sale", state.Name, "run", state.Run, "version", state.Version)
	}
	g.metrics.show(state, lane, g.opt.Now())
	return lane
}

func (g *Gate) newLane(state *State) *Lane {
	l := &Lane{
		name:     state.Name,
		decider:  g.store.Decider(state.Name),
		patience: AnswerBudget - answerReserve - tries*g.opt.Try,
		try:      g.opt.Try,
		now:      g.opt.Now,
		log:      g.opt.Log,
		breaker:  newBreaker(state.Name, g.opt.Log),
		metrics:  g.metrics.lane(state.Name),
		queue:    make(chan *Request, g.opt.Queue),
		ended:    make(chan struct{}),
	}
	l.catalogue.Store(newCatalogue(state))
	g.running.Go(func() { l.run(context.Background()) })
	return l
}

// close ends all lanes. A lane that still has confirms decides them first, each
// within its bounds, so this needs no deadline.
func (g *Gate) close() {
	if lanes := g.lanes.Load(); lanes != nil {
		for _, lane := range *lanes {
			lane.close()
		}
	}
	g.running.Wait()
}

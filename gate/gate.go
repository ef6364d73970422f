package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoSale says that a store has no sale of that name, not even a tombstone.
var ErrNoSale = errors.New("no such sale")

// refreshEvery is how often the sales are read: often enough that a new sale is
// known, and a changed one counts, at every gate within a second.
const refreshEvery = 500 * time.Millisecond

const refreshTimeout = 2 * time.Second

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
	Keys  *Keys         // that links are signed with; Unsigned takes links that nobody signed, nil takes none
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

// Sales returns the settings of each sale that is known, by name. What they
// point to must not be changed.
func (g *Gate) Sales() map[string]*Settings {
	sales := map[string]*Settings{}
	if lanes := g.lanes.Load(); lanes != nil {
		for name, lane := range *lanes {
			sales[name] = lane.Settings()
		}
	}
	return sales
}

// Ready reports whether the sales have been read. A store that fails later does
// not change it: then the answer is a refusal, and taking every gate out of the
// load balancer would not help.
func (g *Gate) Ready() bool { return g.lanes.Load() != nil }

// Run reads the sales twice a second until ctx is done, then closes the lanes:
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
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
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

// load reads every sale, then makes the lanes match. Before every sale was read
// once the gate has none.
func (g *Gate) load(ctx context.Context) error {
	old := map[string]*Lane{}
	if p := g.lanes.Load(); p != nil {
		old = *p
	}
	states, problem := g.read(ctx, old)
	if problem != nil && !g.Ready() {
		return problem
	}
	lanes := make(map[string]*Lane, len(states))
	for name, lane := range old {
		if state := states[name]; state == nil || state.Deleted.IsZero() {
			lanes[name] = lane
		}
	}
	for name, state := range states {
		if state.Deleted.IsZero() {
			lanes[name] = g.update(lanes[name], state)
		}
	}
	g.lanes.Store(&lanes)
	for name, lane := range old {
		if lanes[name] == nil {
			g.opt.Log.Info("a sale was deleted", "sale", name)
			lane.close()
			g.metrics.forget(name)
		}
	}
	if problem == nil {
		g.metrics.refreshed.SetToCurrentTime()
	}
	return problem
}

// read returns the states of the sales that are listed or known, without those
// that could not be read.
func (g *Gate) read(ctx context.Context, known map[string]*Lane) (map[string]*State, error) {
	listed, err := g.store.Sales(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the sales: %w", err)
	}
	states := make(map[string]*State, len(listed))
	var problems []error
	for _, name := range slices.Concat(listed, slices.Collect(maps.Keys(known))) {
		if states[name] != nil {
			continue
		}
		state, err := g.store.Sale(ctx, name)
		switch {
		case err == nil:
			states[name] = &state
		case errors.Is(err, ErrNoSale) && known[name] == nil: // its name outlived it, or comes before it
		case errors.Is(err, ErrNoSale):
			problems = append(problems, fmt.Errorf("sale %s is gone from the store without having been deleted: its payments are refused", name))
		default:
			problems = append(problems, fmt.Errorf("read sale %s: %w", name, err))
		}
	}
	return states, errors.Join(problems...)
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
		keys:     g.opt.Keys,
		patience: AnswerBudget - answerReserve - tries*g.opt.Try,
		try:      g.opt.Try,
		now:      g.opt.Now,
		log:      g.opt.Log,
		metrics:  g.metrics.lane(state.Name),
		queue:    make(chan *Request, g.opt.Queue),
		ended:    make(chan struct{}),
	}
	l.breaker = l.newBreaker()
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

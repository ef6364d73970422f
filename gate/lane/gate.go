package lane

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

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/mirror"
)

// refreshEvery is the pause between two reads of the sales, so short that every gate knows a new or
// changed sale within a second.
const refreshEvery = 500 * time.Millisecond

const refreshTimeout = 2 * time.Second

// Store is what the gate needs of a store.
type Store interface {
	// Sales returns the names of the sales, in no order.
	Sales(ctx context.Context) ([]string, error)
	// Read reads sales, or their tombstones. A sale that has not changed since the last call costs
	// little. An error of one sale says nothing about the others.
	Read(ctx context.Context, names []string) map[string]gate.Reading
	// Expect makes the name of a missing sale known to all gates and commands.
	Expect(ctx context.Context, name string) error
	// Decider returns the decider of a sale's confirms. It connects when it is first used.
	Decider(sale string) gate.Decider
	// Granter returns the decider of the shop's answers on a sale's asking orders.
	Granter(sale string) gate.Decider
}

// Deps are the dependencies of a Gate. All but Keys and Shop are needed.
type Deps struct {
	Store   Store
	Metrics *Metrics
	Keys    *gate.Keys // that links are signed with; gate.Unsigned takes links that nobody signed, nil takes none
	Shop    Shop       // nil: sales that ask the shop, or look whether it is up, take nothing
	// Mirror makes the mirror of a sale. nil: the store is asked for every confirm.
	Mirror func(sale string) *mirror.Mirror
	Now    func() time.Time
	Log    *slog.Logger
}

// Options of a Gate.
type Options struct {
	Queue int // confirms that may wait in one lane; default 16384
	// CallTimeout bounds one store call, with its wait for replicas; default 500 ms.
	CallTimeout time.Duration
	// Expected are the sales that should be there, as those of the gate's file: one
	// that the store has nothing of is missing, also where nobody else knows of it.
	Expected []gate.Sale
}

// Gate knows the sales and has a lane for each.
type Gate struct {
	deps     Deps
	opt      Options
	expected map[string]gate.Sale
	lanes    atomic.Pointer[map[string]*Lane] // replaced, never changed
	readAt   time.Time                        // when the lanes were first there
	warm     atomic.Bool                      // Warm has been true
	pool     sync.Pool
	running  sync.WaitGroup
	trouble  string // the error of the last refresh, logged when it changes
}

// New returns a gate. It knows no sale until Run is called.
func New(deps Deps, opt Options) *Gate {
	if opt.Queue == 0 {
		opt.Queue = 16384
	}
	if opt.CallTimeout == 0 {
		opt.CallTimeout = 500 * time.Millisecond
	}
	if deps.Shop == nil {
		deps.Shop = noShop{}
	}
	g := &Gate{deps: deps, opt: opt, expected: map[string]gate.Sale{}}
	for _, sale := range opt.Expected {
		g.expected[sale.Name] = sale
	}
	g.pool.New = func() any { return gate.NewRequest() }
	return g
}

// MaxCallTimeout is the greatest CallTimeout that lets the gate answer within its budget: a request
// may wait in the queue for one call, and its own call has two tries.
const MaxCallTimeout = (AnswerBudget - answerReserve) / (tries + 1)

// Request returns an empty request for one confirm.
func (g *Gate) Request(received time.Time) *gate.Request {
	r := g.pool.Get().(*gate.Request)
	r.Received = received
	return r
}

// Release takes a request back for reuse. The caller must not use it afterwards.
func (g *Gate) Release(r *gate.Request) {
	r.Reset()
	g.pool.Put(r)
}

// Lane returns the lane of a sale, and whether there is one.
func (g *Gate) Lane(sale []byte) (*Lane, bool) {
	lanes := g.lanes.Load()
	if lanes == nil {
		return nil, false
	}
	l, ok := (*lanes)[string(sale)]
	return l, ok
}

// Since returns the entries of a sale's ledger behind one, as mirror.Mirror.Since does. It reports
// false also where there is no mirror, or none that is fresh.
func (g *Gate) Since(sale string, seq int64) (entries []*gate.Entry, more <-chan struct{}, ok bool) {
	l, known := g.Lane([]byte(sale))
	if !known || l.mirror == nil || !l.mirror.Fresh() {
		return nil, nil, false
	}
	return l.mirror.Since(seq)
}

// Sales returns the settings of each sale that the store has, by name. Callers must not change
// them.
func (g *Gate) Sales() map[string]*gate.Settings {
	sales := map[string]*gate.Settings{}
	if lanes := g.lanes.Load(); lanes != nil {
		for name, lane := range *lanes {
			if c := lane.catalogue.Load(); c.known() {
				sales[name] = &c.sale.Settings
			}
		}
	}
	return sales
}

// Ready reports whether the sales have been read. It stays true if the store fails later: confirms
// are then refused, and taking every gate out of the load balancer would not help.
func (g *Gate) Ready() bool { return g.lanes.Load() != nil }

// warmUp is how long a gate waits for its mirrors before it takes confirms without them.
const warmUp = 10 * time.Second

// Warm reports whether the mirrors of the sales that are followed are loaded, or were waited
// for long enough. It stays true from then on.
func (g *Gate) Warm() bool {
	if g.warm.Load() {
		return true
	}
	lanes := g.lanes.Load()
	if lanes == nil {
		return false
	}
	var cold []string
	for name, lane := range *lanes {
		if lane.mirror != nil && !lane.mirror.Settled() {
			cold = append(cold, name)
		}
	}
	switch {
	case len(cold) == 0:
	case g.deps.Now().Sub(g.readAt) < warmUp:
		return false
	default:
		slices.Sort(cold)
		g.deps.Log.Warn("the copies of some sales are not loaded yet: the gate takes confirms without them, and asks "+
			"Redis for each", "sales", cold)
	}
	g.warm.Store(true)
	return true
}

// Run reads the sales twice a second until ctx is done. Then it closes the lanes, which first
// decide all confirms that wait, and returns when they have ended. It must be called once.
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

// refresh reads the sales, and logs an error once.
func (g *Gate) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	err := g.load(ctx)
	trouble := ""
	if err != nil && ctx.Err() != context.Canceled {
		trouble = err.Error()
	}
	if trouble != g.trouble && trouble != "" {
		g.deps.Log.Error("the sales could not be read from the store: going on with what is known", "error", err)
	} else if trouble == "" && g.trouble != "" {
		g.deps.Log.Info("the sales are read from the store again")
	}
	g.trouble = trouble
}

// load reads every sale, then makes the lanes match. The gate has no lanes until every sale was
// read once, or was found to be unreadable.
func (g *Gate) load(ctx context.Context) error {
	old := map[string]*Lane{}
	if p := g.lanes.Load(); p != nil {
		old = *p
	}
	read, err := g.read(ctx, old)
	if err != nil && !g.Ready() {
		return err
	}
	lanes := maps.Clone(old)
	for name, r := range read.found {
		if r.State.Deleted.IsZero() {
			lanes[name] = g.update(lanes[name], &r)
		} else {
			delete(lanes, name)
		}
	}
	for name := range read.missing {
		lanes[name] = g.miss(lanes[name], name)
	}
	for name := range read.unreadable {
		lanes[name] = g.spoil(lanes[name], name)
	}
	if g.readAt.IsZero() {
		g.readAt = g.deps.Now()
	}
	g.lanes.Store(&lanes)
	for name, lane := range old {
		if lanes[name] == nil {
			lane.close()
			g.deps.Metrics.forget(name)
			g.deps.Log.Info("a sale was deleted", "sale", name)
		}
	}
	if err == nil {
		g.deps.Metrics.refreshed.SetToCurrentTime()
	}
	for name, listed := range read.missing {
		if !listed && lanes[name].lost() {
			err = errors.Join(err, g.deps.Store.Expect(ctx, name))
		}
	}
	return errors.Join(append(slices.Collect(maps.Values(read.unreadable)), err)...)
}

// read is what one refresh has read. Each sale is in at most one of the maps.
type read struct {
	found      map[string]gate.Reading
	missing    map[string]bool  // true if the store lists the name
	unreadable map[string]error // why
}

// read reads the sales that are listed, known or expected. Sales that the store did not answer for
// appear in the error only.
func (g *Gate) read(ctx context.Context, known map[string]*Lane) (read, error) {
	listed, err := g.deps.Store.Sales(ctx)
	if err != nil {
		return read{}, fmt.Errorf("list the sales: %w", err)
	}
	names := map[string]bool{}
	for name := range known {
		names[name] = false
	}
	for name := range g.expected {
		names[name] = false
	}
	for _, name := range listed {
		names[name] = true
	}
	r := read{
		found: make(map[string]gate.Reading, len(names)), missing: map[string]bool{},
		unreadable: map[string]error{},
	}
	var problems []error
	for name, reading := range g.deps.Store.Read(ctx, slices.Sorted(maps.Keys(names))) {
		_, isUnreadable := errors.AsType[*gate.UnreadableError](reading.Err)
		switch {
		case reading.Err == nil:
			r.found[name] = reading
		case errors.Is(reading.Err, gate.ErrNoSale):
			r.missing[name] = names[name]
		case isUnreadable:
			r.unreadable[name] = reading.Err
		default:
			problems = append(problems, reading.Err)
		}
	}
	return r, errors.Join(problems...)
}

// update gives a lane the newest settings, and makes the lane if it is nil.
func (g *Gate) update(lane *Lane, r *gate.Reading) *Lane {
	state := &r.State
	if lane == nil || !lane.catalogue.Load().known() {
		if lane == nil {
			lane = g.newLane(state)
		}
		lane.catalogue.Store(newCatalogue(state))
		lane.misses = 0
		g.deps.Log.Info("a sale is known", "sale", state.Name, "run", state.Run, "phase", state.Phase(state.Now),
			"opens_at", state.OpensAt, "closes_at", state.ClosesAt)
	} else if c := lane.catalogue.Load(); r.Set || c.version != state.Version || c.sale.Run != state.Run {
		lane.catalogue.Store(newCatalogue(state))
		g.deps.Log.Info("a sale has new settings", "sale", state.Name, "run", state.Run, "version", state.Version)
	}
	if state.Orders != (gate.OrderCounts{}) {
		lane.sold.Store(true) // and it stays so: what was read may be older than what was sold here
	}
	if lane.mirror != nil {
		lane.mirror.Watch(state)
	}
	g.deps.Metrics.clockOffset.Set(state.Ahead.Seconds())
	now := g.deps.Now()
	g.show(lane, &reading{state: state, ahead: state.Now.Sub(now), at: now, found: true})
	return lane
}

// show keeps how a sale was last read, for metrics and for buyers.
func (g *Gate) show(lane *Lane, last *reading) {
	lane.last.Store(last)
	g.deps.Metrics.stock.set(lane)
}

func (g *Gate) newLane(state *gate.State) *Lane {
	metrics := g.deps.Metrics.lane(state.Name)
	l := &Lane{
		name: state.Name, keys: g.deps.Keys, shop: g.deps.Shop, now: g.deps.Now, log: g.deps.Log,
		confirms: g.newQueue(state.Name, g.deps.Store.Decider(state.Name), metrics, g.opt.Queue),
		grants:   g.newQueue(state.Name, g.deps.Store.Granter(state.Name), metrics, 2*gate.MaxAsks),
	}
	l.catalogue.Store(newCatalogue(state))
	if g.deps.Mirror != nil {
		g.startMirror(l)
	}
	for _, q := range []*queue{l.confirms, l.grants} {
		g.running.Go(func() { q.run(context.Background()) })
	}
	return l
}

// startMirror keeps a copy of the lane's sale until the lane is closed.
func (g *Gate) startMirror(l *Lane) {
	ctx, cancel := context.WithCancel(context.Background())
	l.mirror = g.deps.Mirror(l.name)
	l.confirms.learn, l.grants.learn = l.mirror.Learn, l.mirror.Learn
	l.endMirror = cancel
	g.running.Go(func() { l.mirror.Run(ctx) })
}

// close ends all lanes. A lane decides the confirms that wait first, each within its bounds, so
// close needs no deadline.
func (g *Gate) close() {
	if lanes := g.lanes.Load(); lanes != nil {
		for _, lane := range *lanes {
			lane.close()
		}
	}
	g.running.Wait()
}

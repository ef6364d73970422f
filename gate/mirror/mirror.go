package mirror

import (
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
)

const (
	// FreshFor is how old the proof may be that a copy is the sale.
	FreshFor = 500 * time.Millisecond
	// pollWait is how long a follower waits for an entry. A copy whose last answer was
	// lost is still fresh when the next one comes.
	pollWait = 150 * time.Millisecond
	// pollEvery is the least time from one question to the next, so that a sale that
	// sells is not asked for each batch.
	pollEvery = 10 * time.Millisecond

	// mostAhead is how many accepted orders wait for the ledger to tell of them. A follower
	// that is so far behind costs memory, and its copy is of no use.
	mostAhead = 100_000

	leadTime  = time.Hour // before a sale opens, it is followed
	afterTime = time.Hour // and so long after the last order of it ended
)

// Mirror is a gate's copy of one sale.
type Mirror struct {
	sale     string
	follower gate.Follower
	metrics  *Metrics
	refused  prometheus.Counter
	loads    loadMetrics
	now      func() time.Time
	log      *slog.Logger
	wake     chan struct{} // has an element when a sale is to be followed

	picture atomic.Pointer[picture] // nil while there is no copy that may answer
	proven  atomic.Int64            // when the picture was the sale, after base
	base    time.Time
	offset  atomic.Int64 // Redis' clock minus the gate's, as the sale was last read
	doubted atomic.Bool  // it is in doubt

	mu      sync.RWMutex // the picture too changes under it
	fold    *gate.Fold   // the copy, or what is loaded of it; nil while there is none
	ready   bool         // the copy adds up
	newest  *gate.Entry  // that the copy has been told of; nil where the ledger has none
	ahead   []learned    // what this gate has accepted and the copy has not been told of
	waiting int          // orders in ahead
	overrun bool         // there were too many: the copy is of no more use
	told    int64        // the newest ledger entry that others of this gate have seen since the copy was begun
	differs bool         // the copy is not the sale, as was seen elsewhere
	frozen  *gate.Fold   // a copy that knows what the server may have lost; nil while there is none
	wanted  bool         // the sale is to be followed
	busy    time.Time    // when something of the sale was last seen to be unfinished
	trouble string       // why there is no copy, as it was last logged
	feed    feed
}

// learned are orders that this gate has accepted in one batch.
type learned struct {
	seq     int64 // of the batch's ledger entry
	changes []gate.Change
}

// picture is what of a copy is looked at for each confirm. It is never changed, only
// replaced.
type picture struct {
	run, version int64
	settings     *gate.Settings
	left         map[string]int64 // by SKU
}

// Deps are the dependencies of a Mirror. All are needed.
type Deps struct {
	Follower gate.Follower // of the sale
	Metrics  *Metrics
	Now      func() time.Time
	Log      *slog.Logger
}

// New returns the mirror of a sale. It knows nothing until Run is called.
func New(sale string, deps Deps) *Mirror {
	m := &Mirror{
		sale: sale, follower: deps.Follower, metrics: deps.Metrics, now: deps.Now, log: deps.Log,
		base: deps.Now(), wake: make(chan struct{}, 1),
	}
	deps.Metrics.watch(m)
	return m
}

// Watch tells the mirror the sale as it was last read. The mirror follows it from an hour before it
// opens until an hour after nothing of it is unfinished. A copy that differs from what was read
// answers nothing from then on.
func (m *Mirror) Watch(s *gate.State) {
	now := m.now()
	m.offset.Store(int64(s.Ahead))
	m.doubted.Store(s.Doubt != nil)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = max(m.told, s.Seq)
	if m.ready && differ(&m.fold.State, s) {
		m.disown()
	}
	begun := s.Deleted.IsZero() && !now.Before(s.OpensAt.Add(-leadTime))
	o := &s.Orders
	if now.Before(s.ClosesAt) || o.Asking+o.Held+o.Refunds+o.Requested > 0 {
		m.busy = now
	}
	m.wanted = begun && !m.busy.IsZero() && now.Sub(m.busy) < afterTime
	if m.wanted {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// differ reports whether two states of the sale that have the same number are not the same.
func differ(a, b *gate.State) bool {
	return a.Seq == b.Seq && (a.Run != b.Run || a.Deleted.IsZero() != b.Deleted.IsZero() ||
		a.Deleted.IsZero() && (a.Version != b.Version || a.Orders != b.Orders || !maps.Equal(a.Units, b.Units) ||
			!a.Settings.Equal(b.Settings)))
}

// Fresh reports whether the copy is known to be the sale as it was within FreshFor.
func (m *Mirror) Fresh() bool { return m.fresh(m.now()) != nil }

// Settled reports whether the mirror is fresh, or the sale is not to be followed.
func (m *Mirror) Settled() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return !m.wanted || m.Fresh()
}

// fresh returns the picture if it may be believed now, else nil.
func (m *Mirror) fresh(now time.Time) *picture {
	p := m.picture.Load()
	if p == nil || m.doubted.Load() || now.Sub(m.base)-time.Duration(m.proven.Load()) > FreshFor {
		return nil
	}
	return p
}

// Learn takes orders that this gate has accepted, before they are answered. Their
// ledger entry has that number.
func (m *Mirror) Learn(seq int64, changes []gate.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = max(m.told, seq)
	if m.fold == nil || m.overrun { // what is in Redis already will be loaded
		return
	}
	if m.ready && seq <= m.fold.Seq {
		if m.has(seq, changes) {
			return
		}
		m.disown()
	}
	m.ahead = append(m.ahead, learned{seq, changes})
	if m.waiting += len(changes); m.waiting > mostAhead {
		m.overrun, m.ahead, m.waiting = true, nil, 0
		m.picture.Store(nil)
	}
}

// has reports whether the copy was told of changes by that ledger entry or a later one.
func (m *Mirror) has(seq int64, changes []gate.Change) bool {
	for _, c := range changes {
		if kept, known := m.fold.Records[c.Order]; !known || kept.Seq < seq && kept.Record != c.Record {
			return false
		}
	}
	return true
}

// disown has the copy answer nothing from now on: it is not the sale.
func (m *Mirror) disown() {
	m.differs = true
	m.picture.Store(nil)
}

// State returns the sale as the copy has it, if that is fresh. It may be changed.
func (m *Mirror) State() (gate.State, bool) {
	if !m.Fresh() {
		return gate.State{}, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.ready {
		return gate.State{}, false
	}
	s := m.fold.State
	s.Units = maps.Clone(s.Units)
	return s, true
}

// find returns the record of an order that the copy has, or that this gate has accepted.
func (m *Mirror) find(order []byte) (record string, known bool) {
	for i := len(m.ahead) - 1; i >= 0; i-- {
		for j := range m.ahead[i].changes {
			if c := &m.ahead[i].changes[j]; c.Order == string(order) {
				return c.Record, true
			}
		}
	}
	kept, known := m.fold.Records[string(order)]
	return kept.Record, known
}

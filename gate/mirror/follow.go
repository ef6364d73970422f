package mirror

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	callTimeout  = 2 * time.Second        // of one call while a copy is loaded
	pause        = 100 * time.Millisecond // after a failure, doubled up to longestPause
	longestPause = 2 * time.Second
)

// errServer says that another server has the sale, or may have.
var errServer = errors.New("another Redis server has the sale: what the old one did not replicate is forgotten")

// errLost says that the server has less of a sale than the copy.
var errLost = errors.New("the server has lost a part of the sale")

// Run keeps the copy of the sale while the sale is to be followed, until ctx is done. It must be
// called once.
func (m *Mirror) Run(ctx context.Context) {
	defer func() {
		m.drop()
		m.metrics.forget(m)
		if err := m.follower.Close(); err != nil {
			m.log.Warn("could not close the connection of a mirror", "sale", m.sale, "error", err)
		}
	}()
	for wait := pause; ; {
		start := m.now()
		if !m.follows() {
			m.drop()
			select {
			case <-m.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		loaded, err := m.copy(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue
		}
		if loaded {
			wait = pause
		}
		m.failed(err)
		if took := m.now().Sub(start); !loaded && took > wait {
			wait = took // who reads a large sale in vain leaves Redis alone for as long
		}
		if gate.Pause(ctx, wait); ctx.Err() != nil {
			return
		}
		wait = min(2*wait, longestPause)
	}
}

// follows reports whether the sale is to be followed.
func (m *Mirror) follows() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.wanted
}

// drop forgets the copy, but not a frozen one.
func (m *Mirror) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.picture.Store(nil)
	m.fold, m.ready, m.newest = nil, false, nil
	m.ahead, m.waiting, m.overrun = nil, 0, false
	m.feed.end()
}

// failed does with the copy what its failure asks for. What fails over and over is logged once.
func (m *Mirror) failed(err error) {
	if m.trouble != err.Error() {
		m.trouble = err.Error()
		m.log.Warn("the copy of a sale is made anew: until then Redis is asked for every confirm", "sale", m.sale,
			"error", err)
	}
	if errors.Is(err, errServer) || errors.Is(err, errLost) {
		m.freeze()
	}
	m.drop()
}

// freeze keeps the copy for what only it may know. The oldest one is kept, which has
// seen no loss.
func (m *Mirror) freeze() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ready && m.frozen == nil {
		for _, l := range m.ahead {
			for _, c := range l.changes {
				m.fold.Learn(c, l.seq)
			}
		}
		m.frozen = m.fold
	}
}

// copy loads the sale and follows it as long as that is wanted. It reports whether the
// copy was of use for a while. It returns an error where the copy is of no more use.
func (m *Mirror) copy(ctx context.Context) (loaded bool, err error) {
	start := m.now()
	if err := m.load(ctx); err != nil {
		m.loads.failed.Inc()
		return false, fmt.Errorf("load it: %w", err)
	}
	m.loads.done.Inc()
	m.loads.took.Set(m.now().Sub(start).Seconds())
	m.trouble = ""
	return true, m.follow(ctx)
}

// follow keeps the copy the sale as long as that is wanted. It returns an error where the
// copy is of no more use.
func (m *Mirror) follow(ctx context.Context) error {
	server, connections := m.follower.Server()
	wait, stale, again := pollEvery, false, false
	for m.follows() {
		if again && m.newest == nil { // only this goroutine changes that
			return errors.New("the connection was lost, and the ledger has no entry to tell whether data was")
		}
		q := m.question(again)
		page, err := m.poll(ctx, q)
		is, made := m.follower.Server()
		switch {
		case errors.Is(err, gate.ErrNoSale):
			return errLost
		case is != server || is == "" && made != connections:
			return errServer
		case err == nil && made != connections && !again:
			again = true
			continue
		case err == nil:
			if err := m.apply(&page, q); err != nil {
				return err
			}
			if stale {
				m.log.Info("the copy of a sale is fresh again", "sale", m.sale)
			}
			wait, stale, again, connections = pollEvery, false, false, made
		case ctx.Err() == nil:
			again = true
			wait = min(2*wait, longestPause)
			if !stale && !m.Fresh() {
				m.log.Warn("the copy of a sale is not fresh: until it is, Redis is asked for every confirm",
					"sale", m.sale, "error", err)
				stale = true
			}
		}
		if gate.Pause(ctx, wait-m.now().Sub(q.asked)); ctx.Err() != nil {
			break
		}
	}
	return nil
}

// question is one for the entries behind the newest one of the copy.
type question struct {
	asked time.Time
	told  int64       // the newest ledger entry that was known in this gate when it was asked
	again *gate.Entry // the newest one of the copy, asked for once more; nil: it is not
}

// question prepares one. After a lost connection the newest entry is asked for again: a
// server that was a replica for a while has the same identity, and may have other entries.
func (m *Mirror) question(again bool) question {
	m.mu.RLock()
	defer m.mu.RUnlock()
	q := question{asked: m.now(), told: m.told}
	if again {
		q.again = m.newest
	}
	return q
}

// load makes the copy.
func (m *Mirror) load(ctx context.Context) error {
	before, err := m.state(ctx)
	if err != nil {
		return err
	}
	_, connections := m.follower.Server()
	fold := gate.NewFold(m.sale)
	fold.State = before
	m.mu.Lock()
	m.fold, m.ready, m.told, m.differs = fold, false, before.Seq, false
	m.ahead, m.waiting, m.overrun = nil, 0, false // what is accepted from now on is behind that state
	m.mu.Unlock()
	if err := m.scan(ctx, fold); err != nil {
		return err
	}
	after, err := m.state(ctx)
	if err != nil {
		return err
	}
	newest, err := m.catchUp(ctx, fold, &after)
	if err != nil {
		return err
	}
	if _, made := m.follower.Server(); made != connections {
		return errors.New("the connection was lost, and with it how far the orders were read")
	}
	if err := fold.Recount(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready, m.newest = true, newest
	m.feed.begin()
	return nil
}

func (m *Mirror) state(ctx context.Context) (gate.State, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	state, err := m.follower.State(ctx)
	if err == nil && !state.Deleted.IsZero() {
		err = errors.New("the sale is deleted")
	}
	return state, err
}

// scan reads all orders. It leaves Redis alone for as long as each call took, so that there is time
// for confirms. Orders that are changed meanwhile are in the ledger too.
func (m *Mirror) scan(ctx context.Context, fold *gate.Fold) error {
	for cursor := uint64(0); ; {
		asked := m.now()
		call, cancel := context.WithTimeout(ctx, callTimeout)
		page, next, err := m.follower.Scan(call, cursor)
		cancel()
		if err != nil {
			return err
		}
		answered := m.now()
		for _, c := range page {
			fold.Learn(c, fold.Seq)
		}
		if cursor = next; cursor == 0 {
			return nil
		}
		if gate.Pause(ctx, answered.Sub(asked)-m.now().Sub(answered)); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// catchUp folds the ledger into a copy, up to the sale as it was read. It returns the
// newest entry that it was told of, which may be one that the copy had before.
func (m *Mirror) catchUp(ctx context.Context, fold *gate.Fold, read *gate.State) (newest *gate.Entry, err error) {
	same := read.Seq >= fold.Seq && !differ(&fold.State, read)
	for from := fold.Seq - 1; from < read.Seq; from = fold.Seq {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		page, err := m.follower.Poll(call, from, pollWait)
		cancel()
		if err != nil {
			return nil, err
		}
		if len(page.Entries) == 0 && fold.Seq < read.Seq {
			return nil, cutShort(fold.Seq, read.Seq)
		}
		for _, newest = range page.Entries {
			if newest.Seq <= fold.Seq {
				continue
			}
			if err := fold.Apply(newest); err != nil {
				return nil, err
			}
			same = same && !differ(&fold.State, read)
		}
	}
	if !same {
		return nil, errLost
	}
	return newest, nil
}

func cutShort(ledger, sale int64) error {
	return fmt.Errorf("the ledger ends at entry %d, and the sale is at %d", ledger, sale)
}

// poll asks for what is new.
func (m *Mirror) poll(ctx context.Context, q question) (gate.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, FreshFor)
	defer cancel()
	from := m.fold.Seq // only this goroutine changes that
	if q.again != nil {
		from--
	}
	return m.follower.Poll(ctx, from, pollWait)
}

// apply folds the answer to a question into the copy, and shows what has become of it.
func (m *Mirror) apply(page *gate.Page, q question) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries := page.Entries
	if m.differs || page.Seq > 0 && page.Seq < m.fold.Seq {
		return errLost
	}
	if m.overrun {
		return fmt.Errorf("more than %d orders were accepted that the ledger has not told of", mostAhead)
	}
	if q.again != nil {
		if len(entries) == 0 || !reflect.DeepEqual(entries[0], q.again) {
			return errLost
		}
		entries = entries[1:]
	}
	if len(entries) == 0 && m.fold.Seq < page.Seq {
		return cutShort(m.fold.Seq, page.Seq)
	}
	for _, e := range entries {
		if err := m.fold.Apply(e); err != nil {
			return err
		}
		m.newest = e
		m.feed.add(e)
	}
	if page.Whole && m.fold.Seq < q.told {
		return errLost
	}
	if err := m.fold.Recount(); err != nil {
		return err
	}
	for len(m.ahead) > 0 && m.ahead[0].seq <= m.fold.Seq {
		m.waiting -= len(m.ahead[0].changes)
		m.ahead = m.ahead[1:]
	}
	if len(entries) > 0 || m.picture.Load() == nil {
		m.show()
		m.feed.tell()
	}
	if page.Whole {
		m.proven.Store(int64(q.asked.Sub(m.base)))
	}
	return nil
}

// show makes the copy what confirms are refused by.
func (m *Mirror) show() {
	if !m.fold.Deleted.IsZero() {
		m.picture.Store(nil)
		return
	}
	p := &picture{run: m.fold.Run, version: m.fold.Version, left: make(map[string]int64, len(m.fold.Units))}
	if last := m.picture.Load(); last != nil && last.run == p.run && last.version == p.version {
		p.settings = last.settings
	} else {
		p.settings = new(m.fold.Settings)
	}
	for sku, u := range m.fold.Units {
		p.left[sku] = u.Left
	}
	m.picture.Store(p)
}

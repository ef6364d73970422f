package shop

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	// parallel bounds the messages to one shop at a time. retries bounds those among them for
	// listed orders, so that these do not delay the others.
	parallel, retries = 16, 4
	// While fewer than window orders wait, more of the ledger is read, page entries at a time. An
	// entry may have the changes of a whole batch.
	window, page = 512, 64
)

// session sends one sale's changes to the shop as long as this gate has the lease. Only run uses
// its fields; each message is sent in a goroutine of its own.
type session struct {
	n        *Notifier
	sale     string
	token    string
	url      string        // the shop's URL
	leased   time.Time     // until when this gate has the sale, by its own clock
	d        gate.Delivery // as last read from the store
	at       time.Time     // when that was, by this gate's clock
	read     int64         // the newest ledger entry that was read
	more     bool          // the ledger has entries after read
	waiting  []*queue      // orders that are not listed, the one that has waited longest first
	queues   map[string]*queue
	due      []*queue                     // listed orders that are to be tried
	changed  map[string]*gate.Undelivered // changes of the list that are not in the store yet
	health   health
	running  sync.WaitGroup
	results  chan result
	sending  int // messages of waiting orders under way
	retrying int // messages of listed orders under way
	warned   bool
}

// queue is an order whose newest state the shop has not taken. An order has one place among those
// that wait, however often it changes.
type queue struct {
	order  string
	newest Event             // empty for a listed order: it is read again when it is tried
	from   int64             // the oldest ledger entry with a change that the shop does not know
	since  time.Time         // when that change was made
	listed *gate.Undelivered // nil if it is not listed
	tries  int               // tries while the shop is down
	busy   bool              // a message is under way
}

func newSession(n *Notifier, sale, token string, leased time.Time, d gate.Delivery) *session {
	s := &session{
		n: n, sale: sale, token: token, leased: leased, d: d, at: n.deps.Now(), read: d.Position,
		queues: map[string]*queue{}, changed: map[string]*gate.Undelivered{}, results: make(chan result, parallel),
	}
	if d.Trouble != "" {
		s.health = health{refused: manyRefused, probes: 1, trouble: d.Trouble}
	}
	for i := range d.Listed {
		u := &d.Listed[i]
		s.queues[u.Order] = &queue{order: u.Order, listed: u}
	}
	return s
}

// run sends changes until ctx is done, the sale has no URL any more, or another gate has it. Then
// it gives the sale up.
func (s *session) run(ctx context.Context) error {
	work, cancel := context.WithCancel(ctx)
	err := s.loop(work)
	cancel()
	s.running.Wait()
	close(s.results)
	for r := range s.results {
		s.account(work, r)
	}
	if err != nil {
		return err
	}
	last, cancelLast := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancelLast()
	_, err = s.n.deps.Store.KeepDelivery(last, s.sale, s.token, 0, s.progress())
	return err
}

// loop returns nil when the sale may be given up.
func (s *session) loop(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if err := s.sync(ctx); err != nil || s.url == "" {
			return err
		}
		for ticked := false; !ticked; {
			s.start(ctx)
			select {
			case r := <-s.results:
				s.account(ctx, r)
				ticked = s.more && len(s.waiting) < window/2
			case <-ticker.C:
				ticked = true
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// progress is what has changed since the last write to the store.
func (s *session) progress() gate.Progress {
	position := s.read
	for _, q := range s.waiting {
		position = min(position, q.from-1)
	}
	return gate.Progress{Position: position, Trouble: s.health.trouble, Listed: s.changed}
}

// sync writes down the progress, and reads new ledger entries. If the store is away, no message
// starts shortly before the lease ends. When the store is back, this gate goes on unless another
// one has taken the sale.
func (s *session) sync(ctx context.Context) error {
	asked, p := s.n.deps.Now(), s.progress()
	d, err := s.n.deps.Store.KeepDelivery(ctx, s.sale, s.token, lease, p)
	if err == nil {
		clear(s.changed)
		s.leased, s.at = asked.Add(lease), s.n.deps.Now()
		d.Position = p.Position
		s.d, s.url = d, s.n.url(s.sale)
		s.findDue()
		s.measure()
		err = s.fill(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		s.warned = false
		return nil
	case errors.Is(err, gate.ErrClaimed) || errors.Is(err, gate.ErrNoSale):
		return err
	case !s.warned:
		s.warned = true
		s.n.deps.Log.Warn("what the shop has taken could not be written down: it may be sent again", "sale",
			s.sale, "error", err)
	}
	return nil
}

// fill reads more of the ledger while there is room, for at most one tick, so that messages and the
// lease get their turn.
func (s *session) fill(ctx context.Context) error {
	s.more = s.d.Seq > s.read
	for began := s.n.deps.Now(); s.more && len(s.waiting) < window && s.n.deps.Now().Sub(began) < tick; {
		entries, err := s.n.deps.Store.Entries(ctx, s.sale, s.read, page)
		if err != nil {
			return err
		}
		for _, e := range entries {
			for _, event := range eventsOf(s.sale, s.d.Run, e, "") {
				s.add(event)
			}
			s.read = e.Seq
		}
		s.more = len(entries) > 0 && s.d.Seq > s.read
	}
	return nil
}

// add makes a change the newest state of its order. An order that waits keeps its place.
func (s *session) add(e Event) {
	q := s.queues[e.Order.Order]
	switch {
	case q == nil:
		q = &queue{order: e.Order.Order, newest: e}
		s.queues[q.order] = q
		s.wait(q, e.Seq)
	case q.listed != nil:
		s.list(q, e.Seq)
	default:
		q.newest = e
	}
}

// wait puts an order behind all that wait, with its changes since the entry from.
func (s *session) wait(q *queue, from int64) {
	q.from, q.since = from, q.newest.Timestamp
	s.waiting = append(s.waiting, q)
}

// leave removes an order from those that wait.
func (s *session) leave(q *queue) {
	s.waiting = slices.DeleteFunc(s.waiting, func(other *queue) bool { return other == q })
}

// list puts an order on the list, with the entry that has its newest state.
func (s *session) list(q *queue, newest int64) {
	u := gate.Undelivered{Order: q.order, Since: q.since}
	if q.listed != nil {
		u = *q.listed
	}
	u.Entry, u.GiveUp = newest, s.now().Add(giveUpAfter)
	s.put(q, &u)
}

// put changes an order's place in the list, or removes it if u is nil.
func (s *session) put(q *queue, u *gate.Undelivered) {
	q.listed = u
	s.changed[q.order] = u
	if u == nil {
		delete(s.queues, q.order)
	}
}

// findDue collects the listed orders that are to be tried.
func (s *session) findDue() {
	s.due = s.due[:0]
	for _, q := range s.queues {
		if q.listed != nil && !q.busy && q.listed.Due(s.d.Now, s.d.Retry) {
			s.due = append(s.due, q)
		}
	}
	slices.SortFunc(s.due, func(a, b *queue) int { return a.listed.Next.Compare(b.listed.Next) })
}

// now is the store's clock.
func (s *session) now() time.Time { return s.d.Now.Add(s.n.deps.Now().Sub(s.at)) }

// measure sets the gauges.
func (s *session) measure() {
	var oldest time.Time
	stuck := 0
	for _, q := range s.queues {
		since := q.since
		if q.listed != nil {
			since = q.listed.Since
			stuck++
		}
		if oldest.IsZero() || since.Before(oldest) {
			oldest = since
		}
	}
	age := 0.0
	if !oldest.IsZero() {
		age = max(0, s.d.Now.Sub(oldest).Seconds())
	}
	m := s.n.deps.Metrics
	m.lag.WithLabelValues(s.sale).Set(float64(s.d.Seq - s.d.Position))
	m.oldest.WithLabelValues(s.sale).Set(age)
	m.stuck.WithLabelValues(s.sale).Set(float64(stuck))
}

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
	// parallel bounds the messages to one shop at a time, and retries those of
	// them that are of listed orders, so that these do not keep the others waiting.
	parallel, retries = 16, 4
	// More of the ledger is read, a page at a time, while fewer orders than window
	// wait. An entry may have the changes of a whole batch.
	window, page = 512, 64
)

// session tells the shop of one sale's changes for as long as this gate has the lease.
// Only run uses its fields; each message goes out in a goroutine of its own.
type session struct {
	n        *Notifier
	sale     string
	token    string
	url      string        // the shop's URL
	leased   time.Time     // until when this gate has the sale, by its own clock
	d        gate.Delivery // as the store last told
	at       time.Time     // when it told that, by this gate's clock
	read     int64         // the newest ledger entry that was read
	more     bool          // there are entries after it
	waiting  []*queue      // orders that are not listed, the one that has waited longest first
	queues   map[string]*queue
	due      []*queue                     // listed orders that are to be tried
	changed  map[string]*gate.Undelivered // what of the list the store does not know yet
	health   health
	running  sync.WaitGroup
	results  chan result
	sending  int // messages of waiting orders under way
	retrying int // messages of listed orders under way
	warned   bool
}

// queue is what the shop has not taken of one order: its newest state alone. So an
// order has one place among those that wait, however often it changes.
type queue struct {
	order  string
	newest Event             // empty for a listed order: it is read again when it is tried
	from   int64             // the oldest ledger entry with a change that the shop does not know of
	since  time.Time         // when that was made
	listed *gate.Undelivered // nil where it is not listed
	tries  int               // while nothing gets through
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

// run tells the shop until ctx is done, the sale has no URL any more, or another
// gate has it, and gives the sale up.
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

// progress is what has been done since the store was last told.
func (s *session) progress() gate.Progress {
	position := s.read
	for _, q := range s.waiting {
		position = min(position, q.from-1)
	}
	return gate.Progress{Position: position, Trouble: s.health.trouble, Listed: s.changed}
}

// sync writes down what was done, and reads what is new. While the store is away, no
// message starts shortly before the lease ends. When the store is back, this gate goes on
// unless another one has taken the sale.
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

// fill reads more of the ledger while there is room, for one tick at most: then messages
// and the lease need their turn.
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

// add takes a change for the newest state of its order. An order that waits keeps
// its place.
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

// wait puts an order behind all that wait, with changes from an entry on.
func (s *session) wait(q *queue, from int64) {
	q.from, q.since = from, q.newest.Timestamp
	s.waiting = append(s.waiting, q)
}

// leave takes an order from those that wait.
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

// put gives an order another place in the list, or none.
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

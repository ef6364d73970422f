package shop

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	// The time between two tries of a listed order doubles within bounds.
	minBackoff, maxBackoff = time.Second, 5 * time.Minute
	// maxProbe bounds the time between two tries of a shop that takes nothing.
	maxProbe = 30 * time.Second
	// giveUpAfter is how long an order is tried after its newest change.
	giveUpAfter = 72 * time.Hour
	// manyRefused is how many orders a shop refuses one after the other, without
	// taking anything in between, until it counts as down.
	manyRefused = 8
	// maxProblem bounds what is kept of an error, in bytes.
	maxProblem = 200
)

// health is whether anything gets through to the shop. While nothing does, one
// order is tried at a time, each another one, and none is listed: the shop is in
// trouble, and not they. A breaker that counts calls alone would not do: it would
// try the one dead order over and over, and keep all others waiting behind it.
type health struct {
	refused int       // fresh orders in a row
	probes  int       // since it is down
	probe   time.Time // when it is tried next, by the store's clock
	trouble string    // empty while it is up
}

func (h *health) down() bool { return h.trouble != "" }

// result is what came of telling the shop of an order.
type result struct {
	q       *queue
	retry   bool  // the order was listed when it was tried
	through int64 // the ledger entry whose state of the order the shop has taken; 0 for none
	err     error // why it did not take it
	unread  error // why the state of a listed order could not be read
}

// start sends as many messages as may be under way. It sends none that might
// still be under way when another gate has the sale.
func (s *session) start(ctx context.Context) {
	if s.n.deps.Now().Add(2 * postTimeout).After(s.leased) {
		return
	}
	for len(s.due) > 0 && s.retrying < retries {
		q := s.due[0]
		s.due = s.due[1:]
		s.retrying++
		to, run, entry := s.url, s.d.Run, q.listed.Entry
		s.send(q, true, func() result { return s.redeliver(ctx, to, run, q.order, entry) })
	}
	if s.health.down() {
		if q := s.leastTried(); q != nil && s.sending == 0 && !s.now().Before(s.health.probe) {
			s.sendWaiting(ctx, q)
		}
		return
	}
	for _, q := range s.waiting {
		if s.sending+retries >= parallel {
			return
		}
		if !q.busy {
			s.sendWaiting(ctx, q)
		}
	}
}

func (s *session) sendWaiting(ctx context.Context, q *queue) {
	s.sending++
	to, newest := s.url, q.newest
	s.send(q, false, func() result { return s.deliver(ctx, to, &newest) })
}

func (s *session) send(q *queue, retry bool, do func() result) {
	q.busy = true
	s.running.Go(func() {
		r := do()
		r.q, r.retry = q, retry
		s.results <- r
	})
}

func (s *session) leastTried() *queue {
	if len(s.waiting) == 0 {
		return nil
	}
	return slices.MinFunc(s.waiting, func(a, b *queue) int { return a.tries - b.tries })
}

// deliver tells the shop of an order's newest state.
func (s *session) deliver(ctx context.Context, to string, e *Event) result {
	err := s.n.poster.deliver(ctx, to, e)
	s.count(ctx, err)
	if err != nil {
		return result{err: err}
	}
	return result{through: e.Seq}
}

func (s *session) count(ctx context.Context, err error) {
	outcome := "delivered"
	switch {
	case err != nil && ctx.Err() != nil:
		return // the gate gave it up, and not the shop
	case err != nil:
		outcome = "failed"
	}
	s.n.deps.Metrics.notified.WithLabelValues(s.sale, outcome).Inc()
}

// redeliver tells the shop of the newest state of a listed order, which is in this
// ledger entry.
func (s *session) redeliver(ctx context.Context, to string, run int64, order string, entry int64) result {
	entries, err := s.n.deps.Store.EntriesAt(ctx, s.sale, []int64{entry})
	if err != nil {
		return result{unread: err}
	}
	for _, e := range entries {
		if events := eventsOf(s.sale, run, e, order); len(events) > 0 {
			return s.deliver(ctx, to, &events[len(events)-1])
		}
	}
	return result{through: entry} // it is gone, with a run that is over
}

// account notes what came of a message.
func (s *session) account(ctx context.Context, r result) {
	q := r.q
	q.busy = false
	if r.retry {
		s.retrying--
	} else {
		s.sending--
	}
	if r.through > 0 {
		s.health = health{}
	}
	if r.retry {
		s.accountListed(ctx, r)
		return
	}
	switch {
	case r.err == nil:
		s.taken(q, r.through)
	case ctx.Err() == nil:
		s.refused(q, r.err)
	}
}

// taken notes that the shop has taken a fresh order's state as of an entry. An order
// that has changed meanwhile waits anew behind the others, so that it never keeps
// them from being told, however often it changes.
func (s *session) taken(q *queue, through int64) {
	s.leave(q)
	if q.newest.Seq > through {
		s.wait(q, through+1)
	} else {
		delete(s.queues, q.order)
	}
}

// refused notes that the shop did not take a fresh order's newest state.
func (s *session) refused(q *queue, err error) {
	h := &s.health
	if h.refused++; h.refused > manyRefused {
		if !h.down() {
			s.n.deps.Log.Error("the shop takes no messages: changes wait until it does", "sale", s.sale, "error", err)
		}
		q.tries++
		h.probes++
		h.probe, h.trouble = s.now().Add(backoff(h.probes, maxProbe)), problem(err)
		return
	}
	s.leave(q)
	s.list(q, q.newest.Seq)
	s.failed(q, err)
	s.n.deps.Log.Warn("the shop did not take a change of an order: it is tried again", "sale", s.sale, "order",
		q.order, "error", err)
}

// accountListed takes from the list what the shop has taken.
func (s *session) accountListed(ctx context.Context, r result) {
	q := r.q
	switch u := *q.listed; {
	case r.through >= u.Entry:
		s.put(q, nil)
		s.n.deps.Log.Info("the shop has taken the newest state of an order that was listed as undelivered", "sale",
			s.sale, "order", q.order)
		return
	case r.through > 0: // a change came meanwhile
		u.Tries, u.Since = 0, s.now()
		s.put(q, &u)
	}
	if err := errors.Join(r.err, r.unread); err != nil && ctx.Err() == nil {
		s.failed(q, err)
	}
}

// failed notes another try of a listed order that came to nothing.
func (s *session) failed(q *queue, err error) {
	u := *q.listed
	u.Tries++
	u.Tried, u.Error = s.now(), problem(err)
	u.Next = u.Tried.Add(backoff(u.Tries, maxBackoff))
	s.put(q, &u)
}

// backoff is how long to wait after so many tries: a second and then twice as
// long each time, up to most, more or less by half, so that many do not come at once.
func backoff(tries int, most time.Duration) time.Duration {
	d := min(minBackoff<<min(tries-1, 16), most)
	return d/2 + rand.N(d)
}

// problem is an error as it is kept: short.
func problem(err error) string {
	text := err.Error()
	if len(text) > maxProblem {
		text = strings.ToValidUTF8(text[:maxProblem], "") + "…"
	}
	return text
}

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
	// The bounds of the pause between two tries of a listed order. The pause doubles each time.
	minBackoff, maxBackoff = time.Second, 5 * time.Minute
	// maxProbe is the longest pause between two tries of a shop that takes nothing.
	maxProbe = 30 * time.Second
	// giveUpAfter is how long an order is tried after its newest change.
	giveUpAfter = 72 * time.Hour
	// manyRefused is how many refused orders in a row make a shop count as down.
	manyRefused = 8
	// maxProblem is the longest part of an error that is kept, in bytes.
	maxProblem = 200
)

// health is whether the shop takes messages. While it is down, one order is tried at a time, a
// different one each time, and none is listed: the fault is the shop's and not theirs. A breaker
// that only counts calls would try the same refused order over and over, with all others waiting
// behind it.
type health struct {
	refused int       // fresh orders refused in a row
	probes  int       // tries since it is down
	probe   time.Time // the next try, by the store's clock
	trouble string    // why it is down; empty while it is up
}

func (h *health) down() bool { return h.trouble != "" }

// result is the outcome of one message.
type result struct {
	q       *queue
	retry   bool  // the order was listed when it was tried
	through int64 // the ledger entry whose state the shop has taken; 0 if it took none
	err     error // why the shop did not take it
	unread  error // why the state of a listed order could not be read
}

// start sends as many messages as may be under way. It sends none shortly before the lease ends, so
// that none is under way when another gate has the sale.
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

// deliver sends an order's newest state to the shop.
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
		return // the gate gave up, not the shop
	case err != nil:
		outcome = "failed"
	}
	s.n.deps.Metrics.notified.WithLabelValues(s.sale, outcome).Inc()
}

// redeliver sends the newest state of a listed order, which is in the given ledger entry.
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
	return result{through: entry} // the entry is gone with an earlier run
}

// account notes the outcome of a message.
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

// taken notes that the shop has taken a fresh order's state as of an entry. If the order has
// changed meanwhile, it waits again behind the others, so that it never delays them, however often
// it changes.
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

// accountListed notes the outcome of a message about a listed order: if the shop has taken its
// newest state, it leaves the list.
func (s *session) accountListed(ctx context.Context, r result) {
	q := r.q
	switch u := *q.listed; {
	case r.through >= u.Entry:
		s.put(q, nil)
		s.n.deps.Log.Info("the shop has taken the newest state of an order that was listed as undelivered", "sale",
			s.sale, "order", q.order)
		return
	case r.through > 0: // the order changed meanwhile
		u.Tries, u.Since = 0, s.now()
		s.put(q, &u)
	}
	if err := errors.Join(r.err, r.unread); err != nil && ctx.Err() == nil {
		s.failed(q, err)
	}
}

// failed notes another failed try of a listed order.
func (s *session) failed(q *queue, err error) {
	u := *q.listed
	u.Tries++
	u.Tried, u.Error = s.now(), problem(err)
	u.Next = u.Tried.Add(backoff(u.Tries, maxBackoff))
	s.put(q, &u)
}

// backoff is the pause after the given number of tries: a second, then twice as long each time, up
// to most. It varies at random by half, so that not all orders come at once.
func backoff(tries int, most time.Duration) time.Duration {
	d := min(minBackoff<<min(tries-1, 16), most)
	return d/2 + rand.N(d)
}

// problem is the text of an error, cut to maxProblem.
func problem(err error) string {
	text := err.Error()
	if len(text) > maxProblem {
		text = strings.ToValidUTF8(text[:maxProblem], "") + "…"
	}
	return text
}

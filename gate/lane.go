package gate

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// AnswerBudget is the time from a request's first byte to its answer.
	// PortOne's documents say 10 s, its help centre 5 s.
	AnswerBudget = 4 * time.Second
	// answerReserve is kept for reading the request, writing the answer and a
	// busy machine.
	answerReserve = 500 * time.Millisecond
	// tries is how often a batch is sent: once, and once more after an error.
	tries = 2

	// MaxBatch bounds what one script call decides. Lua's unpack takes about
	// 8,000 values on Redis, and a call of this size lasts about 2 ms.
	MaxBatch = 256

	breakAfter = 2                      // batches failed in a row until the store is left alone
	breakFor   = 500 * time.Millisecond // how long it is left alone
)

// Decider decides batches of one sale. A lane makes one call at a time.
type Decider interface {
	// Decide sets the verdict of each request, or returns an error and has set
	// none. Deciding a batch again is safe: what it took, it does not take twice.
	// It returns soon after ctx is done.
	Decide(ctx context.Context, batch []*Request) error
	Close() error
}

// Request is one confirm on its way through the gate. Gate.Request returns one
// from a pool; it belongs to its handler until Gate.Release.
type Request struct {
	Confirm  Confirm
	Received time.Time // when its first byte came

	verdict Verdict
	decided chan struct{}
}

// Set tells the request its verdict. Only a Decider calls it; a request that it
// forgets stays Undecided.
func (r *Request) Set(v Verdict) { r.verdict = v }

// Verdict returns what was set.
func (r *Request) Verdict() Verdict { return r.verdict }

// Lane is the queue of one sale: it turns the confirms that wait into one call
// of its Decider. There is no timer, so a lone confirm is not delayed; while a
// call is under way the next batch gathers.
type Lane struct {
	name      string
	decider   Decider
	keys      *Keys
	catalogue atomic.Pointer[catalogue]
	patience  time.Duration // how long after its first byte a confirm may still be sent on
	try       time.Duration // bound of one call
	now       func() time.Time
	log       *slog.Logger
	breaker   *gobreaker.CircuitBreaker[struct{}]
	trouble   error // of the newest call without a decision
	misses    int   // readings in a row that found the sale missing
	metrics   *laneMetrics

	closing sync.RWMutex // held shared while a confirm is put into the queue
	closed  bool
	queue   chan *Request
	ended   chan struct{}
}

// Name returns the sale's name.
func (l *Lane) Name() string { return l.name }

// Settings returns the sale's settings as this gate last read them. The pointer
// stays the same until they change; what it points to must not be changed.
func (l *Lane) Settings() *Settings { return &l.catalogue.Load().sale.Settings }

// Confirm decides one confirm: r.Confirm holds what PortOne sent, link what the
// confirm_url claims. It waits for the store, but never longer than the answer
// budget.
func (l *Lane) Confirm(r *Request, link *Link) Verdict {
	now := l.now()
	if v, ok := l.keys.verify(l.name, r.Confirm.Order, link, now); !ok {
		return v
	}
	if v, ok := l.catalogue.Load().check(&r.Confirm, link, now); !ok {
		return v
	}
	if v, ok := l.enqueue(r); !ok {
		return v
	}
	<-r.decided
	return r.verdict
}

// enqueue reports whether the request waits for its verdict now.
func (l *Lane) enqueue(r *Request) (Verdict, bool) {
	l.closing.RLock()
	defer l.closing.RUnlock()
	if l.closed {
		return Refuse(Unavailable), false
	}
	select {
	case l.queue <- r:
		return Verdict{}, true
	default:
		return RefuseFor(QueueFull), false
	}
}

// run decides what comes into the queue until close.
func (l *Lane) run(ctx context.Context) {
	defer close(l.ended)
	batch := make([]*Request, 0, MaxBatch)
	for first := range l.queue {
		batch = l.gather(append(batch[:0], first))
		if len(batch) > 0 {
			l.decide(ctx, batch)
		}
		for _, r := range batch {
			r.decided <- struct{}{}
		}
	}
	if err := l.decider.Close(); err != nil {
		l.log.Warn("could not close the connection of a lane", "sale", l.name, "error", err)
	}
}

// gather adds what else is waiting, and refuses those past their time.
func (l *Lane) gather(batch []*Request) []*Request {
	for waiting := len(l.queue); waiting > 0 && len(batch) < MaxBatch; waiting-- {
		batch = append(batch, <-l.queue)
	}
	latest := l.now().Add(-l.patience)
	kept := batch[:0]
	for _, r := range batch {
		if r.Received.Before(latest) {
			r.verdict = RefuseFor(QueueTime)
			r.decided <- struct{}{}
			continue
		}
		kept = append(kept, r)
	}
	return kept
}

// decide has the batch decided, sending it once more after an error. Without a
// decision everyone in it is refused.
func (l *Lane) decide(ctx context.Context, batch []*Request) {
	l.metrics.batch.Observe(float64(len(batch)))
	_, err := l.breaker.Execute(func() (struct{}, error) {
		var err error
		for range tries {
			if err = l.call(ctx, batch); err == nil {
				break
			}
			for _, r := range batch { // a call that failed may have decided some
				r.verdict = Verdict{}
			}
		}
		return struct{}{}, err
	})
	if err != nil {
		for _, r := range batch {
			r.verdict = Refuse(Unavailable)
		}
	}
}

// call sends the batch once. A panic below costs the batch, not the gate.
func (l *Lane) call(ctx context.Context, batch []*Request) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			l.log.Error("deciding a batch made the gate panic", "sale", l.name, "panic", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, l.try)
	defer cancel()
	start := time.Now()
	err = l.decider.Decide(ctx, batch)
	l.metrics.call.Observe(time.Since(start).Seconds())
	if err != nil {
		l.trouble = err
		l.metrics.errors.Inc()
		l.log.Debug("a batch was not decided", "sale", l.name, "confirms", len(batch), "error", err)
	}
	return err
}

// close refuses new confirms, decides those that wait, and returns when the
// lane has ended.
func (l *Lane) close() {
	l.closing.Lock()
	l.closed = true
	close(l.queue)
	l.closing.Unlock()
	<-l.ended
}

func (l *Lane) newBreaker() *gobreaker.CircuitBreaker[struct{}] {
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        l.name,
		Timeout:     breakFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakAfter },
		OnStateChange: func(sale string, from, to gobreaker.State) {
			switch {
			case to == gobreaker.StateOpen && from == gobreaker.StateClosed:
				l.log.Error("the store does not decide: payments are refused until it does", "sale", sale, "error", l.trouble)
			case to == gobreaker.StateClosed:
				l.log.Info("the store decides again", "sale", sale)
			}
		},
	})
}

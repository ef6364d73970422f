package lane

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/flashgate/flashgate/gate"
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

	breakAfter = 2                      // batches failed in a row until the store is left alone
	breakFor   = 500 * time.Millisecond // how long it is left alone
)

// queue turns the requests that wait into calls of a Decider. There is no timer, so
// a lone one is not delayed; while a call is under way the next batch gathers.
type queue struct {
	sale    string
	decider gate.Decider
	maxWait time.Duration // how long after its first byte a request may still be sent on
	timeout time.Duration // of one call
	now     func() time.Time
	log     *slog.Logger
	breaker *gobreaker.CircuitBreaker[struct{}]
	trouble error // of the newest call without a decision
	metrics *laneMetrics

	closing sync.RWMutex // held shared while a request is put into the queue
	closed  bool
	waiting chan *gate.Request
	ended   chan struct{}
}

// newQueue returns the queue of a sale's decider, with room for so many requests.
// It decides none until run.
func (g *Gate) newQueue(sale string, decider gate.Decider, metrics *laneMetrics, room int) *queue {
	q := &queue{
		sale: sale, decider: decider, maxWait: maxQueueWait(g.opt.CallTimeout), timeout: g.opt.CallTimeout,
		now: g.opt.Now, log: g.opt.Log,
		metrics: metrics, waiting: make(chan *gate.Request, room), ended: make(chan struct{}),
	}
	q.breaker = q.newBreaker()
	return q
}

// maxQueueWait is what is left of the answer budget beside the tries of a call.
func maxQueueWait(callTimeout time.Duration) time.Duration {
	return AnswerBudget - answerReserve - tries*callTimeout
}

// dispatch has one request decided, and returns its verdict.
func (q *queue) dispatch(r *gate.Request) gate.Verdict {
	if v, ok := q.enter(r); !ok {
		return v
	}
	return r.Wait()
}

// enter reports whether the request waits for its verdict now.
func (q *queue) enter(r *gate.Request) (gate.Verdict, bool) {
	q.closing.RLock()
	defer q.closing.RUnlock()
	if q.closed {
		return gate.Refuse(gate.Unavailable), false
	}
	select {
	case q.waiting <- r:
		return gate.Verdict{}, true
	default:
		return gate.RefuseFor(gate.QueueFull), false
	}
}

// run decides what comes into the queue until close.
func (q *queue) run(ctx context.Context) {
	defer close(q.ended)
	batch := make([]*gate.Request, 0, gate.MaxBatch)
	for first := range q.waiting {
		batch = q.gather(append(batch[:0], first))
		if len(batch) > 0 {
			q.call(ctx, batch)
		}
		for _, r := range batch {
			r.Done()
		}
	}
	if err := q.decider.Close(); err != nil {
		q.log.Warn("could not close the connection of a lane", "sale", q.sale, "error", err)
	}
}

// gather adds what else is waiting, and refuses those past their time.
func (q *queue) gather(batch []*gate.Request) []*gate.Request {
	for waiting := len(q.waiting); waiting > 0 && len(batch) < gate.MaxBatch; waiting-- {
		batch = append(batch, <-q.waiting)
	}
	latest := q.now().Add(-q.maxWait)
	kept := batch[:0]
	for _, r := range batch {
		if r.Received.Before(latest) {
			r.Set(gate.RefuseFor(gate.QueueTime))
			r.Done()
			continue
		}
		kept = append(kept, r)
	}
	return kept
}

// call has the batch decided, sending it once more after an error. Without a
// decision everyone in it is refused.
func (q *queue) call(ctx context.Context, batch []*gate.Request) {
	q.metrics.batch.Observe(float64(len(batch)))
	_, err := q.breaker.Execute(func() (struct{}, error) {
		var err error
		for range tries {
			if err = q.once(ctx, batch); err == nil {
				break
			}
			for _, r := range batch { // a call that failed may have decided some
				r.Overrule(gate.Verdict{})
			}
		}
		return struct{}{}, err
	})
	if err != nil {
		for _, r := range batch {
			r.Overrule(gate.Refuse(gate.Unavailable))
		}
	}
}

// once sends the batch once. A panic below costs the batch, not the gate.
func (q *queue) once(ctx context.Context, batch []*gate.Request) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			q.log.Error("deciding a batch made the gate panic", "sale", q.sale, "panic", cause, "stack",
				string(debug.Stack()))
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	start := time.Now()
	err = q.decider.Decide(ctx, batch)
	q.metrics.call.Observe(time.Since(start).Seconds())
	if err != nil {
		q.trouble = err
		q.metrics.errors.Inc()
		q.log.Debug("a batch was not decided", "sale", q.sale, "requests", len(batch), "error", err)
	}
	return err
}

// close refuses new requests, decides those that wait, and returns when the
// queue has ended.
func (q *queue) close() {
	q.closing.Lock()
	q.closed = true
	close(q.waiting)
	q.closing.Unlock()
	<-q.ended
}

func (q *queue) newBreaker() *gobreaker.CircuitBreaker[struct{}] {
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        q.sale,
		Timeout:     breakFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakAfter },
		OnStateChange: func(sale string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed:
				q.log.Error("the store does not decide: payments are refused until it does", "sale", sale,
					"error", q.trouble)
			case to == gobreaker.StateClosed:
				q.log.Info("the store decides again", "sale", sale)
			}
		},
	})
}

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

	breakAfter = 2                      // failed batches in a row after which the store is left alone
	breakFor   = 500 * time.Millisecond // how long it is left alone
)

// queue turns the requests that wait into calls of a Decider. While a call is under way, the next
// batch gathers. There is no timer, so a lone request is not delayed.
type queue struct {
	sale    string
	decider gate.Decider
	maxWait time.Duration // how long after its first byte a request may still be sent to the store
	timeout time.Duration // of one call
	now     func() time.Time
	log     *slog.Logger
	breaker *gobreaker.CircuitBreaker[struct{}]
	learn   func(seq int64, accepted []gate.Change) // is told of each batch before its verdicts; nil: nobody is
	trouble error                                   // the error of the newest call that failed
	metrics *laneMetrics

	closing sync.RWMutex // held shared while a request is put into the queue
	closed  bool
	waiting chan *gate.Request
	ended   chan struct{}
}

// newQueue returns a queue for a sale's decider, with room for that many requests. It decides
// nothing until run.
func (g *Gate) newQueue(sale string, decider gate.Decider, metrics *laneMetrics, room int) *queue {
	q := &queue{
		sale: sale, decider: decider, maxWait: maxQueueWait(g.opt.CallTimeout), timeout: g.opt.CallTimeout,
		now: g.deps.Now, log: g.deps.Log,
		metrics: metrics, waiting: make(chan *gate.Request, room), ended: make(chan struct{}),
	}
	q.breaker = q.newBreaker()
	return q
}

// maxQueueWait is the answer budget less all tries of a call.
func maxQueueWait(callTimeout time.Duration) time.Duration {
	return AnswerBudget - answerReserve - tries*callTimeout
}

// dispatch puts a request into the queue, and returns its verdict once it is decided.
func (q *queue) dispatch(r *gate.Request) gate.Verdict {
	if v, ok := q.enter(r); !ok {
		return v
	}
	return r.Wait()
}

// enter puts a request into the queue. If it cannot, it returns false and the verdict.
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

// run decides the requests that come, until close.
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

// gather adds the other requests that wait, and refuses those past their time.
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

// call lets the decider decide the batch, and sends it once more after an error. If that fails too,
// all requests of the batch are refused.
func (q *queue) call(ctx context.Context, batch []*gate.Request) {
	q.metrics.batch.Observe(float64(len(batch)))
	_, err := q.breaker.Execute(func() (struct{}, error) {
		var err error
		for range tries {
			if err = q.once(ctx, batch); err == nil {
				break
			}
			for _, r := range batch { // a failed call may have set some verdicts
				r.Overrule(gate.Verdict{})
			}
		}
		return struct{}{}, err
	})
	if err != nil {
		for _, r := range batch {
			r.Overrule(gate.Refuse(gate.Unavailable))
		}
		return
	}
	if q.learn != nil {
		q.tell(batch)
	}
}

// tell has the mirror learn what the batch was accepted for.
func (q *queue) tell(batch []*gate.Request) {
	var seq int64
	var accepted []gate.Change
	for _, r := range batch {
		if r.Accepted.Record != "" {
			if accepted == nil {
				accepted = make([]gate.Change, 0, len(batch))
			}
			accepted, seq = append(accepted, r.Accepted), r.Seq
		}
	}
	if len(accepted) > 0 {
		q.learn(seq, accepted)
	}
}

// once sends the batch once. A panic in the decider fails the batch, not the gate.
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

// close refuses new requests, decides those that wait, and then returns.
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

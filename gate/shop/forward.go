package shop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// forwarders is the number of workers that pass webhooks on. Half of them take only webhooks of
	// known orders, so that webhooks of unknown orders never occupy all.
	forwarders = 16
	// forwardQueue is how many webhooks of known orders may wait, and the same of unknown ones.
	forwardQueue = 512
	// forwardsPerOrder is how many webhooks of one order may wait or be under way: enough for paid
	// and cancelled at once, too few to delay others.
	forwardsPerOrder = 4
	// forwardTimeout bounds the wait and the call. PortOne gives up after 30 s.
	forwardTimeout = 20 * time.Second
	// lastForward is how long a call that is under way may go on in a drain.
	lastForward = time.Second
)

// ErrForwardsFull says that too many webhooks wait to be passed on.
var ErrForwardsFull = errors.New("too many webhooks wait to be passed on")

// Hook is a webhook to be passed on.
type Hook struct {
	Order   string // the order that it is about; empty if it names none
	Known   bool   // a sale has the order
	Headers map[string]string
	Body    []byte
}

// Forwarder passes PortOne's webhooks on to the shop, because a payment's notice_url replaces the
// webhook URL in PortOne's console. It has workers of its own, so that a slow shop delays nothing
// else. A nil *Forwarder passes nothing on and returns no error.
type Forwarder struct {
	url            string
	client         *http.Client
	metrics        *Metrics
	known, unknown chan *forward   // webhooks that wait, of known orders and of others
	ended          context.Context // done when forwarding has ended
	end            context.CancelFunc

	mu      sync.Mutex
	byOrder map[string]int // webhooks that wait or are under way
}

// forward is a webhook on its way.
type forward struct {
	ctx  context.Context // done when its caller has given up
	hook Hook
	done chan error
}

// NewForwarder returns a forwarder to the given URL. It passes nothing on until Run is called.
func NewForwarder(url string, metrics *Metrics) *Forwarder {
	metrics.countForwards()
	f := &Forwarder{
		url: url, client: newClient(forwarders, postTimeout, nil), metrics: metrics, byOrder: map[string]int{},
		known: make(chan *forward, forwardQueue), unknown: make(chan *forward, forwardQueue),
	}
	f.ended, f.end = context.WithCancel(context.Background())
	return f
}

// Run passes webhooks on until ctx is done. Then calls under way get one more second. Webhooks that
// wait get an error, so that PortOne sends them again.
func (f *Forwarder) Run(ctx context.Context) {
	if f == nil {
		return
	}
	defer f.client.CloseIdleConnections()
	defer f.end()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastForward, f.end) })
	defer stop()
	var workers sync.WaitGroup
	for i := range forwarders {
		unknown := f.unknown
		if i%2 == 0 {
			unknown = nil // this worker takes only known orders
		}
		workers.Go(func() { f.work(ctx, unknown) })
	}
	workers.Wait()
}

// Forward passes a webhook on as it came, and returns when the shop has taken it. It returns an
// error if the shop does not answer with a 2xx in time, and ErrForwardsFull if too many wait:
// PortOne should then send it again.
func (f *Forwarder) Forward(ctx context.Context, hook Hook) error {
	if f == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	defer context.AfterFunc(f.ended, cancel)()
	hook.Body = slices.Clone(hook.Body) // a worker may read it after the caller has given up
	w := &forward{ctx, hook, make(chan error, 1)}
	if !f.enqueue(w) {
		f.metrics.forwarded.WithLabelValues("dropped").Inc()
		return fmt.Errorf("pass a webhook on to the shop: %w", ErrForwardsFull)
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("pass a webhook on to the shop: %w", ctx.Err())
	}
}

// enqueue lets a webhook wait, unless too many wait, or too many of its order.
func (f *Forwarder) enqueue(w *forward) bool {
	queue := f.unknown
	if w.hook.Known {
		queue = f.known
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byOrder[w.hook.Order] >= forwardsPerOrder && w.hook.Order != "" {
		return false
	}
	select {
	case queue <- w:
		f.byOrder[w.hook.Order]++
		return true
	default:
		return false
	}
}

// leave frees a webhook's place among those of its order.
func (f *Forwarder) leave(order string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byOrder[order]--; f.byOrder[order] == 0 {
		delete(f.byOrder, order)
	}
}

// work passes on waiting webhooks until ctx is done, those of known orders first.
func (f *Forwarder) work(ctx context.Context, unknown chan *forward) {
	for ctx.Err() == nil {
		var w *forward
		select {
		case w = <-f.known:
		default:
			select {
			case w = <-f.known:
			case w = <-unknown:
			case <-ctx.Done():
				return
			}
		}
		outcome, err := f.post(w)
		f.metrics.forwarded.WithLabelValues(outcome).Inc()
		f.leave(w.hook.Order)
		w.done <- err
	}
}

// post sends a webhook to the shop, unless its caller has given up.
func (f *Forwarder) post(w *forward) (outcome string, err error) {
	if w.ctx.Err() != nil {
		return "dropped", w.ctx.Err()
	}
	request, err := http.NewRequestWithContext(w.ctx, http.MethodPost, f.url, bytes.NewReader(w.hook.Body))
	if err != nil {
		return "no_answer", fmt.Errorf("pass a webhook on to the shop: %w", withoutURL(err))
	}
	for name, value := range w.hook.Headers {
		request.Header.Set(name, value)
	}
	switch status, _, err := send(f.client, request); {
	case err != nil:
		return "no_answer", fmt.Errorf("pass a webhook on to the shop: %w", err)
	case !taken(status):
		return "refused", fmt.Errorf("pass a webhook on to the shop: it answered %d", status)
	}
	return "taken", nil
}

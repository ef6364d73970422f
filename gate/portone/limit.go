package portone

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// longestPause bounds how long an API can make its callers wait. If it asks for more, the call
// is not made again.
const longestPause = 30 * time.Second

// pace bounds how many calls are under way, and how many begin in a second. Those that
// change something have a bound of their own: a bank may take a minute for each, and
// nothing that is looked up waits for that.
type pace struct {
	reads   chan struct{}
	changes chan struct{}
	limiter *rate.Limiter
	now     func() time.Time

	mu    sync.Mutex
	until time.Time // no call begins before
}

func newPace(perSecond float64, atOnce int, now func() time.Time) *pace {
	return &pace{
		reads:   make(chan struct{}, atOnce),
		changes: make(chan struct{}, atOnce),
		limiter: rate.NewLimiter(rate.Limit(perSecond), 1),
		now:     now,
	}
}

// enter waits until a call may begin. Each enter without an error is followed by
// one leave, when the call has ended.
func (p *pace) enter(ctx context.Context, changes bool) error {
	select {
	case p.slots(changes) <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := p.pass(ctx)
	if err != nil {
		p.leave(changes)
	}
	return err
}

func (p *pace) leave(changes bool) { <-p.slots(changes) }

func (p *pace) slots(changes bool) chan struct{} {
	if changes {
		return p.changes
	}
	return p.reads
}

func (p *pace) pass(ctx context.Context) error {
	for {
		wait := p.paused()
		if wait <= 0 {
			return p.limiter.Wait(ctx)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// paused returns how long the API has asked to be left alone from now on.
func (p *pace) paused() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until.Sub(p.now())
}

// pause lets no call begin for d, at most longestPause.
func (p *pace) pause(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.now().Add(min(d, longestPause)); until.After(p.until) {
		p.until = until
	}
}

// retryAfter returns the pause in an answer's Retry-After; zero if it has none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

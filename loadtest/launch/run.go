// Package launch rehearses a launch: it plays PortOne towards a gate or a whole
// deployment, in an open loop, and judges by what each order was told and by
// what the admin API says afterwards. Links are signed by package gate; all the
// rest goes over HTTP, and nothing of the gate's is believed.
package launch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"golang.org/x/sync/errgroup"
)

// Run is a run of a plan and what it came to.
type Run struct {
	Plan           *Plan
	NewConnections bool           // one for each request; otherwise they are kept
	Timeout        time.Duration  // of one request, from when it is sent
	MaxWorkers     int            // requests that may be under way at once
	CA             *x509.CertPool // who signed the target's certificate; nil for the system's authorities
	Simulator      *Simulator     // goes on to pay what was told 200; nil: nobody pays
	Shop           *Shop          // has the last word, and was told to Begin; nil: what it says is not looked at
	// MaxDelay is how late the client may send one request in a hundred. If it sends them later, it is too slow to
	// measure the gate. Zero is 20 ms.
	MaxDelay time.Duration
	Noun     string // what a unit is called, in the plural; empty: units

	began   time.Time
	sent    int // requests, in the plan's order, that were sent
	answers []answer
}

// Progress is how far a run has come.
type Progress struct {
	Requests, Sent int           // of this run
	Orders         int           // that were told 200, each once
	Refused        int           // answers
	Failed         int           // requests that got none
	Waiting        int           // requests under way
	Left           time.Duration // until the last request is due
}

// String names what it counts.
func (p Progress) String() string {
	said := fmt.Sprintf("%s of %s requests · %s orders told 200 · %s answers refused",
		grouped(int64(p.Sent)), grouped(int64(p.Requests)), grouped(int64(p.Orders)), grouped(int64(p.Refused)))
	if p.Failed > 0 {
		said += fmt.Sprintf(" · %s requests without an answer", grouped(int64(p.Failed)))
	}
	if p.Waiting > 0 {
		said += fmt.Sprintf(" · %s under way", grouped(int64(p.Waiting)))
	}
	if p.Left > 0 {
		said += fmt.Sprintf(" · %s left", p.Left.Round(time.Second))
	}
	return said
}

// tellEvery is how often progress is told, for as long as answers come.
const tellEvery = 200 * time.Millisecond

// Attack sends the plan's requests when they are due, and returns when all are
// answered or have failed. tell is called every tellEvery at most. Where ctx ends
// meanwhile the run is cut short, and that is no error.
func (r *Run) Attack(ctx context.Context, tell func(Progress)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	known := statuses()
	transport := r.transport()
	defer transport.CloseIdleConnections()
	failures := &failures{next: transport, by: make([]error, r.Plan.Requests())}
	attacker := vegeta.NewAttacker(
		vegeta.Client(&http.Client{
			Transport: failures, Timeout: r.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
		vegeta.MaxWorkers(uint64(r.MaxWorkers)),
	)
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()

	calls := make(chan confirmed, r.Plan.Requests()) // has room for all, so that nobody waits for the simulator
	var paying errgroup.Group
	if r.Simulator != nil {
		paying.Go(func() error { return r.Simulator.follow(context.WithoutCancel(ctx), calls) })
	}
	r.answers = make([]answer, r.Plan.Requests())
	target := &targeter{plan: r.Plan}
	r.began = time.Now()
	p, told := newCount(r), time.Now()
	for result := range attacker.Attack(target.next, r.Plan.shape, 0, "") {
		number, err := numberOf(result.URL)
		if err != nil { // the targeter has failed, and its error is all that there is
			continue
		}
		a := &r.answers[number]
		a.due, a.sent = r.Plan.shape.Due(number), result.Timestamp.Sub(r.began)
		a.done = a.sent + result.Latency
		switch {
		case result.Code != 0:
			a.read(int(result.Code), result.Body, known)
		case failures.by[number] != nil:
			a.fail(failures.by[number])
		default:
			a.fail(errors.New(result.Error))
		}
		if r.Simulator != nil {
			if call, tell := r.Plan.call(number, a, known); tell {
				calls <- call
			}
		}
		p.add(r.Plan.requests[number], a)
		if time.Since(told) >= tellEvery {
			told = time.Now()
			tell(p.progress(int(target.taken.Load()), time.Since(r.began)))
		}
	}
	close(calls)
	r.sent = min(int(target.taken.Load()), len(r.answers))
	tell(p.progress(r.sent, r.Plan.shape.Duration()))
	err := paying.Wait()
	if failed := target.err.Load(); failed != nil {
		return *failed
	}
	return err
}

// transport is how the target is reached.
func (r *Run) transport() *http.Transport {
	return &http.Transport{
		DialContext:       (&net.Dialer{Timeout: r.Timeout}).DialContext,
		DisableKeepAlives: r.NewConnections, MaxIdleConnsPerHost: r.MaxWorkers, MaxIdleConns: r.MaxWorkers,
		DisableCompression: true, TLSClientConfig: &tls.Config{RootCAs: r.CA},
	}
}

// count counts what has come of a run.
type count struct {
	run      *Run
	so       Progress
	answered int
	accepted []bool // by order: it was told 200
}

func newCount(r *Run) *count {
	return &count{run: r, so: Progress{Requests: r.Plan.Requests()}, accepted: make([]bool, r.Plan.orders)}
}

// add counts an answer. An order that is told 200 again is the same order.
func (c *count) add(of request, a *answer) {
	c.answered++
	switch {
	case a.failure != "":
		c.so.Failed++
	case !a.held():
		c.so.Refused++
	case !of.kind.hostile() && !c.accepted[of.order]:
		c.accepted[of.order] = true
		c.so.Orders++
	}
}

// progress is how far the run has come, with so many requests sent after so long.
func (c *count) progress(sent int, after time.Duration) Progress {
	so := c.so
	so.Sent = min(sent, so.Requests)
	so.Waiting, so.Left = so.Sent-c.answered, max(0, c.run.Plan.shape.Duration()-after)
	return so
}

// targeter hands out the plan's requests in their order.
type targeter struct {
	plan  *Plan
	taken atomic.Int64
	err   atomic.Pointer[error]
}

// next implements vegeta.Targeter. A fragment, which is not sent, tells the
// result which request it is of.
func (t *targeter) next(target *vegeta.Target) error {
	number := int(t.taken.Add(1)) - 1
	made, err := t.plan.Target(number, time.Now())
	if err != nil {
		t.err.CompareAndSwap(nil, &err)
		return err
	}
	made.URL += "#" + strconv.Itoa(number)
	*target = made
	return nil
}

func numberOf(url string) (int, error) {
	_, fragment, _ := strings.Cut(url, "#")
	number, err := strconv.Atoi(fragment)
	if err != nil {
		return 0, fmt.Errorf("a result without its request: %w", err)
	}
	return number, nil
}

// failures keeps the errors of failed requests: vegeta's results have only their text.
type failures struct {
	next http.RoundTripper
	by   []error // by request; each is written once, before its result comes
}

// RoundTrip implements http.RoundTripper.
func (f *failures) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := f.next.RoundTrip(request)
	if err != nil {
		if number, convErr := strconv.Atoi(request.URL.Fragment); convErr == nil {
			f.by[number] = err
		}
	}
	return response, err
}

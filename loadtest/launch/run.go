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

	began   time.Time
	sent    int // requests, in the plan's order, that were sent
	answers []answer
}

// Progress is how far a run has come.
type Progress struct {
	Sent, Answered, Accepted, Refused, Failed int
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
	transport := &http.Transport{
		DialContext:       (&net.Dialer{Timeout: r.Timeout}).DialContext,
		DisableKeepAlives: r.NewConnections, MaxIdleConnsPerHost: r.MaxWorkers, MaxIdleConns: r.MaxWorkers,
		DisableCompression: true, TLSClientConfig: &tls.Config{RootCAs: r.CA},
	}
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
	p, told := Progress{}, time.Now()
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
		p.add(a)
		if time.Since(told) >= tellEvery {
			told, p.Sent = time.Now(), int(target.taken.Load())
			tell(p)
		}
	}
	close(calls)
	r.sent = min(int(target.taken.Load()), len(r.answers))
	p.Sent = r.sent
	tell(p)
	err := paying.Wait()
	if failed := target.err.Load(); failed != nil {
		return *failed
	}
	return err
}

func (p *Progress) add(a *answer) {
	switch {
	case a.failure != "":
		p.Failed++
	case a.held():
		p.Accepted++
	default:
		p.Refused++
	}
	p.Answered++
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

// failures keeps why requests failed, of which vegeta's results have only the text.
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

package portone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cenkalti/backoff/v5"
)

const (
	maxAnswer    = 8 << 20          // bytes; a page of payments has a few MiB at most
	maxTries     = 4                // of a call that only reads
	writeTimeout = 60 * time.Second // PortOne waits for banks as long, and hanging up cancels nothing
)

// Error is an answer of PortOne's that says that a call was not carried out.
type Error struct {
	Status  int    // of HTTP
	Code    string // V1's code or V2's type; empty where the answer has none
	Message string // PortOne's own words; may be empty
	absent  bool   // the answer says that there is no such payment
	wait    time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("PortOne answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Status == http.StatusUnauthorized {
		text += ": check the key and the secret"
	}
	return text
}

// notFound reports whether err says that PortOne knows no such payment. A 404 that
// PortOne did not write, such as a proxy's, says nothing of the kind.
func notFound(err error) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.absent
}

// unreadable is the error of a payment whose form in PortOne's answer is unknown.
type unreadable struct{ error }

func (e *unreadable) Unwrap() error { return e.error }

// Own reports whether a look-up failed for a reason of its own: others may go well.
func Own(err error) bool {
	var payment *unreadable
	var no *Error
	switch {
	case errors.As(err, &payment):
		return true
	case errors.As(err, &no):
		return no.Status >= http.StatusBadRequest && no.Status < http.StatusInternalServerError &&
			!slices.Contains([]int{
				http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout,
				http.StatusTooManyRequests,
			}, no.Status)
	}
	return false
}

// errTooLarge says that an answer was cut off by us; it would be as large again.
var errTooLarge = fmt.Errorf("the answer has more than %d bytes", maxAnswer)

// unsent is the error of a call that was never sent.
type unsent struct{ error }

func (e *unsent) Unwrap() error { return e.error }

// api is one of PortOne's two REST APIs. It signs the calls, paces, bounds and
// counts them.
type api struct {
	name    string // "v1" or "v2"
	base    string
	client  *http.Client
	pace    *pace
	timeout time.Duration
	now     func() time.Time
	metrics *Metrics

	signer signer
	// open returns what an answer carries, or an *Error where PortOne says no. Any
	// other error means that the answer makes no sense.
	open func(status int, body []byte) (json.RawMessage, error)
}

// signer knows the credentials of an API.
type signer interface {
	// sign returns the Authorization header of a call.
	sign(ctx context.Context) (string, error)
	// refused is told of a header that was answered by 401, and reports whether
	// another one may help.
	refused(authorization string) bool
	// hide takes the credentials out of a text.
	hide(text string) string
}

func newAPI(name, base string, deps Deps, opt Options) *api {
	return &api{
		name: name, base: base, timeout: opt.Timeout, now: deps.Now, metrics: deps.Metrics,
		pace: newPace(opt.Rate, opt.Concurrency, deps.Now),
		client: &http.Client{
			Transport: deps.Transport,
			// Nothing of PortOne's redirects; following would send credentials elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// call is one call of an API.
type call struct {
	name     string // in metrics and errors
	method   string
	path     string // escaped, with its query
	header   http.Header
	body     []byte   // JSON
	unsigned bool     // it needs no credentials, such as the call that fetches them
	secrets  []string // of a buyer: they are taken out of what PortOne says
	changes  bool     // it changes something, which may take a bank a minute
}

// read makes a call that changes nothing, and makes it again, with back-off,
// where that may help.
func (a *api) read(ctx context.Context, c call) (json.RawMessage, error) {
	delay := backoff.NewExponentialBackOff()
	delay.InitialInterval = 250 * time.Millisecond
	delay.MaxInterval = 4 * time.Second
	answer, err := backoff.Retry(ctx, func() (json.RawMessage, error) {
		answer, err := a.try(ctx, c, a.timeout)
		if !passing(err) {
			return nil, backoff.Permanent(err)
		}
		return answer, err
	}, backoff.WithBackOff(delay), backoff.WithMaxTries(maxTries))
	return answer, a.named(c, err)
}

// write makes a call that changes something. It is sent once.
func (a *api) write(ctx context.Context, c call) (json.RawMessage, error) {
	c.changes = true
	answer, err := a.try(ctx, c, writeTimeout)
	return answer, a.named(c, err)
}

func (a *api) named(c call, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s of PortOne %s: %w", c.name, a.name, err)
}

// passing reports whether a call that only reads may succeed when it is made again.
func passing(err error) bool {
	var notSent *unsent
	var answer *Error
	switch {
	case errors.As(err, &notSent), errors.Is(err, errTooLarge):
		return false
	case errors.As(err, &answer):
		return (answer.Status == http.StatusTooManyRequests || answer.Status >= http.StatusInternalServerError) &&
			answer.wait <= longestPause
	}
	return true
}

// try sends a call, and once more after a 401 if other credentials may help:
// what was answered by 401 was not carried out.
func (a *api) try(ctx context.Context, c call, timeout time.Duration) (json.RawMessage, error) {
	for first := true; ; first = false {
		authorization := ""
		if !c.unsigned {
			var err error
			if authorization, err = a.signer.sign(ctx); err != nil {
				return nil, &unsent{err}
			}
		}
		answer, err := a.send(ctx, c, authorization, timeout)
		var no *Error
		if !errors.As(err, &no) {
			return answer, err
		}
		no.Message = tidy(hideAll(a.signer.hide(no.Message), c.secrets...))
		if c.unsigned || no.Status != http.StatusUnauthorized || !a.signer.refused(authorization) || !first {
			return nil, err
		}
	}
}

func (a *api) send(ctx context.Context, c call, authorization string, timeout time.Duration) (json.RawMessage, error) {
	r, err := http.NewRequestWithContext(ctx, c.method, a.base+c.path, bytes.NewReader(c.body))
	if err == nil {
		err = a.pace.enter(ctx, c.changes)
	}
	if err != nil {
		return nil, &unsent{err}
	}
	defer a.pace.leave(c.changes)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for name, values := range c.header {
		r.Header[name] = values
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if len(c.body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("User-Agent", "flashgate")
	start := time.Now()
	answer, err := a.exchange(r.WithContext(ctx))
	a.metrics.count(a.name, c.name, err, time.Since(start))
	return answer, err
}

// exchange sends a request and opens its answer.
func (a *api) exchange(r *http.Request) (json.RawMessage, error) {
	response, err := a.client.Do(r)
	if err != nil {
		var wrapped *url.Error // says the whole address once more
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, errTooLarge
	}
	answer, err := a.open(response.StatusCode, body)
	var no *Error
	if errors.As(err, &no) && (no.Status == http.StatusTooManyRequests || no.Status == http.StatusServiceUnavailable) {
		no.wait = retryAfter(response.Header, a.now())
		a.pace.pause(no.wait)
	}
	return answer, err
}

// segment escapes an id to be one segment of a path.
func segment(id string) (string, error) {
	if id == "" || id == "." || id == ".." {
		return "", fmt.Errorf("%q cannot stand in a path: it cannot be looked up", id)
	}
	return url.PathEscape(id), nil
}

// tidy makes PortOne's words fit for one line of a log.
func tidy(text string) string {
	const longest = 200
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > longest {
		end := longest
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "…"
	}
	return text
}

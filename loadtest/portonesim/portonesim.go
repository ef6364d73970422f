// Package portonesim is a PortOne to try things with, without an account: it
// makes payments, asks confirm URLs, sends webhooks and answers the REST APIs of
// V1 and V2. It knows only what PortOne documents, and shares no code with the
// gate, so that neither can hide the other's mistakes.
//
// What goes wrong is a Plan. It is drawn from a seed and the order's id, and so is
// the same in every run, however its payments are interleaved.
//
// # Payments
//
// Sim.Pay, or POST /sim/pay, is a buyer with a payment window: PortOne asks the
// confirm URL, and its 200 lets the payment go ahead. An attempt is PortOne's own
// and goes on when the buyer leaves. With manualConfirm nobody is asked: the buyer
// gets a paymentToken, with which the shop's server calls
// POST /payments/{paymentId}/confirm.
//
// A load generator that makes the confirm calls itself tells the simulator of them
// afterwards, by Sim.Confirmed or in a list of any length up to 1 MiB:
//
//	POST /sim/confirmed
//	[{"version": 1, "id": "ORDER", "attempt": "imp_1", "amount": 1000, "confirmStatus": 200,
//	  "noticeUrl": "http://…/webhook"},
//	 {"version": 1, "id": "OTHER", "attempt": "imp_2", "amount": 1000, "confirmStatus": 409,
//	  "confirmBody": "{\"reason\": \"…\"}"}]
//
// From there each goes its way by the plan: a 200 is approved, or is declined,
// pending, lost and so on; what was refused fails. Look-ups know the attempts when
// the call returns, and webhooks follow. What the buyer does in the window (two
// windows, another amount, trying again) is the generator's to play.
//
// # Money back
//
// What cancellations come to is the plan's, or the order's own (Order.Cancels):
// done, slow, requested and then done or failed, refused by the gateway behind
// PortOne, refused for good. A virtual account's wants the buyer's bank account, and
// the money is under way for SlowBy; Sim.Settle ends that, and what is requested, at
// once. What a call leaves unsaid about tax is taxed. Cancel and Chargeback are the
// shop's staff and the card company, whom nothing refuses but the amount.
//
// # Where PortOne's pages leave something open
//
// They forbid an Idempotency-Key to be used for another call without saying what
// comes of it: it is refused, so that the mistake is seen. Nor do they say what
// becomes of a payment whose virtual account is closed (here it is cancelled), what
// of a cancellation is left to ask for while it is requested (nothing), what V1 shows
// of a requested one that failed (nothing), and what a promotion demands (half of
// the order's amount). Unknown routes are answered 404 in each API's form. Their 30 s
// for a webhook and 10 s for a confirm call are kept; V2's waits before a webhook
// comes again are shortened from minutes to seconds.
package portonesim

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// StoreID is the store that V2's payments belong to.
const StoreID = "store-00000000-0000-4000-8000-000000000000"

// Deps are the dependencies of a Sim. Each has a default.
type Deps struct {
	// Explain rewords the decoder's error about a body below /sim/, which is in terms of Go; nil leaves it.
	Explain func(error) error
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
}

// Options say who may call the REST APIs and what goes wrong.
type Options struct {
	V1Key, V1Secret, V2Secret string // credentials that the REST APIs demand
	WebhookSecret             string // whsec_…, signs V2's confirm calls and webhooks; empty: they are not signed
	Seed                      uint64
	Plan                      Plan
	ConfirmTimeout            time.Duration // how long a confirm call may take; 10 s if zero
	// Backoff are V2's pauses before it sends an unaccepted webhook again; nil is 1, 4 and 16 s.
	Backoff []time.Duration
}

// Check says what is wrong with the options.
func (o Options) Check() error {
	if _, err := decodeSecret(o.WebhookSecret); err != nil {
		return err
	}
	return o.Plan.check()
}

// decodeSecret returns the bytes of a webhook secret, nil for none.
func decodeSecret(secret string) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	text, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	switch {
	case !ok || err != nil:
		return nil, errors.New("the webhook secret must be whsec_ and base64")
	case len(key) == 0:
		return nil, errors.New("the webhook secret is empty")
	}
	return key, nil
}

// Sim is a simulated PortOne. Close it when its payments are made.
type Sim struct {
	deps   Deps
	opt    Options
	secret []byte
	client *http.Client

	life  context.Context // ended by Close: confirm calls are cut off, and nobody waits for a delay any more
	end   context.CancelFunc
	work  sync.WaitGroup // attempts and webhooks under way
	slots chan struct{}  // one for each webhook that is being sent

	mu     sync.Mutex // over what follows
	outage outage
	book   book
	token  token
	keys   map[string]*reply    // V2's answers by idempotency key
	calls  map[string]int       // REST calls, by what was asked
	logins map[string]time.Time // V2's access tokens, and until when each is good
}

// New returns a simulator that has seen no payments. It panics where Check has
// something to say about the options.
func New(deps Deps, opt Options) *Sim {
	if err := opt.Check(); err != nil {
		panic(fmt.Errorf("portonesim: %w", err))
	}
	if opt.ConfirmTimeout == 0 {
		opt.ConfirmTimeout = 10 * time.Second
	}
	if opt.Backoff == nil {
		opt.Backoff = []time.Duration{time.Second, 4 * time.Second, 16 * time.Second}
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Explain == nil {
		deps.Explain = func(err error) error { return err }
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	secret, _ := decodeSecret(opt.WebhookSecret) // checked above
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	life, end := context.WithCancel(context.Background())
	return &Sim{
		deps: deps, opt: opt, secret: secret, life: life, end: end, slots: make(chan struct{}, hooksAtOnce),
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		book: newBook(), keys: map[string]*reply{}, calls: map[string]int{}, logins: map[string]time.Time{},
	}
}

// Close ends the attempts under way and waits for their webhooks. Late ones go
// out now, and what is not taken is not sent again.
func (s *Sim) Close() {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.work.Wait()
	s.client.CloseIdleConnections()
}

// Payments returns every attempt to pay, in the order in which they began.
func (s *Sim) Payments() []Payment {
	s.mu.Lock()
	defer s.mu.Unlock()
	payments := make([]Payment, 0, len(s.book.all))
	for _, r := range s.book.all {
		payments = append(payments, r.payment())
	}
	return payments
}

// Handler returns the REST APIs of V1 and V2, and below /sim/ what makes
// payments. V1 and V2 share an address and have paths in common: calls with an
// Authorization of V2's form are V2's.
func (s *Sim) Handler() http.Handler {
	v1, v2 := s.v1(), s.v2()
	mux := http.NewServeMux()
	mux.Handle("/sim/", s.control())
	mux.Handle("/", s.faulty(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.isV2(r) {
			v2.ServeHTTP(w, r)
		} else {
			v1.ServeHTTP(w, r)
		}
	})))
	return mux
}

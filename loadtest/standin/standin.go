// Package standin is a stand-in for the shop's own server, to rehearse a launch in
// which the shop has the last word on each order. It knows only what shops are told
// of a gate's questions, and shares no code with the gate, so that neither can hide
// the other's mistakes.
//
//	POST /ask       a gate's question about one order: yes, no, or what else the Plan has
//	GET  /healthy   204 while the shop is up
//	GET  /asks      ?since=SEQ → what it was asked, MaxPage asks at a time; an empty list is the end
//	POST /down      ?for=30s   → it is down: each connection is closed without an answer; without for until /up
//	POST /up                     ends that
//
// What it says to an order is drawn from a seed and the order's id: who asks again
// hears the same, unless the shop is down.
package standin

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Options say who may ask and what is said.
type Options struct {
	Secret string // whsec_…, the gates' notify secret; empty: signatures are not looked at
	Seed   uint64
	Plan   Plan
	Room   int // how many asks the log keeps, the newest; 250,000 if zero
}

const usualRoom = 250_000

// Check says what is wrong with the options.
func (o Options) Check() error {
	if _, err := verifier(o.Secret); err != nil {
		return err
	}
	if o.Room < 0 {
		return fmt.Errorf("room for %d asks: must not be negative", o.Room)
	}
	return o.Plan.check()
}

// verifier returns what verifies signatures; nil where there is no secret.
func verifier(secret string) (*standardwebhooks.Webhook, error) {
	if secret == "" {
		return nil, nil
	}
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil || len(secret) <= len("whsec_") || secret[:len("whsec_")] != "whsec_" {
		return nil, errors.New("the shop's secret must be whsec_ and base64")
	}
	return hook, nil
}

// Shop is a stand-in for the shop's server.
type Shop struct {
	now  func() time.Time
	opt  Options
	hook *standardwebhooks.Webhook
	log  *journal

	mu     sync.Mutex // over what follows
	began  time.Time  // when it was asked first; zero while it was not
	outage outage
}

// New returns a shop that nobody has asked yet. It panics where Check has
// something to say about the options.
func New(now func() time.Time, opt Options) *Shop {
	if err := opt.Check(); err != nil {
		panic(fmt.Errorf("standin: %w", err))
	}
	if opt.Room == 0 {
		opt.Room = usualRoom
	}
	hook, _ := verifier(opt.Secret) // checked above
	return &Shop{now: now, opt: opt, hook: hook, log: newJournal(opt.Room)}
}

// Handler returns the shop's server.
func (s *Shop) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ask", s.ask)
	mux.HandleFunc("GET /healthy", s.healthy)
	mux.HandleFunc("GET /asks", s.asks)
	mux.HandleFunc("POST /down", s.goDown)
	mux.HandleFunc("POST /up", s.goUp)
	return mux
}

// healthy is what a gate looks at to see whether the shop is up.
func (s *Shop) healthy(w http.ResponseWriter, _ *http.Request) {
	if s.down(s.now()) {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

package gate

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// Request is one confirm on its way through the gate. Gate.Request returns one
// from a pool; it belongs to its handler until Gate.Release.
type Request struct {
	Confirm  Confirm
	Received time.Time // when its first byte came

	Asks     bool  // what it takes is asking until the shop has said yes
	NoHold   Cause // why it must take no new hold; NoCause where it may
	Revision int64 // of the asking order's record; 0 where the shop need not be asked
	Yes      bool  // what the shop said to it

	verdict Verdict
	decided chan struct{}
}

// Set tells the request its verdict. Only a Decider calls it; a request that it
// forgets stays Undecided.
func (r *Request) Set(v Verdict) { r.verdict = v }

// SetAsking tells the request that the shop must be asked about its order, whose
// record has that revision. Until the shop has said yes it is a refusal.
func (r *Request) SetAsking(revision int64) {
	r.verdict, r.Revision = RefuseFor(ShopNoAnswer), revision
}

// decide gives the request a verdict that stands, whatever a Decider has set.
func (r *Request) decide(v Verdict) { r.verdict, r.Revision = v, 0 }

// Verdict returns what was set.
func (r *Request) Verdict() Verdict { return r.verdict }

// reset empties r and keeps its memory for the next confirm.
func (r *Request) reset() {
	r.Confirm.Reset()
	r.Received = time.Time{}
	r.Asks, r.NoHold, r.Revision, r.Yes, r.verdict = false, NoCause, 0, false, Verdict{}
}

// Lane decides the confirms of one sale: by what this gate knows, then by the
// store, then, where the sale says so, by the shop.
type Lane struct {
	name      string
	keys      *Keys
	catalogue atomic.Pointer[catalogue]
	shop      Shop
	confirms  *queue
	grants    *queue // of what the shop said
	now       func() time.Time
	log       *slog.Logger
	misses    int // readings in a row that found the sale missing
}

// Name returns the sale's name.
func (l *Lane) Name() string { return l.name }

// Settings returns the sale's settings as this gate last read them. The pointer
// stays the same until they change; what it points to must not be changed.
func (l *Lane) Settings() *Settings { return &l.catalogue.Load().sale.Settings }

// Confirm decides one confirm: r.Confirm holds what PortOne sent, link what the
// confirm_url claims. It waits for the store and the shop, but never longer than
// the answer budget.
func (l *Lane) Confirm(r *Request, link *Link) Verdict {
	now := l.now()
	if v, ok := l.keys.verify(l.name, r.Confirm.Order, link, now); !ok {
		return v
	}
	c := l.catalogue.Load()
	if v, ok := c.check(&r.Confirm, link, now); !ok {
		return v
	}
	if c.sale.Healthy != "" || c.sale.Ask != "" {
		r.Asks, r.NoHold = c.sale.Ask != "", l.shop.Hindrance(l.name, &c.sale.Settings)
	}
	v := l.confirms.decide(r)
	if r.Revision > 0 {
		return l.ask(r, c)
	}
	return v
}

// close refuses new confirms, decides those that wait, and returns when the
// lane has ended.
func (l *Lane) close() {
	l.confirms.close()
	l.grants.close()
}

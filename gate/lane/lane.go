package lane

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/mirror"
)

// Lane decides the confirms of one sale: by what this gate knows, then by the store, then by the
// shop if the sale asks it.
type Lane struct {
	name      string
	keys      *gate.Keys
	catalogue atomic.Pointer[catalogue]
	last      atomic.Pointer[reading]
	shop      Shop
	mirror    *mirror.Mirror // nil: there is none
	endMirror func()         // without waiting for it
	sold      atomic.Bool    // the store has orders, as far as this gate knows
	confirms  *queue
	grants    *queue // of the shop's answers
	now       func() time.Time
	log       *slog.Logger
	misses    int // readings in a row that found the sale missing
}

// Name returns the sale's name.
func (l *Lane) Name() string { return l.name }

// Settings returns the sale's settings as this gate last read them. The pointer stays the same
// until they change. Callers must not change the settings.
func (l *Lane) Settings() *gate.Settings { return &l.catalogue.Load().sale.Settings }

// Confirm decides one confirm. r.Confirm is what PortOne sent, link what the confirm_url claims.
// Confirm waits for the store and the shop, but never longer than AnswerBudget.
func (l *Lane) Confirm(r *gate.Request, link *gate.Link) gate.Verdict {
	now := l.now()
	if v, ok := l.keys.Verify(l.name, r.Confirm.Order, link, now); !ok {
		if refusal := r.Doubt(v); v.Code != gate.ExpiredLink {
			return refusal
		}
	}
	c := l.catalogue.Load()
	if v, ok := c.resolve(r, link, now); !ok {
		return r.Doubt(v)
	}
	if r.KnownOnly && !l.mayKnow(&r.Confirm) {
		return r.Refusal
	}
	if c.sale.Healthy != "" || c.sale.Ask != "" {
		r.Asks, r.NoHold = c.sale.Ask != "", l.shop.Hindrance(l.name, &c.sale.Settings)
	}
	if l.mirror != nil && !r.KnownOnly {
		if v, refuses := l.mirror.Refuse(&r.Confirm, r.NoHold); refuses {
			return v
		}
	}
	v := l.confirms.dispatch(r)
	if v.Code == gate.Held && !l.sold.Load() {
		l.sold.Store(true)
	}
	if r.Revision > 0 {
		return l.ask(r, c)
	}
	return v
}

// mayKnow reports whether the store may know an order by the attempt.
func (l *Lane) mayKnow(c *gate.Confirm) bool {
	if l.mirror != nil {
		if known, sure := l.mirror.Knows(c); sure {
			return known
		}
	}
	return l.sold.Load()
}

// close refuses new confirms, decides those that wait, and then returns.
func (l *Lane) close() {
	l.confirms.close()
	l.grants.close()
	if l.mirror != nil {
		l.endMirror()
	}
}

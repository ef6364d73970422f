package gate

import (
	"context"
	"time"
)

const (
	// MaxAsk bounds how long the shop may think about one order.
	MaxAsk = 2500 * time.Millisecond
	// minAsk is what the shop must have at least: with less the order is not asked.
	minAsk = 300 * time.Millisecond
	// MaxAsks is how many orders one gate asks about at once.
	MaxAsks = 512
	// AskingFor is how long an order keeps its units that the shop was asked about
	// and has not answered. Nobody was told yes, so it is released without a look-up.
	AskingFor = 20 * time.Second
)

// AskTime is how long the shop may think about one order, where a call of the
// store may take so long: what the answer budget leaves beside the tries that
// write the shop's yes down.
func AskTime(try time.Duration) time.Duration { return min(patience(try), MaxAsk) }

// Shop is the shop's own server, as the gate needs it.
type Shop interface {
	// Hindrance tells why a sale that asks the shop, or looks whether it is up, may
	// take no new hold now; NoCause where it may.
	Hindrance(sale string, s *Settings) Cause
	// Ask asks the shop about an order that has its units. It returns soon after ctx
	// is done.
	Ask(ctx context.Context, q *Question) Answer
}

// Question is an order that the shop is asked about.
type Question struct {
	URL     string
	Sale    string
	Run     int64
	Confirm *Confirm // which must not be kept
}

// Word is what the shop said.
type Word uint8

// The words. The zero value is no yes.
const (
	NoAnswer Word = iota // or none that says yes or no
	Yes
	No
	NotAsked
)

// Answer is what asking the shop came to.
type Answer struct {
	Word   Word
	Cause  Cause  // of NoAnswer and NotAsked
	Reason string // of No: what the shop wants the buyer to read; may be empty
}

// noShop is a gate's shop where it was given none.
type noShop struct{}

func (noShop) Hindrance(string, *Settings) Cause     { return ShopSecretless }
func (noShop) Ask(context.Context, *Question) Answer { return Answer{NotAsked, ShopSecretless, ""} }

// ask has the last word of the shop on an order that has its units. A yes counts
// once the store has it; after a no the units are on sale again.
func (l *Lane) ask(r *Request, c *catalogue) Verdict {
	if c.sale.Ask == "" { // another gate knows whom to ask, or knew
		return RefuseFor(ShopUnknown)
	}
	answer := l.question(r, c)
	switch answer.Word {
	case Yes:
		r.Yes = true
		return l.grants.decide(r)
	case No:
		l.grants.decide(r)
		return Verdict{Code: ShopRefused, Reason: answer.Reason}
	case NotAsked:
		l.grants.decide(r)
	}
	return RefuseFor(answer.Cause)
}

func (l *Lane) question(r *Request, c *catalogue) Answer {
	left := min(l.confirms.patience-l.now().Sub(r.Received), MaxAsk)
	if left < minAsk {
		return Answer{NotAsked, AskTimeShort, ""}
	}
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	return l.shop.Ask(ctx, &Question{URL: c.sale.Ask, Sale: l.name, Run: c.sale.Run, Confirm: &r.Confirm})
}

package lane

import (
	"context"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// minAsk is the least time that the shop gets: with less left, it is not asked.
const minAsk = 300 * time.Millisecond

// AskTime is how long the shop may think about one order, if one call of the store may take
// callTimeout: the answer budget less the tries that write down the shop's yes.
func AskTime(callTimeout time.Duration) time.Duration {
	return min(maxQueueWait(callTimeout), gate.MaxAsk)
}

// Shop is the shop's own server, as the gate needs it.
type Shop interface {
	// Hindrance returns why a sale that asks the shop, or checks its health, may take no new hold
	// now; NoCause if it may.
	Hindrance(sale string, s *gate.Settings) gate.Cause
	// Ask asks the shop about an order that has its units. It returns soon after ctx
	// is done.
	Ask(ctx context.Context, q *gate.Question) gate.Answer
}

// noShop stands for the shop of a gate that was given none.
type noShop struct{}

func (noShop) Hindrance(string, *gate.Settings) gate.Cause { return gate.ShopSecretless }
func (noShop) Ask(context.Context, *gate.Question) gate.Answer {
	return gate.Answer{Word: gate.NotAsked, Cause: gate.ShopSecretless}
}

// ask gets the shop's last word on an order that has its units. A yes counts once the store has it;
// after a no the units are on sale again.
func (l *Lane) ask(r *gate.Request, c *catalogue) gate.Verdict {
	if c.sale.Ask == "" { // the order was taken by a gate with other settings
		return gate.RefuseFor(gate.ShopUnknown)
	}
	answer := l.question(r, c)
	switch answer.Word {
	case gate.Yes:
		r.Yes = true
		return l.grants.dispatch(r)
	case gate.No:
		l.grants.dispatch(r)
		return gate.Verdict{Code: gate.ShopRefused, Reason: answer.Reason}
	case gate.NotAsked:
		l.grants.dispatch(r)
	}
	return gate.RefuseFor(answer.Cause)
}

func (l *Lane) question(r *gate.Request, c *catalogue) gate.Answer {
	left := min(l.confirms.maxWait-l.now().Sub(r.Received), gate.MaxAsk)
	if left < minAsk {
		return gate.Answer{Word: gate.NotAsked, Cause: gate.AskTimeShort}
	}
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	return l.shop.Ask(ctx, &gate.Question{URL: c.sale.Ask, Sale: l.name, Run: c.sale.Run, Confirm: &r.Confirm})
}

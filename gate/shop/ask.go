package shop

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Ask is the question to the shop about an order that has its units. Shops rely on its JSON.
type Ask struct {
	Type string `json:"type"` // always "order.ask"
	// ID is new for each question, because each needs an answer of its own. If an order is asked
	// about again, Order and Attempt are the same.
	ID        string       `json:"id"`
	Timestamp time.Time    `json:"timestamp"`
	Sale      string       `json:"sale"`
	Run       int64        `json:"run"`
	Order     string       `json:"order"`
	Attempt   string       `json:"attempt"`
	Version   gate.Version `json:"version"`
	Buyer     string       `json:"buyer,omitempty"`
	Lines     []gate.Line  `json:"lines"`
	Amount    *int64       `json:"amount,omitempty"`
}

// newAsk returns the body for a question. It shares memory with the question's confirm, so it must
// not outlive the call.
func newAsk(q *gate.Question, now time.Time) *Ask {
	c := q.Confirm
	ask := &Ask{
		Type: "order.ask", ID: "ask_" + rand.Text(), Timestamp: now.UTC().Truncate(time.Millisecond),
		Sale: q.Sale, Run: q.Run,
		Order: string(c.Order), Attempt: string(c.Attempt), Version: c.Version, Buyer: string(c.Buyer), Lines: c.Lines,
	}
	if c.Amount.Known {
		ask.Amount = &c.Amount.Value
	}
	return ask
}

// reply is the outcome of asking.
type reply struct {
	gate.Answer
	status int
	err    error
}

// asker asks shops about orders.
type asker struct {
	poster *poster
	places chan struct{} // with one value for each ask under way
	tally  *tally
	now    func() time.Time
	log    *slog.Logger
}

func newAsker(deps *LastWordDeps) *asker {
	deps.Metrics.asksCapacity.Set(gate.MaxAsks)
	return &asker{
		poster: &poster{newClient(gate.MaxAsks, gate.MaxAsk, deps.Dial), deps.Secrets, deps.Now},
		places: make(chan struct{}, gate.MaxAsks), tally: newTally(deps.Metrics), now: deps.Now, log: deps.Log,
	}
}

// ask asks the shop about an order. It returns soon after ctx is done.
func (a *asker) ask(ctx context.Context, q *gate.Question) gate.Answer {
	of := a.tally.of(q.Sale)
	r := a.reply(ctx, q, of)
	of.counts[outcomeOf(r.Answer)].Inc()
	a.logTrouble(of, q, r)
	return r.Answer
}

// reply asks, unless gate.MaxAsks orders are being asked about already.
func (a *asker) reply(ctx context.Context, q *gate.Question, of *tallied) reply {
	if !a.poster.secrets.given() {
		return reply{Answer: gate.Answer{Word: gate.NotAsked, Cause: gate.ShopSecretless}}
	}
	select {
	case a.places <- struct{}{}:
	default:
		return reply{Answer: gate.Answer{Word: gate.NotAsked, Cause: gate.AsksFull}}
	}
	defer func() { <-a.places }()
	a.tally.metrics.asksOpen.Inc()
	defer a.tally.metrics.asksOpen.Dec()
	began := a.now()
	defer func() { of.took.Observe(a.now().Sub(began).Seconds()) }()
	return a.post(ctx, q)
}

// post posts a question and judges the answer. If no connection could be made, the shop knows
// nothing of the order, so it counts as not asked.
func (a *asker) post(ctx context.Context, q *gate.Question) reply {
	var reached atomic.Bool
	ctx = httptrace.WithClientTrace(ctx,
		&httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { reached.Store(true) }})
	ask := newAsk(q, a.now())
	status, body, err := a.poster.post(ctx, q.URL, ask.ID, ask)
	switch {
	case err == nil:
		return reply{judge(status, body), status, nil}
	case reached.Load():
		return reply{gate.Answer{Word: gate.NoAnswer, Cause: gate.ShopNoAnswer}, 0, err}
	}
	return reply{gate.Answer{Word: gate.NotAsked, Cause: gate.ShopNoAnswer}, 0, err}
}

// judge reads the shop's answer.
func judge(status int, body []byte) gate.Answer {
	switch {
	case taken(status):
		return gate.Answer{Word: gate.Yes}
	case status >= 400 && status <= 499 && !passing(status):
		return gate.Answer{Word: gate.No, Reason: reasonIn(body)}
	}
	return gate.Answer{Word: gate.NoAnswer, Cause: gate.ShopFailed}
}

// passing reports whether a 4xx is no decision on the order: it says "not now", or comes from a
// proxy on the way to the shop.
func passing(status int) bool {
	switch status {
	case http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly,
		http.StatusTooManyRequests:
		return true
	}
	return false
}

// doubtful reports whether a no may come from a web server that knows nothing of orders: it has a
// status such as 404, and no reason.
func (r *reply) doubtful() bool {
	switch r.status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed:
		return r.Reason == ""
	}
	return false
}

// logTrouble logs now and then that orders of a sale get no yes for a reason that the shop may not
// intend.
func (a *asker) logTrouble(of *tallied, q *gate.Question, r reply) {
	outcome := outcomeOf(r.Answer)
	text := ""
	switch {
	case r.doubtful():
		text = "the shop refuses orders without a reason, by a status that mostly means a wrong address or secret: " +
			"compare the sale's ask with the shop's address, and the notify secret with the one there"
	case outcome == askFailed:
		text = "the shop answers about orders neither with a 2xx nor with a 4xx that refuses them: they are refused " +
			"as shop_unavailable"
	case outcome == askSilent:
		text = "the shop does not answer about orders in time, or cannot be reached: they are refused as " +
			"shop_unavailable"
	case r.Cause == gate.AsksFull:
		text = "the shop answers more slowly than orders come: those that it cannot be asked about are refused as busy"
	default:
		return
	}
	if n := of.lines[outcome].Note(a.now()); n > 0 {
		attrs := []any{"sale", q.Sale, "ask", gate.HideSecrets(q.URL), "order", string(q.Confirm.Order), "orders", n}
		if r.status > 0 {
			attrs = append(attrs, "status", r.status)
		}
		if r.err != nil {
			attrs = append(attrs, "error", r.err)
		}
		a.log.Warn(text, attrs...)
	}
}

// keep shows the metrics of sales that ask, and removes those of others. It logs sales that take no
// orders because this gate has no secret to sign questions with.
func (a *asker) keep(sales map[string]*gate.Settings) {
	for sale, settings := range sales {
		if settings.Ask == "" {
			continue
		}
		if of := a.tally.of(sale); !a.poster.secrets.given() && !of.warned {
			of.warned = true
			of.secretless.Set(1)
			a.log.Error("this sale takes no orders, because this gate has no secret to sign its questions to "+
				"the shop with: "+
				"set FLASHGATE_NOTIFY_SECRET (whsec_…) or --notify-secret-file", "sale", sale)
		}
	}
	a.tally.keep(func(sale string) bool { return sales[sale] != nil && sales[sale].Ask != "" })
}

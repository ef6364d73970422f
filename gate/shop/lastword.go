package shop

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// LastWordDeps are the dependencies of a LastWord. All but Secrets and Dial are needed.
type LastWordDeps struct {
	// Sales returns the sales that this gate knows, with their settings.
	Sales   func() map[string]*gate.Settings
	Secrets *Secrets // nil: no question is asked, because none goes out unsigned
	Metrics *Metrics
	// Dial opens connections to shops; default: over the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Now  func() time.Time
	Log  *slog.Logger
}

// LastWord asks shops for their last word on orders, and probes whether they are up. It implements
// lane.Shop.
//
// A shop says yes with a 2xx and no with a 4xx, whose JSON may have a reason for the buyer. Five of
// the 4xx are no decision on the order: 408, 425 and 429 say "not now", 407 and 421 come from a
// proxy on the way. They and every other status count as no answer.
type LastWord struct {
	sales  func() map[string]*gate.Settings
	asker  *asker
	prober *prober
}

// NewLastWord returns a LastWord. All shops with a healthy URL count as down until Run is called.
func NewLastWord(deps LastWordDeps) *LastWord {
	return &LastWord{deps.Sales, newAsker(&deps), newProber(&deps)}
}

// Run probes the shops of sales that have a healthy URL until ctx is done, and returns when all
// probes have ended.
func (w *LastWord) Run(ctx context.Context) {
	defer w.prober.client.CloseIdleConnections()
	defer w.asker.poster.close()
	gate.PerSale(ctx, look, w.due, func(sale string, _ *gate.Settings) { w.prober.probe(ctx, sale) })
}

// due returns the sales whose shop is to be probed now.
func (w *LastWord) due() map[string]*gate.Settings {
	sales := w.sales()
	w.asker.keep(sales)
	return w.prober.due(sales)
}

// Hindrance implements lane.Shop.
func (w *LastWord) Hindrance(sale string, s *gate.Settings) gate.Cause {
	switch {
	case s.Ask != "" && !w.asker.poster.secrets.given():
		return gate.ShopSecretless
	case s.Healthy != "" && !w.prober.isUp(sale, s.Healthy):
		return gate.ShopDown
	}
	return gate.NoCause
}

// Ask implements lane.Shop.
func (w *LastWord) Ask(ctx context.Context, q *gate.Question) gate.Answer { return w.asker.ask(ctx, q) }

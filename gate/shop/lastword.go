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
	Secrets *Secrets // nil: then nobody is asked, for nothing goes out unsigned
	Metrics *Metrics
	// Dial opens connections to shops; default: over the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Now  func() time.Time
	Log  *slog.Logger
}

// LastWord has the shop's last word on orders: it is the gate's Shop.
//
// A shop says yes with a 2xx and no with a 4xx, whose JSON may have a reason for the
// buyer. Five of the 4xx are no word on the order: 408, 425 and 429 say "not now", 407 and
// 421 come from something on the way. They count as what every other status does: as no
// answer.
type LastWord struct {
	sales  func() map[string]*gate.Settings
	asker  *asker
	prober *prober
}

// NewLastWord returns a LastWord to which every shop is down until Run.
func NewLastWord(deps LastWordDeps) *LastWord {
	return &LastWord{deps.Sales, newAsker(&deps), newProber(&deps)}
}

// Run probes the shops of sales that have a healthy URL until ctx is done, and returns
// when all that it began has ended.
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

// Hindrance implements gate.Shop.
func (w *LastWord) Hindrance(sale string, s *gate.Settings) gate.Cause {
	switch {
	case s.Ask != "" && !w.asker.poster.secrets.given():
		return gate.ShopSecretless
	case s.Healthy != "" && !w.prober.isUp(sale, s.Healthy):
		return gate.ShopDown
	}
	return gate.NoCause
}

// Ask implements gate.Shop.
func (w *LastWord) Ask(ctx context.Context, q *gate.Question) gate.Answer { return w.asker.ask(ctx, q) }

package web

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/shop"
)

const (
	webhookTimeout = 2 * time.Second // for one call of Hasten
	maxWebhooks    = 64              // at once; PortOne sends refused ones again
)

// Orders is what webhooks need of a store.
type Orders interface {
	// Hasten makes an order due now in each of the sales that has it, and reports whether any has.
	Hasten(ctx context.Context, sales []string, order string) (bool, error)
}

// Forwarder passes webhooks on to the shop's own server.
type Forwarder interface {
	// Forward sends a webhook on. It returns nil if the shop has taken it.
	Forward(ctx context.Context, hook shop.Hook) error
}

// webhook answers a webhook of PortOne, which says that something has happened to a payment. The
// gate does not believe it: a known order is looked up now, an unknown one is ignored. The path may
// name the sale.
func (p *Public) webhook(ctx *fasthttp.RequestCtx, sale string) {
	outcome, v, taken := p.takeWebhook(ctx, sale)
	p.deps.Metrics.webhooks.WithLabelValues(outcome).Inc()
	if taken {
		respond(ctx, fasthttp.StatusOK, []byte(`{"code":"ok"}`))
		return
	}
	p.answer(ctx, p.unknown, v)
	p.tellWebhook(sale, v)
}

// takeWebhook returns the outcome of a webhook, and whether it is taken; if not, the verdict says
// why.
func (p *Public) takeWebhook(ctx *fasthttp.RequestCtx, sale string) (outcome string, v gate.Verdict, taken bool) {
	outcome, order, v, used := p.useWebhook(ctx, sale)
	if !used {
		return outcome, v, false
	}
	hook := shop.Hook{Order: order, Known: outcome == "known", Headers: forwarded(ctx), Body: ctx.PostBody()}
	if err := p.deps.Forward.Forward(context.Background(), hook); err != nil {
		level := slog.LevelDebug // anybody can send webhooks of unknown orders
		if hook.Known {
			level = slog.LevelWarn
		}
		p.deps.Log.Log(context.Background(), level, "a webhook was not passed on to the shop", "order",
			order, "error", err)
		return "not_forwarded", gate.Refuse(gate.ShopUnavailable), false
	}
	return outcome, gate.Verdict{}, true
}

// useWebhook makes the webhook's order due, and returns the order. It reports whether that went
// well; if not, the verdict says why.
func (p *Public) useWebhook(ctx *fasthttp.RequestCtx, sale string) (outcome, order string, v gate.Verdict, ok bool) {
	select {
	case p.hooks <- struct{}{}:
		defer func() { <-p.hooks }()
	default:
		return "busy", "", gate.Refuse(gate.Busy), false
	}
	if p.refusesWebhook(ctx) {
		return "refused", "", gate.Refuse(gate.NotAllowed), false
	}
	hook, v, ok := p.readWebhook(ctx)
	if !ok {
		return "refused", "", v, false
	}
	if p.opt.Store.Other(hook.Store) {
		return "other_store", hook.Order, gate.Verdict{}, true
	}
	sales := []string{sale}
	if sale == "" {
		sales = slices.Collect(maps.Keys(p.deps.Gate.Sales()))
	} else if _, known := p.deps.Gate.Lane([]byte(sale)); !known {
		return "refused", "", gate.Refuse(gate.UnknownSale), false
	}
	known, err := p.hasten(sales, hook.Order)
	if err != nil {
		p.deps.Log.Warn("a webhook's order could not be moved to the front: it is looked up in its turn", "order",
			hook.Order, "error", err)
		return "failed", hook.Order, gate.Refuse(gate.Unavailable), false
	}
	if !known {
		return "unknown", hook.Order, gate.Verdict{}, true
	}
	return "known", hook.Order, gate.Verdict{}, true
}

// readWebhook decodes a webhook and verifies V2's signature. It reports whether the webhook may be
// PortOne's; if not, the verdict says why.
func (p *Public) readWebhook(ctx *fasthttp.RequestCtx) (portone.Webhook, gate.Verdict, bool) {
	header, body := &ctx.Request.Header, ctx.PostBody()
	if len(header.Peek("Content-Encoding")) > 0 {
		return portone.Webhook{}, compressed(), false
	}
	hook, v := portone.DecodeWebhook(header.ContentType(), body)
	switch hook.Version {
	case gate.V1: // V1 signs nothing
		return hook, gate.Verdict{}, true
	case gate.V2:
		v, ok := p.signed(header, body)
		return hook, v, ok
	}
	return hook, v, false
}

// hasten makes the order due in each of the sales that has it.
func (p *Public) hasten(sales []string, order string) (known bool, err error) {
	if order == "" || len(sales) == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), webhookTimeout)
	defer cancel()
	return p.deps.Orders.Hasten(ctx, sales, order)
}

// forwarded are the headers that a webhook is passed on with: the content's type, and V2's
// signature.
func forwarded(ctx *fasthttp.RequestCtx) map[string]string {
	headers := map[string]string{}
	for _, name := range []string{"Content-Type", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		if value := ctx.Request.Header.Peek(name); len(value) > 0 {
			headers[name] = string(value)
		}
	}
	return headers
}

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
	webhookTimeout = 2 * time.Second // for having an order looked at
	maxWebhooks    = 64              // at once; PortOne sends more again, or the order is looked at in its turn
)

// Orders is what webhooks need of a store.
type Orders interface {
	// Hasten has an order looked at now in each of the sales that has it, and
	// reports whether any has.
	Hasten(ctx context.Context, sales []string, order string) (bool, error)
}

// Forwarder passes webhooks on to the shop's own server.
type Forwarder interface {
	// Forward sends a webhook on. It returns nil where the shop has taken it.
	Forward(ctx context.Context, hook shop.Hook) error
}

// webhook answers PortOne's word that something has happened to a payment. It
// believes nothing of it: an order that is known is looked up now, one that is
// not costs no look-up. The path may name the sale.
func (p *Public) webhook(ctx *fasthttp.RequestCtx, sale string) {
	outcome, v := p.takeWebhook(ctx, sale)
	p.metrics.webhooks.WithLabelValues(outcome).Inc()
	if v.Code != gate.Held {
		p.answer(ctx, p.unknown, v)
		return
	}
	respond(ctx, fasthttp.StatusOK, []byte(`{"code":"ok"}`))
}

func (p *Public) takeWebhook(ctx *fasthttp.RequestCtx, sale string) (outcome string, v gate.Verdict) {
	outcome, order, v := p.useWebhook(ctx, sale)
	if v.Code != gate.Held {
		return outcome, v
	}
	hook := shop.Hook{Order: order, Known: outcome == "known", Headers: forwarded(ctx), Body: ctx.PostBody()}
	if err := p.opt.Forward.Forward(context.Background(), hook); err != nil {
		level := slog.LevelDebug // anybody can send webhooks of orders that nobody knows
		if hook.Known {
			level = slog.LevelWarn
		}
		p.opt.Log.Log(context.Background(), level, "a webhook was not passed on to the shop", "order", order, "error", err)
		return "not_forwarded", gate.Refuse(gate.ShopUnavailable)
	}
	return outcome, v
}

// useWebhook has the webhook's order looked at, and returns the order.
func (p *Public) useWebhook(ctx *fasthttp.RequestCtx, sale string) (outcome, order string, v gate.Verdict) {
	select {
	case p.hooks <- struct{}{}:
		defer func() { <-p.hooks }()
	default:
		return "busy", "", gate.Refuse(gate.Busy)
	}
	if p.refusesWebhook(ctx) {
		return "refused", "", gate.Refuse(gate.NotAllowed)
	}
	hook, v := p.readWebhook(ctx)
	if v.Code != gate.Held {
		return "refused", "", v
	}
	sales := []string{sale}
	if sale == "" {
		sales = slices.Collect(maps.Keys(p.gate.Sales()))
	} else if _, known := p.gate.Lane([]byte(sale)); !known {
		return "refused", "", gate.Refuse(gate.UnknownSale)
	}
	known, err := p.hasten(sales, hook.Order)
	if err != nil {
		p.opt.Log.Warn("a webhook's order could not be had looked at: it is looked at in its turn", "order", hook.Order, "error", err)
		return "failed", hook.Order, gate.Refuse(gate.Unavailable)
	}
	if !known {
		return "unknown", hook.Order, v
	}
	return "known", hook.Order, v
}

// readWebhook decodes a webhook and checks what V2 signs.
func (p *Public) readWebhook(ctx *fasthttp.RequestCtx) (portone.Webhook, gate.Verdict) {
	header, body := &ctx.Request.Header, ctx.PostBody()
	if len(header.Peek("Content-Encoding")) > 0 {
		return portone.Webhook{}, compressed()
	}
	hook, v := portone.DecodeWebhook(header.ContentType(), body)
	if hook.Version == portone.V2 && !p.signed(header, body) { // what cannot be read has no version
		v = gate.Refuse(gate.BadSignature)
	}
	return hook, v
}

// hasten has the order looked at in each of the sales that has it.
func (p *Public) hasten(sales []string, order string) (known bool, err error) {
	if order == "" || len(sales) == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), webhookTimeout)
	defer cancel()
	return p.opt.Orders.Hasten(ctx, sales, order)
}

// forwarded are the headers that a webhook is passed on with: what says how to
// read it, and V2's signature.
func forwarded(ctx *fasthttp.RequestCtx) map[string]string {
	headers := map[string]string{}
	for _, name := range []string{"Content-Type", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		if value := ctx.Request.Header.Peek(name); len(value) > 0 {
			headers[name] = string(value)
		}
	}
	return headers
}

package web

import (
	"context"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// refusal is one line of the refusal log. It has the link's values as they were sent, except the
// signature, which is as good as money.
type refusal struct {
	Time       time.Time   `json:"time"`
	Sale       string      `json:"sale"` // as sent: it may not exist
	Order      string      `json:"order,omitempty"`
	Attempt    string      `json:"attempt,omitempty"`
	Buyer      string      `json:"buyer,omitempty"`
	Items      string      `json:"items,omitempty"`
	Lines      []gate.Line `json:"lines,omitempty"` // the cart that was read from items
	Amount     *int64      `json:"amount,omitempty"`
	LinkAmount string      `json:"link_amount,omitempty"`
	Expires    string      `json:"exp,omitempty"`
	Kid        string      `json:"kid,omitempty"`
	Code       string      `json:"code"`
	Cause      string      `json:"cause,omitempty"`
	Field      string      `json:"field,omitempty"`
	Want       string      `json:"want,omitempty"`
	Expected   *int64      `json:"expected,omitempty"` // the amount that is needed, or the least
	SKU        string      `json:"sku,omitempty"`      // the one that the sale does not have
	Reason     string      `json:"reason,omitempty"`   // the shop's sentence, for shop_refused
}

// logRefusal writes a refusal to the refusal log, to the log at debug and, if it may be a mistake
// or an attack, now and then to the log. If all of these are off, it costs next to nothing.
func (p *Public) logRefusal(ctx *fasthttp.RequestCtx, sale []byte, r *gate.Request, v gate.Verdict) {
	alike := p.refused.note(v, r.Received)
	each := p.deps.Log.Enabled(context.Background(), slog.LevelDebug)
	if p.deps.Refusals == nil && alike == 0 && !each {
		return
	}
	line := describe(ctx, sale, &r.Confirm, v)
	p.deps.Refusals.note(line)
	attrs := line.attrs()
	if v.Cause != gate.NoCause {
		attrs = append(attrs, slog.String("means", v.Cause.Means()))
	}
	if each {
		p.deps.Log.LogAttrs(context.Background(), slog.LevelDebug, "a confirm was refused", attrs...)
	}
	if alike > 0 {
		level := slog.LevelInfo
		if v.Code == gate.Undecided {
			level = slog.LevelError // a fault of the gate
		}
		p.deps.Log.LogAttrs(context.Background(), level, "confirms are refused; this is the newest of them",
			append(attrs, slog.Int64("confirms", alike))...)
	}
}

// tellWebhook logs a refused webhook, as logRefusal does a confirm.
func (p *Public) tellWebhook(sale string, v gate.Verdict) {
	attrs := []any{"code", v.Code.String(), "sale", sent([]byte(sale))}
	if v.Cause != gate.NoCause {
		attrs = append(attrs, "cause", v.Cause.String(), "means", v.Cause.Means())
	}
	if v.Field != "" {
		attrs = append(attrs, "field", v.Field, "want", v.Want)
	}
	p.deps.Log.Debug("a webhook was refused", attrs...)
	if alike := p.refusedHooks.note(v, time.Now()); alike > 0 {
		p.deps.Log.Info("webhooks are refused; this is the newest of them", append(attrs, "webhooks", alike)...)
	}
}

// describe reads a refused confirm again, including the parts that were not read when it was
// refused.
func describe(ctx *fasthttp.RequestCtx, sale []byte, c *gate.Confirm, v gate.Verdict) refusal {
	var link gate.Link
	readLink(&link, ctx.QueryArgs())
	if len(c.Order) == 0 {
		portone.Decode(c, ctx.Request.Header.ContentType(), ctx.PostBody(), "") // of any store
	}
	line := refusal{
		Time: time.Now(), Sale: sent(sale), Order: string(c.Order), Attempt: string(c.Attempt), Buyer: sent(link.Buyer),
		Items: sent(link.Items), Lines: append([]gate.Line(nil), c.Lines...), LinkAmount: sent(link.Amount),
		Expires: sent(link.Expires), Kid: sent(link.KeyID),
		Code: v.Code.String(), Cause: v.Cause.String(), Field: v.Field, Want: v.Want,
		SKU:    sent(gate.NthItem(link.Items, v.Item)),
		Reason: v.Reason,
	}
	if c.Amount.Known {
		line.Amount = new(c.Amount.Value)
	}
	if v.Code == gate.AmountMismatch {
		line.Expected = new(v.Expected)
	}
	return line
}

// attrs are a refusal's attributes in the log: all but the buyer, who appears in the refusal log
// alone.
func (l *refusal) attrs() []slog.Attr {
	text := func(name, value string) slog.Attr {
		if value == "" {
			return slog.Attr{}
		}
		return slog.String(name, value)
	}
	number := func(name string, value *int64) slog.Attr {
		if value == nil {
			return slog.Attr{}
		}
		return slog.Int64(name, *value)
	}
	return []slog.Attr{
		text("code", l.Code), text("cause", l.Cause), text("field", l.Field), text("want",
			l.Want), text("sale", l.Sale),
		text("order", l.Order), text("attempt", l.Attempt), text("items", l.Items), text("sku", l.SKU),
		number("amount", l.Amount), number("expected", l.Expected), text("link_amount",
			l.LinkAmount), text("exp", l.Expires),
		text("kid", l.Kid), text("reason", l.Reason),
	}
}

// sent is a text that somebody sent, made fit for a log: at most as long as a link should be, with
// � for characters that cannot be printed.
func sent(b []byte) string {
	rest := ""
	if len(b) > gate.MaxLink {
		b, rest = b[:gate.MaxLink], "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, string(b)) + rest
}

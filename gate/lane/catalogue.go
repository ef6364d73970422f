package lane

import (
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/mirror"
)

// catalogue is a sale's settings as this gate last read them, with an index.
// It is never changed, only replaced.
type catalogue struct {
	sale    gate.Sale
	version int64 // 0 if the store never had the sale
	skus    gate.SKUIndex

	missing    bool // the store has nothing of it
	unreadable bool // what the store has of it cannot be read, and this gate has never read it
}

func newCatalogue(s *gate.State) *catalogue {
	return &catalogue{sale: s.Sale, version: s.Version, skus: gate.NewSKUIndex(s.SKUs)}
}

// known reports whether the settings are the sale's own.
func (c *catalogue) known() bool { return !c.missing && !c.unreadable }

// resolve reads the link into the confirm, and makes all checks that need no store. It reports
// whether the confirm may go on; if not, the verdict says why. A check that depends on settings,
// which may have changed since the order was accepted, only doubts the confirm.
func (c *catalogue) resolve(r *gate.Request, link *gate.Link, now time.Time) (gate.Verdict, bool) {
	if !c.known() {
		return c.unknown(now), false
	}
	if v, ok := c.readCart(&r.Confirm, link); !ok {
		return v, false
	}
	if v, ok := readAmount(&r.Confirm, link); !ok {
		return v, false
	}
	if v, ok := c.checkBuyer(&r.Confirm); !ok {
		r.Doubt(v)
	}
	if now.Add(mirror.Edge).Before(c.sale.OpensAt) {
		r.Doubt(gate.Refuse(gate.NotOpen))
	}
	if v, ok := c.checkAmount(&r.Confirm, link); !ok {
		r.Doubt(v)
	}
	return gate.Verdict{}, true
}

// readCart reads what the link says is bought, and by whom, into the confirm.
func (c *catalogue) readCart(confirm *gate.Confirm, link *gate.Link) (gate.Verdict, bool) {
	lines, v, ok := c.skus.ParseItems(confirm.Lines[:0], link.Items)
	if !ok {
		confirm.Lines = lines[:0] // a cart that was read in part is dropped; its memory is kept
		return v, false
	}
	confirm.Lines = lines
	confirm.Buyer = append(confirm.Buyer[:0], link.Buyer...)
	if len(link.Buyer) > 0 && !gate.ValidID(link.Buyer) {
		return gate.Malformed("buyer", gate.WantID), false
	}
	return gate.Verdict{}, true
}

func (c *catalogue) checkBuyer(confirm *gate.Confirm) (gate.Verdict, bool) {
	if len(confirm.Buyer) == 0 && c.sale.PerBuyer > 0 {
		return gate.NeedsBuyer(), false
	}
	return gate.Verdict{}, true
}

// readAmount takes the link's amount if the call has none.
func readAmount(confirm *gate.Confirm, link *gate.Link) (gate.Verdict, bool) {
	if len(link.Amount) == 0 {
		return gate.Verdict{}, true
	}
	signed, ok := gate.ParseDigits(link.Amount)
	if !ok || signed > gate.MaxAmount {
		return gate.Malformed("amount", gate.WantAmount), false
	}
	if !confirm.Amount.Known {
		confirm.Amount = gate.Amount{Value: signed, Known: true}
	}
	return gate.Verdict{}, true
}

// checkAmount compares the amount with the link's, which readAmount has read, and with the prices.
// A line without a price may cost anything: with one of them, the prices give only the least amount.
func (c *catalogue) checkAmount(confirm *gate.Confirm, link *gate.Link) (gate.Verdict, bool) {
	if signed, ok := gate.ParseDigits(link.Amount); ok && confirm.Amount.Value != signed {
		return gate.WrongAmount(gate.AmountNotLinks, signed), false
	}
	cost, priced := c.skus.Cost(confirm.Lines)
	switch {
	case !confirm.Amount.Known && (priced > 0 || !c.sale.AmountOptional):
		return gate.NeedsAmount(), false
	case priced == len(confirm.Lines) && confirm.Amount.Value != cost:
		return gate.WrongAmount(gate.AmountNotPrice, cost), false
	case confirm.Amount.Value < cost:
		return gate.WrongAmount(gate.AmountBelowPrice, cost), false
	}
	return gate.Verdict{}, true
}

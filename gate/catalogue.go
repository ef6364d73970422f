package gate

import "time"

// catalogue is a sale's settings as this gate last read them, with an index.
// It is never changed, only replaced.
type catalogue struct {
	sale    Sale
	version int64 // 0 where the store never had it
	skus    map[string]*SKU

	missing    bool // the store has nothing of it
	unreadable bool // what the store has of it cannot be read, and never could
}

func newCatalogue(s *State) *catalogue {
	c := &catalogue{sale: s.Sale, version: s.Version, skus: make(map[string]*SKU, len(s.SKUs))}
	for i := range c.sale.SKUs {
		c.skus[c.sale.SKUs[i].Name] = &c.sale.SKUs[i]
	}
	return c
}

// known reports whether the settings are the sale's own.
func (c *catalogue) known() bool { return !c.missing && !c.unreadable }

// earlyBy is how far before opening, by the gate's own clock, a confirm is
// refused without asking the store. What is nearer than that, the store's clock
// decides.
const earlyBy = 2 * time.Second

// check reads the link into the confirm and refuses what needs no store: it
// reports whether the confirm may go on, and why not.
func (c *catalogue) check(confirm *Confirm, link *Link, now time.Time) (Verdict, bool) {
	if !c.known() {
		return c.unknown(now), false
	}
	lines, v, ok := c.parseItems(confirm.Lines[:0], link.Items)
	if !ok {
		confirm.Lines = lines[:0] // half a cart is none; its memory is kept
		return v, false
	}
	confirm.Lines = lines
	confirm.Buyer = append(confirm.Buyer[:0], link.Buyer...)
	switch {
	case len(link.Buyer) > 0 && !ValidID(link.Buyer):
		return Malformed("buyer", WantID), false
	case len(link.Buyer) == 0 && c.sale.PerBuyer > 0:
		return NeedsBuyer(), false
	case now.Add(earlyBy).Before(c.sale.OpensAt):
		return Refuse(NotOpen), false
	}
	return c.checkAmount(confirm, link)
}

// checkAmount holds the amount against the link's, which stands in for one that
// the call does not have, and against the prices. Lines without a price may cost
// anything, so with one of them the others tell only the least.
func (c *catalogue) checkAmount(confirm *Confirm, link *Link) (Verdict, bool) {
	if len(link.Amount) > 0 {
		signed, ok := parseDigits(link.Amount)
		switch {
		case !ok || signed > MaxAmount:
			return Malformed("amount", WantAmount), false
		case !confirm.Amount.Known:
			confirm.Amount = Amount{Value: signed, Known: true}
		case confirm.Amount.Value != signed:
			return wrongAmount(AmountNotLinks, signed), false
		}
	}
	cost, priced := c.cost(confirm.Lines)
	switch {
	case !confirm.Amount.Known && (priced > 0 || !c.sale.AmountOptional):
		return NeedsAmount(), false
	case priced == len(confirm.Lines) && confirm.Amount.Value != cost:
		return wrongAmount(AmountNotPrice, cost), false
	case confirm.Amount.Value < cost:
		return wrongAmount(AmountBelowPrice, cost), false
	}
	return Verdict{}, true
}

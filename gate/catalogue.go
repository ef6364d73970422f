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

// check reads the link into the confirm and refuses what needs no store. Where
// there are keys, the link must be signed. A zero verdict lets the confirm go on.
func (c *catalogue) check(confirm *Confirm, link *Link, keys *Keys, now time.Time) Verdict {
	var v Verdict
	if keys != nil {
		if v = keys.verify(c.sale.Name, confirm.Order, link, now); v.Code != Held {
			return v
		}
	}
	if !c.known() {
		return c.unknown(now)
	}
	if confirm.Lines, v = c.parseItems(confirm.Lines[:0], link.Items); v.Code != Held {
		return v
	}
	confirm.Buyer = append(confirm.Buyer[:0], link.Buyer...)
	switch {
	case len(link.Buyer) > 0 && !ValidID(link.Buyer):
		return Malformed("buyer", WantID)
	case len(link.Buyer) == 0 && c.sale.PerBuyer > 0:
		return NeedsBuyer()
	case now.Add(earlyBy).Before(c.sale.OpensAt):
		return Refuse(NotOpen)
	}
	if len(link.Amount) > 0 {
		signed, ok := parseDigits(link.Amount)
		switch {
		case !ok || signed > MaxAmount:
			return Malformed("amount", WantAmount)
		case !confirm.Amount.Known:
			confirm.Amount = Amount{Value: signed, Known: true}
		case confirm.Amount.Value != signed:
			return Refuse(AmountMismatch)
		}
	}
	cost, priced := c.cost(confirm.Lines)
	switch {
	case !confirm.Amount.Known && (priced || !c.sale.AmountOptional):
		return NeedsAmount()
	case priced && confirm.Amount.Value != cost:
		return Refuse(AmountMismatch)
	}
	return Verdict{}
}

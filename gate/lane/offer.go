package lane

import (
	"fmt"

	"github.com/flashgate/flashgate/gate"
)

// OfferError says that gates would refuse every confirm of a link for this offer, and what to
// change in the offer.
type OfferError struct {
	Verdict gate.Verdict
	Offer   gate.Offer
	SKUs    []string // of the sale
}

// Error implements error.
func (e *OfferError) Error() string {
	v := e.Verdict
	switch v.Code {
	case gate.UnknownSKU:
		name := string(gate.NthItem([]byte(e.Offer.Items), v.Item))
		return fmt.Sprintf("sale %s has no SKU %s: %s", e.Offer.Sale, name, gate.DidYouMean(name, e.SKUs))
	case gate.AmountMismatch:
		least := ""
		if v.Cause == gate.AmountBelowPrice {
			least = "at least "
		}
		return fmt.Sprintf("amount %d: it must be %s%d in sale %s, for %s", e.Offer.Amount.Value, least, v.Expected,
			e.Offer.Sale, v.Cause.Means())
	case gate.BadRequest:
		return fmt.Sprintf("%s %s (sale %s)", v.Field, v.Want, e.Offer.Sale)
	}
	return fmt.Sprintf("sale %s would refuse it as %s", e.Offer.Sale, v.Code)
}

// CheckOffer returns an *OfferError if gates would refuse the confirm of a link for the offer. It
// checks everything but the clock and the stock.
func CheckOffer(s *gate.State, o *gate.Offer) error { return newCatalogue(s).checkOffer(o) }

// CheckOffer is the function CheckOffer for the sale as this gate knows it.
func (l *Lane) CheckOffer(o *gate.Offer) error { return l.catalogue.Load().checkOffer(o) }

func (c *catalogue) checkOffer(o *gate.Offer) error {
	confirm := gate.Confirm{Order: []byte(o.Order), Amount: o.Amount}
	link := gate.Link{Items: []byte(o.Items), Buyer: []byte(o.Buyer)}
	v, ok := gate.Refuse(c.doubt()), c.known()
	if ok {
		v, ok = c.readCart(&confirm, &link)
	}
	if ok {
		v, ok = c.checkBuyer(&confirm)
	}
	if ok {
		v, ok = c.checkAmount(&confirm, &link)
	}
	if ok {
		return nil
	}
	e := &OfferError{Verdict: v, Offer: *o}
	for _, sku := range c.sale.SKUs {
		e.SKUs = append(e.SKUs, sku.Name)
	}
	return e
}

package lane

import (
	"errors"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
)

// verdictOn is what a link for an offer would be refused for, or Held.
func verdictOn(err error) gate.Verdict {
	if e, is := errors.AsType[*OfferError](err); is {
		return e.Verdict
	}
	return gate.Refuse(gate.Held)
}

// What a link would be refused for is told with what to change.
func TestAnOfferIsCheckedAgainstItsSale(t *testing.T) {
	t.Parallel()
	price := int64(80000)
	state := &gate.State{Sale: gate.Sale{Name: "race", Run: 1, Settings: gate.Settings{PerBuyer: 2, SKUs: []gate.SKU{
		{Name: "full", Stock: 1, Price: &price},
		{Name: "half", Stock: 1},
		{Name: "kids", Stock: 1, Price: new(int64(0))},
	}}}}
	f := func(want, items, buyer string, amount gate.Amount) {
		t.Helper()
		err := CheckOffer(state, &gate.Offer{Sale: "race", Items: items, Buyer: buyer, Order: "o", Amount: amount})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", items, err, want)
		}
	}
	paid := func(value int64) gate.Amount { return gate.Amount{Value: value, Known: true} }
	f("", "full", "ann", paid(80000))
	f("", "full,half", "ann", paid(90000))
	f("sale race has no SKU ful: did you mean full, half or kids?", "half,ful:2", "ann", paid(80000))
	f("amount 79999: it must be 80000 in sale race, for the amount is not what the lines cost", "full",
		"ann", paid(79999))
	f("amount 79999: it must be at least 80000 in sale race, for", "full,half", "ann", paid(79999))
	f("buyer is needed, because this sale limits the units of one buyer (sale race)", "full", "", paid(80000))
	f("amount is needed", "full", "ann", gate.Amount{})
}

package gate

import (
	"bytes"
	"slices"
	"strings"
)

// Confirm is one call of PortOne's confirm process, decoded. Its byte slices
// belong to whoever made it and must stay untouched until the verdict is in.
type Confirm struct {
	Order   []byte // merchant_uid or paymentId
	Attempt []byte // imp_uid or transactionId
	Version uint8  // of the payment service's interface that made the call: 1 or 2
	Buyer   []byte // the shop's own id for a person; may be empty
	Lines   []Line // sorted by SKU
	Amount  Amount // as PortOne sent it
}

// Reset empties c and keeps its memory for the next confirm.
func (c *Confirm) Reset() {
	*c = Confirm{Order: c.Order[:0], Attempt: c.Attempt[:0], Buyer: c.Buyer[:0], Lines: c.Lines[:0]}
}

const itemsForm = "must be SKU[:QUANTITY], 1 to 20 of them with commas between, each SKU once"

// parseItems reads a link's items, such as "full:2,half", into lines sorted by
// SKU. Their names are the catalogue's own strings, so nothing of items is kept.
// It reports whether they can be read; the verdict says why not.
func (c *catalogue) parseItems(lines []Line, items []byte) ([]Line, Verdict, bool) {
	malformed := Malformed("items", itemsForm)
	for more := true; more; {
		var item []byte
		item, items, more = bytes.Cut(items, []byte{','})
		name, quantity, found := bytes.Cut(item, []byte{':'})
		n := int64(1)
		if found {
			var ok bool
			if n, ok = parseQuantity(quantity); !ok {
				return lines, malformed, false
			}
		}
		if !ValidName(name) || len(lines) == MaxLines {
			return lines, malformed, false
		}
		sku, ok := c.skus[string(name)]
		if !ok {
			return lines, Verdict{Code: UnknownSKU, Item: uint8(len(lines) + 1)}, false
		}
		lines = append(lines, Line{SKU: sku.Name, Quantity: n})
	}
	slices.SortFunc(lines, func(a, b Line) int { return strings.Compare(a.SKU, b.SKU) })
	for i := 1; i < len(lines); i++ {
		if lines[i].SKU == lines[i-1].SKU {
			return lines, malformed, false
		}
	}
	return lines, Verdict{}, true
}

// NthItem returns the name in the nth of a link's items, counted from 1. It is
// empty where there is none.
func NthItem(items []byte, n uint8) []byte {
	var item []byte
	for ; n > 0; n-- {
		item, items, _ = bytes.Cut(items, []byte{','})
	}
	name, _, _ := bytes.Cut(item, []byte{':'})
	return name
}

func parseQuantity(b []byte) (int64, bool) {
	n, ok := parseDigits(b)
	return n, ok && n > 0 && n <= MaxUnits
}

// cost returns what those of the lines cost together that have a price, and how
// many have one. What is more than any amount may be is MaxAmount + 1.
func (c *catalogue) cost(lines []Line) (sum int64, priced int) {
	for _, l := range lines {
		price := c.skus[l.SKU].Price
		if price == nil {
			continue
		}
		priced++
		if *price > 0 && l.Quantity > (MaxAmount-sum) / *price {
			sum = MaxAmount + 1 // and stays that, for no further line fits
			continue
		}
		sum += *price * l.Quantity
	}
	return sum, priced
}

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
func (c *catalogue) parseItems(lines []Line, items []byte) ([]Line, Verdict) {
	for more := true; more; {
		var item []byte
		item, items, more = bytes.Cut(items, []byte{','})
		name, quantity, found := bytes.Cut(item, []byte{':'})
		n := int64(1)
		if found {
			var ok bool
			if n, ok = parseQuantity(quantity); !ok {
				return lines, Malformed("items", itemsForm)
			}
		}
		if !ValidName(name) || len(lines) == MaxLines {
			return lines, Malformed("items", itemsForm)
		}
		sku, ok := c.skus[string(name)]
		if !ok {
			return lines, Refuse(UnknownSKU)
		}
		lines = append(lines, Line{SKU: sku.Name, Quantity: n})
	}
	slices.SortFunc(lines, func(a, b Line) int { return strings.Compare(a.SKU, b.SKU) })
	for i := 1; i < len(lines); i++ {
		if lines[i].SKU == lines[i-1].SKU {
			return lines, Malformed("items", itemsForm)
		}
	}
	return lines, Verdict{}
}

func parseQuantity(b []byte) (int64, bool) {
	n, ok := parseDigits(b)
	return n, ok && n > 0 && n <= MaxUnits
}

// cost returns what the lines cost, and false where a price is not known.
func (c *catalogue) cost(lines []Line) (int64, bool) {
	var sum int64
	for _, l := range lines {
		price := c.skus[l.SKU].Price
		if price == nil {
			return 0, false
		}
		if *price > 0 && l.Quantity > (MaxAmount-sum) / *price {
			return MaxAmount + 1, true
		}
		sum += *price * l.Quantity
	}
	return sum, true
}

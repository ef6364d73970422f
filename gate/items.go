package gate

import (
	"bytes"
	"slices"
	"strings"
)

const itemsForm = "must be SKU[:QUANTITY], 1 to 20 of them with commas between, each SKU once"

// SKUIndex finds a sale's SKUs by name.
type SKUIndex map[string]*SKU

// NewSKUIndex returns an index of SKUs. They must not change while the index is used.
func NewSKUIndex(skus []SKU) SKUIndex {
	x := make(SKUIndex, len(skus))
	for i := range skus {
		x[skus[i].Name] = &skus[i]
	}
	return x
}

// ParseItems reads a link's items, such as "full:2,half", into lines sorted by SKU. It reports
// whether it could; if not, the verdict says why. The lines' names are the index's own strings, so
// the caller may reuse the bytes of items.
func (x SKUIndex) ParseItems(lines []Line, items []byte) ([]Line, Verdict, bool) {
	malformed := Malformed("items", itemsForm)
	for more := true; more; {
		var item []byte
		item, items, more = bytes.Cut(items, []byte{','})
		name, quantity, ok := parseItem(item)
		if !ok || len(lines) == MaxLines {
			return lines, malformed, false
		}
		sku, ok := x[string(name)]
		if !ok {
			return lines, Verdict{Code: UnknownSKU, Item: uint8(len(lines) + 1)}, false
		}
		lines = append(lines, Line{SKU: sku.Name, Quantity: quantity})
	}
	slices.SortFunc(lines, func(a, b Line) int { return strings.Compare(a.SKU, b.SKU) })
	for i := 1; i < len(lines); i++ {
		if lines[i].SKU == lines[i-1].SKU {
			return lines, malformed, false
		}
	}
	return lines, Verdict{}, true
}

// parseItem reads one of a link's items, such as "full:2" or "half".
func parseItem(item []byte) (name []byte, quantity int64, ok bool) {
	name, digits, found := bytes.Cut(item, []byte{':'})
	if quantity, ok = 1, true; found {
		quantity, ok = parseQuantity(digits)
	}
	return name, quantity, ok && ValidName(name)
}

// NthItem returns the SKU name of a link's nth item, counted from 1; empty if the link has fewer
// items.
func NthItem(items []byte, n uint8) []byte {
	var item []byte
	for ; n > 0; n-- {
		item, items, _ = bytes.Cut(items, []byte{','})
	}
	name, _, _ := bytes.Cut(item, []byte{':'})
	return name
}

func parseQuantity(b []byte) (int64, bool) {
	n, ok := ParseDigits(b)
	return n, ok && n > 0 && n <= MaxUnits
}

// Cost returns the sum of the prices of all lines that have a price, and the number of those lines.
// A sum above MaxAmount is returned as MaxAmount + 1.
func (x SKUIndex) Cost(lines []Line) (sum int64, priced int) {
	for _, l := range lines {
		price := x[l.SKU].Price
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

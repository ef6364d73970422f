package gate

import "time"

// Availability is what anybody may know of a sale, for the shop's pages. Nothing in it tells of a
// buyer or an order. All times are in UTC, so that every gate writes the same.
type Availability struct {
	Sale     string            `json:"sale"`
	State    string            `json:"state"` // State.Phase: whether orders are taken, whatever is left
	OpensAt  time.Time         `json:"opens_at"`
	ClosesAt time.Time         `json:"closes_at"`
	Now      time.Time         `json:"now,omitzero"` // by the sale's clock, in whole milliseconds
	SKUs     []SKUAvailability `json:"skus"`
}

// SKUAvailability is one SKU of an Availability.
type SKUAvailability struct {
	SKU       string `json:"sku"`
	Available bool   `json:"available"` // a unit is left, whatever the sale's state is
	// The units that are left, and those put on sale; nil unless the sale shows its stock.
	Left  *int64 `json:"left,omitempty"`
	Total *int64 `json:"total,omitempty"`
}

// Availability shows what anybody may know of the sale at s.Now.
func (s *State) Availability() Availability {
	a := Availability{
		Sale: s.Name, State: s.Phase(s.Now), OpensAt: s.OpensAt.UTC(), ClosesAt: s.ClosesAt.UTC(),
		Now:  s.Now.UTC().Truncate(time.Millisecond),
		SKUs: make([]SKUAvailability, 0, len(s.SKUs)),
	}
	for _, k := range s.SKUs {
		units := s.Units[k.Name] // of a SKU that is listed and not counted yet, none is left
		sku := SKUAvailability{SKU: k.Name, Available: units.Left > 0}
		if s.ShowStock {
			sku.Left, sku.Total = new(max(units.Left, 0)), new(units.Total)
		}
		a.SKUs = append(a.SKUs, sku)
	}
	return a
}

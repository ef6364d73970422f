package gate

import (
	"fmt"
	"time"
)

// Entry is one entry of a sale's ledger: the changes of one script call. It holds results, never
// differences, so a copy of the sale is a fold over its entries.
type Entry struct {
	Seq  int64
	Term int64
	Time time.Time
	// Kind is "create", "apply", "pause", "resume", "delete", "confirm", "settle", "report", "brake" or "go-on".
	Kind     string
	Who      string           // the gate, or the person who gave the command
	Counters map[string]Units // after the entry, for each SKU whose units it moved
	Counts   OrderCounts      // after the entry
	Settings *SettingsEntry   // after the entry; nil unless it changed them
	Before   *Settings        // the settings that the entry replaced or deleted; nil if there were none
	Orders   []Order          // the full new records, in the order of the changes
	Extended []int            // indexes into Orders of those that only got a later deadline
}

// SettingsEntry is the settings register as one ledger entry leaves it.
type SettingsEntry struct {
	Run      int64
	Version  int64
	Settings Settings
}

// Fold is a copy of a sale made from its ledger.
type Fold struct {
	State
	ByID   map[string]Order
	Buyers map[string]int64 // units held or paid, by buyer; none at zero
}

// NewFold returns the copy of a sale before its first entry.
func NewFold(sale string) *Fold {
	f := &Fold{ByID: map[string]Order{}, Buyers: map[string]int64{}}
	f.Name = sale
	f.Units = map[string]Units{}
	return f
}

// Apply folds the next entry into the copy. It returns an error, and changes nothing, if the entry
// is not the next one. A create or a delete may follow any entry, because it begins anew.
func (f *Fold) Apply(e *Entry) error {
	switch {
	case e.Kind == "create" || e.Kind == "delete":
		*f = *NewFold(f.Name)
		if e.Kind == "delete" {
			f.Deleted = e.Time
		}
	case e.Seq != f.Seq+1:
		return fmt.Errorf("ledger of %s: entry %d follows entry %d", f.Name, e.Seq, f.Seq)
	}
	f.Seq, f.Term, f.Now = e.Seq, e.Term, e.Time
	if s := e.Settings; s != nil {
		f.Run, f.Version, f.Settings = s.Run, s.Version, s.Settings
	}
	for sku, units := range e.Counters {
		f.Units[sku] = units
	}
	if e.Settings != nil {
		f.dropUnlisted()
	}
	f.Orders = e.Counts
	for _, o := range e.Orders {
		f.own(f.ByID[o.ID], -1)
		f.own(o, 1)
		f.ByID[o.ID] = o
	}
	return nil
}

func (f *Fold) dropUnlisted() {
	listed := make(map[string]bool, len(f.SKUs))
	for _, k := range f.SKUs {
		listed[k.Name] = true
	}
	for sku := range f.Units {
		if !listed[sku] {
			delete(f.Units, sku)
		}
	}
}

// own adds sign times an order's units to its buyer's count.
func (f *Fold) own(o Order, sign int64) {
	if o.Buyer == "" || !o.State.HasUnits() {
		return
	}
	for _, l := range o.Lines {
		f.Buyers[o.Buyer] += sign * l.Quantity
	}
	if f.Buyers[o.Buyer] == 0 {
		delete(f.Buyers, o.Buyer)
	}
}

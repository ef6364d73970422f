package gate

import "time"

// Entry is one entry of a sale's ledger: the changes of one script call. It holds results, never
// differences, so a copy of the sale is a fold over its entries.
type Entry struct {
	Seq  int64
	Term int64
	Time time.Time
	// Kind is "create", "apply", "pause", "resume", "delete", "confirm", "grant", "settle", "report", "brake" or
	// "go-on".
	Kind     string
	Who      string           // the gate, or the person who gave the command
	Counters map[string]Units // after the entry, for each SKU whose units it moved
	Counts   OrderCounts      // after the entry
	Settings *SettingsEntry   // after the entry; nil unless it changed them
	Before   *Settings        // the settings that the entry replaced or deleted; nil if there were none
	Changes  []Change         // each order that it changed, in their order
	Orders   []Order          // the same, once ReadOrders has read them
	Extended []int            // indexes into Changes of those that only got a later deadline
}

// SettingsEntry is the settings register as one ledger entry leaves it.
type SettingsEntry struct {
	Run      int64
	Version  int64
	Settings Settings
}

// Change is an order as a ledger entry leaves it.
type Change struct{ Order, Record string }

// ReadOrders reads the records of the changes.
func (e *Entry) ReadOrders() error {
	e.Orders = nil
	for _, c := range e.Changes {
		o, err := ParseRecord(c.Order, c.Record)
		if err != nil {
			return err
		}
		e.Orders = append(e.Orders, o)
	}
	return nil
}

// Begins reports whether the entry begins a sale, or ends it: nothing of what was
// before it is left.
func (e *Entry) Begins() bool { return e.Kind == "create" || e.Kind == "delete" }

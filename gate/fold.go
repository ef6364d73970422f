package gate

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// Fold is a copy of a sale made from its ledger: its settings, its counters and its
// orders as they were after the newest entry that was applied.
type Fold struct {
	State
	Records map[string]Recorded // by order
	Buyers  map[string]int64    // units held or paid, by buyer; none at zero

	counted OrderCounts       // what the records add up to,
	taken   map[string]*Units // also by SKU: the held, paid and withheld units
}

// Recorded is an order's record, and the number of the ledger entry that it is from.
type Recorded struct {
	Record string
	Seq    int64
}

// NewFold returns the copy of a sale before its first entry.
func NewFold(sale string) *Fold {
	f := &Fold{Records: map[string]Recorded{}, Buyers: map[string]int64{}, taken: map[string]*Units{}}
	f.Name = sale
	f.Units = map[string]Units{}
	return f
}

// Apply folds the next entry into the copy. It returns an error, and changes nothing, if the entry
// is not the next one. A create or a delete may follow any entry, because it begins anew.
func (f *Fold) Apply(e *Entry) error {
	switch {
	case e.Begins():
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
	maps.Copy(f.Units, e.Counters)
	if e.Settings != nil {
		f.dropUnlisted()
	}
	f.Orders = e.Counts
	for _, c := range e.Changes {
		f.Learn(c, e.Seq)
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

// Learn takes an order's record from the ledger entry with that number, unless a later
// one is known. So an order may be known before the entry that changed it is applied.
func (f *Fold) Learn(c Change, seq int64) {
	was, known := f.Records[c.Order]
	if known && was.Seq > seq {
		return
	}
	if was.Record != c.Record {
		f.count(was.Record, -1)
		f.count(c.Record, 1)
	}
	f.Records[c.Order] = Recorded{c.Record, seq}
}

// count adds what a record stands for, or takes it away. An empty one stands for
// nothing.
func (f *Fold) count(record string, sign int64) {
	if len(record) < 2 {
		return
	}
	state := OrderState(record[1])
	f.counted.Add(state, sign)
	buyer, lines, attempts := parts(record)
	for a := range strings.SplitSeq(attempts, AttemptSep) {
		switch {
		case a == "":
		case AttemptState(a[0]) == AttemptRefundDue:
			f.counted.Refunds += sign
		case AttemptState(a[0]) == AttemptRequested:
			f.counted.Requested += sign
		}
	}
	if !state.HasUnits() && state != OrderWithheld {
		return
	}
	for line := range strings.SplitSeq(lines, ",") {
		sku, quantity, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseInt(quantity, 10, 64)
		f.take(sku, state, sign*n)
		if buyer != "" && state.HasUnits() {
			f.own(buyer, sign*n)
		}
	}
}

func (f *Fold) take(sku string, state OrderState, n int64) {
	u := f.taken[sku]
	if u == nil {
		u = &Units{}
		f.taken[strings.Clone(sku)] = u // not a part of a record, which would be kept for it
	}
	switch state {
	case OrderAsking, OrderHeld:
		u.Held += n
	case OrderPaid:
		u.Paid += n
	case OrderWithheld:
		u.Withheld += n
	}
}

func (f *Fold) own(buyer string, n int64) {
	has, known := f.Buyers[buyer]
	switch n += has; {
	case known && n != 0:
		f.Buyers[buyer] = n
	case n != 0:
		f.Buyers[strings.Clone(buyer)] = n
	default:
		delete(f.Buyers, buyer)
	}
}

// Recount returns an error where the counters of the sale are not what its orders add
// up to.
func (f *Fold) Recount() error {
	if f.counted != f.Orders {
		return fmt.Errorf("sale %s counts its orders as %+v, and they are %+v", f.Name, f.Orders, f.counted)
	}
	for sku, u := range f.Units {
		var is Units
		if taken := f.taken[sku]; taken != nil {
			is = *taken
		}
		if is.Held != u.Held || is.Paid != u.Paid || is.Withheld != u.Withheld || u.Sum() != u.Total {
			return fmt.Errorf("SKU %s of sale %s counts %+v, and its orders have %d held, %d paid and %d withheld",
				sku, f.Name, u, is.Held, is.Paid, is.Withheld)
		}
	}
	return nil
}

// Order reads an order of the copy. It returns ErrNoOrder where the copy has no such one.
func (f *Fold) Order(id string) (Order, error) {
	kept, known := f.Records[id]
	if !known {
		return Order{}, ErrNoOrder
	}
	return ParseRecord(id, kept.Record)
}

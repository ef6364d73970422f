package audit

import (
	"fmt"
	"slices"

	"github.com/flashgate/flashgate/gate"
)

// chain is how far the next ledger entry must follow from those before. One that
// is missing or cannot be read breaks it: what that one may have changed is known
// again when a later entry tells of it.
type chain struct {
	broken int64            // the newest break; 0 where the ledger is whole
	units  map[string]int64 // by SKU, the newest entry that told its counters
	counts int64            // the newest entry that told the counts of orders
}

func newChain() chain { return chain{units: map[string]int64{}} }

// knows reports whether what an entry told was the newest before the next one; told
// is 0 where no entry has told of it.
func (c *chain) knows(told int64) bool { return c.broken == 0 || told > c.broken }

// told notes what an entry tells.
func (c *chain) told(e *gate.Entry) {
	c.counts = e.Seq
	for sku := range e.Counters {
		c.units[sku] = e.Seq
	}
}

// start is what one entry starts from.
type start struct {
	register    *gate.SettingsEntry
	units       map[string]gate.Units // as told, by SKU that the entry counts or moves
	counted     map[string]gate.Units // over the orders, by SKU
	counts      gate.OrderCounts      // as told
	countCounts gate.OrderCounts      // over the orders
	unknown     map[string]bool       // SKUs of orders that a missing entry may have changed
}

// startOf returns what the next entry starts from.
func (a *auditor) startOf(e *gate.Entry) start {
	s := start{
		register: a.register, counts: a.counts, countCounts: a.accounts.counts,
		units: map[string]gate.Units{}, counted: map[string]gate.Units{}, unknown: map[string]bool{},
	}
	note := func(sku string) { s.units[sku], s.counted[sku] = a.units[sku], a.accounts.unitsOf(sku) }
	for sku := range e.Counters {
		note(sku)
	}
	for i := range e.Orders {
		o := &e.Orders[i]
		acc := a.accounts.order(o.ID)
		begins := acc.state == 0 && o.Revision == 1
		for _, l := range o.Lines {
			note(l.SKU)
			if !begins && !a.chain.knows(acc.changed) {
				s.unknown[l.SKU] = true
			}
		}
	}
	return s
}

// compareEntry finds what does not follow from what the entry started from, once
// the entry is told.
func (a *auditor) compareEntry(e *gate.Entry, s *start) {
	for sku, was := range s.units {
		is := a.units[sku] // none of a SKU that was taken off the sale; old orders still name it
		counted := a.accounts.unitsOf(sku)
		want := was
		want.Held += counted.Held - s.counted[sku].Held
		want.Paid += counted.Paid - s.counted[sku].Paid
		want.Withheld += counted.Withheld - s.counted[sku].Withheld
		if e.Settings != nil {
			want.Total = is.Total
		}
		want.Left = want.Total - want.Held - want.Paid - want.Withheld
		if !s.unknown[sku] && a.chain.knows(a.chain.units[sku]) && is != want {
			a.unfollowed(e, Finding{SKU: sku}, "leaves SKU %s with %s; with what it changed, that should be %s", sku,
				spell(is), spell(want))
		}
	}
	want := plus(s.counts, a.accounts.counts, 1)
	want = plus(want, s.countCounts, -1)
	if len(s.unknown) == 0 && a.chain.knows(a.chain.counts) && e.Counts != want {
		a.unfollowed(e, Finding{}, "leaves the orders as %s; with what it changed, that should be %s",
			spellCounts(e.Counts), spellCounts(want))
	}
	if e.Settings != nil && s.register != nil && a.chain.broken == 0 {
		switch {
		case e.Before != nil && !e.Before.Equal(s.register.Settings):
			a.unfollowed(e, Finding{}, "replaces settings that are not those of the entry before")
		case e.Settings.Version != s.register.Version+1:
			a.unfollowed(e, Finding{}, "has settings of version %d, after version %d", e.Settings.Version,
				s.register.Version)
		}
	}
}

// compareRecord finds what does not follow from the order's record before.
func (a *auditor) compareRecord(e *gate.Entry, acc *account, o *gate.Order) {
	if !a.chain.knows(acc.changed) || acc.state != 0 && acc.revision == 0 {
		return
	}
	of := Finding{Order: o.ID}
	if o.Revision != acc.revision+1 || !slices.Contains(next(acc.state), o.State) {
		a.unfollowed(e, of, "makes order %s %s in revision %d; before it was %s in revision %d", o.ID, o.State,
			o.Revision, stateName(acc.state), acc.revision)
	}
	buyer := int32(-1)
	if o.Buyer != "" {
		buyer = a.accounts.buyer(o.Buyer)
	}
	if acc.state != 0 && (acc.cart != a.accounts.cart(o.Lines) || acc.buyer != buyer) {
		a.unfollowed(e, of, "has order %s with other units or another buyer than before", o.ID)
	}
}

// plus returns c with d added, or with sign -1 taken away.
func plus(c, d gate.OrderCounts, sign int64) gate.OrderCounts {
	return gate.OrderCounts{
		Asking: c.Asking + sign*d.Asking, Held: c.Held + sign*d.Held, Paid: c.Paid + sign*d.Paid,
		Released: c.Released + sign*d.Released, RefundDue: c.RefundDue + sign*d.RefundDue,
		Refunded: c.Refunded + sign*d.Refunded, Refunds: c.Refunds + sign*d.Refunds,
		Requested: c.Requested + sign*d.Requested,
	}
}

// unfollowed adds a finding about an entry.
func (a *auditor) unfollowed(e *gate.Entry, f Finding, format string, args ...any) {
	f.Kind, f.Entry = LedgerBreak, e.Seq
	f.Text = fmt.Sprintf("ledger entry %d ", e.Seq) + fmt.Sprintf(format, args...)
	a.report.add(f)
}

// next returns the states that an order may go on to from the given one; from 0,
// those that one begins in.
func next(state gate.OrderState) []gate.OrderState {
	switch state {
	case 0:
		return []gate.OrderState{gate.OrderHeld, gate.OrderAsking}
	case gate.OrderAsking:
		return []gate.OrderState{gate.OrderAsking, gate.OrderHeld, gate.OrderPaid, gate.OrderReleased}
	case gate.OrderHeld:
		return []gate.OrderState{gate.OrderHeld, gate.OrderPaid, gate.OrderReleased}
	case gate.OrderReleased:
		return []gate.OrderState{
			gate.OrderReleased, gate.OrderAsking, gate.OrderHeld, gate.OrderPaid,
			gate.OrderRefundDue,
		}
	case gate.OrderPaid:
		return []gate.OrderState{gate.OrderPaid, gate.OrderRefunded, gate.OrderWithheld}
	case gate.OrderRefundDue:
		return []gate.OrderState{gate.OrderRefundDue, gate.OrderRefunded}
	}
	return []gate.OrderState{state} // refunded is the end
}

func stateName(s gate.OrderState) string {
	if s == 0 {
		return "not there"
	}
	return s.String()
}

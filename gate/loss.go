package gate

import (
	"fmt"
	"strings"
)

// Drop is what may be lost when a sale is deleted or started afresh. The zero value agrees to no
// loss. If Paid or Archived does not fit the sale, nothing is dropped, whatever the rest says.
type Drop struct {
	Held bool // held units may go: a payment that is approved afterwards then has no unit
	// Paid is how many orders are paid or refund due: the caller repeats the number that was shown,
	// so that no later order is dropped unseen. nil agrees to no such order.
	Paid        *int64
	Archived    *Archived // an archive that has the orders; it replaces Paid
	Undelivered bool      // changes that the shop has not taken may go
}

// Archived says which part of a sale an archive has: the run up to the ledger entry Seq.
type Archived struct{ Run, Seq int64 }

// Loss is what is lost when a sale is deleted or started afresh. Operators rely on its JSON.
type Loss struct {
	Sale      string `json:"sale"`
	Run       int64  `json:"run"`
	Seq       int64  `json:"seq"`        // of the newest ledger entry
	Open      bool   `json:"open"`       // the sale is open now
	Held      int64  `json:"held_units"` // by orders that are being paid
	Paid      int64  `json:"paid"`       // orders
	RefundDue int64  `json:"refund_due"` // orders
	Refunds   int64  `json:"refunds"`    // payments that are to be refunded, due or requested, of orders in any state
	Entries   int64  `json:"undelivered_entries"`
	Listed    int64  `json:"undelivered_orders"`
}

func (l *Loss) settled() int64    { return l.Paid + l.RefundDue }
func (l *Loss) undelivered() bool { return l.Entries+l.Listed > 0 }

// Agreement returns the least Drop that agrees to all of the loss.
func (l *Loss) Agreement() Drop {
	d := Drop{Held: l.Held > 0, Undelivered: l.undelivered()}
	if l.settled()+l.Refunds > 0 {
		d.Paid = new(l.settled())
	}
	return d
}

// String lists the loss with its numbers.
func (l *Loss) String() string {
	var parts []string
	add := func(there bool, format string, values ...any) {
		if there {
			parts = append(parts, fmt.Sprintf(format, values...))
		}
	}
	add(l.Held > 0, "%d units held by orders that are being paid", l.Held)
	add(l.settled() > 0, "%d orders paid and %d refund due", l.Paid, l.RefundDue)
	add(l.Refunds > 0, "%d payments to be refunded", l.Refunds)
	add(l.Entries > 0, "%d ledger entries that the shop was not told of", l.Entries)
	add(l.Listed > 0, "changes of %d orders that the shop did not take", l.Listed)
	if parts == nil {
		return "nothing held, paid, refund due or undelivered"
	}
	return strings.Join(parts, ", ")
}

// LossError says that more would be lost than Drop agrees to. Nothing was changed.
type LossError struct {
	Loss
	Drop Drop // what may go
}

// Error implements error. It says what would be lost, what to do first, and which flags agree to
// the loss.
func (e *LossError) Error() string {
	state := ""
	if e.Open {
		state = ", which is open,"
	}
	parts := []string{fmt.Sprintf("with run %d of sale %s%s would be lost: %s", e.Run, e.Sale, state, e.Loss.String())}
	parts = append(parts, e.mistaken()...)
	switch {
	case e.Open:
		parts = append(parts, "pause it first, for the numbers move while it sells: flashgate pause "+e.Sale)
	case e.Held > 0 && !e.Drop.Held:
		parts = append(parts, "what is held is soon settled: wait for that")
	}
	if flags := e.missing(); flags != nil {
		parts = append(parts, "to drop it all the same add "+strings.Join(flags, ", "))
	}
	return strings.Join(parts, "; ")
}

// mistaken lists what Drop says of the sale that is wrong.
func (e *LossError) mistaken() (parts []string) {
	if e.Drop.Paid != nil && *e.Drop.Paid != e.settled() {
		parts = append(parts, fmt.Sprintf("%d orders are paid or refund due, not %d", e.settled(), *e.Drop.Paid))
	}
	if a := e.Drop.Archived; a != nil && *a != (Archived{e.Run, e.Seq}) {
		parts = append(parts, fmt.Sprintf("the archive has run %d up to ledger entry %d, and the sale is in run %d "+
			"at entry %d: archive it again",
			a.Run, a.Seq, e.Run, e.Seq))
	}
	return parts
}

// missing lists the flags that agree to the rest of the loss.
func (e *LossError) missing() (flags []string) {
	need := e.Agreement()
	if need.Held && !e.Drop.Held {
		flags = append(flags, "--drop-held (a payment that is approved afterwards has no unit)")
	}
	if need.Paid != nil && e.Drop.Paid == nil && e.Drop.Archived == nil {
		flags = append(flags, fmt.Sprintf("--drop-paid %d or --archived FILE (an archive of it as it is)", *need.Paid))
	}
	if need.Undelivered && !e.Drop.Undelivered {
		flags = append(flags, fmt.Sprintf("--drop-undelivered (flashgate undelivered %s lists it)", e.Sale))
	}
	return flags
}

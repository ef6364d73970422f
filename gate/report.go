package gate

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Report is a sale as operators are shown it: by the command line and by the
// admin API. Its JSON is part of what is promised to them.
type Report struct {
	Sale     string      `json:"sale"`
	Run      int64       `json:"run"`
	State    string      `json:"state"`             // State.Phase, "missing" or "unreadable"
	Problem  string      `json:"problem,omitempty"` // where it is missing or unreadable: what that means, and what to do
	Seq      int64       `json:"seq"`               // of the newest ledger entry
	Version  int64       `json:"version"`
	Clock    string      `json:"clock,omitempty"` // where Redis' clock is in doubt: what is wrong, and what to do
	OpensAt  time.Time   `json:"opens_at,omitzero"`
	ClosesAt time.Time   `json:"closes_at,omitzero"`
	SKUs     []SKUReport `json:"skus"`
	Orders   OrderCounts `json:"orders"`
	// RefundBrake is there while the brake on the sale's refunds holds.
	RefundBrake *BrakeReport `json:"refund_brake,omitempty"`
}

// SKUReport is what is known of one SKU.
type SKUReport struct {
	SKU string `json:"sku"`
	Units
}

// Report tells about the sale as it was when it was read.
func (s *State) Report() Report {
	r := Report{
		Sale: s.Name, Run: s.Run, State: s.Phase(s.Now), Seq: s.Seq, Version: s.Version,
		OpensAt: s.OpensAt, ClosesAt: s.ClosesAt, SKUs: []SKUReport{}, Orders: s.Orders, RefundBrake: s.Brake.Report(),
	}
	if s.Doubt != nil {
		r.Clock = s.Doubt.Error()
	}
	for _, k := range s.SKUs {
		r.SKUs = append(r.SKUs, SKUReport{k.Name, s.Units[k.Name]})
	}
	return r
}

// Report tells about a sale of which there is nothing to tell.
func (e *MissingError) Report() Report {
	return Report{Sale: e.Sale, State: "missing", Problem: e.Error(), SKUs: []SKUReport{}}
}

// Report tells about a sale that cannot be read.
func (e *UnreadableError) Report() Report {
	return Report{Sale: e.Sale, State: "unreadable", Problem: e.Error(), SKUs: []SKUReport{}}
}

// Reports tells about every sale by name, also about those that are missing or
// cannot be read.
func Reports(ctx context.Context, store interface {
	Sales(ctx context.Context) ([]string, error)
	Read(ctx context.Context, names []string) map[string]Reading
},
) ([]Report, error) {
	names, err := store.Sales(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	reports, read := []Report{}, store.Read(ctx, names)
	for _, name := range names {
		r := read[name]
		unreadable, isUnreadable := errors.AsType[*UnreadableError](r.Err)
		switch {
		case r.Err == nil:
			reports = append(reports, r.State.Report())
		case errors.Is(r.Err, ErrNoSale):
			reports = append(reports, (&MissingError{name}).Report())
		case isUnreadable:
			reports = append(reports, unreadable.Report())
		default:
			return nil, r.Err
		}
	}
	return reports, nil
}

// OrderReport is an order as operators are shown it.
type OrderReport struct {
	Order    string          `json:"order"`
	State    string          `json:"state"`
	Revision int64           `json:"revision"`
	Buyer    string          `json:"buyer,omitempty"`
	Lines    []Line          `json:"lines"`
	Amount   *int64          `json:"amount,omitempty"`
	Balance  *int64          `json:"balance,omitempty"` // left of a payment that was cancelled in part
	Attempts []AttemptReport `json:"attempts"`
	Taken    time.Time       `json:"taken,omitzero"`
	Deadline time.Time       `json:"deadline,omitzero"`
	Settled  time.Time       `json:"settled,omitzero"`
	Withheld bool            `json:"withheld,omitempty"` // refunded, its units kept from sale
}

// AttemptReport is one try to pay an order.
type AttemptReport struct {
	Attempt string  `json:"attempt"`
	Version Version `json:"version"`
	State   string  `json:"state"`
	// Tries is how many cancellations of it PortOne has told that it did not carry out.
	Tries int64 `json:"tries,omitempty"`
}

// Report tells about the order.
func (o *Order) Report() OrderReport {
	r := OrderReport{
		Order: o.ID, State: o.State.String(), Revision: o.Revision, Buyer: o.Buyer, Lines: o.Lines,
		Amount: o.Amount.pointer(), Balance: o.Balance.pointer(), Attempts: []AttemptReport{},
		Taken: o.Taken, Deadline: o.Deadline, Settled: o.Settled, Withheld: o.State == OrderWithheld,
	}
	for _, a := range o.Attempts {
		r.Attempts = append(r.Attempts, AttemptReport{a.ID, a.Version, a.State.String(), a.Tries})
	}
	return r
}

func (a Amount) pointer() *int64 {
	if !a.Known {
		return nil
	}
	return &a.Value
}

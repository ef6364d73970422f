package gate

import (
	"context"
	"time"
)

// A view is shown to people and programs: the command line prints it, the admin API and the shop's
// notifications send it as JSON. No code decides by a view. Readers rely on its JSON.

// SaleView is a sale as status and the admin API show it.
type SaleView struct {
	Sale  string `json:"sale"`
	Run   int64  `json:"run"`
	State string `json:"state"` // State.Phase, "missing" or "unreadable"
	// Problem says what it means that the sale is missing or unreadable, and what to do; otherwise it is empty.
	Problem  string      `json:"problem,omitempty"`
	Seq      int64       `json:"seq"` // of the newest ledger entry
	Version  int64       `json:"version"`
	Clock    string      `json:"clock,omitempty"` // if Redis' clock is in doubt: what is wrong, and what to do
	OpensAt  time.Time   `json:"opens_at,omitzero"`
	ClosesAt time.Time   `json:"closes_at,omitzero"`
	SKUs     []SKUView   `json:"skus"`
	Orders   OrderCounts `json:"orders"`
	// RefundBrake is there while the brake on the sale's refunds holds.
	RefundBrake *BrakeView `json:"refund_brake,omitempty"`
}

// SKUView is one SKU and its units.
type SKUView struct {
	SKU string `json:"sku"`
	Units
}

// View shows the sale as it was when it was read.
func (s *State) View() SaleView {
	r := SaleView{
		Sale: s.Name, Run: s.Run, State: s.Phase(s.Now), Seq: s.Seq, Version: s.Version,
		OpensAt: s.OpensAt, ClosesAt: s.ClosesAt, SKUs: []SKUView{}, Orders: s.Orders, RefundBrake: s.Brake.View(),
	}
	if s.Doubt != nil {
		r.Clock = s.Doubt.Error()
	}
	for _, k := range s.SKUs {
		r.SKUs = append(r.SKUs, SKUView{k.Name, s.Units[k.Name]})
	}
	return r
}

// View shows a missing sale: its name, and what to do.
func (e *MissingError) View() SaleView {
	return SaleView{Sale: e.Sale, State: "missing", Problem: e.Error(), SKUs: []SKUView{}}
}

// View shows a sale that cannot be read.
func (e *UnreadableError) View() SaleView {
	return SaleView{Sale: e.Sale, State: "unreadable", Problem: e.Error(), SKUs: []SKUView{}}
}

// FullView shows a sale as View does and, if the brake on its refunds holds, counts the refunds
// that wait for it.
func (s *State) FullView(ctx context.Context, store Refunds) (SaleView, error) {
	r := s.View()
	if r.RefundBrake == nil {
		return r, nil
	}
	views, err := RefundViews(ctx, store, s.Name)
	if err == nil {
		r.RefundBrake.Waiting = WaitingForBrake(views)
	}
	return r, err
}

// BrakeView is a brake that holds.
type BrakeView struct {
	Brake
	Why string `json:"why"` // as Brake's String
	// Waiting counts the refunds that wait for the brake; nil if they were not counted.
	Waiting *Waiting `json:"waiting,omitempty"`
}

// View shows the brake; nil if it does not hold.
func (b *Brake) View() *BrakeView {
	if b == nil {
		return nil
	}
	return &BrakeView{Brake: *b, Why: b.String()}
}

// OrderView is an order as people and programs see it.
type OrderView struct {
	Order    string        `json:"order"`
	State    string        `json:"state"`
	Revision int64         `json:"revision"`
	Buyer    string        `json:"buyer,omitempty"`
	Lines    []Line        `json:"lines"`
	Amount   *int64        `json:"amount,omitempty"`
	Balance  *int64        `json:"balance,omitempty"` // left of a payment that was cancelled in part
	Attempts []AttemptView `json:"attempts"`
	Taken    time.Time     `json:"taken,omitzero"`
	Deadline time.Time     `json:"deadline,omitzero"`
	Settled  time.Time     `json:"settled,omitzero"`
	Withheld bool          `json:"withheld,omitempty"` // refunded, its units kept from sale
}

// AttemptView is one try to pay an order.
type AttemptView struct {
	Attempt string  `json:"attempt"`
	Version Version `json:"version"`
	State   string  `json:"state"`
	// Tries is how many cancellations of it PortOne reported as failed.
	Tries int64 `json:"tries,omitempty"`
}

// View shows the order.
func (o *Order) View() OrderView {
	r := OrderView{
		Order: o.ID, State: o.State.String(), Revision: o.Revision, Buyer: o.Buyer, Lines: o.Lines,
		Amount: o.Amount.pointer(), Balance: o.Balance.pointer(), Attempts: []AttemptView{},
		Taken: o.Taken, Deadline: o.Deadline, Settled: o.Settled, Withheld: o.State == OrderWithheld,
	}
	for _, a := range o.Attempts {
		r.Attempts = append(r.Attempts, AttemptView{a.ID, a.Version, a.State.String(), a.Tries})
	}
	return r
}

func (a Amount) pointer() *int64 {
	if !a.Known {
		return nil
	}
	return &a.Value
}

// ReconcilingView shows how far one version's list of changes was compared with a sale.
type ReconcilingView struct {
	Version Version   `json:"version"`
	Until   time.Time `json:"until,omitzero"` // every change until then was compared
	Read    time.Time `json:"read,omitzero"`  // when the list of changes was last read to its end
	Trouble string    `json:"trouble,omitempty"`
}

// View shows the versions of PortOne whose lists were read, or could not be read.
func (r *Reconciling) View() []ReconcilingView {
	all := []ReconcilingView{}
	for version, m := range r.Marks {
		if m != (Mark{}) {
			all = append(all, ReconcilingView{Version(version), m.Until, m.Read, m.Trouble})
		}
	}
	return all
}

// DeliveryView shows how many of a sale's changes the shop has got.
type DeliveryView struct {
	Sale     string        `json:"sale"`
	Run      int64         `json:"run"`
	Notify   string        `json:"notify"` // the shop's URL, its secrets hidden; empty if none is set
	Seq      int64         `json:"seq"`
	Position int64         `json:"position"` // the newest ledger entry whose changes need no more sending
	Trouble  string        `json:"trouble,omitempty"`
	Orders   []Undelivered `json:"orders"`
}

// View shows the delivery of a sale's changes.
func (d *Delivery) View(sale string) DeliveryView {
	r := DeliveryView{
		Sale: sale, Run: d.Run, Notify: HideSecrets(d.Notify), Seq: d.Seq, Position: d.Position, Trouble: d.Trouble,
		Orders: d.Listed,
	}
	if r.Orders == nil {
		r.Orders = []Undelivered{}
	}
	return r
}

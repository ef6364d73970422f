package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SaleViews shows all sales, sorted by name, including those that are missing or cannot be read.
func SaleViews(ctx context.Context, store interface {
	Sales(ctx context.Context) ([]string, error)
	Read(ctx context.Context, names []string) map[string]Reading
},
) ([]SaleView, error) {
	names, err := store.Sales(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	views, read := []SaleView{}, store.Read(ctx, names)
	for _, name := range names {
		r := read[name]
		unreadable, isUnreadable := errors.AsType[*UnreadableError](r.Err)
		switch {
		case r.Err == nil:
			views = append(views, r.State.View())
		case errors.Is(r.Err, ErrNoSale):
			views = append(views, (&MissingError{name}).View())
		case isUnreadable:
			views = append(views, unreadable.View())
		default:
			return nil, r.Err
		}
	}
	return views, nil
}

// DisputeView is an order whose payments are disputed or charged back.
type DisputeView struct {
	Order    string    `json:"order"`
	Disputes []Dispute `json:"disputes"`
}

// DisputeViews shows the orders of a sale whose payments are disputed or charged back,
// sorted by id. It returns ErrNoSale as FindSale does.
func DisputeViews(ctx context.Context, store interface {
	Listing
	Disputes(ctx context.Context, sale string) (map[string][]Dispute, error)
}, sale string,
) ([]DisputeView, error) {
	if _, err := FindSale(ctx, store, sale); err != nil {
		return nil, err
	}
	all, err := store.Disputes(ctx, sale)
	if err != nil {
		return nil, err
	}
	views := []DisputeView{}
	for order, disputes := range all {
		views = append(views, DisputeView{order, disputes})
	}
	slices.SortFunc(views, func(a, b DisputeView) int { return strings.Compare(a.Order, b.Order) })
	return views, nil
}

// RefundView is an order that owes refunds.
type RefundView struct {
	OrderView
	Refunds []RefundLine `json:"refunds"`
	// AccountGiven says that a bank account was given for the refunds; the account itself stays
	// hidden.
	AccountGiven bool `json:"account_given,omitempty"`
}

// RefundLine is one payment to be given back.
type RefundLine struct {
	Attempt string     `json:"attempt"`
	State   string     `json:"state"` // "refund_due" or "refund_requested"
	Tries   int64      `json:"tries,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	Waits   RefundWait `json:"waits_for,omitempty"`
	Said    string     `json:"said,omitempty"` // by PortOne, about the last cancellation that failed
	At      time.Time  `json:"at,omitzero"`    // when it said that
	// Balance is the amount that is still to be given back, in PortOne's unit; empty if unknown.
	Balance string `json:"balance,omitempty"`
}

// Refunds is what listing refunds needs of a store.
type Refunds interface {
	Listing
	RefundsDue(ctx context.Context, sale string) ([]Order, error)
	RefundNotes(ctx context.Context, sale string) (map[string]RefundNote, error)
}

// RefundViews shows all refunds that a sale owes. It returns errors as FindSale does.
func RefundViews(ctx context.Context, store Refunds, sale string) ([]RefundView, error) {
	state, err := FindSale(ctx, store, sale)
	if err != nil {
		return nil, err
	}
	notes, err := store.RefundNotes(ctx, sale)
	if err != nil {
		return nil, err
	}
	due, err := store.RefundsDue(ctx, sale)
	if err != nil {
		return nil, err
	}
	views := []RefundView{}
	for i := range due {
		views = append(views, due[i].refunds(notes[due[i].ID], &state))
	}
	return views, nil
}

// refunds shows what the order owes.
func (o *Order) refunds(note RefundNote, sale *State) RefundView {
	r := RefundView{OrderView: o.View(), AccountGiven: note.Account != nil}
	for _, a := range o.Attempts {
		known := note.Attempts[a.ID]
		line := RefundLine{
			Attempt: a.ID, State: a.State.String(), Tries: a.Tries, Reason: known.Reason,
			Said: known.Said, At: known.At, Balance: known.Balance,
		}
		switch {
		case a.State == AttemptRefundDue && !sale.AutoRefund && known.Waits != WaitBank:
			line.Waits = WaitShop
		case a.State == AttemptRefundDue:
			line.Waits = known.waits(sale)
		case a.State != AttemptRequested:
			continue
		}
		r.Refunds = append(r.Refunds, line)
	}
	return r
}

// waits returns what the refund of an attempt that is due waits for, in a sale with auto_refund.
// The sale's own brake counts, not the one in the note: it may have been released since.
func (r *RefundAttempt) waits(sale *State) RefundWait {
	switch {
	case r.Waits != WaitNobody && r.Waits != WaitBrake:
		return r.Waits
	case sale.Brake != nil && !r.Ordered && (r.Waits == WaitBrake || !r.Counted): // otherwise it was sent
		return WaitBrake
	}
	return WaitNobody
}

// Waiting counts the refunds that wait for a brake.
type Waiting struct {
	Orders   int   `json:"orders"` // with a refund that waits
	Payments int64 `json:"payments"`
	// Amount is the sum of all known amounts, in PortOne's unit. Unknown is the number of payments
	// whose amount is not known yet.
	Amount  string `json:"amount"`
	Unknown int64  `json:"unknown,omitempty"`
}

// String says the numbers in words.
func (w *Waiting) String() string {
	text := fmt.Sprintf("%d payments of %d orders, %s in all", w.Payments, w.Orders, w.Amount)
	if w.Unknown > 0 {
		text += fmt.Sprintf(" without %d of them, whose amount is not known yet", w.Unknown)
	}
	return text
}

// WaitingForBrake counts those of a sale's refunds that wait for the brake.
func WaitingForBrake(views []RefundView) *Waiting {
	w, cents := Waiting{}, int64(0)
	for _, r := range views {
		waits := false
		for _, line := range r.Refunds {
			if line.Waits != WaitBrake {
				continue
			}
			waits = true
			w.Payments++
			if n, known := parseCents(line.Balance); known {
				cents += n
			} else {
				w.Unknown++
			}
		}
		if waits {
			w.Orders++
		}
	}
	w.Amount = AmountText(cents/100, uint8(cents%100))
	return &w
}

// parseCents reads what AmountText writes, in hundredths.
func parseCents(text string) (cents int64, ok bool) {
	units, rest, decimals := strings.Cut(text, ".")
	if !decimals {
		rest = "00"
	}
	cents, err := strconv.ParseInt(units+rest, 10, 64)
	return cents, err == nil && units != "" && len(rest) == 2
}

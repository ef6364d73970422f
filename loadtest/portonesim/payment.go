package portonesim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Payment is what came of one attempt to pay.
type Payment struct {
	Version    int    `json:"version"`
	StoreID    string `json:"storeId"`
	Order      string `json:"order"`
	Attempt    string `json:"attempt"`
	Amount     int64  `json:"amount"`             // of this payment, which a buyer may have changed
	Decimals   bool   `json:"decimals,omitempty"` // the amounts are in hundredths
	TaxFree    int64  `json:"taxFree,omitempty"`
	Currency   string `json:"currency"`
	Status     string `json:"status"` // as V1 has it: ready, paid, failed, cancelled
	FailReason string `json:"failReason,omitempty"`
	Paid       bool   `json:"paid"`      // the money was taken, whatever was given back since
	Cancelled  int64  `json:"cancelled"` // sum of what was given back
	// NotAsked is the part of Cancelled that the shop's staff or the card company gave back, without an API call.
	NotAsked      int64 `json:"notAsked,omitempty"`
	ChargedBack   bool  `json:"chargedBack,omitempty"` // by the card company, with what was left
	Cancellations int   `json:"cancellations"`         // that succeeded
	Requested     int64 `json:"requested,omitempty"`   // sum of the cancellations that are requested and not done
	CancelCalls   int   `json:"cancelCalls"`           // that reached the APIs, whatever was answered
	Account       bool  `json:"account,omitempty"`     // a virtual account
	// Refund is the state of a cancelled virtual account: PENDING, COMPLETED, FAILED or PARTIAL_REFUND_FAILED.
	Refund   string `json:"refund,omitempty"`
	Disputed bool   `json:"disputed,omitempty"` // by the buyer, and not resolved
	// ConfirmStatus is the answer to the confirm call; 0 if no call was made, or no answer came.
	ConfirmStatus int    `json:"confirmStatus"`
	ConfirmBody   string `json:"confirmBody,omitempty"`
	Test          bool   `json:"test"`
	Invented      bool   `json:"invented"` // by a forger: no API knows it
}

// state is where a payment stands.
type state int

const (
	ready state = iota
	paying
	deposit // a virtual account waits for its deposit
	paid
	failed
	cancelled // in full, or an account that was closed
)

// v1 is the state's name in V1.
func (s state) v1() string {
	return [...]string{"ready", "ready", "ready", "paid", "failed", "cancelled"}[s]
}

// record is a payment and its history: what every view of it is made of. The
// simulator's lock guards it.
type record struct {
	order   Order // what is paid, as the plan or the buyer has varied it
	attempt string
	number  int // of the order's attempts, from 1
	place   int // in the book, from 1
	fate    fate
	silent  bool          // no webhook tells that it was paid
	token   string        // the paymentToken of a manual confirmation, until it is used
	ended   chan struct{} // closed when the buyer sees what came of it

	state         state
	failReason    string
	confirmStatus int
	confirmBody   string
	cancels       []*cancellation
	cancelCalls   int
	retained      *bool // whether the first cancellation of a promotion keeps its discount; nil before
	refund        string
	disputes      []*dispute
	hooks         []*hook                  // the oldest first
	settled       map[string]chan struct{} // by address: closed when its latest webhook was sent for the first time

	started, changed, turned                         time.Time // changed: in any way; turned: its status
	issued, depositBy, paidAt, failedAt, cancelledAt time.Time // zero where it did not happen
}

// turn brings the payment into a state.
func (r *record) turn(to state, at time.Time) { r.state, r.turned, r.changed = to, at, at }

// sum adds up what cancellations of a status come to.
func (r *record) sum(status cancelStatus) (amount, taxFree int64) {
	for _, c := range r.cancels {
		if c.status == status {
			amount, taxFree = amount+c.amount, taxFree+c.taxFree
		}
	}
	return amount, taxFree
}

// cancelled is what was given back.
func (r *record) cancelled() int64 {
	amount, _ := r.sum(succeeded)
	return amount
}

// left is what can still be given back, and what of it is tax-free. What is
// requested cannot be asked for again. Discounts take nothing off it.
func (r *record) left() (amount, taxFree int64) {
	if r.state != paid {
		return 0, 0
	}
	done, doneFree := r.sum(succeeded)
	asked, askedFree := r.sum(requested)
	return r.order.Amount - done - asked, r.order.TaxFree - doneFree - askedFree
}

// discount is what the buyer was not charged.
func (r *record) discount() int64 { return r.order.Discount + r.order.Promotion }

// charged is what the buyer has paid and not been given back.
func (r *record) charged() int64 {
	if r.paidAt.IsZero() {
		return 0
	}
	return max(r.order.Amount-r.cancelled()-r.discount(), 0)
}

// hundredths is the amount in hundredths of what V1 shows.
func (r *record) hundredths() int64 {
	if r.order.Decimals {
		return r.order.Amount
	}
	return 100 * r.order.Amount
}

// disputed reports whether a dispute is not resolved.
func (r *record) disputed() bool {
	return slices.ContainsFunc(r.disputes, func(d *dispute) bool { return d.resolved.IsZero() })
}

func (r *record) payment() Payment {
	done, notAsked, chargedBack := 0, int64(0), false
	for _, c := range r.cancels {
		switch {
		case c.status != succeeded:
			continue
		case c.trigger != byAPI:
			notAsked += c.amount
		}
		done++
		chargedBack = chargedBack || c.trigger == chargeback
	}
	asked, _ := r.sum(requested)
	return Payment{
		Version: r.order.Version, StoreID: r.order.StoreID, Order: r.order.ID, Attempt: r.attempt,
		Amount: r.order.Amount, Decimals: r.order.Decimals, TaxFree: r.order.TaxFree, Currency: r.order.Currency,
		Status: r.state.v1(), FailReason: r.failReason, Paid: !r.paidAt.IsZero(),
		Cancelled: r.cancelled(), NotAsked: notAsked, ChargedBack: chargedBack, Cancellations: done, Requested: asked,
		CancelCalls: r.cancelCalls,
		Account:     r.order.VirtualAccount, Refund: r.refund, Disputed: r.disputed(),
		ConfirmStatus: r.confirmStatus, ConfirmBody: r.confirmBody, Test: r.order.Test, Invented: r.fate == invented,
	}
}

// units writes an amount in hundredths as a decimal number without zeros at its end.
func units(hundredths int64) string {
	whole := strconv.FormatInt(hundredths/100, 10)
	if hundredths%100 == 0 {
		return whole
	}
	return whole + "." + strings.TrimRight(strconv.FormatInt(100+hundredths%100, 10)[1:], "0")
}

// readUnits reads a decimal number of at most two decimals, in hundredths.
func readUnits(text string) (int64, error) {
	whole, decimals, _ := strings.Cut(text, ".")
	if len(decimals) > 2 {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(whole+(decimals + "00")[:2], 10, 64)
}

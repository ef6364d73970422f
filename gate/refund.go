package gate

import (
	"errors"
	"fmt"
	"time"
)

// RefundReason is why a payment is to be given back. The zero value says that nothing seen now is a
// reason.
type RefundReason uint8

// The reasons for a refund.
const (
	RefundUnclear     RefundReason = iota // it was made refund due earlier, or by a gate with other settings
	RefundCurrency                        // it is in another currency than payments must be in
	RefundTestChannel                     // it went through a channel that moves no money
	RefundAmount                          // it is not the order's amount
	RefundOrderEnded                      // the order was refunded or cancelled before
	RefundNoUnits                         // the order's units were sold to others, or its buyer had as many as one may
	RefundPaidTwice                       // another payment pays the order
	refundReasons
)

// String returns the reason's name in output, such as "no_units".
func (r RefundReason) String() string {
	return [...]string{"unclear", "currency", "test_channel", "amount", "order_ended", "no_units", "paid_twice"}[r]
}

// ByGate reports whether a gate may cancel a payment for this reason without a person.
// RefundUnclear is not seen now, so it does not count. Nor does RefundCurrency: if --currency was
// wrong for a while, genuine payments have become refund due.
func (r RefundReason) ByGate() bool { return r > RefundCurrency }

// Message returns the reason's key in a sale's messages, such as "refund_no_units".
func (r RefundReason) Message() string { return "refund_" + r.String() }

// RefundReasons returns the reasons that a gate gives for a cancellation.
func RefundReasons() (all []RefundReason) {
	for r := range refundReasons {
		if r.ByGate() {
			all = append(all, r)
		}
	}
	return all
}

// MessageNames returns the keys of a sale's messages: the code of each refusal, and the Message of
// each reason for a refund.
func MessageNames() (names []string) {
	for _, c := range Refusals() {
		names = append(names, c.String())
	}
	for _, r := range RefundReasons() {
		names = append(names, r.Message())
	}
	return names
}

// BankAccount is a buyer's bank account, for a refund that cannot go back the way the money came.
// It is personal data: it is kept until the refund is done, and shown to nobody.
type BankAccount struct {
	Bank   string `json:"bank"`   // by PortOne's name or code
	Number string `json:"number"` // of the account
	Holder string `json:"holder"` // its holder's name
	Phone  string `json:"phone,omitempty"`
}

// Validate returns an error that names the first field that is missing or malformed.
func (a *BankAccount) Validate() error {
	for _, f := range []struct{ name, value string }{{"bank", a.Bank}, {"account", a.Number}, {"holder", a.Holder}} {
		if !ValidID(f.value) {
			return fmt.Errorf("%s is needed: %s", f.name, WantID)
		}
	}
	if a.Phone != "" && !ValidID(a.Phone) {
		return fmt.Errorf("phone %s", WantID)
	}
	return nil
}

// String hides the account wherever it is printed.
func (a *BankAccount) String() string { return "a bank account" }

// ErrNoRefund says that an order owes no refund.
var ErrNoRefund = errors.New("no payment of the order is to be refunded")

// RefundNote is kept beside an order's record while the order owes refunds: how each stands, and a
// bank account if one was given.
type RefundNote struct {
	Account  *BankAccount             `json:"account,omitempty"`
	Attempts map[string]RefundAttempt `json:"attempts,omitempty"` // by the id of an attempt that is refund due or requested
}

// RefundWait is whom or what a refund waits for. The zero value means that the gates send it by
// themselves.
type RefundWait string

// What a refund may wait for.
const (
	WaitNobody  RefundWait = ""
	WaitShop    RefundWait = "shop"    // the sale has no auto_refund: the shop cancels it
	WaitPerson  RefundWait = "person"  // its reason is RefundUnclear or RefundCurrency
	WaitAccount RefundWait = "account" // the buyer's bank account
	WaitChange  RefundWait = "change"  // PortOne refused for good: something must change first
	WaitBank    RefundWait = "bank"    // PortOne has cancelled the payment, and the bank did not send the money
	WaitBrake   RefundWait = "brake"   // the brake holds: a person must release it
)

// RefundAttempt says how the refund of an attempt stands.
type RefundAttempt struct {
	Reason string     `json:"reason,omitempty"` // why it is due, as RefundReason names it
	Waits  RefundWait `json:"waits_for,omitempty"`
	// Said is why the last cancellation failed, or why its outcome is unknown, in PortOne's own
	// words if it has any. At is when. Both are empty if none has failed. Unsure says that the
	// outcome is unknown.
	Said   string    `json:"said,omitempty"`
	At     time.Time `json:"at,omitzero"`
	Unsure bool      `json:"unsure,omitempty"`
	// Counted says that the brake has counted this refund and does not count it again. Ordered says
	// that a person has ordered it, so it is sent although the brake holds.
	Counted bool `json:"counted,omitempty"`
	Ordered bool `json:"ordered,omitempty"`
	// Balance and Version are what the payment's balance and the version of the sale's settings
	// were when PortOne refused for good. It is tried again once one of them has changed.
	Balance string `json:"balance,omitempty"`
	Version int64  `json:"version,omitempty"`
}

// Set replaces what the note says of an attempt.
func (n *RefundNote) Set(attempt string, is RefundAttempt) {
	if n.Attempts == nil {
		n.Attempts = map[string]RefundAttempt{}
	}
	n.Attempts[attempt] = is
}

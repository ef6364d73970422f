package gate

import (
	"errors"
	"fmt"
	"time"
)

// RefundReason is why a payment is to be given back. The zero value is that nothing
// that can be seen now says so.
type RefundReason uint8

// The reasons for a refund.
const (
	RefundUnclear     RefundReason = iota // a gate that looked before, or with other settings, made it refund due
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

// ByGate reports whether a gate may cancel a payment for the reason, without a
// person. It must be seen now, and it must not be the currency: where that was set
// wrong for a while, the payments that it made refund due are genuine ones, and stay so
// when it is right again.
func (r RefundReason) ByGate() bool { return r > RefundCurrency }

// Message returns the name by which a sale words the reason in its messages, such as
// "refund_no_units".
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

// MessageNames returns the names of the sentences that a sale may bring its own of:
// every refusal's code, and every reason for a refund.
func MessageNames() (names []string) {
	for _, c := range Refusals() {
		names = append(names, c.String())
	}
	for _, r := range RefundReasons() {
		names = append(names, r.Message())
	}
	return names
}

// BankAccount is a buyer's own, for a refund that cannot go back the way the money
// came. It is personal data: it is kept until the refund is done, and shown to nobody.
type BankAccount struct {
	Bank   string `json:"bank"`   // by PortOne's name or code
	Number string `json:"number"` // of the account
	Holder string `json:"holder"` // its holder's name
	Phone  string `json:"phone,omitempty"`
}

// Validate checks what holds for any account.
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

// String says that there is one, and nothing of it, wherever it is printed.
func (a *BankAccount) String() string { return "a bank account" }

// ErrNoRefund says that an order owes no refund.
var ErrNoRefund = errors.New("no payment of the order is to be refunded")

// RefundNote is what is known of the refunds that an order owes, beside its record. It
// is gone once the order owes none.
type RefundNote struct {
	Account  *BankAccount             `json:"account,omitempty"`
	Attempts map[string]RefundAttempt `json:"attempts,omitempty"` // by id: of those that are refund due
}

// RefundWait is whom or what a refund waits for. The zero value is nobody: the gates
// see to it.
type RefundWait string

// What a refund may wait for.
const (
	WaitNobody  RefundWait = ""
	WaitShop    RefundWait = "shop"    // the sale has no auto_refund: the shop cancels it
	WaitPerson  RefundWait = "person"  // it cannot be seen now that it is due, or its currency is another
	WaitAccount RefundWait = "account" // the buyer's bank account
	WaitChange  RefundWait = "change"  // PortOne would refuse the same again
	WaitBank    RefundWait = "bank"    // PortOne has cancelled the payment, and the bank did not send the money
	WaitBrake   RefundWait = "brake"   // too many were sent, and a person is to say that they may go on
)

// RefundAttempt says how the refund of an attempt stands.
type RefundAttempt struct {
	Reason string     `json:"reason,omitempty"` // why it is due, as RefundReason names it
	Waits  RefundWait `json:"waits_for,omitempty"`
	// Said is why the last cancellation was not carried out, or why nobody knows whether it
	// was, in PortOne's own words where it has any, and At when. Both are empty where none
	// has failed.
	// Unsure says that nobody knows.
	Said   string    `json:"said,omitempty"`
	At     time.Time `json:"at,omitzero"`
	Unsure bool      `json:"unsure,omitempty"`
	// Counted says that the brake has counted it, and so does not count it again; Ordered
	// that a person has, who sends it although the brake holds.
	Counted bool `json:"counted,omitempty"`
	Ordered bool `json:"ordered,omitempty"`
	// What must change before one that was refused for good is tried again: what is left of
	// the payment, or the sale's settings.
	Balance string `json:"balance,omitempty"`
	Version int64  `json:"version,omitempty"`
}

// Set notes how the refund of an attempt stands.
func (n *RefundNote) Set(attempt string, is RefundAttempt) {
	if n.Attempts == nil {
		n.Attempts = map[string]RefundAttempt{}
	}
	n.Attempts[attempt] = is
}

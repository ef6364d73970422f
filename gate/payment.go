package gate

import (
	"fmt"
	"strconv"
	"time"
)

// PaymentState says where one attempt to pay stands at PortOne. The zero value is no state.
type PaymentState uint8

// The states of a payment.
const (
	PaymentReady         PaymentState = iota + 1 // begun, nothing has come of it yet
	PaymentDeposit                               // a virtual account waits for its deposit
	PaymentPending                               // PortOne itself waits for the outcome
	PaymentPaid                                  // all of the amount was charged
	PaymentPartCancelled                         // charged, and partly given back
	PaymentCancelled                             // all of it given back, or never charged
	PaymentRefunding                             // cancelled, and its money is on the way back to the buyer
	PaymentStranded                              // cancelled, but the buyer did not get all of it
	PaymentChargedBack                           // nothing is left: the card company took some or all
	PaymentFailed
)

// String returns the state's name in output, such as "part_cancelled".
func (s PaymentState) String() string {
	switch s {
	case PaymentReady:
		return "ready"
	case PaymentDeposit:
		return "deposit"
	case PaymentPending:
		return "pending"
	case PaymentPaid:
		return "paid"
	case PaymentPartCancelled:
		return "part_cancelled"
	case PaymentCancelled:
		return "cancelled"
	case PaymentRefunding:
		return "refunding"
	case PaymentStranded:
		return "stranded"
	case PaymentChargedBack:
		return "charged_back"
	case PaymentFailed:
		return "failed"
	}
	return "unknown"
}

// Payment is one attempt to pay an order, as a look-up at PortOne found it. Its order is the one
// that PortOne has for the attempt, which may differ from the one that was looked up.
type Payment struct {
	Order, Attempt string
	Version        Version
	State          PaymentState
	Amount         int64 // of the whole payment, in the currency's unit; charged only if it was paid
	Balance        int64 // the part of it that is charged and not given back
	Requested      int64 // the part of the balance that PortOne was asked to give back and has not yet
	// AmountCents and BalanceCents are the hundredths that Amount and Balance have beyond
	// whole units. Some of V1's channels charge them; an order's amount never has any.
	AmountCents, BalanceCents uint8
	TaxFree                   int64  // the part of the balance that is free of tax; V1 does not say
	Currency                  string // such as "KRW"
	Live                      bool   // it went through a channel that moves money; false if nothing says so
	Deposited                 bool   // by a virtual account: a refund needs the buyer's bank account
	// Disputes are a buyer's disputes and a card company's chargebacks of it; nil if there are none.
	Disputes     *Disputes
	RefundStatus string    // PortOne's word on the refund of a deposit, such as "FAILED"
	DepositBy    time.Time // until when a deposit may come, at most MaxTime; zero if none or unknown
}

// Charged reports whether the payment has money that could be given back.
func (p *Payment) Charged() bool {
	return (p.State == PaymentPaid || p.State == PaymentPartCancelled) && (p.Balance > 0 || p.BalanceCents > 0)
}

// AmountText writes an amount of units and hundredths as a number, such as 10 or 10.50.
func AmountText(units int64, cents uint8) string {
	if cents == 0 {
		return strconv.FormatInt(units, 10)
	}
	return fmt.Sprintf("%d.%02d", units, cents)
}

package gate

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// MaxAmount bounds an amount so that it stays exact in Redis' Lua, whose
// numbers are doubles.
const MaxAmount = 1_000_000_000_000

// ErrNoOrder says that no confirm of an order was ever accepted in this run.
var ErrNoOrder = errors.New("no such order")

// OrderState is the one byte in a record that says where an order stands.
type OrderState byte

// The states of an order. Held and Asking orders keep their units in Held,
// paid ones in Paid, withheld ones in Withheld; the others keep none.
const (
	OrderAsking    OrderState = 'A' // the shop's last word is still out
	OrderHeld      OrderState = 'H'
	OrderPaid      OrderState = 'P'
	OrderReleased  OrderState = 'R'
	OrderRefundDue OrderState = 'D' // charged, but its units are gone: it keeps none
	OrderRefunded  OrderState = 'F' // units went back on sale
	OrderWithheld  OrderState = 'W' // refunded, units kept from sale
)

// String returns the state's name in output, such as "held".
func (s OrderState) String() string {
	switch s {
	case OrderAsking:
		return "asking"
	case OrderHeld:
		return "held"
	case OrderPaid:
		return "paid"
	case OrderReleased:
		return "released"
	case OrderRefundDue:
		return "refund_due"
	case OrderRefunded, OrderWithheld:
		return "refunded"
	}
	return "unknown"
}

// HasUnits reports whether an order in this state counts against its buyer's
// limit: its units are held or paid.
func (s OrderState) HasUnits() bool {
	return s == OrderAsking || s == OrderHeld || s == OrderPaid
}

// AttemptState is the one byte before an attempt's id in a record.
type AttemptState byte

// The states of an attempt.
const (
	AttemptOpen      AttemptState = 'O' // confirmed here, its outcome not yet known
	AttemptDeposit   AttemptState = 'V' // a virtual account that waits for its deposit
	AttemptPaid      AttemptState = 'P'
	AttemptFailed    AttemptState = 'F'
	AttemptCancelled AttemptState = 'C'
	AttemptRefundDue AttemptState = 'D'
	AttemptRequested AttemptState = 'Q' // PortOne has accepted its cancellation and not carried it out yet
	AttemptRefunded  AttemptState = 'X'
)

// String returns the state's name in output, such as "open".
func (s AttemptState) String() string {
	switch s {
	case AttemptOpen:
		return "open"
	case AttemptDeposit:
		return "deposit"
	case AttemptPaid:
		return "paid"
	case AttemptFailed:
		return "failed"
	case AttemptCancelled:
		return "cancelled"
	case AttemptRefundDue:
		return "refund_due"
	case AttemptRequested:
		return "refund_requested"
	case AttemptRefunded:
		return "refunded"
	}
	return "unknown"
}

// Attempt is one try to pay an order: PortOne's imp_uid or transactionId.
type Attempt struct {
	ID      string
	State   AttemptState
	Version Version
	// Tries is how many cancellations of it PortOne reported as failed. It numbers the
	// next one, with the same number at every gate.
	Tries int64
}

// Owed reports whether money of the attempt is still to be given back: its refund is due or
// requested.
func (a *Attempt) Owed() bool { return a.State == AttemptRefundDue || a.State == AttemptRequested }

// Line is one line of a cart.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Amount is a sum of money in PortOne's unit; the zero value is an unknown one.
type Amount struct {
	Value int64
	Known bool
}

// Order is what is known of one order (PortOne's merchant_uid or paymentId).
type Order struct {
	ID       string
	State    OrderState
	Revision int64 // 1 for the first hold, raised by each change
	Buyer    string
	Lines    []Line // sorted by SKU
	Amount   Amount
	Balance  Amount // what is left of a payment that was cancelled in part, in whole units
	Attempts []Attempt
	Taken    time.Time // when its units were last taken
	Deadline time.Time // the hold is kept at least until then
	Settled  time.Time // when it left Held; zero before
}

// OwesRefund reports whether money of any attempt is still to be given back.
func (o *Order) OwesRefund() bool {
	return slices.ContainsFunc(o.Attempts, func(a Attempt) bool { return a.Owed() })
}

// OrderCounts counts the orders of a sale by state, and the refunds that are due or
// requested.
type OrderCounts struct {
	Asking    int64 `json:"asking"`
	Held      int64 `json:"held"`
	Paid      int64 `json:"paid"`
	Released  int64 `json:"released"`
	RefundDue int64 `json:"refund_due"`
	Refunded  int64 `json:"refunded"`
	Refunds   int64 `json:"refunds"`           // attempts that are refund due, of orders in any state
	Requested int64 `json:"refunds_requested"` // attempts whose cancellation is requested and not done
}

// All returns how many orders there are.
func (c OrderCounts) All() int64 {
	return c.Asking + c.Held + c.Paid + c.Released + c.RefundDue + c.Refunded
}

// Add counts n more orders in the given state.
func (c *OrderCounts) Add(s OrderState, n int64) {
	switch s {
	case OrderAsking:
		c.Asking += n
	case OrderHeld:
		c.Held += n
	case OrderPaid:
		c.Paid += n
	case OrderReleased:
		c.Released += n
	case OrderRefundDue:
		c.RefundDue += n
	case OrderRefunded, OrderWithheld:
		c.Refunded += n
	}
}

// ValidID reports whether s can be an order, attempt or buyer id: 1 to 64 bytes of printable UTF-8,
// and neither "." nor "..". Shops choose ids freely. A printable id holds none of a record's
// separators and breaks no log line. One or two dots alone would change the path by which PortOne
// is asked for an order.
func ValidID[T string | []byte](s T) bool {
	dots := len(s) <= 2 && strings.Trim(string(s), ".") == ""
	return !dots && len(s) <= MaxID && printable(s)
}

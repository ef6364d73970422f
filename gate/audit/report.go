package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kind names one way in which a sale may differ from itself or from PortOne.
// Kinds are part of what is promised to whoever reads a report.
type Kind string

// The differences within a sale. The table in docs/operate.md is made from these comments.
const (
	// Oversold says that after this ledger entry more units of a SKU were held and paid than it has:
	// pause the sale, then decide which orders to serve
	Oversold Kind = "oversold"
	// Sum says that the left, held, paid and withheld units of a SKU do not add up to its total
	Sum Kind = "sum"
	// UnitCounters says that the counters of a SKU differ from the sum over its orders
	UnitCounters Kind = "unit_counters"
	// OrderCounters says that the counts of orders by state differ from a recount of the orders
	OrderCounters Kind = "order_counters"
	// RefundCounter says that the count of payments to be refunded differs from a recount of the
	// orders
	RefundCounter Kind = "refund_counter"
	// BuyerUnits says that the units of a buyer differ from the sum over the buyer's orders
	BuyerUnits Kind = "buyer_units"
	// BuyerUnknown says that a buyer has units, but no order that is held or paid
	BuyerUnknown Kind = "buyer_unknown"
	// Unreadable says that the record of an order cannot be read
	Unreadable Kind = "unreadable"
	// OrderLost says that the ledger has an order that Redis does not have
	OrderLost Kind = "order_lost"
	// OrderUntold says that Redis has an order that the ledger does not have
	OrderUntold Kind = "order_untold"
	// OrderDiffers says that the record of an order differs from the ledger's newest one
	OrderDiffers Kind = "order_differs"
	// LedgerGap says that ledger entries are missing
	LedgerGap Kind = "ledger_gap"
	// LedgerFault says that a ledger entry cannot be read
	LedgerFault Kind = "ledger_fault"
	// LedgerBreak says that a ledger entry contradicts the entries before it
	LedgerBreak Kind = "ledger_break"
	// LedgerCounters says that the counters differ from those of the newest ledger entry
	LedgerCounters Kind = "ledger_counters"
	// Seq says that the sale's number of ledger entries differs from the entries that exist
	Seq Kind = "seq"
	// Settings says that the settings differ from the ledger's, or from those that scripts obey
	Settings Kind = "settings"
	// Unwatched says that no look-up is due for an order that needs one: it is held, is owed a
	// refund, or was released less than a day ago
	Unwatched Kind = "unwatched"
	// LookUnknown says that a look-up is due for an order that is not there
	LookUnknown Kind = "look_unknown"
	// LookFar says that a look-up is due later than the longest pause allows
	LookFar Kind = "look_far"
	// TimeAhead says that the sale has recorded a time in the future
	TimeAhead Kind = "time_ahead"
	// NotifyAhead says that your server is recorded as told of ledger entries that do not exist
	NotifyAhead Kind = "notify_ahead"
	// Braked says that the counters of the brake on refunds cannot be read: the brake holds, or will
	// at the next refund
	Braked Kind = "braked"
	// Unlisted says that the list of sales lacks this sale, so a gate that starts does not find it
	Unlisted Kind = "unlisted"
	// PaidElsewhere says that one payment pays an order here and an order of the sale in `sale`: your
	// server signed it into both
	PaidElsewhere Kind = "paid_elsewhere"
)

// The differences between a sale and PortOne.
const (
	// PaidHereOnly says that an order is paid here, and PortOne does not have the payment, or has not
	// charged it
	PaidHereOnly Kind = "paid_here_only"
	// PaidThereOnly says that PortOne has charged a payment that is not paid here
	PaidThereOnly Kind = "paid_there_only"
	// Amount says that the amount that PortOne has charged differs from the order's
	Amount Kind = "amount"
	// RefundedThere says that a payment is cancelled at PortOne and still paid here
	RefundedThere Kind = "refunded_there"
	// RefundedHere says that a payment is refunded here, and its buyer does not have the money back
	RefundedHere Kind = "refunded_here"
	// Forgotten says that PortOne charged a payment in the sale's time, and no sale has its order
	Forgotten Kind = "forgotten"
)

// Finding is one thing that differs.
type Finding struct {
	Kind  Kind   `json:"kind"`
	SKU   string `json:"sku,omitempty"`
	Order string `json:"order,omitempty"`
	Sale  string `json:"sale,omitempty"` // the other one, where an order of the same id is paid by the same payment
	Buyer string `json:"buyer,omitempty"`
	Entry int64  `json:"entry,omitempty"` // of the ledger
	Text  string `json:"text"`            // a sentence without the sale
}

// maxFindings bounds the findings that are told one by one.
const maxFindings = 10_000

// Report is what an audit looked at and found.
type Report struct {
	Sale string `json:"sale"`
	Run  int64  `json:"run"`
	Seq  int64  `json:"seq"` // the ledger entry that the counters were compared at

	// Orders to Entries count what was read of the sale, Payments the orders that were looked up at PortOne, and
	// Charged the payments that PortOne has charged in the sale's time.
	Orders   int64 `json:"orders"`
	Buyers   int64 `json:"buyers"`
	Looks    int64 `json:"looks"`
	Entries  int64 `json:"entries"`
	Payments int64 `json:"payments"`
	Charged  int64 `json:"charged"`

	// Differences is how many there are, Findings the first 10,000 of them.
	Differences int64     `json:"differences"`
	Findings    []Finding `json:"findings"`
	// Moving counts what changed each time that it was compared.
	Moving int64 `json:"moving"`
	// NotLookedUp counts the orders and lists that PortOne could not be asked about, and
	// Problem tells why for one of them.
	NotLookedUp int64  `json:"not_looked_up"`
	Problem     string `json:"problem,omitempty"`
}

func (r *Report) add(f Finding) {
	r.Differences++
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	}
}

// addOnce adds a finding, unless another way has led to it already.
func (r *Report) addOnce(f Finding) {
	if !slices.Contains(r.Findings, f) {
		r.add(f)
	}
}

// sort puts the findings into an order that does not depend on chance.
func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.SKU, b.SKU), strings.Compare(a.Order, b.Order),
			strings.Compare(a.Buyer, b.Buyer),
			cmp.Compare(a.Entry, b.Entry), strings.Compare(string(a.Kind), string(b.Kind)))
	})
}

func ofOrder(kind Kind, id, format string, args ...any) Finding {
	return Finding{Kind: kind, Order: id, Text: fmt.Sprintf("order %s ", id) + fmt.Sprintf(format, args...)}
}

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

// What is found within a sale.
const (
	Sum            Kind = "sum"             // a SKU's total is not the sum of its units
	Oversold       Kind = "oversold"        // a ledger entry left more units held and paid than there were
	UnitCounters   Kind = "unit_counters"   // a SKU's counters are not what its orders have
	OrderCounters  Kind = "order_counters"  // the counts of orders by state are not a recount
	RefundCounter  Kind = "refund_counter"  // the count of attempts that are refund due is not a recount
	BuyerUnits     Kind = "buyer_units"     // a buyer has other units than the buyer's orders
	BuyerUnknown   Kind = "buyer_unknown"   // a buyer has units, and no order that does
	Unreadable     Kind = "unreadable"      // an order's record cannot be read
	OrderLost      Kind = "order_lost"      // the ledger tells of an order that is not there
	OrderUntold    Kind = "order_untold"    // the ledger does not tell of an order
	OrderDiffers   Kind = "order_differs"   // an order is not what the ledger told last
	LedgerGap      Kind = "ledger_gap"      // entries are missing
	LedgerFault    Kind = "ledger_fault"    // an entry cannot be read
	LedgerBreak    Kind = "ledger_break"    // an entry does not follow from those before
	LedgerCounters Kind = "ledger_counters" // the sale's counters are not what the ledger told last
	Seq            Kind = "seq"             // the sale counts other entries than there are
	Settings       Kind = "settings"        // the settings are not what the ledger told last, or not what is obeyed
	Unwatched      Kind = "unwatched"       // nobody is to look at an order that is held, is owed a refund, or was just released
	LookUnknown    Kind = "look_unknown"    // somebody is to look at an order that is not there
	LookFar        Kind = "look_far"        // a look is further ahead than any may be
	TimeAhead      Kind = "time_ahead"      // the sale has seen a time that is not yet
	NotifyAhead    Kind = "notify_ahead"    // the shop counts as told of changes that there are not
	Braked         Kind = "braked"          // the brake on refunds cannot be read
	Unlisted       Kind = "unlisted"        // the list of sales does not name the sale
	PaidElsewhere  Kind = "paid_elsewhere"  // its payment pays an order of another sale too
)

// What is found between a sale and PortOne.
const (
	PaidHereOnly  Kind = "paid_here_only"  // PortOne does not know it as paid
	PaidThereOnly Kind = "paid_there_only" // charged, and not known here
	Amount        Kind = "amount"          // another amount is charged than noted here
	RefundedThere Kind = "refunded_there"  // cancelled, and paid here
	RefundedHere  Kind = "refunded_here"   // refunded here, and the money is not with the buyer
	Forgotten     Kind = "forgotten"       // charged in the sale's time, and no sale knows the order
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

	// What was looked at. Payments counts the orders that were looked up at PortOne,
	// Charged the payments that it has charged in the sale's time.
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
		return cmp.Or(strings.Compare(a.SKU, b.SKU), strings.Compare(a.Order, b.Order), strings.Compare(a.Buyer, b.Buyer),
			cmp.Compare(a.Entry, b.Entry), strings.Compare(string(a.Kind), string(b.Kind)))
	})
}

func ofOrder(kind Kind, id, format string, args ...any) Finding {
	return Finding{Kind: kind, Order: id, Text: fmt.Sprintf("order %s ", id) + fmt.Sprintf(format, args...)}
}

package gate

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// The kinds of Dispute.
const (
	Disputed    = "dispute"    // the buyer disputes the payment at the card company, and the dispute is open
	ChargedBack = "chargeback" // the card company has taken money back
)

// Dispute is a buyer's dispute or a card company's chargeback of a payment. It moves no units: the
// shop decides whether the buyer keeps the goods.
type Dispute struct {
	Attempt string    `json:"attempt"`
	Kind    string    `json:"kind"`             // Disputed or ChargedBack
	Reason  string    `json:"reason,omitempty"` // in PortOne's words
	ID      string    `json:"id,omitempty"`     // the payment provider's for a dispute, PortOne's for a chargeback
	Amount  int64     `json:"amount,omitempty"` // taken back, in whole units
	At      time.Time `json:"at,omitzero"`      // when it began, or took the money; zero if PortOne does not say
}

// Disputes are all disputes and chargebacks of a payment. A nil *Disputes means that there are none.
type Disputes struct{ All []Dispute }

// SortDisputes sorts disputes, so that the same ones always compare equal.
func SortDisputes(all []Dispute) {
	slices.SortFunc(all, func(a, b Dispute) int {
		return cmp.Or(strings.Compare(a.Attempt, b.Attempt), strings.Compare(a.Kind, b.Kind), a.At.Compare(b.At),
			strings.Compare(a.ID, b.ID))
	})
}

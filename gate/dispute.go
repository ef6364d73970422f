package gate

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// The kinds of Dispute.
const (
	Disputed    = "dispute"    // the buyer disputes it at the card company, and that is not resolved
	ChargedBack = "chargeback" // the card company has taken money of it back
)

// Dispute is a buyer's dispute or a card company's chargeback of a payment. It changes no
// unit by itself: the shop decides whether the buyer keeps what was bought.
type Dispute struct {
	Attempt string    `json:"attempt"`
	Kind    string    `json:"kind"`             // Disputed or ChargedBack
	Reason  string    `json:"reason,omitempty"` // in PortOne's words
	ID      string    `json:"id,omitempty"`     // the payment provider's for a dispute, PortOne's for a chargeback
	Amount  int64     `json:"amount,omitempty"` // that was taken back, in whole units
	At      time.Time `json:"at,omitzero"`      // when it began, or was taken back; zero where PortOne does not say
}

// Disputes are all disputes and chargebacks of a payment; nil where there are none.
type Disputes struct{ All []Dispute }

// SortDisputes puts them into one order, whichever way they were found.
func SortDisputes(all []Dispute) {
	slices.SortFunc(all, func(a, b Dispute) int {
		return cmp.Or(strings.Compare(a.Attempt, b.Attempt), strings.Compare(a.Kind, b.Kind), a.At.Compare(b.At),
			strings.Compare(a.ID, b.ID))
	})
}

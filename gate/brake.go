package gate

import (
	"fmt"
	"time"
)

// Brake says that the brake on a sale's refunds holds: the gates cancel nothing until a
// person lets them go on.
type Brake struct {
	Since  time.Time `json:"since"` // zero if it cannot be read
	Rule   BrakeRule `json:"rule"`
	Reason string    `json:"reason,omitempty"` // of the refund that pulled it, as RefundReason names it
	Count  int64     `json:"count"`            // refunds that were counted, with the one that pulled the brake
	Bound  int64     `json:"bound"`            // refunds that ten minutes may have, or refunds in a row that pull the brake
}

// BrakeRule is the rule that pulled a brake. Any value but these constants counts as
// BrakeUnreadable.
type BrakeRule string

// The rules.
const (
	BrakeRate       BrakeRule = "rate"       // too many refunds within ten minutes
	BrakeRow        BrakeRule = "row"        // too many in a row for one reason that a setting causes
	BrakeUnreadable BrakeRule = "unreadable" // the count cannot be read
)

// String says in a clause why the brake holds.
func (b *Brake) String() string {
	switch b.Rule {
	case BrakeRate:
		return fmt.Sprintf("%d refunds within ten minutes, where %d may be; the last for %s", b.Count,
			b.Bound, b.Reason)
	case BrakeRow:
		return fmt.Sprintf("%d refunds in a row for %s, which a wrong setting may cause", b.Count, b.Reason)
	}
	return "what is counted of the sale's refunds cannot be read"
}

// BySetting reports whether a wrong setting may cause refunds for this reason. RefundCurrency is
// left out although --currency may be wrong: those refunds wait for a person already.
func (r RefundReason) BySetting() bool { return r == RefundTestChannel || r == RefundAmount }

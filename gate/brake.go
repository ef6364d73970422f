package gate

import (
	"fmt"
	"time"
)

// Brake says that the brake on a sale's refunds holds: the gates cancel nothing until a
// person lets them go on.
type Brake struct {
	Since  time.Time `json:"since"` // zero where it cannot be read
	Rule   BrakeRule `json:"rule"`
	Reason string    `json:"reason,omitempty"` // of the refund that pulled it, as RefundReason names it
	Count  int64     `json:"count"`            // how many there were with that one
	Bound  int64     `json:"bound"`            // how many there may be in ten minutes, or in a row that pulls it
}

// BrakeRule is what pulled a brake. Any other value than these says that it cannot be read.
type BrakeRule string

// The rules.
const (
	BrakeRate       BrakeRule = "rate"       // too many refunds within ten minutes
	BrakeRow        BrakeRule = "row"        // too many in a row for one reason that a setting causes
	BrakeUnreadable BrakeRule = "unreadable" // nobody knows how many there were
)

// String says why it holds, in a clause.
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

// BySetting reports whether a wrong setting causes refunds for the reason. (So it does for
// a currency, and there a person is waited for already.)
func (r RefundReason) BySetting() bool { return r == RefundTestChannel || r == RefundAmount }

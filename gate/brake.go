package gate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
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
		return fmt.Sprintf("%d refunds within ten minutes, where %d may be; the last for %s", b.Count, b.Bound, b.Reason)
	case BrakeRow:
		return fmt.Sprintf("%d refunds in a row for %s, which a wrong setting may cause", b.Count, b.Reason)
	}
	return "what is counted of the sale's refunds cannot be read"
}

// BySetting reports whether a wrong setting causes refunds for the reason. (So it does for
// a currency, and there a person is waited for already.)
func (r RefundReason) BySetting() bool { return r == RefundTestChannel || r == RefundAmount }

// BrakeReport is a brake that holds, as operators are shown it.
type BrakeReport struct {
	Brake
	Why string `json:"why"` // in a clause
	// Waiting is what waits for it, where that was counted.
	Waiting *Waiting `json:"waiting,omitempty"`
}

// Report tells about the brake; nil where it does not hold.
func (b *Brake) Report() *BrakeReport {
	if b == nil {
		return nil
	}
	return &BrakeReport{Brake: *b, Why: b.String()}
}

// Waiting counts the refunds that wait for a brake.
type Waiting struct {
	Orders   int   `json:"orders"` // each of a buyer's
	Payments int64 `json:"payments"`
	// Amount is their sum as far as it is known, in PortOne's unit of amount; of
	// Unknown payments it is not yet.
	Amount  string `json:"amount"`
	Unknown int64  `json:"unknown,omitempty"`
}

// String tells the numbers.
func (w *Waiting) String() string {
	text := fmt.Sprintf("%d payments of %d orders, %s in all", w.Payments, w.Orders, w.Amount)
	if w.Unknown > 0 {
		text += fmt.Sprintf(" without %d of them, whose amount is not known yet", w.Unknown)
	}
	return text
}

// WaitingForBrake counts what waits for a brake among the refunds that a sale owes.
func WaitingForBrake(reports []RefundReport) *Waiting {
	w, cents := Waiting{}, int64(0)
	for _, r := range reports {
		waits := false
		for _, line := range r.Refunds {
			if line.Waits != WaitBrake {
				continue
			}
			waits = true
			w.Payments++
			if n, known := parseCents(line.Balance); known {
				cents += n
			} else {
				w.Unknown++
			}
		}
		if waits {
			w.Orders++
		}
	}
	w.Amount = AmountText(cents/100, uint8(cents%100))
	return &w
}

// parseCents reads what AmountText writes, in hundredths.
func parseCents(text string) (cents int64, ok bool) {
	units, rest, decimals := strings.Cut(text, ".")
	if !decimals {
		rest = "00"
	}
	cents, err := strconv.ParseInt(units+rest, 10, 64)
	return cents, err == nil && units != "" && len(rest) == 2
}

// FullReport tells about a sale as Report does and, where the brake on its refunds holds,
// what waits for that.
func (s *State) FullReport(ctx context.Context, store Refunds) (Report, error) {
	r := s.Report()
	if r.RefundBrake == nil {
		return r, nil
	}
	reports, err := RefundReports(ctx, store, s.Name)
	if err == nil {
		r.RefundBrake.Waiting = WaitingForBrake(reports)
	}
	return r, err
}

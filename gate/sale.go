package gate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bounds of a sale. They keep script calls, records and ledger entries so small that Redis handles
// each in well under a millisecond.
const (
	MaxSKUs     = 1000          // in one sale
	MaxLines    = 20            // in one cart
	MaxName     = 64            // bytes of a sale or SKU name
	MaxID       = 64            // bytes of an order, attempt or buyer id
	MaxAttempts = 8             // attempts kept for one order
	MaxUnits    = 1_000_000_000 // units of one SKU, and of one line
	MaxRun      = 1_000_000_000
	MaxMessage  = 500 // bytes of a sentence shown to buyers

	MinHold = time.Second
	MaxHold = 24 * time.Hour

	// The longest wait for a deposit to a virtual account.
	MinDepositLimit     = time.Minute
	DefaultDepositLimit = 3 * 24 * time.Hour
	MaxDepositLimit     = 30 * 24 * time.Hour

	// How long after its end a sale is compared with PortOne's lists of changes.
	MinReconcileFor     = time.Minute
	DefaultReconcileFor = 7 * 24 * time.Hour
	MaxReconcileFor     = 90 * 24 * time.Hour
	NeverReconcile      = -time.Millisecond
)

// SKU is what is counted in a sale.
type SKU struct {
	Name  string `json:"name"`
	Stock int64  `json:"stock"`           // units put on sale
	Price *int64 `json:"price,omitempty"` // in PortOne's unit of amount; nil: it may cost anything
}

// Settings are everything about a sale that an operator may change while it
// runs. They are one register: read with its version, written back whole.
type Settings struct {
	OpensAt  time.Time     // first instant of the window, in whole milliseconds
	ClosesAt time.Time     // first instant after the window
	Hold     time.Duration // how long units are kept for an order that is being paid
	PerBuyer int64         // units one buyer may have, 0 for no limit
	Paused   bool
	// Accept names the versions of PortOne whose calls are taken, as VersionNames spells them. If it is
	// empty, the gates take the versions that they can verify and look up.
	Accept []string
	// AmountOptional takes confirms without any amount: neither PortOne, nor the link, nor a price names
	// one, so there is nothing to compare.
	AmountOptional bool
	Messages       map[string]string // sentences shown to buyers and in PortOne's console, by MessageNames
	// AutoRefund makes the gates cancel each payment that is refund due, once.
	AutoRefund bool
	// Unbraked lets AutoRefund cancel any number of payments: the brake does not stop it. It is for
	// rehearsals and tests.
	Unbraked bool
	// Withhold keeps the units of a refunded order from sale.
	Withhold bool
	// RefuseDeposits releases an order whose payment waits for a deposit to a virtual account.
	// Otherwise the order is held until the deposit is due, at most for DepositLimit after its
	// units were taken. A DepositLimit of 0 means DefaultDepositLimit.
	RefuseDeposits bool
	DepositLimit   time.Duration
	// ReconcileFor is how long after ClosesAt orders are compared with PortOne's lists of changes.
	// 0 means DefaultReconcileFor; NeverReconcile turns the comparison off.
	ReconcileFor time.Duration
	// ReleaseUnproven releases a held order by time alone if payments cannot be looked up. If its
	// payment was approved after all, it has no unit.
	ReleaseUnproven bool
	// Notify is the shop's URL that gates send changes of orders to; empty sends none.
	Notify string
	// Healthy is the shop's URL that must answer with a 2xx, or no new hold is taken; empty asks
	// nothing.
	Healthy string
	// Ask is the shop's URL that has the last word on each order; empty asks nothing.
	Ask string
	// ShowStock shows everybody how many units of each SKU are left. Otherwise only whether one is.
	ShowStock bool

	SKUs []SKU
}

// Sale is one launch: its name, its run and its settings.
type Sale struct {
	Name string
	Run  int64 // tells a rehearsal from the real thing under the same name; at least 1
	Settings
}

// Equal reports whether two settings mean the same.
func (s Settings) Equal(o Settings) bool {
	return s.OpensAt.Equal(o.OpensAt) && s.ClosesAt.Equal(o.ClosesAt) && s.Hold == o.Hold &&
		s.PerBuyer == o.PerBuyer && s.Paused == o.Paused && slices.Equal(s.Accept, o.Accept) &&
		s.AmountOptional == o.AmountOptional && s.AutoRefund == o.AutoRefund && s.Unbraked == o.Unbraked &&
		s.Withhold == o.Withhold &&
		s.RefuseDeposits == o.RefuseDeposits && s.LongestDeposit() == o.LongestDeposit() &&
		s.ReconciledUntil().Equal(o.ReconciledUntil()) && s.ReleaseUnproven == o.ReleaseUnproven &&
		s.Notify == o.Notify &&
		s.Healthy == o.Healthy && s.Ask == o.Ask && s.ShowStock == o.ShowStock && maps.Equal(s.Messages, o.Messages) &&
		slices.EqualFunc(s.SKUs, o.SKUs, SKU.equal)
}

// LongestDeposit is the longest wait for a deposit.
func (s *Settings) LongestDeposit() time.Duration { return cmp.Or(s.DepositLimit, DefaultDepositLimit) }

// ReconciledUntil is when the comparison with PortOne's lists of changes ends; zero if it is off.
func (s *Settings) ReconciledUntil() time.Time {
	if s.ReconcileFor == NeverReconcile {
		return time.Time{}
	}
	return s.ClosesAt.Add(cmp.Or(s.ReconcileFor, DefaultReconcileFor))
}

func (s SKU) equal(o SKU) bool {
	if (s.Price == nil) != (o.Price == nil) || s.Price != nil && *s.Price != *o.Price {
		return false
	}
	return s.Name == o.Name && s.Stock == o.Stock
}

// ValidName reports whether s can name a sale or a SKU: 1 to 64 of A-Z a-z 0-9 _ . -
// Such a name is safe in a Redis key, a metric label, a URL path and a line list.
func ValidName[T string | []byte](s T) bool {
	if len(s) == 0 || len(s) > MaxName {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// ValidMessage reports whether text can be shown to buyers: 1 to 500 bytes of
// printable UTF-8.
func ValidMessage(text string) bool {
	return len(text) > 0 && len(text) <= MaxMessage && printable(text)
}

// Units counts one SKU. After every script Total = Left + Held + Paid + Withheld.
type Units struct {
	Total    int64 `json:"total"`
	Left     int64 `json:"left"` // no script takes it below zero
	Held     int64 `json:"held"`
	Paid     int64 `json:"paid"`
	Withheld int64 `json:"withheld"` // refunded and not put back on sale
}

// Plus returns the units of both.
func (u Units) Plus(o Units) Units {
	return Units{
		Total: u.Total + o.Total, Left: u.Left + o.Left, Held: u.Held + o.Held, Paid: u.Paid + o.Paid,
		Withheld: u.Withheld + o.Withheld,
	}
}

// Sum returns Left + Held + Paid + Withheld, which must be Total.
func (u Units) Sum() int64 { return u.Left + u.Held + u.Paid + u.Withheld }

// State is a sale as the store holds it at one instant.
type State struct {
	Sale
	Times                    // when this was read
	Version int64            // of the settings, raised by each change
	Seq     int64            // of the newest ledger entry; never falls, not even in a new run
	Term    int64            // 1; a part of the format that no script changes
	Deleted time.Time        // zero unless only the tombstone is left
	Units   map[string]Units // by SKU
	Orders  OrderCounts
	Brake   *Brake // on its refunds; nil where it does not hold
}

// Inspection is a sale with the copies of its settings that the scripts obey, and the scripts' own
// counts.
type Inspection struct {
	State
	Obeyed Settings  // its window, hold, limit, pause and brake alone
	Latest time.Time // the latest time that the sale has seen
	// Uncountable says that the brake's count of the sale's refunds cannot be read.
	Uncountable bool
}

// Phase names what the sale does with a new order at the given time: "open",
// "not_open", "closed", "paused" or "deleted".
func (s *State) Phase(now time.Time) string {
	switch {
	case !s.Deleted.IsZero():
		return "deleted"
	case s.Paused:
		return "paused"
	case now.Before(s.OpensAt):
		return "not_open"
	case !now.Before(s.ClosesAt):
		return "closed"
	}
	return "open"
}

// Validate returns the first rule that the sale breaks; nil if it breaks none.
func (s *Sale) Validate() error {
	switch {
	case !ValidName(s.Name):
		return fmt.Errorf("sale name %q: use 1 to %d of A-Z a-z 0-9 _ . -", s.Name, MaxName)
	case s.Run < 1 || s.Run > MaxRun:
		return fmt.Errorf("run %d: must be between 1 and %d", s.Run, MaxRun)
	case !s.ClosesAt.After(s.OpensAt):
		return fmt.Errorf("closes_at must be after opens_at")
	case s.ClosesAt.UnixMilli() > MaxTime:
		return fmt.Errorf("closes_at %s: must be before the year 2200", s.ClosesAt.Format(time.RFC3339))
	case s.Hold < MinHold || s.Hold > MaxHold:
		return fmt.Errorf("hold %s: must be between %s and %s", s.Hold, MinHold, MaxHold)
	case s.LongestDeposit() < MinDepositLimit || s.LongestDeposit() > MaxDepositLimit:
		return fmt.Errorf("deposit_limit %s: must be between %s and %s", s.DepositLimit, MinDepositLimit,
			MaxDepositLimit)
	case s.ReconcileFor != 0 && s.ReconcileFor != NeverReconcile &&
		(s.ReconcileFor < MinReconcileFor || s.ReconcileFor > MaxReconcileFor):
		return fmt.Errorf("reconcile_for %s: must be between %s and %s, or off", s.ReconcileFor, MinReconcileFor,
			MaxReconcileFor)
	case s.PerBuyer < 0 || s.PerBuyer > MaxUnits:
		return fmt.Errorf("per_buyer %d: must be between 0 (no limit) and %d", s.PerBuyer, MaxUnits)
	case s.Notify != "" && CheckURL(s.Notify) != nil:
		return fmt.Errorf("notify: %w", CheckURL(s.Notify))
	case s.Healthy != "" && CheckLastWordURL(s.Healthy) != nil:
		return fmt.Errorf("healthy: %w", CheckLastWordURL(s.Healthy))
	case s.Ask != "" && CheckLastWordURL(s.Ask) != nil:
		return fmt.Errorf("ask: %w", CheckLastWordURL(s.Ask))
	case len(s.SKUs) == 0 || len(s.SKUs) > MaxSKUs:
		return fmt.Errorf("%d SKUs: a sale has 1 to %d", len(s.SKUs), MaxSKUs)
	}
	seen := make(map[string]bool, len(s.SKUs))
	for _, k := range s.SKUs {
		switch {
		case !ValidName(k.Name):
			return fmt.Errorf("SKU name %q: use 1 to %d of A-Z a-z 0-9 _ . -", k.Name, MaxName)
		case seen[k.Name]:
			return fmt.Errorf("SKU %q is listed twice", k.Name)
		case k.Stock < 0 || k.Stock > MaxUnits:
			return fmt.Errorf("stock %d of SKU %q: must be between 0 and %d", k.Stock, k.Name, MaxUnits)
		case k.Price != nil && (*k.Price < 0 || *k.Price > MaxAmount):
			return fmt.Errorf("price %d of SKU %q: must be between 0 and %d", *k.Price, k.Name, int64(MaxAmount))
		}
		seen[k.Name] = true
	}
	for i, v := range s.Accept {
		if !slices.Contains(VersionNames(), v) || slices.Contains(s.Accept[:i], v) {
			return fmt.Errorf("accept %q: must list %s, each at most once", v, strings.Join(VersionNames(), " or "))
		}
	}
	for code, text := range s.Messages {
		if !slices.Contains(MessageNames(), code) {
			return fmt.Errorf("message for %q: there is no such message; they are %s", code,
				strings.Join(MessageNames(), ", "))
		}
		if !ValidMessage(text) {
			return fmt.Errorf("message for %q: must be 1 to %d bytes of printable text", code, MaxMessage)
		}
	}
	return nil
}

// Package audit recounts a sale: its orders, counters, buyers, due look-ups and ledger against each
// other, and its orders against PortOne. It changes nothing, and may run while the sale changes.
//
// Everything is compared with the ledger, because an entry that was written stays. So the audit
// follows the ledger to the entry at which the sale's counters were read, and compares both at the same
// instant. An order is compared with its newest ledger entry. If they differ, the order is read again
// between two readings of the sale's seq; the difference counts only if the ledger has no change of the
// order between them. A held order is in due from its first moment, so due is read first. A difference with PortOne
// counts only if the record is the same before and after a second look-up.
package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// Store is what an audit needs of a store.
type Store interface {
	Inspect(ctx context.Context, sale string) (gate.Inspection, error)
	EachOrder(ctx context.Context, sale string, do func(id string, o gate.Order, fault error) error) error
	Records(ctx context.Context, sale string, ids []string, do func(id string, o *gate.Order, fault error)) error
	EachBuyer(ctx context.Context, sale string, do func(buyer string, units int64) error) error
	Bought(ctx context.Context, sale string, buyers []string) ([]int64, error)
	EachLook(ctx context.Context, sale string, do func(gate.Look) error) error
	LookTimes(ctx context.Context, sale string, ids []string) ([]time.Time, error)
	NewestEntry(ctx context.Context, sale string) (int64, error)
	Sales(ctx context.Context) ([]string, error)
	Delivery(ctx context.Context, sale string) (gate.Delivery, error)
	EachEntry(ctx context.Context, sale string, from, upto int64,
		do func(seq int64, e *gate.Entry, fault error) error) error
}

// Payments is what an audit needs of PortOne.
type Payments interface {
	Lookup(ctx context.Context, queries []portone.Query) []portone.Finding
	EachCharged(ctx context.Context, from, to time.Time, do func(p gate.Payment, fault error) error) error
}

// Progress is told how far an audit has come: what it reads, and how many of
// them it has read.
type Progress func(what string, read int64)

// Deps are the dependencies of an audit. Store is needed.
type Deps struct {
	Store    Store
	Payments Payments // nil: PortOne is not asked
	Progress Progress // nil: nobody is told
}

// Options of an audit.
type Options struct {
	// Prefix is what orders of sales begin with. A payment of another order that no sale
	// knows is for something else that the shop sells, and is not reported. Known says so
	// of each payment whose order no sale knows.
	Prefix string
	Known  bool
}

const (
	rounds = 10  // how often what moves is compared again
	chunk  = 500 // orders or buyers that one call reads
	// far is further ahead than any look is put, with what clocks may be apart.
	far = gate.LongestLook + gate.ClockTolerance
)

// ErrRestarted says that the sale was deleted or started afresh while it was audited.
var ErrRestarted = errors.New("the sale was deleted or started afresh while it was audited: audit it again")

// auditor is one audit under way.
type auditor struct {
	deps   Deps
	sale   string
	opt    Options
	report Report
	window gate.Settings // when the sale is open

	accounts *accounts
	looks    map[int64]time.Time // when the orders of a ledger entry are looked at
	begun    int64               // seq before anything was read

	// What the ledger has told so far.
	seq      int64 // its newest entry that was read; 0 before the first
	register *gate.SettingsEntry
	units    map[string]gate.Units
	counts   gate.OrderCounts
	chain    chain
}

// Run audits a sale. It returns gate.ErrNoSale where there is no sale, and ErrRestarted.
func Run(ctx context.Context, deps Deps, sale string, opt Options) (Report, error) {
	if deps.Progress == nil {
		deps.Progress = func(string, int64) {}
	}
	a := &auditor{
		deps: deps, sale: sale, opt: opt, accounts: newAccounts(), looks: map[int64]time.Time{},
		units: map[string]gate.Units{}, chain: newChain(), report: Report{Sale: sale, Findings: []Finding{}},
	}
	steps := []func(context.Context) error{
		a.read, a.follow, a.compareOrders, a.compareBuyers, a.compareLooks,
		a.compareBeside, a.compareCounters, a.compareSales,
	}
	if a.deps.Payments != nil {
		steps = append(steps, a.comparePayments, a.compareCharged)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return Report{}, fmt.Errorf("audit sale %s: %w", sale, err)
		}
	}
	if _, err := a.position(ctx); err != nil { // what was found of a run that is over is nothing
		return Report{}, fmt.Errorf("audit sale %s: %w", sale, err)
	}
	a.report.sort()
	return a.report, nil
}

// read reads what is looked at, in an order in which nothing that is as it
// should be is missed: a held order is always in due.
func (a *auditor) read(ctx context.Context) error {
	state, err := a.deps.Store.Inspect(ctx, a.sale)
	if err != nil {
		return err
	}
	if !state.Deleted.IsZero() {
		return gate.ErrNoSale
	}
	a.report.Run, a.window = state.Run, state.Settings
	if a.begun, err = a.position(ctx); err != nil {
		return err
	}
	err = a.deps.Store.EachLook(ctx, a.sale, func(l gate.Look) error {
		a.report.Looks++
		a.deps.Progress("looks that are due", a.report.Looks)
		if l.At.Sub(state.Now) > far {
			a.report.add(farLook(&l, state.Now))
		}
		switch {
		case l.Order != "":
			a.accounts.order(l.Order).watched = true
		case l.Entry != 0:
			a.looks[l.Entry] = l.At
		default:
			a.report.add(Finding{
				Kind: LookUnknown,
				Text: fmt.Sprintf("due has the member %q, which names neither an order nor a ledger entry", l.Other),
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = a.deps.Store.EachOrder(ctx, a.sale, func(id string, o gate.Order, fault error) error {
		acc := a.accounts.order(id)
		if acc.stored == 0 {
			a.report.Orders++
		}
		_ = a.keep(acc, &o, fault) // compareOrders comes back to it
		a.deps.Progress("orders", a.report.Orders)
		return nil
	})
	if err != nil {
		return err
	}
	return a.deps.Store.EachBuyer(ctx, a.sale, func(buyer string, units int64) error {
		a.report.Buyers++
		a.accounts.has[a.accounts.buyer(buyer)].stored = units
		a.deps.Progress("buyers", a.report.Buyers)
		return nil
	})
}

// farLook is the finding that a look is so far ahead that nobody meant it.
func farLook(l *gate.Look, now time.Time) Finding {
	f := Finding{Kind: LookFar, Order: l.Order, Entry: l.Entry}
	what := "order " + l.Order
	if l.Order == "" {
		what = fmt.Sprintf("the orders of ledger entry %d", l.Entry)
	}
	f.Text = fmt.Sprintf("%s would be looked at only at %s, and it is %s", what, l.At.UTC().Format(time.RFC3339),
		now.UTC().Format(time.RFC3339))
	return f
}

// keep notes what is stored of an order, and returns what is wrong with it.
func (a *auditor) keep(acc *account, o *gate.Order, fault error) error {
	acc.faulty, acc.stored = fault != nil, 0
	if o == nil {
		return nil
	}
	if fault == nil {
		fault = sound(o)
	}
	acc.faulty, acc.stored = fault != nil, a.accounts.digest(o)
	return fault
}

// sound says what is wrong with an order that could be read all the same.
func sound(o *gate.Order) error {
	if o.Revision < 1 {
		return fmt.Errorf("its revision is %d", o.Revision)
	}
	if o.State.String() == "unknown" {
		return fmt.Errorf("its state is %q", byte(o.State))
	}
	for _, l := range o.Lines {
		if l.Quantity < 1 || l.Quantity > gate.MaxUnits {
			return fmt.Errorf("it has %d units of %s", l.Quantity, l.SKU)
		}
	}
	for _, attempt := range o.Attempts {
		if attempt.State.String() == "unknown" {
			return fmt.Errorf("its attempt %s is in the state %q", attempt.ID, byte(attempt.State))
		}
	}
	return nil
}

// position returns the number of the newest ledger entry. A sale's seq and its
// newest entry are written together, so the seq that is read after the entry is
// never behind it unless it is wrong: then the entry counts.
func (a *auditor) position(ctx context.Context) (int64, error) {
	newest, err := a.deps.Store.NewestEntry(ctx, a.sale)
	if err != nil {
		return 0, err
	}
	state, err := a.deps.Store.Inspect(ctx, a.sale)
	if err != nil {
		return 0, err
	}
	if state.Run != a.report.Run || !state.Deleted.IsZero() {
		return 0, ErrRestarted
	}
	return max(newest, state.Seq), nil
}

// follow reads on in the ledger, to the newest entry that there is.
func (a *auditor) follow(ctx context.Context) error {
	position, err := a.position(ctx)
	if err != nil {
		return err
	}
	return a.followTo(ctx, position)
}

// followTo reads on in the ledger to a certain entry.
func (a *auditor) followTo(ctx context.Context, upto int64) error {
	return a.deps.Store.EachEntry(ctx, a.sale, a.seq+1, upto, func(seq int64, e *gate.Entry, fault error) error {
		a.report.Entries++
		a.deps.Progress("ledger entries", a.report.Entries)
		switch {
		case a.seq == 0 && fault == nil && e.Kind != "create":
			a.chain.broken = seq - 1
			a.report.add(Finding{
				Kind: LedgerGap, Entry: seq,
				Text: fmt.Sprintf("the ledger begins with entry %d, which creates no sale", seq),
			})
		case seq == a.seq:
			fault = errors.New("its number is taken")
		case a.seq != 0 && seq > a.seq+1:
			a.chain.broken = seq - 1
			a.report.add(Finding{
				Kind: LedgerGap, Entry: seq,
				Text: fmt.Sprintf("the ledger entries %d to %d are missing", a.seq+1, seq-1),
			})
		}
		a.seq = seq
		if fault != nil {
			a.chain.broken = seq
			a.report.add(Finding{
				Kind: LedgerFault, Entry: seq,
				Text: fmt.Sprintf("ledger entry %d cannot be read: %v", seq, fault),
			})
			return nil
		}
		a.fold(e)
		return nil
	})
}

// fold notes what a ledger entry tells, and finds what does not follow from what
// was told before.
func (a *auditor) fold(e *gate.Entry) {
	from := a.startOf(e)
	a.counts = e.Counts
	for sku, u := range e.Counters {
		a.units[sku] = u
		if u.Held+u.Paid > u.Total {
			a.report.add(Finding{
				Kind: Oversold, SKU: sku, Entry: e.Seq,
				Text: fmt.Sprintf("after ledger entry %d SKU %s had %s", e.Seq, sku, spell(u)),
			})
		}
	}
	if e.Settings != nil {
		a.register = e.Settings
		listed := map[string]bool{}
		for _, k := range e.Settings.Settings.SKUs {
			listed[k.Name] = true
		}
		for sku := range a.units {
			if !listed[sku] {
				delete(a.units, sku)
			}
		}
	}
	_, due := a.looks[e.Seq]
	for i := range e.Orders {
		o := &e.Orders[i]
		acc := a.accounts.order(o.ID)
		a.compareRecord(e, acc, o)
		a.accounts.replace(acc, o)
		if acc.buyer >= 0 {
			a.accounts.has[acc.buyer].changed = e.Seq
		}
		acc.told, acc.revision, acc.changed, acc.changedAt = a.accounts.digest(o), o.Revision, e.Seq, e.Time.UnixMilli()
		if due {
			acc.due = e.Seq
		}
	}
	a.compareEntry(e, &from)
	a.chain.told(e)
}

package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// settleDown compares what seems to differ again and again, until each of it is
// stable, or for a number of rounds. read reads chunks of it anew; after that
// the ledger is followed, and judge tells whether one is the same as before.
func (a *auditor) settleDown(ctx context.Context, ids []string, read func(ctx context.Context, ids []string) error,
	judge func(id string, since int64) bool,
) error {
	for round := 0; len(ids) > 0; round++ {
		if round == rounds {
			a.report.Moving += int64(len(ids))
			return nil
		}
		since, err := a.position(ctx)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(ids, chunk) {
			if err := read(ctx, part); err != nil {
				return err
			}
		}
		if err := a.follow(ctx); err != nil {
			return err
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return judge(id, since) })
	}
	return nil
}

// compareOrders compares the orders with what the ledger told of them last.
func (a *auditor) compareOrders(ctx context.Context) error {
	var differ []string
	for id, i := range a.accounts.orders {
		if acc := &a.accounts.list[i]; acc.stored != acc.told || acc.stored == 0 || acc.faulty {
			differ = append(differ, id)
		}
	}
	orders, faults := map[string]*gate.Order{}, map[string]error{}
	read := func(ctx context.Context, ids []string) error {
		return a.deps.Store.Records(ctx, a.sale, ids, func(id string, o *gate.Order, fault error) {
			orders[id], faults[id] = o, a.keep(a.accounts.order(id), o, fault)
		})
	}
	return a.settleDown(ctx, differ, read, func(id string, since int64) bool {
		acc := a.accounts.order(id)
		if acc.changed > since {
			return false
		}
		a.judgeOrder(id, acc, orders[id], faults[id])
		return true
	})
}

func (a *auditor) judgeOrder(id string, acc *account, o *gate.Order, fault error) {
	switch {
	case fault != nil: // it counts for what the ledger told
		a.report.add(ofOrder(Unreadable, id, "cannot be read: %v", fault))
		return
	case acc.stored == acc.told && acc.stored == 0:
		a.report.add(ofOrder(LookUnknown, id, "is to be looked at, and there is no such order"))
		return
	case acc.stored == acc.told:
		return
	case acc.stored == 0:
		a.report.add(ofOrder(OrderLost, id, "is not there; the ledger's entry %d told of it last", acc.changed))
	case acc.told == 0:
		a.report.add(ofOrder(OrderUntold, id, "is %s in revision %d, and the ledger does not tell of it",
			o.State, o.Revision))
	default:
		a.report.add(ofOrder(OrderDiffers, id, "is %s in revision %d, which is not what the ledger's entry %d "+
			"told of it last", o.State, o.Revision, acc.changed))
	}
	a.accounts.replace(acc, o)
	acc.revision = 0
}

// compareBuyers compares the buyers' units with a recount over their orders.
func (a *auditor) compareBuyers(ctx context.Context) error {
	var differ []string
	for buyer, i := range a.accounts.buyers {
		if has := &a.accounts.has[i]; has.stored != has.counted {
			differ = append(differ, buyer)
		}
	}
	read := func(ctx context.Context, buyers []string) error {
		units, err := a.deps.Store.Bought(ctx, a.sale, buyers)
		for i, n := range units {
			a.accounts.has[a.accounts.buyer(buyers[i])].stored = n
		}
		return err
	}
	return a.settleDown(ctx, differ, read, func(buyer string, since int64) bool {
		has := &a.accounts.has[a.accounts.buyer(buyer)]
		if has.changed > since {
			return false
		}
		f := Finding{
			Kind: BuyerUnits, Buyer: buyer,
			Text: fmt.Sprintf("buyer %s has %d units, and orders for %d", buyer, has.stored, has.counted),
		}
		switch {
		case has.stored == has.counted:
			return true
		case has.stored < 0:
			f.Text = fmt.Sprintf("buyer %s has what is no count of units, and orders for %d", buyer, has.counted)
		case has.counted == 0:
			f.Kind, f.Text = BuyerUnknown,
				fmt.Sprintf("buyer %s has %d units, and no order that is held or paid", buyer, has.stored)
		}
		a.report.add(f)
		return true
	})
}

// compareLooks finds the orders that must be looked at, and that nobody is to look
// at. Such an order is in due from its first moment: with its ledger entry, or by
// itself until it needs no look any more. So one that was in due neither way when
// due was read, is not there by itself now, and has not changed in between, was
// left out.
func (a *auditor) compareLooks(ctx context.Context) error {
	state, err := a.deps.Store.Inspect(ctx, a.sale)
	if err != nil {
		return err
	}
	var lone []string
	for id, i := range a.accounts.orders {
		acc := &a.accounts.list[i]
		if acc.mustBeLookedAt(state.Now) && !acc.watched && acc.due == 0 && acc.stored != 0 {
			lone = append(lone, id)
		}
	}
	var unseen []string
	for part := range slices.Chunk(lone, chunk) {
		times, err := a.deps.Store.LookTimes(ctx, a.sale, part)
		if err != nil {
			return err
		}
		for i, at := range times {
			if at.IsZero() {
				unseen = append(unseen, part[i])
			}
		}
	}
	if err := a.follow(ctx); err != nil {
		return err
	}
	for _, id := range unseen {
		if acc := a.accounts.order(id); acc.changed <= a.begun {
			a.report.add(ofOrder(Unwatched, id, "is %s with %d payments to be given back, and nobody is to look at it",
				acc.state, acc.refunds+acc.requested))
		}
	}
	return nil
}

// compareCounters compares the sale's own numbers with the ledger and with a
// recount, all at the same ledger entry.
func (a *auditor) compareCounters(ctx context.Context) error {
	newest, err := a.deps.Store.NewestEntry(ctx, a.sale)
	if err != nil {
		return err
	}
	state, err := a.deps.Store.Inspect(ctx, a.sale)
	if err != nil {
		return err
	}
	if err := a.followTo(ctx, max(state.Seq, newest)); err != nil {
		return err
	}
	a.report.Seq = state.Seq
	if a.seq != state.Seq {
		a.report.add(Finding{
			Kind: Seq, Entry: a.seq,
			Text: fmt.Sprintf("the sale counts %d ledger entries, and the newest one is %d", state.Seq, a.seq),
		})
	}
	a.compareUnits(&state.State)
	a.compareCounts(&state.State)
	a.compareSettings(&state)
	return nil
}

func (a *auditor) compareUnits(state *gate.State) {
	names := maps.Clone(state.Units)
	for sku := range a.accounts.units {
		names[sku] = state.Units[sku]
	}
	for _, k := range state.SKUs {
		names[k.Name] = state.Units[k.Name]
	}
	for sku, u := range names {
		add := func(kind Kind, format string, args ...any) {
			a.report.add(Finding{Kind: kind, SKU: sku, Text: "SKU " + sku + " " + fmt.Sprintf(format, args...)})
		}
		if u.Sum() != u.Total {
			add(Sum, "has a total of %d, and its units are %d in all: %s", u.Total, u.Sum(), spell(u))
		}
		if counted := a.accounts.unitsOf(sku); counted.Held != u.Held || counted.Paid != u.Paid ||
			counted.Withheld != u.Withheld {
			add(UnitCounters, "counts %d held, %d paid and %d withheld, and its orders have %d, %d and %d",
				u.Held, u.Paid, u.Withheld, counted.Held, counted.Paid, counted.Withheld)
		}
		if told := a.units[sku]; told != u {
			add(LedgerCounters, "counts %s, and the ledger told %s last", spell(u), spell(told))
		}
		stock := int64(0)
		for _, k := range state.SKUs {
			if k.Name == sku {
				stock = k.Stock
			}
		}
		if stock != u.Total {
			add(Settings, "has a total of %d, and the settings put %d on sale", u.Total, stock)
		}
	}
}

func spell(u gate.Units) string {
	return fmt.Sprintf("%d left, %d held, %d paid, %d withheld of %d", u.Left, u.Held, u.Paid, u.Withheld, u.Total)
}

func (a *auditor) compareCounts(state *gate.State) {
	counted, noted, told := a.accounts.counts, state.Orders, a.counts
	if counted.Refunds != noted.Refunds {
		a.report.add(Finding{
			Kind: RefundCounter,
			Text: fmt.Sprintf("the sale counts %d attempts that are refund due, and its orders have %d", noted.Refunds,
				counted.Refunds),
		})
	}
	if counted.Requested != noted.Requested {
		a.report.add(Finding{
			Kind: RefundCounter,
			Text: fmt.Sprintf("the sale counts %d attempts whose refund is requested, and its orders have %d",
				noted.Requested, counted.Requested),
		})
	}
	if told != noted {
		a.report.add(Finding{
			Kind: LedgerCounters,
			Text: fmt.Sprintf("the sale counts its orders as %s, and the ledger told %s last", spellCounts(noted),
				spellCounts(told)),
		})
	}
	counted.Refunds, counted.Requested = noted.Refunds, noted.Requested
	if counted != noted {
		a.report.add(Finding{Kind: OrderCounters, Text: fmt.Sprintf("the sale counts its orders as %s, and they are %s",
			spellCounts(noted), spellCounts(counted))})
	}
}

func spellCounts(c gate.OrderCounts) string {
	return fmt.Sprintf("%d asking, %d held, %d paid, %d released, %d refund due, %d refunded, with %d attempts "+
		"refund due and %d requested",
		c.Asking, c.Held, c.Paid, c.Released, c.RefundDue, c.Refunded, c.Refunds, c.Requested)
}

func (a *auditor) compareSettings(state *gate.Inspection) {
	add := func(text string, args ...any) {
		a.report.add(Finding{Kind: Settings, Text: fmt.Sprintf(text, args...)})
	}
	switch r := a.register; {
	case r == nil:
		add("the ledger tells of no settings")
	case r.Run != state.Run || r.Version != state.Version:
		add("the settings are version %d of run %d, and the ledger told of version %d of run %d last", state.Version,
			state.Run, r.Version, r.Run)
	case !r.Settings.Equal(state.Settings):
		add("the settings are not what the ledger told last, though their version is %d too", r.Version)
	}
	s, obeyed := &state.Settings, &state.Obeyed
	if !obeyed.OpensAt.Equal(s.OpensAt) || !obeyed.ClosesAt.Equal(s.ClosesAt) || obeyed.Hold != s.Hold ||
		obeyed.PerBuyer != s.PerBuyer || obeyed.Paused != s.Paused || obeyed.Unbraked != s.Unbraked {
		add("the scripts do not obey the settings: window %s to %s, hold %s, %d for a buyer, paused %t, "+
			"refund_brake off %t",
			obeyed.OpensAt.UTC().Format(time.RFC3339), obeyed.ClosesAt.UTC().Format(time.RFC3339), obeyed.Hold,
			obeyed.PerBuyer, obeyed.Paused, obeyed.Unbraked)
	}
}

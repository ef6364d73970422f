package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// compareBeside compares what stands beside the sale's orders: its name in the
// list of sales, its time, its brake, and how far its shop has been told.
func (a *auditor) compareBeside(ctx context.Context) error {
	names, err := a.deps.Store.Sales(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(names, a.sale) {
		a.report.add(Finding{
			Kind: Unlisted,
			Text: "the list of sales does not name it, so that a gate which starts does not know it",
		})
	}
	state, err := a.deps.Store.Inspect(ctx, a.sale)
	if err != nil {
		return err
	}
	if state.Latest.Sub(state.Now) > gate.ClockTolerance {
		a.report.add(Finding{Kind: TimeAhead, Text: fmt.Sprintf("the sale has seen %s, and it is %s",
			state.Latest.UTC().Format(time.RFC3339), state.Now.UTC().Format(time.RFC3339))})
	}
	if b := state.Brake; state.Uncountable || b != nil && b.Rule != gate.BrakeRate && b.Rule != gate.BrakeRow {
		a.report.add(Finding{
			Kind: Braked,
			Text: "what the brake on refunds has counted cannot be read: it holds, or will at the next refund",
		})
	}
	d, err := a.deps.Store.Delivery(ctx, a.sale)
	if err != nil {
		return err
	}
	newest, err := a.position(ctx) // read after what was told, so that it is not behind
	if err != nil {
		return err
	}
	ahead := func(f Finding, entry int64, format string, args ...any) {
		if entry > newest {
			f.Kind, f.Text = NotifyAhead,
				fmt.Sprintf(format, args...)+fmt.Sprintf(" %d, and the newest one is %d", entry, newest)
			a.report.add(f)
		}
	}
	ahead(Finding{}, d.Position, "the shop counts as told up to ledger entry")
	for _, l := range d.Listed {
		ahead(Finding{Order: l.Order}, l.Entry,
			"the shop is to be told of order %s what changed in ledger entry", l.Order)
	}
	return nil
}

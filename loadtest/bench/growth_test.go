package bench

import (
	"context"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
)

// decider accepts orders, to a number of them, and remembers them.
type decider struct {
	left int
	seen map[string]bool
}

func (d *decider) Decide(_ context.Context, batch []*gate.Request) error {
	for _, r := range batch {
		d.seen[string(r.Confirm.Order)] = true
		r.Set(gate.Refuse(gate.Held))
		if d.left--; d.left < 0 {
			r.Set(gate.Refuse(gate.SoldOut))
		}
	}
	return nil
}

func (d *decider) Close() error { return nil }

func TestAGrowingSaleSellsToNewOrdersOnly(t *testing.T) {
	t.Parallel()
	d := &decider{left: 60, seen: map[string]bool{}}
	g := &growing{decider: d}
	for range 3 {
		if err := g.sell(t.Context(), 20); err != nil {
			t.Fatal(err)
		}
	}
	if g.orders != 60 || len(d.seen) != 60 {
		t.Errorf("sold %d, to %d different orders", g.orders, len(d.seen))
	}
	if err := g.sell(t.Context(), 1); err == nil ||
		!strings.Contains(err.Error(), "ORD20261000000060 was refused: sold_out") || g.orders != 60 {
		t.Errorf("got %v, at %d orders", err, g.orders)
	}
}

func TestASaleThatDoesNotFitIsSkipped(t *testing.T) {
	t.Parallel()
	f := func(more int, available int64, want string) {
		t.Helper()
		if got := tooBig(more, available); got != want {
			t.Errorf("%d more in %d bytes: got %q, want %q", more, available, got, want)
		}
	}
	f(5_000_000, 0, "") // nobody knows
	f(2_000_000, 1_000_000_000, "")
	f(2_000_001, 1_000_000_000, "needs 0.9 GiB more, and 0.9 are free")
	f(5_000_000, 1<<30, "needs 2.3 GiB more, and 1.0 are free")
}

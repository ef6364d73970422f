package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/settle"
	"github.com/flashgate/flashgate/gate/store"
)

type recheckCommand struct {
	redisFlag
	Sale   string `arg:"" help:"The sale's name."`
	Order  string `arg:"" optional:"" help:"The order's id: merchant_uid or paymentId. Without it, all orders about which PortOne may have news."`
	DryRun bool   `help:"Only say which orders would be looked up."`
	JSON   bool   `help:"Print JSON."`
}

// Help says when it is of use.
func (*recheckCommand) Help() string {
	return `Has the gates look up at PortOne again how the payments of an order stand, at once and whatever its state, also if it was
released or refunded long ago. Without an order it does so for all of the sale but those whose every payment was given back,
two hundred a second, so that nothing else waits. What is cancelled or approved late at PortOne the gates find by themselves
until reconcile_for after the sale's end: this is for later, and for those who do not want to wait.`
}

// Run has orders looked up.
func (c *recheckCommand) Run(ctx context.Context, env *environment) error {
	return c.with(env, func(s *store.Store) error {
		if c.Order != "" {
			if err := settle.RecheckOrder(ctx, s, c.Sale, c.Order); err != nil {
				return gate.Gone(ctx, s, c.Sale, err)
			}
			fmt.Fprintf(env.out, "%s: the gates look it up now; flashgate order %s %s shows what comes of it\n",
				c.Order, c.Sale, c.Order)
			return nil
		}
		r, err := settle.RecheckSale(ctx, s, c.Sale, c.DryRun)
		if err != nil {
			return gate.Gone(ctx, s, c.Sale, err)
		}
		if c.JSON {
			return printJSON(env, r)
		}
		var parts []string
		for _, state := range slices.Sorted(maps.Keys(r.States)) {
			parts = append(parts, fmt.Sprintf("%d %s", r.States[state], strings.ReplaceAll(state, "_", " ")))
		}
		would := "the gates look up"
		if c.DryRun {
			would = "the gates would look up"
		}
		fmt.Fprintf(env.out, "%s: %s %d orders within %s: %s\n", c.Sale, would, r.Orders, r.Within,
			dash(strings.Join(parts, ", ")))
		return nil
	})
}

// Validate checks the flags together.
func (c *recheckCommand) Validate() error {
	if c.Order != "" && (c.DryRun || c.JSON) {
		return fmt.Errorf("--dry-run and --json are of a whole sale: leave the order out")
	}
	return nil
}

package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

type disputesCommand struct {
	redisFlag
	Sale string `arg:"" help:"The sale's name."`
	JSON bool   `help:"Print JSON."`
}

// Help says what the words mean.
func (*disputesCommand) Help() string {
	return `Each line is about one payment of V2's, as the last look-up of its order found it. The order does not change, and keeps its
units:

  dispute     the buyer disputes the payment at the card company: answer it there. It leaves the list once it is resolved
  chargeback  the card company has taken the money back, all or the amount that is listed. The order stays paid. You decide
              whether the buyer keeps what was bought; to sell its units to others, raise the SKU's stock`
}

// Run lists the disputes and chargebacks.
func (c *disputesCommand) Run(ctx context.Context, env *environment) error {
	return c.with(env, func(s *store.Store) error {
		reports, err := gate.DisputeViews(ctx, s, c.Sale)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(env, reports)
		}
		w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "order\tattempt\tkind\tamount\tsince\tid\treason")
		for _, r := range reports {
			for _, d := range r.Disputes {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Order, d.Attempt, d.Kind, amountText(d.Amount),
					sinceText(d.At), dash(d.ID), dash(d.Reason))
			}
		}
		return w.Flush()
	})
}

func amountText(amount int64) string {
	if amount == 0 {
		return "-"
	}
	return fmt.Sprint(amount)
}

func sinceText(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format(time.RFC3339)
}

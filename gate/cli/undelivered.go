package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

type undeliveredCommand struct {
	changeFlag
	Sale  string `arg:"" help:"The sale's name."`
	JSON  bool   `help:"Print JSON."`
	Retry bool   `help:"Have all of it tried now, also what was given up."`
}

// Run lists what the shop has not taken.
func (c *undeliveredCommand) Run(ctx context.Context, env *environment) error {
	return c.with(env, func(s *store.Store) error {
		var unsecured error
		if c.Retry {
			if err := s.RetryDelivery(ctx, c.Sale); gate.IsUnsecured(err) {
				unsecured = err
			} else if err != nil {
				return gate.Gone(ctx, s, c.Sale, err)
			}
		}
		d, err := s.Delivery(ctx, c.Sale)
		if err != nil {
			return gate.Gone(ctx, s, c.Sale, err)
		}
		if c.JSON {
			return errors.Join(printJSON(env, d.View(c.Sale)), unsecured)
		}
		return errors.Join(printDelivery(env, c.Sale, &d), unsecured)
	})
}

func printDelivery(env *environment, sale string, d *gate.Delivery) error {
	to := gate.HideSecrets(d.Notify)
	if to == "" {
		to = "nobody: the sale has no notify"
	}
	fmt.Fprintf(env.out, "%s  run %d  tells %s\nledger entries done with: %d of %d, orders listed: %d\n", sale, d.Run,
		to, d.Position, d.Seq, len(d.Listed))
	if d.Trouble != "" {
		fmt.Fprintf(env.out, "nothing gets through: %s\n", d.Trouble)
	}
	if len(d.Listed) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\norder\tsince\ttries\tnext\terror")
	for _, u := range d.Listed {
		next := u.Next.Local().Format(time.RFC3339)
		if !d.Now.Before(u.GiveUp) {
			next = "given up"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", u.Order, u.Since.Local().Format(time.RFC3339), u.Tries, next, u.Error)
	}
	return w.Flush()
}

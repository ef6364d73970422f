package cli

import (
	"cmp"
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

type asideCommand struct {
	redisFlag
	Sale  string `arg:"" help:"The sale's name."`
	JSON  bool   `help:"Print JSON."`
	Retry bool   `help:"Have all of it tried now."`
}

// Run lists what is set aside.
func (c *asideCommand) Run(ctx context.Context, env *environment) error {
	return c.with(env, func(s *store.Store) error {
		var err error
		if c.Retry {
			err = s.RetryAside(ctx, c.Sale)
		}
		list, problem := s.Aside(ctx, c.Sale)
		if err = cmp.Or(err, problem); err != nil {
			return gate.Gone(ctx, s, c.Sale, err)
		}
		if c.JSON {
			return printJSON(env, list)
		}
		return printAside(env, list)
	})
}

func printAside(env *environment, list []gate.SetAside) error {
	if len(list) == 0 {
		fmt.Fprintln(env.out, "nothing is set aside")
		return nil
	}
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "order\tsince\ttries\tnext\treason")
	for i := range list {
		a := &list[i]
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", asideName(a), a.Since.Local().Format(time.RFC3339), a.Tries,
			a.Next.Local().Format(time.RFC3339), a.Reason)
	}
	return w.Flush()
}

// asideName names what is set aside, which is an order but after damage.
func asideName(a *gate.SetAside) string {
	switch {
	case a.Order != "":
		return a.Order
	case a.Entry != 0:
		return fmt.Sprintf("ledger entry %d", a.Entry)
	}
	return fmt.Sprintf("%q", a.Other)
}

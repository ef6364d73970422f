package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/store"
)

type applyCommand struct {
	changeFlag
	File    string `short:"f" required:"" placeholder:"FILE" help:"YAML file of sales; - reads standard input."`
	DryRun  bool   `help:"Only print what would change, and what a higher run would lose."`
	OpenNow bool   `env:"-" help:"Create a sale although its window has begun and Redis knows no run of it. Only for one that was never sold yet: one that was, and is lost, would sell its units again."`
	OnlyNew bool   `help:"Only create sales that Redis has nothing of, and keep all others as they are."`
	dropFlags
}

// Run applies the file, sale by sale. A sale that cannot be changed does not
// keep the others from it.
func (c *applyCommand) Run(ctx context.Context, env *environment) error {
	sales, err := readSales(c.File)
	if err != nil {
		return err
	}
	var names []string
	for _, sale := range sales {
		names = append(names, sale.Name)
	}
	drops, err := c.drops(env, names...)
	if err != nil {
		return err
	}
	refused := env.untaken()
	return c.with(env, func(s *store.Store) error {
		var problems []error
		for _, sale := range sales {
			if err := c.apply(ctx, env, s, sale, drops[sale.Name]); err != nil {
				problems = append(problems, fmt.Errorf("sale %s: %w", sale.Name, err))
			}
			if len(sale.Accept) == 0 && len(refused) > 0 {
				fmt.Fprintf(env.out, "  note: gates with this environment's settings take less than PortOne "+
					"can send: %s\n", untaken(refused))
			}
			for _, note := range slices.Concat(env.decimalsNotes(&sale.Settings), env.lastWordNotes(&sale.Settings)) {
				fmt.Fprintf(env.out, "  note: %s\n", note)
			}
		}
		return errors.Join(problems...)
	})
}

func (c *applyCommand) apply(ctx context.Context, env *environment, s *store.Store, sale gate.Sale,
	drop gate.Drop,
) error {
	done, err := gate.Apply(ctx, s, gate.Application{
		Who: c.By, Sale: sale, Drop: drop, DryRun: c.DryRun, OpenNow: c.OpenNow, IfNone: c.OnlyNew, Now: time.Now(),
	})
	if done.Outcome == "" {
		return err
	}
	would := ""
	if c.DryRun && done.Outcome != gate.Unchanged && done.Outcome != gate.Kept {
		would = "would be "
	}
	fmt.Fprintf(env.out, "%s: %s%s\n", sale.Name, would, done.Outcome)
	if done.Outcome != gate.Kept {
		fmt.Fprintf(env.err, "%s: %s\n", sale.Name, standing(done.After, time.Now()))
	}
	if done.Outcome == gate.Changed || done.Outcome == gate.Restarted {
		for _, change := range changes(done.Before, done.After) {
			fmt.Fprintf(env.out, "  %s\n", change)
		}
	}
	if done.Loss != nil {
		fmt.Fprintf(env.out, "  lost with run %d: %s\n", done.Loss.Run, done.Loss)
	}
	if reminder := done.Reminder(); reminder != "" {
		fmt.Fprintf(env.out, "  %s\n", reminder)
	}
	return err
}

// untaken returns what gates with this environment's settings refuse of a sale that
// does not name what it takes.
func (e *environment) untaken() []gate.Verdict {
	secrets, lookups := e.takes()
	return secrets.Untaken(lookups)
}

// takes returns by what gates with this environment's settings decide which of
// PortOne's versions a sale takes.
func (e *environment) takes() (*portone.Secrets, portone.Lookups) {
	var secrets *portone.Secrets // which verifies calls
	if !e.has("WEBHOOK_SECRET", "WEBHOOK_SECRET_FILE") {
		secrets = portone.Unverified()
	}
	return secrets, portone.Lookups{
		V1: e.has("PORTONE_V1_SECRET", "PORTONE_V1_SECRET_FILE"), V2: e.has("PORTONE_V2_SECRET",
			"PORTONE_V2_SECRET_FILE"),
	}
}

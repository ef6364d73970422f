package cli

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/audit"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/store"
)

type auditCommand struct {
	redisFlag
	portoneCredentials
	Sale        string `arg:"" help:"The sale's name."`
	OrderPrefix string `placeholder:"PREFIX" help:"What the orders of sales begin with. A payment of any other order that no sale knows is for something else that the shop sells, and is not reported."`
	KnownOrders bool   `help:"Take each payment whose order no sale knows for something else that the shop sells: report none as forgotten."`
	JSON        bool   `help:"Print JSON."`
}

// Help says what the report is.
func (*auditCommand) Help() string {
	return `Recounts the sale's orders, counters, buyers, what is due and the ledger against each other, and with
credentials of PortOne each order against its payments there, and what PortOne has charged in the sale's time against the
orders of all sales. It changes nothing, and may run during the sale.
The exit status is 1 if anything differs, or could not be looked up.`
}

// Run prints what differs, order by order.
func (c *auditCommand) Run(ctx context.Context, env *environment) error {
	client, err := c.client(prometheus.NewRegistry(), cmdline.NewLog(env.err, "text", slog.LevelWarn))
	if err != nil {
		return err
	}
	return c.with(env, func(s *store.Store) error {
		report, err := runAudit(ctx, s, client, progressTo(env.err), c.Sale,
			audit.Options{Prefix: c.OrderPrefix, Known: c.KnownOrders})
		if err != nil {
			return gate.Gone(ctx, s, c.Sale, err)
		}
		if c.JSON {
			err = printJSON(env, report)
		} else {
			err = printAudit(env, &report, client != nil)
		}
		if err != nil {
			return err
		}
		return verdict(&report)
	})
}

// runAudit audits a sale, against PortOne too unless client is nil.
func runAudit(ctx context.Context, s *store.Store, client *portone.Client, progress audit.Progress, sale string,
	opt audit.Options,
) (audit.Report, error) {
	deps := audit.Deps{Store: s, Progress: progress}
	if client != nil {
		deps.Payments = client
	}
	return audit.Run(ctx, deps, sale, opt)
}

func printAudit(env *environment, r *audit.Report, asked bool) error {
	for _, f := range r.Findings {
		fmt.Fprintf(env.out, "%s: %s\n", f.Kind, f.Text)
	}
	if more := r.Differences - int64(len(r.Findings)); more > 0 {
		fmt.Fprintf(env.out, "and %d more\n", more)
	}
	if r.Differences == 0 {
		fmt.Fprintln(env.out, "nothing differs")
	}
	at := fmt.Sprintf("%d orders looked up at PortOne, where %d payments are charged", r.Payments, r.Charged)
	if !asked {
		at = "nothing looked up at PortOne, for there are no credentials"
	}
	_, err := fmt.Fprintf(env.out,
		"%s, run %d, up to ledger entry %d: %d orders, %d buyers, %d looks due, %d ledger entries; %s\n",
		r.Sale, r.Run, r.Seq, r.Orders, r.Buyers, r.Looks, r.Entries, at)
	return err
}

// verdict is an error unless everything was compared and nothing differs.
func verdict(r *audit.Report) error {
	switch {
	case r.Differences > 0:
		return fmt.Errorf("the audit of sale %s found %d differences", r.Sale, r.Differences)
	case r.NotLookedUp > 0:
		return fmt.Errorf("%d orders or lists of sale %s could not be looked up at PortOne, so that the audit is not "+
			"complete: %s", r.NotLookedUp, r.Sale, r.Problem)
	case r.Moving > 0:
		return fmt.Errorf("%d orders or buyers of sale %s changed whenever they were compared: audit it again when "+
			"less is going on", r.Moving, r.Sale)
	}
	return nil
}

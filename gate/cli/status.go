package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

type statusCommand struct {
	redisFlag
	Sale    string `arg:"" optional:"" help:"The sale's name; without it, a line for each sale."`
	JSON    bool   `help:"Print JSON."`
	Refunds bool   `help:"List the refunds that the sale owes, as flashgate refunds does."`
	Watch   bool   `help:"Draw it anew twice a second, until interrupted. Where that is no terminal, print a line when it has changed."`

	WaitReplicas int `placeholder:"N" help:"How many replicas the gates wait for: says whether that many follow."`
}

// Validate checks that at most one way to show the sale is asked for.
func (c *statusCommand) Validate() error {
	if c.Watch && (c.JSON || c.Refunds) {
		return errors.New("--watch goes with neither --json nor --refunds: flashgate ledger --follow prints changes " +
			"as JSON")
	}
	return nil
}

// Run shows the sale.
func (c *statusCommand) Run(ctx context.Context, env *environment) error {
	return c.with(env, func(s *store.Store) error {
		if c.Watch {
			return watchSales(ctx, env, func() ([]glance, error) { return c.glances(ctx, s) })
		}
		replicas, err := c.following(ctx, env, s)
		if err != nil {
			return err
		}
		if c.Sale == "" {
			return c.list(ctx, env, s, replicas)
		}
		if c.Refunds {
			return printRefunds(ctx, env, s, c.Sale, c.JSON)
		}
		state, err := s.Sale(ctx, c.Sale)
		if err != nil {
			return gate.Gone(ctx, s, c.Sale, err)
		}
		aside, err := s.CountAside(ctx, c.Sale)
		if err != nil {
			return err
		}
		compared, err := s.Reconciling(ctx, c.Sale)
		if err != nil && !errors.Is(err, gate.ErrNoSale) { // deleted: its tombstone is shown
			return err
		}
		report, err := state.FullView(ctx, s)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(env, oneStatus{report, aside, compared.View(), replicas})
		}
		if err := printReport(env, &report, &state); err != nil {
			return err
		}
		if aside > 0 {
			fmt.Fprintf(env.out, "set aside, because they fail by themselves: %d orders; flashgate aside %s "+
				"lists them\n", aside, c.Sale)
		}
		printReconciling(env, &compared)
		printLastWord(ctx, env, &state)
		return nil
	})
}

// saleStatus is a sale as JSON, with what keeps each of them from selling.
type saleStatus struct {
	gate.SaleView
	Replicas *gate.Replicas `json:"replicas,omitempty"` // where some are waited for
}

// oneStatus is the sale that was named as JSON.
type oneStatus struct {
	gate.SaleView
	Aside      int64                  `json:"aside"` // orders that are set aside because they fail by themselves
	Reconciled []gate.ReconcilingView `json:"reconciled"`
	Replicas   *gate.Replicas         `json:"replicas,omitempty"`
}

// following returns how many replicas follow, where some are waited for. In text it
// is what status begins with.
func (c *statusCommand) following(ctx context.Context, env *environment, s *store.Store) (*gate.Replicas, error) {
	if c.WaitReplicas <= 0 {
		return nil, nil
	}
	replicas, known, err := s.Following(ctx)
	if err != nil {
		return nil, err
	}
	if !c.JSON {
		fmt.Fprintf(env.out, "%s\n\n", followingText(replicas, known, c.WaitReplicas))
	}
	return new(replicasOf(replicas, known, c.WaitReplicas)), nil
}

// list shows every sale with its units over all SKUs.
func (c *statusCommand) list(ctx context.Context, env *environment, s *store.Store, replicas *gate.Replicas) error {
	reports, err := gate.SaleViews(ctx, s)
	if err != nil {
		return err
	}
	if c.JSON {
		list := []saleStatus{}
		for _, r := range reports {
			list = append(list, saleStatus{r, replicas})
		}
		return printJSON(env, list)
	}
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "sale\trun\tstate\tunits\tleft\theld\tpaid")
	for _, r := range reports {
		sum := sumUnits(r.SKUs)
		if r.Problem != "" {
			fmt.Fprintf(w, "%s\t-\t%s\t-\t-\t-\t-\n", r.Sale, r.State)
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t%d\t%d\n", r.Sale, r.Run, r.State, sum.Total, sum.Left, sum.Held, sum.Paid)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range reports {
		if r.Problem != "" {
			fmt.Fprintf(env.out, "\n%s\n", r.Problem)
		}
		if r.Clock != "" {
			fmt.Fprintf(env.out, "\n%s: %s\n", r.Sale, r.Clock)
		}
		if r.RefundBrake != nil {
			fmt.Fprintf(env.out, "\n%s: %s\n", r.Sale, brakeText(r.Sale, r.RefundBrake))
		}
	}
	return nil
}

func printJSON(env *environment, v any) error {
	encoder := json.NewEncoder(env.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // what it shows is to be copied
	return encoder.Encode(v)
}

func printReport(env *environment, r *gate.SaleView, state *gate.State) error {
	fmt.Fprintf(env.out, "%s  run %d  %s%s\n\n", r.Sale, r.Run, r.State, window(state))
	if r.Clock != "" {
		fmt.Fprintf(env.out, "%s\n\n", r.Clock)
	}
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "sku\ttotal\tleft\theld\tpaid\twithheld\t")
	for _, k := range r.SKUs {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", k.SKU, k.Total, k.Left, k.Held, k.Paid, k.Withheld)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	o := r.Orders
	fmt.Fprintf(env.out, "\norders: %d held, %d paid, %d released, %d refund due, %d refunded, %d asking\n",
		o.Held, o.Paid, o.Released, o.RefundDue, o.Refunded, o.Asking)
	if o.Refunds+o.Requested > 0 {
		fmt.Fprintf(env.out, "refunds: %d payments due, %d requested; flashgate refunds %s lists them\n", o.Refunds,
			o.Requested, r.Sale)
	}
	if r.RefundBrake != nil {
		fmt.Fprintln(env.out, brakeText(r.Sale, r.RefundBrake))
	}
	return nil
}

// printReconciling says when what has changed at PortOne was last compared with the sale.
func printReconciling(env *environment, r *gate.Reconciling) {
	for _, m := range r.View() {
		when := "never yet"
		if !m.Read.IsZero() {
			when = "last " + r.Now.Sub(m.Read).Round(time.Second).String() + " ago"
		}
		fmt.Fprintf(env.out, "compared with what has changed at PortOne (%s): %s\n", m.Version, when)
		if m.Trouble != "" {
			fmt.Fprintf(env.out, "  its list cannot be read now: %s\n", m.Trouble)
		}
	}
}

// window says when the sale opens or closes next.
func window(s *gate.State) string {
	switch s.Phase(s.Now) {
	case "not_open":
		return fmt.Sprintf(", opens in %s at %s", s.OpensAt.Sub(s.Now).Round(time.Second), moment(s.OpensAt))
	case "open", "paused":
		return fmt.Sprintf(", closes in %s at %s", s.ClosesAt.Sub(s.Now).Round(time.Second), moment(s.ClosesAt))
	case "deleted":
		return " " + s.Deleted.Local().Format(time.RFC3339)
	}
	return " since " + moment(s.ClosesAt)
}

// standing says how a sale of a file stands at this time.
func standing(sale gate.Sale, now time.Time) string {
	s := gate.State{Sale: sale, Times: gate.Times{Now: now}}
	return s.Phase(now) + window(&s)
}

// moment writes a time in the zone that it was set in, and in this machine's where
// that is another: one of the two shows who meant which.
func moment(t time.Time) string {
	text, here := t.Format(time.RFC3339), t.Local().Format(time.RFC3339)
	if here == text {
		return text
	}
	return text + ", here " + here
}

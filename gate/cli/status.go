package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

type statusCommand struct {
	redisFlag
	Sale string `arg:"" help:"The sale's name."`
	JSON bool   `help:"Print JSON."`
}

// statusReport is the JSON form.
type statusReport struct {
	Sale   string           `json:"sale"`
	Run    int64            `json:"run"`
	State  string           `json:"state"`
	Seq    int64            `json:"seq"`
	SKUs   []skuReport      `json:"skus"`
	Orders gate.OrderCounts `json:"orders"`
}

type skuReport struct {
	SKU string `json:"sku"`
	gate.Units
}

// Run shows the sale.
func (c *statusCommand) Run(ctx context.Context, env *environment) error {
	return c.with(env, func(s *store.Store) error {
		state, err := s.Sale(ctx, c.Sale)
		if err != nil {
			return noSale(err, c.Sale)
		}
		report := statusReport{
			Sale: state.Name, Run: state.Run, State: state.Phase(state.Now), Seq: state.Seq,
			SKUs: []skuReport{}, Orders: state.Orders,
		}
		for _, k := range state.SKUs {
			report.SKUs = append(report.SKUs, skuReport{k.Name, state.Units[k.Name]})
		}
		if c.JSON {
			encoder := json.NewEncoder(env.out)
			encoder.SetIndent("", "  ")
			return encoder.Encode(report)
		}
		return report.print(env, &state)
	})
}

func (r *statusReport) print(env *environment, state *gate.State) error {
	fmt.Fprintf(env.out, "%s  run %d  %s%s\n\n", r.Sale, r.Run, r.State, window(state))
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "sku\ttotal\tleft\theld\tpaid\twithheld\t")
	for _, k := range r.SKUs {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", k.SKU, k.Total, k.Left, k.Held, k.Paid, k.Withheld)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	o := r.Orders
	_, err := fmt.Fprintf(env.out, "\norders: %d held, %d paid, %d released, %d refund due, %d refunded, %d asking\n",
		o.Held, o.Paid, o.Released, o.RefundDue, o.Refunded, o.Asking)
	return err
}

// window says when the sale opens or closes next.
func window(s *gate.State) string {
	switch s.Phase(s.Now) {
	case "not_open":
		return fmt.Sprintf(", opens in %s at %s", s.OpensAt.Sub(s.Now).Round(time.Second), s.OpensAt.Local().Format(time.RFC3339))
	case "open", "paused":
		return fmt.Sprintf(", closes in %s at %s", s.ClosesAt.Sub(s.Now).Round(time.Second), s.ClosesAt.Local().Format(time.RFC3339))
	case "deleted":
		return " " + s.Deleted.Local().Format(time.RFC3339)
	}
	return " since " + s.ClosesAt.Local().Format(time.RFC3339)
}

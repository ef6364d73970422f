package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

type orderCommand struct {
	redisFlag
	Sale  string `arg:"" help:"The sale's name."`
	Order string `arg:"" help:"The order's id: merchant_uid or paymentId."`
}

// Run tells the order's story, oldest change first.
func (c *orderCommand) Run(ctx context.Context, env *environment) error {
	return c.with(env, func(s *store.Store) error {
		started, told := time.Now(), time.Now()
		story, err := s.Story(ctx, c.Sale, c.Order, func(read int) {
			if time.Since(told) > time.Second {
				told = time.Now()
				fmt.Fprintf(env.err, "read %d ledger entries in %s\n", read, time.Since(started).Round(time.Second))
			}
		})
		if err = gate.Gone(ctx, s, c.Sale, err); errors.Is(err, gate.ErrNoOrder) {
			return fmt.Errorf("sale %s never accepted an order %s in this run: a refused confirm leaves no trace but "+
				"in --refusal-log", c.Sale, c.Order)
		}
		if err != nil {
			return err
		}
		for _, e := range story {
			for _, o := range e.Orders {
				fmt.Fprintln(env.out, chapter(e, &o))
			}
		}
		disputes, err := s.DisputesOf(ctx, c.Sale, []string{c.Order})
		if err != nil {
			return err
		}
		for _, d := range disputes[0] {
			fmt.Fprintf(env.out, "%s of attempt %s since %s, amount %s: %s\n", d.Kind, d.Attempt, sinceText(d.At),
				amountText(d.Amount), dash(d.Reason))
		}
		return nil
	})
}

// chapter is one change of an order as a line.
func chapter(e *gate.Entry, o *gate.Order) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  #%d  %s by %s: revision %d, %s", e.Time.Local().Format("2006-01-02T15:04:05.000Z07:00"), e.Seq,
		e.Kind, e.Who, o.Revision, o.State)
	if o.State == gate.OrderHeld || o.State == gate.OrderAsking {
		fmt.Fprintf(&b, " until %s", o.Deadline.Local().Format("15:04:05.000"))
	}
	if o.Buyer != "" {
		fmt.Fprintf(&b, ", buyer %s", o.Buyer)
	}
	var lines, attempts []string
	for _, l := range o.Lines {
		lines = append(lines, fmt.Sprintf("%s:%d", l.SKU, l.Quantity))
	}
	for _, a := range o.Attempts {
		attempts = append(attempts, a.ID+" "+a.State.String())
	}
	fmt.Fprintf(&b, ", items %s", strings.Join(lines, ","))
	if o.Amount.Known {
		fmt.Fprintf(&b, ", amount %d", o.Amount.Value)
	}
	if o.Balance.Known {
		fmt.Fprintf(&b, ", balance %d", o.Balance.Value)
	}
	fmt.Fprintf(&b, ", attempts: %s", strings.Join(attempts, ", "))
	return b.String()
}

package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/settle"
	"github.com/flashgate/flashgate/gate/store"
)

// brakeText says that a sale's brake on refunds holds, why, what waits and what to do.
func brakeText(sale string, b *gate.BrakeView) string {
	since := ""
	if !b.Since.IsZero() {
		since = " since " + b.Since.Local().Format(time.RFC3339)
	}
	text := fmt.Sprintf("the brake on refunds holds%s: %s. Nothing is cancelled", since, b.Why)
	if b.Waiting != nil {
		text += fmt.Sprintf("; %s, wait", b.Waiting)
	}
	return fmt.Sprintf("%s. flashgate refunds %s lists them, and with --go-on gives them back", text, sale)
}

// goOn releases the brake, once whoever sits at the terminal has seen what that does.
func (c *refundsCommand) goOn(ctx context.Context, env *environment, s *store.Store) error {
	state, err := gate.FindSale(ctx, s, c.Sale)
	if err != nil {
		return err
	}
	report, err := state.FullView(ctx, s)
	if err != nil {
		return err
	}
	payments := int64(0)
	if b := report.RefundBrake; b != nil {
		payments = b.Waiting.Payments
		fmt.Fprintf(env.err, "%s: the brake on refunds holds: %s. To be given back now: %s\n", c.Sale, b.Why, b.Waiting)
		if !c.Yes && !env.agreed("Give them back?") {
			return fmt.Errorf("%s: nothing was changed, and the brake holds", c.Sale)
		}
	}
	done, err := settle.GoOn(ctx, s, c.By, c.Sale, payments)
	if err != nil && !gate.IsUnsecured(err) {
		return gate.Gone(ctx, s, c.Sale, err)
	}
	if c.JSON {
		if problem := printJSON(env, done); problem != nil {
			return problem
		}
		return err
	}
	what := "the brake did not hold"
	if done.Released {
		what = "the brake is released"
	}
	fmt.Fprintf(env.out, "%s: %s; the gates try the refunds of %d orders now, and flashgate refunds %s shows what "+
		"comes of it\n", c.Sale, what, done.Orders, c.Sale)
	return err
}

// agreed asks whoever sits at the terminal. Where nobody does the command line is the
// word.
func (e *environment) agreed(question string) bool {
	if e.person == nil {
		return true
	}
	fmt.Fprintf(e.err, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(e.person).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

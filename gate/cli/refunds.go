package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/settle"
	"github.com/flashgate/flashgate/gate/store"
)

type refundsCommand struct {
	changeFlag
	Sale string `arg:"" help:"The sale's name."`
	JSON bool   `help:"Print JSON."`
	GoOn bool   `env:"-" help:"Release the brake: give back now what waits for it. It says how much that is, and asks on a terminal."`
	Yes  bool   `env:"-" help:"Do not ask."`
}

// Help says what the words mean.
func (*refundsCommand) Help() string {
	return `Each line is one payment. It is due, or requested: then PortOne has taken the cancellation on, and nothing more is
sent. What is due is cancelled by the gates, again and again after pauses that grow to an hour, unless it waits for:

  shop      the sale has no auto_refund: cancel it at PortOne
  person    it is in another currency than --currency, or it cannot be seen why it is due: look at it at PortOne
  account   it was paid into a virtual account: flashgate refund SALE ORDER --bank --account --holder
  change    PortOne would refuse the same again: it is tried when what is left of the payment or the sale's settings
            have changed, or at flashgate refund SALE ORDER
  bank      PortOne has cancelled the payment, and the bank did not send the money to the buyer: have it sent, in
            PortOne's console or by its support. The order is refunded once it has arrived
  brake     the gates sent too many, or too many in a row for one reason that a wrong setting causes, and stopped: see
            that they are right, then let them go on by --go-on. Without it only what flashgate refund SALE ORDER names is sent

After --go-on the refunds are counted anew, without those that waited when it was said.`
}

// Validate checks the flags.
func (c *refundsCommand) Validate() error {
	if c.Yes && !c.GoOn {
		return errors.New("--yes: give --go-on too")
	}
	return nil
}

// Run lists the refunds, or lets them go on.
func (c *refundsCommand) Run(ctx context.Context, env *environment) error {
	return c.with(env, func(s *store.Store) error {
		if c.GoOn {
			return c.goOn(ctx, env, s)
		}
		return printRefunds(ctx, env, s, c.Sale, c.JSON)
	})
}

func printRefunds(ctx context.Context, env *environment, s *store.Store, sale string, json bool) error {
	reports, err := gate.RefundViews(ctx, s, sale)
	if err != nil {
		return err
	}
	if json {
		return printJSON(env, reports)
	}
	state, err := gate.FindSale(ctx, s, sale)
	if err != nil {
		return err
	}
	if b := state.Brake.View(); b != nil {
		b.Waiting = gate.WaitingForBrake(reports)
		fmt.Fprintf(env.out, "%s\n\n", brakeText(sale, b))
	}
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "order\tattempt\trefund\treason\twaits for\tfailed\tPortOne said")
	for _, r := range reports {
		for _, line := range r.Refunds {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", r.Order, line.Attempt, refundState(line.State),
				dash(line.Reason),
				dash(string(line.Waits)), line.Tries, saidText(line))
		}
	}
	return w.Flush()
}

// refundState is how a refund stands, in a word.
func refundState(state string) string {
	if state == gate.AttemptRequested.String() {
		return "requested"
	}
	return "due"
}

func saidText(line gate.RefundLine) string {
	if line.Said == "" {
		return "-"
	}
	return line.Said + " (" + line.At.Local().Format(time.RFC3339) + ")"
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

type refundCommand struct {
	changeFlag
	Sale    string `arg:"" help:"The sale's name."`
	Order   string `arg:"" help:"The order's id: merchant_uid or paymentId."`
	Bank    string `env:"-" placeholder:"BANK" help:"The buyer's bank: PortOne's name for it with V2, such as KOOKMIN; the payment provider's code with V1."`
	Account string `env:"-" placeholder:"NUMBER" help:"The number of the buyer's bank account. It stays in Redis until the refund is done, and is shown nowhere."`
	Holder  string `env:"-" placeholder:"NAME" help:"The account's holder."`
	Phone   string `env:"-" placeholder:"NUMBER" help:"The holder's phone number, which some payment providers need."`
}

// Help says when it is of use.
func (*refundCommand) Help() string {
	return `Has the gates try the refunds that the order owes once more, at once, also those that PortOne had refused for good,
and also while the brake on refunds holds, which does not count them: this is your word. What was paid into a virtual account
can only be given back to a bank account of the buyer's: give it by --bank, --account and --holder.
A command line may be read by others of this machine: the admin API takes the same, see POST /v1/sales/{sale}/orders/{order}/refund.`
}

// Run has the refund tried.
func (c *refundCommand) Run(ctx context.Context, env *environment) error {
	account := &gate.BankAccount{Bank: c.Bank, Number: c.Account, Holder: c.Holder, Phone: c.Phone}
	if *account == (gate.BankAccount{}) {
		account = nil
	}
	return c.with(env, func(s *store.Store) error {
		err := settle.GiveBack(ctx, s, c.Sale, c.Order, account)
		if err != nil && !gate.IsUnsecured(err) {
			return gate.Gone(ctx, s, c.Sale, err)
		}
		fmt.Fprintf(env.out, "%s: the gates try the refund now; flashgate refunds %s shows what comes of it\n",
			c.Order, c.Sale)
		return err
	})
}

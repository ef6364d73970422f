package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/settle"
)

func (a *Admin) order(ctx context.Context, c *apiCall) (reply, error) {
	o, err := a.deps.Sales.Order(ctx, c.sale(), c.order())
	if err != nil {
		return reply{}, err
	}
	disputes, err := a.deps.Sales.DisputesOf(ctx, c.sale(), []string{o.ID})
	if err != nil {
		return reply{}, err
	}
	return reply{body: struct {
		gate.OrderView
		Disputes []gate.Dispute `json:"disputes,omitempty"`
	}{o.View(), disputes[0]}}, nil
}

// report records how an order ended, as the shop says.
func (a *Admin) report(ctx context.Context, c *apiCall) (reply, error) {
	var said struct {
		State   string `json:"state"`   // "paid" or "released"
		Attempt string `json:"attempt"` // the one that was paid, if several are open
	}
	if err := c.decode(&said); err != nil {
		return reply{}, err
	}
	if said.State != "paid" && said.State != "released" {
		return reply{}, badRequest(fmt.Errorf("state %.20q: must be paid or released", said.State))
	}
	report := settle.Report{Order: c.order(), Attempt: said.Attempt, Paid: said.State == "paid"}
	o, err := settle.Tell(ctx, a.deps.Settling, c.who, c.sale(), report)
	if err != nil {
		return reply{}, err
	}
	return reply{body: o.View()}, nil
}

func (a *Admin) refunds(ctx context.Context, c *apiCall) (reply, error) {
	return result(gate.RefundViews(ctx, a.deps.Sales, c.sale()))
}

// disputes shows the disputes and chargebacks of a sale's payments.
func (a *Admin) disputes(ctx context.Context, c *apiCall) (reply, error) {
	return result(gate.DisputeViews(ctx, a.deps.Sales, c.sale()))
}

// refund makes the gates try the refunds of an order again, to the buyer's bank account if one is
// given. The account is never shown or logged.
func (a *Admin) refund(ctx context.Context, c *apiCall) (reply, error) {
	var account gate.BankAccount
	if err := c.decode(&account); err != nil {
		return reply{}, err
	}
	given := &account
	if account == (gate.BankAccount{}) {
		given = nil
	}
	err := settle.GiveBack(ctx, a.deps.Sales, c.sale(), c.order(), given)
	if err == nil || gate.IsUnsecured(err) {
		a.logChange(c, "refund")
	}
	return reply{status: http.StatusAccepted}, err
}

// goOn releases the brake on a sale's refunds. The caller says how many payments were seen waiting;
// the brake counts any more than these.
func (a *Admin) goOn(ctx context.Context, c *apiCall) (reply, error) {
	var seen struct {
		Payments *int64 `json:"payments"`
	}
	if err := c.decode(&seen); err != nil {
		return reply{}, err
	}
	if seen.Payments == nil || *seen.Payments < 0 || *seen.Payments > gate.MaxUnits {
		return reply{},
			badRequest(errors.New("payments: must be how many payments wait for the brake, as the sale's " +
				"refund_brake says"))
	}
	done, err := settle.GoOn(ctx, a.deps.Sales, c.who, c.sale(), *seen.Payments)
	if done.Released {
		a.logChange(c, "go-on")
	}
	return result(done, err)
}

// recheckOrder makes an order due for a look-up.
func (a *Admin) recheckOrder(ctx context.Context, c *apiCall) (reply, error) {
	if err := settle.RecheckOrder(ctx, a.deps.Sales, c.sale(), c.order()); err != nil {
		return reply{}, err
	}
	a.logChange(c, "recheck")
	return reply{status: http.StatusAccepted}, nil
}

package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/settle"
)

// auditTimeout bounds an audit. The listener's own time for an answer is longer.
const auditTimeout = 100 * time.Second

// saleDetails is a sale as the API shows it: its state, and its settings in the form that PUT
// takes.
type saleDetails struct {
	gate.SaleView
	Reconciled []gate.ReconcilingView `json:"reconciled"`
	Settings   gate.SaleForm          `json:"settings"`
}

func (a *Admin) list(ctx context.Context, _ *apiCall) (reply, error) {
	return result(gate.SaleViews(ctx, a.deps.Sales))
}

func (a *Admin) show(ctx context.Context, c *apiCall) (reply, error) {
	state, err := a.deps.Sales.Sale(ctx, c.sale())
	if err != nil {
		return reply{}, err
	}
	compared, err := a.deps.Sales.Reconciling(ctx, state.Name)
	if err != nil && !errors.Is(err, gate.ErrNoSale) { // deleted: its tombstone is shown
		return reply{}, err
	}
	view, err := state.FullView(ctx, a.deps.Sales)
	if err != nil {
		return reply{}, err
	}
	settings := state.Sale.Form()
	if !a.guard.operates(c.Request) {
		settings.SettingsForm = settings.WithoutSecrets()
	}
	return reply{body: saleDetails{view, compared.View(), settings}}, nil
}

// apply makes the sale as the body says: a sale file's entry, as YAML or JSON. With ?version=N it
// changes only settings of that version.
func (a *Admin) apply(ctx context.Context, c *apiCall) (reply, error) {
	application, err := a.application(c)
	if err != nil {
		return reply{}, badRequest(err)
	}
	done, err := gate.Apply(ctx, a.deps.Sales, application)
	if !application.DryRun && done.Outcome != "" && done.Outcome != gate.Unchanged {
		a.logChange(c, "apply")
	}
	if err != nil {
		return reply{}, err
	}
	return reply{body: struct {
		Outcome  gate.Outcome   `json:"outcome"`
		Reminder string         `json:"reminder,omitempty"` // what else must be done
		Before   *gate.SaleForm `json:"before,omitempty"`
		After    gate.SaleForm  `json:"after"`
		Lost     *gate.Loss     `json:"lost,omitempty"` // of a dry run: what would be lost if all of it were agreed to
	}{done.Outcome, done.Reminder(), before(&done.Before), done.After.Form(), done.Loss}}, nil
}

// application reads from a call the sale to apply, and how.
func (a *Admin) application(c *apiCall) (gate.Application, error) {
	text, err := io.ReadAll(c.Body)
	if err != nil {
		return gate.Application{}, err
	}
	sale, err := a.deps.ParseSale(text)
	switch {
	case err != nil:
		return gate.Application{}, err
	case sale.Name != c.sale():
		return gate.Application{},
			fmt.Errorf("the body's sale is %s, the path's %s: write the same name", sale.Name, c.sale())
	}
	application := gate.Application{
		Who: c.who, Sale: sale, DryRun: c.flag("dry_run"), OpenNow: c.flag("open_now"), Now: a.deps.Now(),
	}
	if application.Drop, err = dropped(c); err != nil {
		return gate.Application{}, err
	}
	if version := c.FormValue("version"); version != "" {
		if application.Version, err = strconv.ParseInt(version, 10, 64); err != nil {
			return gate.Application{}, fmt.Errorf("version %.20q: must be a number", version)
		}
	}
	return application, nil
}

func before(s *gate.Sale) *gate.SaleForm {
	if s.Run == 0 {
		return nil
	}
	return new(s.Form())
}

func (a *Admin) remove(ctx context.Context, c *apiCall) (reply, error) {
	drop, err := dropped(c)
	if err != nil {
		return reply{}, badRequest(err)
	}
	err = a.deps.Sales.Delete(ctx, c.who, c.sale(), drop)
	if gate.IsUnsecured(err) || err == nil {
		a.logChange(c, "delete")
	}
	return reply{}, err
}

func (a *Admin) pause(ctx context.Context, c *apiCall) (reply, error) {
	return a.setPaused(ctx, c, "pause", true)
}

func (a *Admin) resume(ctx context.Context, c *apiCall) (reply, error) {
	return a.setPaused(ctx, c, "resume", false)
}

func (a *Admin) setPaused(ctx context.Context, c *apiCall, kind string, paused bool) (reply, error) {
	changed, err := gate.SetPaused(ctx, a.deps.Sales, c.who, c.sale(), paused)
	if changed {
		a.logChange(c, kind)
	}
	return result(struct {
		Paused  bool `json:"paused"`
		Changed bool `json:"changed"`
	}{paused, changed}, err)
}

// recheck makes the orders of a sale due for a look-up; with ?dry_run=true it only counts them.
func (a *Admin) recheck(ctx context.Context, c *apiCall) (reply, error) {
	dryRun := c.flag("dry_run")
	done, err := settle.RecheckSale(ctx, a.deps.Sales, c.sale(), dryRun)
	if err != nil || dryRun {
		return result(done, err)
	}
	a.logChange(c, "recheck")
	return reply{http.StatusAccepted, done}, nil
}

// undelivered shows the changes of a sale that the shop has not taken.
func (a *Admin) undelivered(ctx context.Context, c *apiCall) (reply, error) {
	d, err := a.deps.Sales.Delivery(ctx, c.sale())
	if err != nil {
		return reply{}, err
	}
	return reply{body: d.View(c.sale())}, nil
}

// aside shows the orders that are set aside because they fail by themselves.
func (a *Admin) aside(ctx context.Context, c *apiCall) (reply, error) {
	return result(a.deps.Sales.Aside(ctx, c.sale()))
}

// audit reports the differences within a sale, and between it and PortOne. One audit runs at a
// time, because it reads all of a sale.
func (a *Admin) audit(ctx context.Context, c *apiCall) (reply, error) {
	if !a.auditing.TryLock() {
		return reply{}, withStatus(http.StatusConflict,
			errors.New("this gate audits a sale just now: ask again when that is done"))
	}
	defer a.auditing.Unlock()
	query := c.URL.Query()
	report, err := a.deps.Audit(ctx, c.sale(), query.Get("order_prefix"), query.Get("known_orders") == "true")
	if errors.Is(err, context.DeadlineExceeded) {
		err = withStatus(http.StatusServiceUnavailable,
			errors.New("the audit takes longer than a call may: use flashgate audit"))
	}
	return result(report, err)
}

// dropped reads from a call's query what may be lost with a sale. The query cannot name an archive:
// only whoever has the file can check that it is whole.
func dropped(c *apiCall) (gate.Drop, error) {
	d := gate.Drop{Held: c.flag("drop_held"), Undelivered: c.flag("drop_undelivered")}
	if text := c.FormValue("drop_paid"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return d, fmt.Errorf("drop_paid %.20q: must be how many orders are paid or refund due", text)
		}
		d.Paid = &n
	}
	return d, nil
}

// query writes a Drop as dropped reads it.
func query(d gate.Drop) string {
	values := url.Values{}
	if d.Held {
		values.Set("drop_held", "true")
	}
	if d.Paid != nil {
		values.Set("drop_paid", strconv.FormatInt(*d.Paid, 10))
	}
	if d.Undelivered {
		values.Set("drop_undelivered", "true")
	}
	return values.Encode()
}

package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/settle"
)

const (
	callTimeout    = 10 * time.Second // of one call of the API
	listTimeout    = time.Minute      // of one that reads all orders of a sale
	maxCall        = 512 << 10        // bytes of its body; the largest sale has less than half
	defaultExpires = 30 * time.Minute // of a link
)

// saleDetails is a sale as the API shows it: how it stands, and how it is set, in
// the form that PUT takes.
type saleDetails struct {
	gate.SaleView
	Reconciled []gate.ReconcilingView `json:"reconciled"`
	Settings   gate.SaleForm          `json:"settings"`
}

func (a *Admin) status(w http.ResponseWriter, _ *http.Request, _ string) {
	reply(w, http.StatusOK, a.opt.Status())
}

func (a *Admin) list(w http.ResponseWriter, r *http.Request, _ string) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	views, err := gate.SaleViews(ctx, a.opt.Sales)
	if err != nil {
		fault(w, err)
		return
	}
	reply(w, http.StatusOK, views)
}

func (a *Admin) show(w http.ResponseWriter, r *http.Request, _ string) {
	ctx, cancel := context.WithTimeout(r.Context(), listTimeout)
	defer cancel()
	state, err := a.opt.Sales.Sale(ctx, r.PathValue("sale"))
	if err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	compared, err := a.opt.Sales.Reconciling(ctx, state.Name)
	if err != nil && !errors.Is(err, gate.ErrNoSale) { // deleted: its tombstone is shown
		fault(w, err)
		return
	}
	report, err := state.FullView(ctx, a.opt.Sales)
	if err != nil {
		fault(w, err)
		return
	}
	settings := state.Sale.Form()
	if !a.guard.operates(r) {
		settings.SettingsForm = settings.WithoutSecrets()
	}
	reply(w, http.StatusOK, saleDetails{report, compared.View(), settings})
}

// apply makes the sale as the body says, which has the form of a sale file's
// entry, as YAML or JSON. With ?version=N it does so only to that version.
func (a *Admin) apply(w http.ResponseWriter, r *http.Request, who string) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		fault(w, err)
		return
	}
	sale, err := a.opt.ParseSale(text)
	if err == nil && sale.Name != r.PathValue("sale") {
		err = fmt.Errorf("the body's sale is %s, the path's %s: write the same name", sale.Name, r.PathValue("sale"))
	}
	application := gate.Application{
		Who: who, Sale: sale, DryRun: r.FormValue("dry_run") == "true", OpenNow: r.FormValue("open_now") == "true", Now: a.opt.Now(),
	}
	if err == nil {
		application.Drop, err = dropped(r)
	}
	if version := r.FormValue("version"); version != "" && err == nil {
		if application.Version, err = strconv.ParseInt(version, 10, 64); err != nil {
			err = fmt.Errorf("version %.20q: must be a number", version)
		}
	}
	if err != nil {
		problem(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	done, err := gate.Apply(ctx, a.opt.Sales, application)
	if !application.DryRun && done.Outcome != "" && done.Outcome != gate.Unchanged {
		a.note(who, "apply", sale.Name)
	}
	if err != nil {
		fault(w, err)
		return
	}
	reply(w, http.StatusOK, struct {
		Outcome  gate.Outcome   `json:"outcome"`
		Reminder string         `json:"reminder,omitempty"` // what else must be done
		Before   *gate.SaleForm `json:"before,omitempty"`
		After    gate.SaleForm  `json:"after"`
		Lost     *gate.Loss     `json:"lost,omitempty"` // would be, by a dry run that all of it is agreed to
	}{done.Outcome, done.Reminder(), before(&done.Before), done.After.Form(), done.Loss})
}

func before(s *gate.Sale) *gate.SaleForm {
	if s.Run == 0 {
		return nil
	}
	return new(s.Form())
}

func (a *Admin) remove(w http.ResponseWriter, r *http.Request, who string) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	sale := r.PathValue("sale")
	drop, err := dropped(r)
	if err != nil {
		problem(w, http.StatusBadRequest, err)
		return
	}
	err = a.opt.Sales.Delete(ctx, who, sale, drop)
	if gate.IsUnsecured(err) || err == nil {
		a.note(who, "delete", sale)
	}
	if err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *Admin) pause(w http.ResponseWriter, r *http.Request, who string) {
	a.setPaused(w, r, who, "pause", true)
}

func (a *Admin) resume(w http.ResponseWriter, r *http.Request, who string) {
	a.setPaused(w, r, who, "resume", false)
}

func (a *Admin) setPaused(w http.ResponseWriter, r *http.Request, who, kind string, paused bool) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	sale := r.PathValue("sale")
	changed, err := gate.SetPaused(ctx, a.opt.Sales, who, sale, paused)
	if changed {
		a.note(who, kind, sale)
	}
	if err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	reply(w, http.StatusOK, struct {
		Paused  bool `json:"paused"`
		Changed bool `json:"changed"`
	}{paused, changed})
}

func (a *Admin) order(w http.ResponseWriter, r *http.Request, _ string) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	o, err := a.opt.Sales.Order(ctx, r.PathValue("sale"), r.PathValue("order"))
	if err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	disputes, err := a.opt.Sales.DisputesOf(ctx, r.PathValue("sale"), []string{o.ID})
	if err != nil {
		fault(w, err)
		return
	}
	reply(w, http.StatusOK, struct {
		gate.OrderView
		Disputes []gate.Dispute `json:"disputes,omitempty"`
	}{o.View(), disputes[0]})
}

// report takes the shop's word for how an order ended.
func (a *Admin) report(w http.ResponseWriter, r *http.Request, who string) {
	var said struct {
		State   string `json:"state"`   // "paid" or "released"
		Attempt string `json:"attempt"` // that was paid, where several are open
	}
	if !decode(w, r, &said) {
		return
	}
	if said.State != "paid" && said.State != "released" {
		problem(w, http.StatusBadRequest, fmt.Errorf("state %.20q: must be paid or released", said.State))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	report := settle.Report{Order: r.PathValue("order"), Attempt: said.Attempt, Paid: said.State == "paid"}
	o, err := settle.Tell(ctx, a.opt.Settling, who, r.PathValue("sale"), report)
	if err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	reply(w, http.StatusOK, o.View())
}

func (a *Admin) refunds(w http.ResponseWriter, r *http.Request, _ string) {
	ctx, cancel := context.WithTimeout(r.Context(), listTimeout)
	defer cancel()
	views, err := gate.RefundViews(ctx, a.opt.Sales, r.PathValue("sale"))
	if err != nil {
		fault(w, err)
		return
	}
	reply(w, http.StatusOK, views)
}

// disputes shows what there is against the payments of a sale.
func (a *Admin) disputes(w http.ResponseWriter, r *http.Request, _ string) {
	ctx, cancel := context.WithTimeout(r.Context(), listTimeout)
	defer cancel()
	views, err := gate.DisputeViews(ctx, a.opt.Sales, r.PathValue("sale"))
	if err != nil {
		fault(w, err)
		return
	}
	reply(w, http.StatusOK, views)
}

// refund has the refunds of an order tried again, to a bank account of the buyer's where
// one is given. Nothing of that is ever shown, or logged.
func (a *Admin) refund(w http.ResponseWriter, r *http.Request, who string) {
	var account gate.BankAccount
	if !decode(w, r, &account) {
		return
	}
	given := &account
	if account == (gate.BankAccount{}) {
		given = nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	err := settle.GiveBack(ctx, a.opt.Sales, r.PathValue("sale"), r.PathValue("order"), given)
	if err == nil || gate.IsUnsecured(err) {
		a.note(who, "refund", r.PathValue("sale"))
	}
	if err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// goOn releases the brake on a sale's refunds. It is told how many payments its caller has
// seen waiting: more than these are counted anew.
func (a *Admin) goOn(w http.ResponseWriter, r *http.Request, who string) {
	var seen struct {
		Payments *int64 `json:"payments"`
	}
	if !decode(w, r, &seen) {
		return
	}
	if seen.Payments == nil || *seen.Payments < 0 || *seen.Payments > gate.MaxUnits {
		problem(w, http.StatusBadRequest, errors.New("payments: must be how many payments wait for the brake, as the sale's refund_brake says"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), listTimeout)
	defer cancel()
	sale := r.PathValue("sale")
	done, err := settle.GoOn(ctx, a.opt.Sales, who, sale, *seen.Payments)
	if done.Released {
		a.note(who, "go-on", sale)
	}
	if err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	reply(w, http.StatusOK, done)
}

// recheck has the orders of a sale looked up again; with ?dry_run=true it only counts them.
func (a *Admin) recheck(w http.ResponseWriter, r *http.Request, who string) {
	ctx, cancel := context.WithTimeout(r.Context(), listTimeout)
	defer cancel()
	sale, dryRun := r.PathValue("sale"), r.FormValue("dry_run") == "true"
	done, err := settle.RecheckSale(ctx, a.opt.Sales, sale, dryRun)
	if err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	if dryRun {
		reply(w, http.StatusOK, done)
		return
	}
	a.note(who, "recheck", sale)
	reply(w, http.StatusAccepted, done)
}

// recheckOrder has an order looked up again.
func (a *Admin) recheckOrder(w http.ResponseWriter, r *http.Request, who string) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	if err := settle.RecheckOrder(ctx, a.opt.Sales, r.PathValue("sale"), r.PathValue("order")); err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	a.note(who, "recheck", r.PathValue("sale"))
	w.WriteHeader(http.StatusAccepted)
}

// undelivered shows what the shop has not taken of a sale's changes.
func (a *Admin) undelivered(w http.ResponseWriter, r *http.Request, _ string) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	d, err := a.opt.Sales.Delivery(ctx, r.PathValue("sale"))
	if err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	reply(w, http.StatusOK, d.View(r.PathValue("sale")))
}

// aside shows the orders that are set aside because they fail by themselves.
func (a *Admin) aside(w http.ResponseWriter, r *http.Request, _ string) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	list, err := a.opt.Sales.Aside(ctx, r.PathValue("sale"))
	if err != nil {
		a.saleFault(ctx, w, r, err)
		return
	}
	reply(w, http.StatusOK, list)
}

// decode reads a body of JSON, and answers where it is none.
func decode(w http.ResponseWriter, r *http.Request, v any) bool {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		problem(w, http.StatusUnsupportedMediaType, errors.New("Content-Type must be application/json"))
		return false
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	if _, isLarge := errors.AsType[*http.MaxBytesError](err); isLarge {
		fault(w, err)
		return false
	}
	if err != nil {
		problem(w, http.StatusBadRequest, fmt.Errorf("the body is not what this call takes: %w", gate.BodyError(err)))
		return false
	}
	return true
}

// bounded refuses bodies that are too large: one that says so itself before the
// client was told to send it.
func bounded(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request, who string) {
		if r.ContentLength > maxCall {
			w.Header().Set("Connection", "close") // nobody reads it
			fault(w, &http.MaxBytesError{Limit: maxCall})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxCall)
		next(w, r, who)
	}
}

// linkCall is the body that asks for a confirm_url.
type linkCall struct {
	BaseURL   string `json:"base_url"`
	Items     string `json:"items"`
	Buyer     string `json:"buyer"`
	Order     string `json:"order"`
	Amount    *int64 `json:"amount"`
	ExpiresIn string `json:"expires_in"` // such as "30m"
}

// confirmURL signs a link for one order, if the sale as it is would take it.
func (a *Admin) confirmURL(w http.ResponseWriter, r *http.Request, _ string) {
	if a.opt.Keys == nil {
		problem(w, http.StatusConflict, errors.New("this gate has no key to sign with: set FLASHGATE_SIGNING_KEY"))
		return
	}
	call := linkCall{BaseURL: a.opt.BaseURL, ExpiresIn: defaultExpires.String()}
	if !decode(w, r, &call) {
		return
	}
	expires, _ := time.ParseDuration(call.ExpiresIn) // 0 where it is none
	switch {
	case expires < time.Second:
		problem(w, http.StatusBadRequest, fmt.Errorf("expires_in %.20q: must be a duration such as 30m, at least 1s", call.ExpiresIn))
		return
	case call.BaseURL == "":
		problem(w, http.StatusBadRequest, errors.New("base_url is missing: send it, or start the gate with --public-url"))
		return
	}
	offer := gate.Offer{
		Sale: r.PathValue("sale"), Items: call.Items, Buyer: call.Buyer, Order: call.Order,
		Expires: a.opt.Now().Add(expires).Truncate(time.Second),
	}
	if call.Amount != nil {
		offer.Amount = gate.Amount{Value: *call.Amount, Known: true}
	}
	link, err := a.opt.Keys.URL(call.BaseURL, offer)
	if err != nil {
		problem(w, http.StatusBadRequest, err)
		return
	}
	l, known := a.opt.Public.gate.Lane([]byte(offer.Sale))
	if !known {
		a.saleFault(r.Context(), w, r, gate.ErrNoSale)
		return
	}
	if refused, is := errors.AsType[*lane.OfferError](l.CheckOffer(&offer)); is {
		refusal := struct {
			Error        string `json:"error"` // for who makes the link; the rest is what PortOne would be answered
			Code         string `json:"code"`
			Reason       string `json:"reason"`
			ErrorMessage string `json:"errorMessage"`
		}{Error: refused.Error()}
		_ = json.Unmarshal(a.opt.Public.answers.Body(refused.Verdict), &refusal) // the gate's own
		reply(w, status(refused.Verdict.Code), refusal)
		return
	}
	reply(w, http.StatusOK, struct {
		ConfirmURL string    `json:"confirm_url"`
		Length     int       `json:"length"` // in characters: keep it to 255
		ExpiresAt  time.Time `json:"expires_at"`
	}{link, len(link), offer.Expires})
}

// note logs a change. The ledger has it too, with what it replaced.
func (a *Admin) note(who, kind, sale string) {
	a.opt.Log.Info("a sale was changed through the admin API", "who", who, "kind", kind, "sale", sale)
}

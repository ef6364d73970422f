package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
)

const defaultExpires = 30 * time.Minute // of a link

// linkCall is the body that asks for a confirm_url.
type linkCall struct {
	BaseURL   string `json:"base_url"`
	Items     string `json:"items"`
	Buyer     string `json:"buyer"`
	Order     string `json:"order"`
	Amount    *int64 `json:"amount"`
	ExpiresIn string `json:"expires_in"` // such as "30m"
}

// offer reads the offer that a link is made for.
func (l *linkCall) offer(sale string, now time.Time) (gate.Offer, error) {
	expires, _ := time.ParseDuration(l.ExpiresIn) // 0 if it cannot be read
	switch {
	case expires < time.Second:
		return gate.Offer{}, fmt.Errorf("expires_in %.20q: must be a duration such as 30m, at least 1s", l.ExpiresIn)
	case l.BaseURL == "":
		return gate.Offer{}, errors.New("base_url is missing: send it, or start the gate with --public-url")
	}
	offer := gate.Offer{
		Sale: sale, Items: l.Items, Buyer: l.Buyer, Order: l.Order, Expires: now.Add(expires).Truncate(time.Second),
	}
	if l.Amount != nil {
		offer.Amount = gate.Amount{Value: *l.Amount, Known: true}
	}
	return offer, nil
}

// confirmURL signs a link for one order, if the sale would take it as it is now.
func (a *Admin) confirmURL(_ context.Context, c *apiCall) (reply, error) {
	if a.deps.Keys == nil {
		return reply{}, withStatus(http.StatusConflict,
			errors.New("this gate has no key to sign with: set FLASHGATE_SIGNING_KEY"))
	}
	asked := linkCall{BaseURL: a.opt.BaseURL, ExpiresIn: defaultExpires.String()}
	if err := c.decode(&asked); err != nil {
		return reply{}, err
	}
	offer, err := asked.offer(c.sale(), a.deps.Now())
	if err != nil {
		return reply{}, badRequest(err)
	}
	link, err := a.deps.Keys.URL(asked.BaseURL, offer)
	if err != nil {
		return reply{}, badRequest(err)
	}
	l, known := a.deps.Gate.Lane([]byte(offer.Sale))
	if !known {
		return reply{}, gate.ErrNoSale
	}
	if refused, is := errors.AsType[*lane.OfferError](l.CheckOffer(&offer)); is {
		return a.wouldRefuse(refused), nil
	}
	return reply{body: struct {
		ConfirmURL string    `json:"confirm_url"`
		Length     int       `json:"length"` // in characters: keep it to 255
		ExpiresAt  time.Time `json:"expires_at"`
	}{link, len(link), offer.Expires}}, nil
}

// wouldRefuse is the reply if gates would refuse the confirm of a link: why, for whoever makes the
// link, and the answer that PortOne would get.
func (a *Admin) wouldRefuse(refused *lane.OfferError) reply {
	body := struct {
		Error        string `json:"error"`
		Code         string `json:"code"`
		Reason       string `json:"reason"`
		ErrorMessage string `json:"errorMessage"`
	}{Error: refused.Error()}
	_ = json.Unmarshal(a.deps.Answers.Body(refused.Verdict), &body) // the gate's own
	return reply{status(refused.Verdict.Code), body}
}

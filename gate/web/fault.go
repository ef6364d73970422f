package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/settle"
)

// dropped reads from a call's query what may go with a sale. There is no archive
// among it: only who has the file can check that it is whole.
func dropped(r *http.Request) (gate.Drop, error) {
	d := gate.Drop{Held: r.FormValue("drop_held") == "true", Undelivered: r.FormValue("drop_undelivered") == "true"}
	if text := r.FormValue("drop_paid"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return d, fmt.Errorf("drop_paid %.20q: must be how many orders are paid or refund due", text)
		}
		d.Paid = &n
	}
	return d, nil
}

// query spells what dropped reads.
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

// saleFault answers an error of a call about one sale. Where the sale is not there it
// says why.
func (a *Admin) saleFault(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	fault(w, gate.Gone(ctx, a.opt.Sales, r.PathValue("sale"), err))
}

// fault answers an error of the store or of the domain.
func fault(w http.ResponseWriter, err error) {
	if loss, is := errors.AsType[*gate.LossError](err); is {
		reply(w, http.StatusConflict, struct {
			Error string    `json:"error"`
			Lost  gate.Loss `json:"lost"`
			Agree string    `json:"agree"` // the query that agrees to losing it
		}{err.Error(), loss.Loss, query(loss.Agreement())})
		return
	}
	if open, is := errors.AsType[*gate.UnsecuredError](err); is {
		reply(w, http.StatusGatewayTimeout, struct {
			Error    string `json:"error"`
			Done     bool   `json:"done"`
			Replicas int64  `json:"replicas"`
			Wanted   int    `json:"wanted"`
		}{err.Error(), true, open.Replicas, open.Wanted})
		return
	}
	if large, is := errors.AsType[*http.MaxBytesError](err); is {
		problem(w, http.StatusRequestEntityTooLarge, fmt.Errorf("%w: at most %d bytes are taken", err, large.Limit))
		return
	}
	if other, is := errors.AsType[*gate.VersionError](err); is {
		reply(w, http.StatusConflict, struct {
			Error   string `json:"error"`
			Version int64  `json:"version"` // that the sale is at
		}{err.Error(), other.Known})
		return
	}
	problem(w, faultStatus(err), err)
}

func faultStatus(err error) int {
	_, isStock := errors.AsType[*gate.StockError](err)
	_, isRun := errors.AsType[*gate.RunError](err)
	_, isOpen := errors.AsType[*gate.OpenError](err)
	switch {
	case errors.Is(err, gate.ErrNoSale), errors.Is(err, gate.ErrNoOrder):
		return http.StatusNotFound
	case isStock, isRun, isOpen, errors.Is(err, gate.ErrChanged), errors.Is(err, settle.ErrReport), errors.Is(err, settle.ErrGiveBack):
		return http.StatusConflict
	}
	return http.StatusServiceUnavailable
}

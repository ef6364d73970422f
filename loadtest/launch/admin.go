package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Admin is a gate's admin API, as far as a rehearsal reads it.
type Admin struct {
	URL    string // such as http://127.0.0.1:9090
	Token  string // empty where none is asked for
	Client *http.Client
}

// maxRead bounds an answer of the admin API, in bytes.
const maxRead = 64 << 20

// SaleView is a sale as the admin API shows it.
type SaleView struct {
	Run     int64            `json:"run"`
	Seq     int64            `json:"seq"` // of the newest ledger entry
	Version int64            `json:"version"`
	SKUs    []UnitsView      `json:"skus"`
	Orders  map[string]int64 `json:"orders"` // by state, and refunds

	Settings struct {
		OpensAt  time.Time `json:"opens_at"`
		ClosesAt time.Time `json:"closes_at"`
		PerBuyer int64     `json:"per_buyer"`
		Ask      string    `json:"ask"` // the shop's URL that has the last word; empty for none
		SKUs     []struct {
			Name  string `json:"name"`
			Stock int64  `json:"stock"`
			Price *int64 `json:"price"`
		} `json:"skus"`
	} `json:"settings"`
	State string `json:"state"`
}

// UnitsView counts one SKU.
type UnitsView struct {
	SKU      string `json:"sku"`
	Total    int64  `json:"total"`
	Left     int64  `json:"left"`
	Held     int64  `json:"held"`
	Paid     int64  `json:"paid"`
	Withheld int64  `json:"withheld"`
}

// records counts the orders that the sale has a record of.
func (v *SaleView) records() int64 {
	return v.Orders["asking"] + v.Orders["held"] + v.Orders["paid"] + v.Orders["released"] + v.Orders["refund_due"] +
		v.Orders["refunded"]
}

// gone counts the orders that once had units and do not have them any more.
func (v *SaleView) gone() int64 {
	return v.Orders["released"] + v.Orders["refund_due"] + v.Orders["refunded"]
}

// orderView is an order as the admin API shows it.
type orderView struct {
	State string      `json:"state"`
	Buyer string      `json:"buyer"`
	Lines []gate.Line `json:"lines"`
}

// lost reports whether the order is there, and has no units any more.
func (o *orderView) lost() bool { return o != nil && o.State != "held" && o.State != "paid" }

// auditView is what the gate's own audit found.
type auditView struct {
	Orders      int64 `json:"orders"`
	Payments    int64 `json:"payments"` // orders that were looked up at PortOne
	Moving      int64 `json:"moving"`   // changed each time that it was compared
	Differences int64 `json:"differences"`
	Findings    []struct {
		Text string `json:"text"`
	} `json:"findings"`
	Problem string `json:"problem"` // why it could not be finished
}

// Sale reads the sale.
func (a *Admin) Sale(ctx context.Context, sale string) (*SaleView, error) {
	view := &SaleView{}
	status, err := a.get(ctx, "/v1/sales/"+sale, view)
	switch {
	case err == nil && status == http.StatusNotFound:
		err = errors.New("the gate has no such sale; flashgate apply creates one, and flashgate status lists those " +
			"that there are")
	case err == nil && status != http.StatusOK:
		err = fmt.Errorf("status %d", status)
	case err == nil && view.State == "deleted":
		err = fmt.Errorf("it was deleted, in run %d", view.Run)
	}
	if err != nil {
		return nil, fmt.Errorf("reading sale %s from the admin API at %s: %w", sale, a.URL, err)
	}
	return view, nil
}

// order reads an order, and returns nil if there is no such order.
func (a *Admin) order(ctx context.Context, sale, id string) (*orderView, error) {
	view := &orderView{}
	status, err := a.get(ctx, "/v1/sales/"+sale+"/orders/"+url.PathEscape(id), view)
	switch {
	case err == nil && status == http.StatusNotFound:
		return nil, nil
	case err == nil && status != http.StatusOK:
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return nil, fmt.Errorf("reading order %s from the admin API: %w", id, err)
	}
	return view, nil
}

// audit asks the gate for its own audit. A status other than 200 is returned
// without an error: a gate may have none.
func (a *Admin) audit(ctx context.Context, sale string) (*auditView, int, error) {
	view := &auditView{}
	status, err := a.get(ctx, "/v1/sales/"+sale+"/audit", view)
	if err != nil {
		return nil, 0, fmt.Errorf("asking the admin API for an audit: %w", err)
	}
	return view, status, nil
}

// get reads a path, and decodes what it answers with 200 into v.
func (a *Admin) get(ctx context.Context, path string, v any) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(a.URL, "/")+path, nil)
	if err != nil {
		return 0, err
	}
	if a.Token != "" {
		request.Header.Set("Authorization", "Bearer "+a.Token)
	}
	response, err := a.Client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRead))
	switch {
	case err != nil:
		return 0, err
	case response.StatusCode == http.StatusUnauthorized, response.StatusCode == http.StatusForbidden:
		return 0, fmt.Errorf("status %d: give one of the gate's tokens (FLASHGATE_ADMIN_TOKEN)", response.StatusCode)
	case response.StatusCode != http.StatusOK:
		return response.StatusCode, nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return 0, fmt.Errorf("its answer cannot be read: %w", err)
	}
	return http.StatusOK, nil
}

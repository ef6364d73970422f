package portone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	v2Page   = 500    // payments in a page of the list
	v2Listed = 60_000 // payments that one list can be paged through

	maxDisputes = 10 // that are kept of one payment
)

// v2 makes the calls of PortOne's V2 API.
type v2 struct {
	*api
	store  Store
	atOnce int
	lists  *lists
	warn   func(msg string, args ...any)
}

func newV2(a *api, deps Deps, opt Options) *v2 {
	a.signer = bearer(opt.V2.Secret)
	a.open = openV2
	return &v2{api: a, store: opt.V2.Store, atOnce: opt.Concurrency, lists: newLists(), warn: deps.Log.Warn}
}

// bearer is V2's secret, which signs each call.
type bearer string

func (b bearer) sign(context.Context) (string, error) { return "PortOne " + string(b), nil }
func (b bearer) refused(string) bool                  { return false }
func (b bearer) hide(text string) string              { return hideAll(text, string(b)) }

// openV2 opens an answer of V2: the answer itself, or an error with its type.
func openV2(status int, body []byte) (json.RawMessage, error) {
	if status == http.StatusOK && json.Valid(body) {
		return body, nil
	}
	if status < http.StatusMultipleChoices {
		return nil, fmt.Errorf("PortOne answered %d with what is no answer of V2", status)
	}
	var no struct {
		Type      string `json:"type"`
		Message   string `json:"message"`
		PGCode    string `json:"pgCode"` // of PG_PROVIDER, the payment provider's
		PGMessage string `json:"pgMessage"`
	}
	if err := json.Unmarshal(body, &no); err != nil {
		return nil, &Error{Status: status}
	}
	return nil, &Error{
		Status: status, Code: tidy(no.Type),
		Message: strings.Join(slices.DeleteFunc([]string{no.Message, no.PGCode, no.PGMessage},
			func(s string) bool { return s == "" }), ", "),
		absent: status == http.StatusNotFound && no.Type == "PAYMENT_NOT_FOUND",
	}
}

// payment returns an order's newest payment, or the one that succeeded.
func (v *v2) payment(ctx context.Context, order string) (found, error) {
	answer, err := v.get(ctx, "payment", order, "")
	if err != nil {
		return found{}, err
	}
	id, f := readV2(answer)
	if f.err == nil && id != order || v.store.Other(f.store) {
		return found{}, fmt.Errorf("payment of PortOne v2: the answer is about %.64q of store %.64q", id, f.store)
	}
	return f, nil
}

// transactions returns every attempt to pay an order.
func (v *v2) transactions(ctx context.Context, order string) ([]found, error) {
	answer, err := v.get(ctx, "transactions", order, "/transactions")
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, fmt.Errorf("transactions of PortOne v2: %w", err)
	}
	if list.Items == nil {
		return nil, errors.New("transactions of PortOne v2: the answer has no items")
	}
	all := make([]found, 0, len(list.Items))
	for _, item := range list.Items {
		id, f := readV2(item)
		if f.err == nil && id != order || v.store.Other(f.store) {
			return nil, fmt.Errorf("transactions of PortOne v2: one is about %.64q of store %.64q", id, f.store)
		}
		all = append(all, f)
	}
	return all, nil
}

func (v *v2) get(ctx context.Context, name, order, what string) (json.RawMessage, error) {
	id, err := segment(order)
	if err != nil {
		return nil, err
	}
	return v.read(ctx, call{name: name, method: http.MethodGet, path: "/payments/" + id + what + v.ofStore()})
}

// ofStore is the query that asks for this store alone: else PortOne takes the one that
// the secret is of.
func (v *v2) ofStore() string {
	if v.store == "" {
		return ""
	}
	return "?storeId=" + url.QueryEscape(string(v.store))
}

// v2List asks for a page of the payments that were made, or have changed, from some time on.
type v2List struct {
	Page struct {
		Number int `json:"number"`
		Size   int `json:"size"`
	} `json:"page"`
	Filter struct {
		Store         Store     `json:"storeId,omitempty"`
		Version       string    `json:"version"`
		TimestampType string    `json:"timestampType"`
		From          time.Time `json:"from"`
		SortBy        string    `json:"sortBy"`
		SortOrder     string    `json:"sortOrder"`
	} `json:"filter"`
}

// list returns page number, of so many, of the payments made from a time on, the
// oldest first, so that payments made meanwhile move none. last is when the last of
// them was made. A page that is empty is behind the last one.
func (v *v2) list(ctx context.Context, from time.Time, number, size int) (page map[string]found,
	last time.Time, err error,
) {
	var ask v2List
	ask.Page.Number, ask.Page.Size = number, size
	ask.Filter.TimestampType, ask.Filter.From, ask.Filter.SortBy = "CREATED_AT", from.UTC(), "REQUESTED_AT"
	all, _, err := v.listed(ctx, "payments", ask)
	page = make(map[string]found, len(all))
	for _, f := range all {
		page[f.order], last = f, f.begun
	}
	return page, last, err
}

// listed returns the payments of a page of V2's list, in its order, and how many the list
// has; 0 where that is not told.
func (v *v2) listed(ctx context.Context, name string, ask v2List) (all []found, total int, err error) {
	ask.Filter.Store, ask.Filter.Version, ask.Filter.SortOrder = v.store, "V2", "ASC"
	text, err := json.Marshal(ask)
	if err != nil {
		return nil, 0, err
	}
	answer, err := v.read(ctx,
		call{name: name, method: http.MethodGet, path: "/payments?requestBody=" + url.QueryEscape(string(text))})
	if err != nil {
		return nil, 0, err
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
		Page  struct {
			TotalCount int `json:"totalCount"`
		} `json:"page"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, 0, fmt.Errorf("%s of PortOne v2: %w", name, err)
	}
	for _, item := range list.Items {
		_, f := readV2(item)
		if v.store.Other(f.store) {
			// nobody's; but a page that has it is not the empty one at the end
			f = found{begun: f.begun, changed: f.changed}
		}
		all = append(all, f)
	}
	return all, list.Page.TotalCount, nil
}

// pages calls do for each page of the payments made from a time on, the oldest
// first, and when the last of them was made, until it wants no more.
func (v *v2) pages(ctx context.Context, from time.Time,
	do func(page map[string]found, last time.Time) (more bool),
) error {
	for number := 0; ; {
		page, last, err := v.list(ctx, from, number, v2Page)
		if err != nil || len(page) == 0 || !do(page, last) {
			return err
		}
		number++
		if (number+1)*v2Page > v2Listed { // PortOne pages no further: begin anew behind this page
			if !last.After(from) {
				return nil
			}
			from, number = last, 0
		}
	}
}

// v2Payment is what matters of a payment or of one of its transactions: nothing
// of it is about the buyer.
type v2Payment struct {
	ID            string `json:"id"`            // of the payment, or of the transaction
	PaymentID     string `json:"paymentId"`     // in a transaction
	TransactionID string `json:"transactionId"` // in a payment
	StoreID       string `json:"storeId"`
	Status        string `json:"status"`
	Channel       *struct {
		Type string `json:"type"`
	} `json:"channel"`
	Amount struct {
		Total            *money `json:"total"`
		Cancelled        *money `json:"cancelled"`
		TaxFree          money  `json:"taxFree"`
		CancelledTaxFree money  `json:"cancelledTaxFree"`
	} `json:"amount"`
	Cancellations []v2Cancellation `json:"cancellations"`
	Disputes      []struct {
		Status      string `json:"status"`
		Reason      string `json:"reason"`
		CreatedAt   string `json:"createdAt"` // RFC 3339
		PGDisputeID string `json:"pgDisputeId"`
	} `json:"disputes"` // of a payment that is paid
	Currency    string `json:"currency"`
	RequestedAt string `json:"requestedAt"` // RFC 3339, as the next
	ChangedAt   string `json:"statusChangedAt"`
	Method      *struct {
		Type         string    `json:"type"`
		ExpiredAt    time.Time `json:"expiredAt"`    // of a virtual account
		RefundStatus string    `json:"refundStatus"` // of a virtual account whose money is sent back
	} `json:"method"`
}

// refunded is where a cancelled payment stands by the refundStatus of its virtual
// account, as PaymentMethodVirtualAccountRefundStatus in V2's schema has it: a payment
// is CANCELLED before the bank has sent the money. A word that nobody knows is no end.
// It returns the word, where the money is not with the buyer.
func refunded(status string) (gate.PaymentState, string) {
	switch status {
	case "", "COMPLETED":
		return gate.PaymentCancelled, ""
	case "FAILED", "PARTIAL_REFUND_FAILED":
		return gate.PaymentStranded, status
	}
	return gate.PaymentRefunding, tidy(status)
}

// v2Cancellation is one request to give money back, and what became of it.
type v2Cancellation struct {
	Status      string `json:"status"`
	TotalAmount money  `json:"totalAmount"`
	ID          string `json:"id"`
	Trigger     string `json:"trigger"`
	Reason      string `json:"reason"`
	CancelledAt string `json:"cancelledAt"` // RFC 3339
}

// disputes returns what there is against the payment: each dispute that is not
// resolved, and what the card company has taken back (Dispute and Trigger in V2's
// schema). A status that nobody knows is no end.
func (p *v2Payment) disputes(attempt string) *gate.Disputes {
	var all []gate.Dispute
	when := func(text string) time.Time {
		at, _ := time.Parse(time.RFC3339, text) // zero where it says none that can be read
		return gate.Bounded(at).UTC()
	}
	for _, d := range p.Disputes {
		if d.Status != "RESOLVED" {
			all = append(all, gate.Dispute{
				Attempt: attempt, Kind: gate.Disputed, Reason: tidy(d.Reason),
				ID: tidy(d.PGDisputeID), At: when(d.CreatedAt),
			})
		}
	}
	for _, c := range p.Cancellations {
		if c.chargeback() {
			amount, _ := c.TotalAmount.whole()
			all = append(all, gate.Dispute{
				Attempt: attempt, Kind: gate.ChargedBack, Reason: tidy(c.Reason),
				ID: tidy(c.ID), Amount: amount, At: when(c.CancelledAt),
			})
		}
	}
	if len(all) == 0 {
		return nil
	}
	all = all[:min(len(all), maxDisputes)]
	gate.SortDisputes(all)
	return &gate.Disputes{All: all}
}

// chargeback reports whether the card company has taken the money back.
func (c *v2Cancellation) chargeback() bool {
	return c.Trigger == "CHARGEBACK" && c.Status == v2Succeeded
}

// open is what the cancellation may still give back of a balance, both in hundredths.
// A status that nobody knows is no end, and an amount that cannot be read is all.
func (c *v2Cancellation) open(balance int64) int64 {
	switch {
	case c.Status == v2Succeeded || c.Status == v2Failed:
		return 0
	case !c.TotalAmount.ok:
		return balance
	}
	return c.TotalAmount.cents
}

// readV2 reads a payment or a transaction. The order is empty where not even
// that can be read.
func readV2(item json.RawMessage) (order string, f found) {
	var p v2Payment
	err := json.Unmarshal(item, &p)
	order, attempt := p.ID, p.TransactionID
	if p.PaymentID != "" {
		order, attempt = p.PaymentID, p.ID
	}
	f.order, f.attempt, f.store = order, attempt, p.StoreID
	f.begun, _ = time.Parse(time.RFC3339, p.RequestedAt) // zero where it says none that can be read
	f.changed, _ = time.Parse(time.RFC3339, p.ChangedAt)
	if err == nil {
		f.payment, err = p.payment(order, attempt)
	}
	if err != nil {
		f.err = &unreadable{fmt.Errorf("payment %.64q of PortOne v2 cannot be read: %w", order, err)}
	}
	return order, f
}

func (p *v2Payment) payment(order, attempt string) (gate.Payment, error) {
	switch {
	case !gate.ValidID(order) || !gate.ValidID(attempt):
		return gate.Payment{}, errors.New("the ids of payment and transaction " + gate.WantID)
	case p.Amount.Total == nil || p.Currency == "":
		return gate.Payment{}, errors.New("amount.total and currency are needed")
	}
	amount, ok := p.Amount.Total.whole()
	cancelled, also := int64(0), true
	if p.Amount.Cancelled != nil {
		cancelled, also = p.Amount.Cancelled.whole()
	}
	if !ok || !also {
		return gate.Payment{}, errors.New("an amount " + gate.WantAmount)
	}
	result := gate.Payment{
		Order: order, Attempt: attempt, Version: gate.V2, Amount: amount, Currency: p.Currency,
		Deposited: p.Method != nil && p.Method.Type == "PaymentMethodVirtualAccount",
	}
	inPart := cancelled > 0 && cancelled < result.Amount
	switch {
	case p.Status == "READY":
		result.State = gate.PaymentReady
	case p.Status == "PENDING" || p.Status == "PAY_PENDING":
		result.State = gate.PaymentPending
	case p.Status == "VIRTUAL_ACCOUNT_ISSUED":
		result.State = gate.PaymentDeposit
		if p.Method != nil {
			result.DepositBy = gate.Bounded(p.Method.ExpiredAt)
		}
	case p.Status == "PAID" && cancelled == 0:
		result.State, result.Balance = gate.PaymentPaid, result.Amount
	case p.Status == "PARTIAL_CANCELLED" && inPart:
		result.State, result.Balance = gate.PaymentPartCancelled, result.Amount-cancelled
	case p.Status == "CANCELLED" && cancelled <= result.Amount:
		result.State = gate.PaymentCancelled
		if p.Method != nil {
			result.State, result.RefundStatus = refunded(p.Method.RefundStatus)
		}
		if slices.ContainsFunc(p.Cancellations, func(c v2Cancellation) bool { return c.chargeback() }) {
			result.State, result.RefundStatus = gate.PaymentChargedBack, ""
		}
	case p.Status == "FAILED":
		result.State = gate.PaymentFailed
	default:
		return gate.Payment{}, fmt.Errorf("the status is %.32q, of %d are %d cancelled", p.Status,
			result.Amount, cancelled)
	}
	taxFree, _ := p.Amount.TaxFree.whole()
	givenBack, _ := p.Amount.CancelledTaxFree.whole()
	result.TaxFree = max(0, min(result.Balance, taxFree-givenBack))
	balance, open := result.Balance*100, int64(0)
	for _, c := range p.Cancellations {
		open += c.open(balance)
	}
	result.Requested = requested(balance, open)
	result.Disputes = p.disputes(attempt)
	switch {
	case p.Channel != nil && p.Channel.Type == "LIVE":
		result.Live = true
	case p.Channel != nil && p.Channel.Type == "TEST":
	case p.Channel != nil || result.Balance > 0: // one that was never paid need not have a channel
		return gate.Payment{}, errors.New("channel.type is neither LIVE nor TEST")
	}
	return result, nil
}

package portone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	v1Bulk     = 100 // attempts that one call may name
	v1Page     = 1000
	v1MaxPages = 10
	maxImpUID  = 32
)

// v1 makes the calls of PortOne's V1 API.
type v1 struct {
	*api
	tokens *tokens
	atOnce int
	warn   func(msg string, args ...any)
}

func newV1(a *api, deps Deps, opt Options) *v1 {
	t := newTokens(a, opt.V1, deps.Now)
	a.signer, a.open = t, openV1
	return &v1{api: a, tokens: t, atOnce: opt.Concurrency, warn: deps.Log.Warn}
}

// openV1 opens the envelope that every answer of V1 comes in.
func openV1(status int, body []byte) (json.RawMessage, error) {
	var envelope struct {
		Code     *int64          `json:"code"`
		Message  string          `json:"message"`
		Response json.RawMessage `json:"response"`
	}
	err := json.Unmarshal(body, &envelope)
	switch good := status == http.StatusOK || status == http.StatusMultiStatus; {
	case status < http.StatusMultipleChoices && (!good || err != nil || envelope.Code == nil):
		return nil, fmt.Errorf("PortOne answered %d with what is no answer of V1", status)
	case err != nil || envelope.Code == nil:
		return nil, &Error{Status: status}
	case good && *envelope.Code == 0, status == http.StatusMultiStatus: // of some attempts it knows, of others not
		return envelope.Response, nil
	}
	return nil, &Error{
		Status:  status,
		Code:    strconv.FormatInt(*envelope.Code, 10),
		Message: envelope.Message,
		absent:  status == http.StatusNotFound && *envelope.Code != 0,
	}
}

// found is one payment of an answer, or why it cannot be read.
type found struct {
	order, attempt string // empty where not even that can be read
	store          string // that it is of; V1 has none
	payment        gate.Payment
	begun, paid    time.Time // zero where the answer does not say; paid is told by V1 alone
	changed        time.Time // the latest time that the answer tells of: V1 does not say when it changed a payment last
	err            error
}

// payments returns those of the given attempts that PortOne knows; test payments are
// not among them, for only payment can ask for those. There may be up to v1Bulk
// attempts, all plain.
func (v *v1) payments(ctx context.Context, attempts []string) (map[string]found, error) {
	query := url.Values{"imp_uid[]": attempts}
	answer, err := v.read(ctx, call{name: "payments", method: http.MethodGet, path: "/payments?" + query.Encode()})
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var items []json.RawMessage
	if err := json.Unmarshal(answer, &items); err != nil {
		return nil, fmt.Errorf("payments of PortOne v1: %w", err)
	}
	known := make(map[string]found, len(items))
	for _, item := range items {
		f := readV1(item)
		known[f.attempt] = f
	}
	return known, nil
}

// payment returns the payment of a plain attempt, also one of a test channel.
func (v *v1) payment(ctx context.Context, attempt string) (gate.Payment, error) {
	answer, err := v.read(ctx,
		call{name: "payment", method: http.MethodGet, path: "/payments/" + attempt + "?include_sandbox=true"})
	if err != nil {
		return gate.Payment{}, err
	}
	f := readV1(answer)
	return f.payment, f.err
}

// order returns every payment of an order, test payments included; none if PortOne does not know
// the order.
func (v *v1) order(ctx context.Context, order string) (payments []found, err error) {
	id, err := segment(order)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for page := 1; page != 0; {
		if page > v1MaxPages {
			return nil, fmt.Errorf("the order has more than %d payments", v1MaxPages*v1Page)
		}
		answer, err := v.read(ctx, call{
			name: "order", method: http.MethodGet,
			path: fmt.Sprintf("/payments/findAll/%s/?page=%d&limit=%d&sorting=-started", id, page, v1Page),
		})
		if notFound(err) {
			return payments, nil
		}
		if err != nil {
			return nil, err
		}
		var list struct {
			Next *int              `json:"next"`
			List []json.RawMessage `json:"list"`
		}
		if err := json.Unmarshal(answer, &list); err != nil {
			return nil, fmt.Errorf("order of PortOne v1: %w", err)
		}
		if list.Next == nil || *list.Next != 0 && *list.Next <= page {
			return nil, errors.New("order of PortOne v1: the answer does not say which page is next")
		}
		for _, item := range list.List {
			if f := readV1(item); !seen[f.attempt] { // a new attempt moves the others on to the next page
				seen[f.attempt] = true
				payments = append(payments, f)
			}
		}
		page = *list.Next
	}
	return payments, nil
}

// any reports whether there is any payment of the last 90 days, which is what the
// list has where no time is named.
func (v *v1) any(ctx context.Context) (bool, error) {
	answer, err := v.read(ctx, call{name: "list", method: http.MethodGet, path: "/payments/status/all?limit=1"})
	if err != nil {
		return false, err
	}
	var page struct {
		List []json.RawMessage `json:"list"`
	}
	if err := json.Unmarshal(answer, &page); err != nil {
		return false, fmt.Errorf("list of PortOne v1: %w", err)
	}
	if page.List == nil {
		return false, errors.New("list of PortOne v1: the answer has no list")
	}
	return len(page.List) > 0, nil
}

// plain reports whether an attempt may be one of V1's. Any other was invented,
// and is not worth a call, nor a place in one that asks for others too.
func plain(attempt string) bool {
	return attempt != "" && len(attempt) <= maxImpUID && wordLike(attempt)
}

// v1Payment is what matters of a payment: nothing of it is about the buyer.
type v1Payment struct {
	ImpUID        string `json:"imp_uid"`
	MerchantUID   string `json:"merchant_uid"`
	Status        string `json:"status"`
	Amount        *money `json:"amount"`
	CancelAmount  *money `json:"cancel_amount"`
	CancelHistory []struct {
		Amount      money `json:"amount"`
		CancelledAt int64 `json:"cancelled_at"` // unix seconds
	} `json:"cancel_history"` // a cancellation is in it as soon as it is requested
	Currency      string `json:"currency"`
	Sandbox       *bool  `json:"sandbox"`
	PayMethod     string `json:"pay_method"`
	VbankDate     int64  `json:"vbank_date"`      // unix seconds
	VbankIssuedAt int64  `json:"vbank_issued_at"` // unix seconds
	StartedAt     int64  `json:"started_at"`      // unix seconds
	PaidAt        int64  `json:"paid_at"`         // unix seconds; 0 of one that was never paid
	FailedAt      int64  `json:"failed_at"`       // unix seconds, as the next
	CancelledAt   int64  `json:"cancelled_at"`
}

func readV1(item json.RawMessage) (f found) {
	var p v1Payment
	err := json.Unmarshal(item, &p)
	f.order, f.attempt = p.MerchantUID, p.ImpUID
	f.begun, f.paid, f.changed = seconds(p.StartedAt), seconds(p.PaidAt), seconds(p.latest())
	if err == nil {
		f.payment, err = p.payment()
	}
	if err != nil {
		f.err = &unreadable{fmt.Errorf("payment %.64q of PortOne v1 cannot be read: %w", p.ImpUID, err)}
	}
	return f
}

// latest is the latest time that the payment tells of, in unix seconds.
func (p *v1Payment) latest() int64 {
	at := max(p.StartedAt, p.VbankIssuedAt, p.PaidAt, p.FailedAt, p.CancelledAt)
	for _, c := range p.CancelHistory {
		at = max(at, c.CancelledAt)
	}
	return at
}

// seconds converts a time of V1; 0 is the zero time.
func seconds(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(unix, 0)
}

func (p *v1Payment) payment() (gate.Payment, error) {
	switch {
	case !gate.ValidID(p.ImpUID) || !gate.ValidID(p.MerchantUID):
		return gate.Payment{}, errors.New("imp_uid and merchant_uid " + gate.WantID)
	case p.Amount == nil || p.CancelAmount == nil || p.Currency == "" || p.Sandbox == nil:
		return gate.Payment{}, errors.New("amount, cancel_amount, currency and sandbox are needed")
	}
	history, err := p.history()
	if err != nil || !p.Amount.ok || !p.CancelAmount.ok {
		return gate.Payment{}, errors.New("an amount must be a number between 0 and 1000000000000 with at most " +
			"two decimals")
	}
	result := gate.Payment{
		Order: p.MerchantUID, Attempt: p.ImpUID, Version: gate.V1, Currency: p.Currency, Live: !*p.Sandbox,
		Deposited: p.PayMethod == "vbank",
	}
	amount, cancelled, balance := p.Amount.cents, p.CancelAmount.cents, int64(0)
	inPart := cancelled > 0 && cancelled < amount
	switch {
	case p.Status == "ready" && (p.VbankDate > 0 || p.VbankIssuedAt > 0):
		result.State = gate.PaymentDeposit
		if p.VbankDate > 0 {
			result.DepositBy = time.Unix(min(p.VbankDate, gate.MaxTime/1000), 0)
		}
	case p.Status == "ready":
		result.State = gate.PaymentReady
	case p.Status == "paid" && cancelled == 0:
		result.State, balance = gate.PaymentPaid, amount
	case (p.Status == "paid" || p.Status == "cancelled") && inPart:
		result.State, balance = gate.PaymentPartCancelled, amount-cancelled
	case p.Status == "cancelled" && cancelled <= amount:
		result.State = gate.PaymentCancelled
	case p.Status == "failed":
		result.State = gate.PaymentFailed
	default:
		return gate.Payment{}, fmt.Errorf("the status is %.32q, of %s are %s cancelled", p.Status, p.Amount,
			p.CancelAmount)
	}
	result.Amount, result.AmountCents = split(amount)
	result.Balance, result.BalanceCents = split(balance)
	result.Requested = requested(balance, history-cancelled)
	return result, nil
}

// history is what all cancellations together give back, those that are only
// requested among them.
func (p *v1Payment) history() (sum int64, err error) {
	for _, c := range p.CancelHistory {
		if !c.Amount.ok {
			err = errors.New("a cancellation has no amount")
		}
		sum += c.Amount.cents
	}
	return sum, err
}

// requested is how much of a payment's balance is asked for and not given back yet, in whole units,
// rounded up. Its arguments are in hundredths.
func requested(balance, open int64) int64 { return (max(0, min(balance, open)) + 99) / 100 }

// split is an amount in units, and the hundredths beyond them.
func split(cents int64) (units int64, rest uint8) { return cents / 100, uint8(cents % 100) }

// money is an amount in hundredths of the currency's unit, which some of V1's channels
// charge. One that cannot be read is not ok: what stands beside it still can be.
type money struct {
	cents int64
	ok    bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *money) UnmarshalJSON(number []byte) error {
	m.cents, m.ok = parseDecimal(number, 2)
	return nil
}

// whole returns the amount in units, and whether it is one in these.
func (m *money) whole() (units int64, ok bool) {
	units, rest := split(m.cents)
	return units, m.ok && rest == 0
}

// String implements fmt.Stringer.
func (m *money) String() string { return gate.AmountText(split(m.cents)) }

package portone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/flashgate/flashgate/gate"
)

// Cancelled is the outcome of asking for a cancellation. The zero value says that it is
// unknown.
type Cancelled uint8

// The outcomes of asking for a cancellation.
const (
	// CancelUnknown says that it may have been carried out. The payment must be looked up
	// before anything else, and the key stays the same.
	CancelUnknown Cancelled = iota
	// CancelDone says that PortOne has given the money back, now or before.
	CancelDone
	// CancelRequested says that PortOne has accepted it; a look-up says when it is done.
	CancelRequested
	// CancelUnsent says that it was not sent, or not read: the same may be sent again.
	CancelUnsent
	// CancelFailed says that it was not carried out, for a reason that may pass. PortOne keeps
	// its answer under the key, so the next try needs another key, and a look-up before.
	CancelFailed
	// CancelFinal says that it was not carried out, and that PortOne would always refuse it.
	CancelFinal
)

// v2Succeeded, v2Failed and v2Requested are the statuses of V2's cancellations, as
// PaymentCancellation in its schema has them.
const (
	v2Succeeded = "SUCCEEDED"
	v2Failed    = "FAILED"
	v2Requested = "REQUESTED"
)

// CancelRequest asks for all that is left of a payment to be given back.
type CancelRequest struct {
	Order, Attempt string
	Version        gate.Version
	Balance        int64  // what is left of it; PortOne refuses if it is another amount
	BalanceCents   uint8  // the hundredths of it beyond whole units, of V1 alone
	TaxFree        int64  // what of the balance is free of tax, for V2: PortOne takes all of it for taxable otherwise
	Reason         string // for the shop's books; PortOne shows it in its console
	Key            string // for V2: 16 to 256 of A-Z a-z 0-9 - _; the same for the same cancellation
	// Account is the buyer's bank account, which a refund of a virtual account needs; nil if the
	// money can go back the way it came.
	Account *gate.BankAccount
}

// Cancel gives back what is left of a payment, and returns the outcome. If the cancellation is
// neither done nor requested, the error says why; otherwise it is nil.
func (c *Client) Cancel(ctx context.Context, r CancelRequest) (Cancelled, error) {
	switch {
	case r.Balance < 0 || r.Balance > gate.MaxAmount || r.Balance == 0 && r.BalanceCents == 0:
		return CancelUnsent, fmt.Errorf("cancel a payment: its balance is %d, nothing to give back", r.Balance)
	case r.BalanceCents > 99 || r.BalanceCents > 0 && r.Version != gate.V1:
		return CancelUnsent, fmt.Errorf("cancel a payment: its balance has %d hundredths", r.BalanceCents)
	case r.Reason == "":
		return CancelUnsent, errors.New("cancel a payment: PortOne needs a reason")
	case r.Account != nil && CheckAccount(r.Version, r.Account) != nil:
		return CancelUnsent, fmt.Errorf("cancel a payment: %w", CheckAccount(r.Version, r.Account))
	case r.Version == gate.V1 && c.v1 != nil:
		return c.v1.cancel(ctx, r)
	case r.Version == gate.V2 && c.v2 != nil:
		return c.v2.cancel(ctx, r)
	}
	return CancelUnsent, noCredentials(r.Version)
}

// cancel names the attempt, not the order, because an order may have several; the checksum lets
// PortOne refuse if something was given back meanwhile.
func (v *v1) cancel(ctx context.Context, r CancelRequest) (Cancelled, error) {
	if !plain(r.Attempt) {
		return CancelUnsent, fmt.Errorf("cancel a payment: %.64q is no imp_uid", r.Attempt)
	}
	body := struct {
		ImpUID   string      `json:"imp_uid"`
		Checksum json.Number `json:"checksum"`
		Reason   string      `json:"reason"`
		Holder   string      `json:"refund_holder,omitempty"`
		Bank     string      `json:"refund_bank,omitempty"`
		Number   string      `json:"refund_account,omitempty"`
		Phone    string      `json:"refund_tel,omitempty"`
	}{ImpUID: r.Attempt, Checksum: json.Number(gate.AmountText(r.Balance, r.BalanceCents)), Reason: r.Reason}
	if a := r.Account; a != nil {
		body.Holder, body.Bank, body.Number, body.Phone = a.Holder, a.Bank, a.Number, a.Phone
	}
	answer, err := v.write(ctx, call{
		name: "cancel", method: http.MethodPost, path: "/payments/cancel",
		body: marshal(body), secrets: r.secrets(),
	})
	if err != nil {
		return uncancelled(err)
	}
	f := readV1(answer)
	switch {
	case f.err != nil:
		return uncancelled(f.err)
	case f.attempt == r.Attempt && f.payment.State == gate.PaymentCancelled:
		return CancelDone, nil
	case f.attempt == r.Attempt && f.payment.Requested > 0:
		return CancelRequested, nil
	}
	return uncancelled(fmt.Errorf("%.64q is now %s", f.attempt, f.payment.State))
}

// cancel names the order: one payment of V2's succeeds at most once.
func (v *v2) cancel(ctx context.Context, r CancelRequest) (Cancelled, error) {
	id, err := segment(r.Order)
	if err != nil {
		return CancelUnsent, err
	}
	if !validKey(r.Key) {
		return CancelUnsent, errors.New("cancel a payment: the idempotency key must be 16 to 256 of A-Z a-z 0-9 - _")
	}
	body := struct {
		Store   Store      `json:"storeId,omitempty"`
		Reason  string     `json:"reason"`
		Balance int64      `json:"currentCancellableAmount"`
		TaxFree int64      `json:"taxFreeAmount,omitempty"`
		Account *v2Account `json:"refundAccount,omitempty"`
	}{Store: v.store, Reason: r.Reason, Balance: r.Balance, TaxFree: r.TaxFree}
	if a := r.Account; a != nil {
		body.Account = &v2Account{a.Bank, a.Number, a.Holder, a.Phone}
	}
	answer, err := v.write(ctx, call{
		name: "cancel", method: http.MethodPost, path: "/payments/" + id + "/cancel",
		header: http.Header{"Idempotency-Key": {`"` + r.Key + `"`}}, body: marshal(body), secrets: r.secrets(),
	})
	if err != nil {
		return uncancelled(err)
	}
	var answered struct {
		Cancellation v2Cancellation `json:"cancellation"`
	}
	if err := json.Unmarshal(answer, &answered); err != nil {
		return uncancelled(err)
	}
	switch answered.Cancellation.Status {
	case v2Succeeded:
		return CancelDone, nil
	case v2Requested:
		return CancelRequested, nil
	case v2Failed:
		return CancelFailed, errors.New("cancel of PortOne v2: the cancellation has failed")
	}
	return uncancelled(fmt.Errorf("its status is %.32q", answered.Cancellation.Status))
}

// v2Account is CancelPaymentBodyRefundAccount of V2's schema.
type v2Account struct {
	Bank   string `json:"bank"`
	Number string `json:"number"`
	Holder string `json:"holderName"`
	Phone  string `json:"holderPhoneNumber,omitempty"`
}

// secrets are what is the buyer's.
func (r *CancelRequest) secrets() []string {
	if r.Account == nil {
		return nil
	}
	return []string{r.Account.Number, r.Account.Holder, r.Account.Phone}
}

// final are the codes of V2 that say that the same cancellation would never be taken,
// as CancelPaymentError in its schema has them. V1 documents none.
const final = `
INVALID_REQUEST PAYMENT_NOT_PAID MAX_CANCEL_COUNT_REACHED SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT
PROMOTION_DISCOUNT_RETAIN_OPTION_SHOULD_NOT_BE_CHANGED NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT
CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT`

// Said returns an error in PortOne's own words, if it has any.
func Said(err error) string {
	var no *Error
	if !errors.As(err, &no) || no.Code+no.Message == "" {
		return tidy(err.Error())
	}
	return strings.TrimSuffix(no.Code+": "+no.Message, ": ")
}

// uncancelled returns the outcome of a cancellation whose answer does not report success. Only an
// answer that says so means that it was not carried out.
func uncancelled(err error) (Cancelled, error) {
	var notSent *unsent
	var no *Error
	switch {
	case errors.As(err, &notSent):
		return CancelUnsent, err
	case !errors.As(err, &no):
	case no.Status == http.StatusConflict && no.Code == "PAYMENT_ALREADY_CANCELLED":
		return CancelDone, nil
	case no.Status == http.StatusUnauthorized, no.Status == http.StatusTooManyRequests:
		return CancelUnsent, err
	case no.Status == http.StatusBadGateway && no.Code == "PG_PROVIDER": // the payment provider has refused
		return CancelFailed, err
	case no.Status >= http.StatusInternalServerError, no.Status == http.StatusRequestTimeout,
		no.Code == "IDEMPOTENCY_OUTSTANDING_REQUEST":
	case slices.Contains(strings.Fields(final), no.Code):
		return CancelFinal, err
	default:
		return CancelFailed, err
	}
	return CancelUnknown, fmt.Errorf("it is not known what came of the cancellation: look the payment up: %w", err)
}

func validKey(key string) bool { return len(key) >= 16 && len(key) <= 256 && wordLike(key) }

// wordLike reports whether a text needs no escaping anywhere.
func wordLike(text string) bool {
	for _, c := range []byte(text) {
		if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

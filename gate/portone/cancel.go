package portone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/flashgate/flashgate/gate"
)

// ErrUnknownOutcome says that a cancellation was sent, but that nobody knows what
// came of it. It must not be sent again before the payment was looked up.
var ErrUnknownOutcome = errors.New("it is not known what came of the cancellation: look the payment up")

// CancelRequest asks for all that is left of a payment to be given back.
type CancelRequest struct {
	Order, Attempt string
	Version        uint8  // 1 or 2: which of PortOne's APIs knows it
	Balance        int64  // what is left of it; PortOne refuses if it is another amount
	Reason         string // for the shop's books; PortOne shows it in its console
	Key            string // for V2: 16 to 256 of A-Z a-z 0-9 - _; the same for the same cancellation
}

// Cancel gives back what is left of a payment. It returns nil where PortOne has
// done it or has taken the request on, now or before: a look-up says which. An
// error that is ErrUnknownOutcome leaves open whether it was done; any other
// means that it was not.
func (c *Client) Cancel(ctx context.Context, r CancelRequest) error {
	switch {
	case r.Balance <= 0 || r.Balance > gate.MaxAmount:
		return fmt.Errorf("cancel a payment: its balance is %d, nothing to give back", r.Balance)
	case r.Reason == "":
		return errors.New("cancel a payment: PortOne needs a reason")
	case Version(r.Version) == V1 && c.v1 != nil:
		return c.v1.cancel(ctx, r)
	case Version(r.Version) == V2 && c.v2 != nil:
		return c.v2.cancel(ctx, r)
	}
	return noCredentials(r.Version)
}

// cancel names the attempt, not the order, of which there may be others; the
// checksum lets PortOne refuse where something was given back meanwhile.
func (v *v1) cancel(ctx context.Context, r CancelRequest) error {
	if !plain(r.Attempt) {
		return fmt.Errorf("cancel a payment: %.64q is no imp_uid", r.Attempt)
	}
	body := marshal(struct {
		ImpUID   string `json:"imp_uid"`
		Checksum int64  `json:"checksum"`
		Reason   string `json:"reason"`
	}{r.Attempt, r.Balance, r.Reason})
	answer, err := v.write(ctx, call{name: "cancel", method: http.MethodPost, path: "/payments/cancel", body: body})
	if err != nil {
		return uncertain(err)
	}
	attempt, f := readV1(answer)
	switch {
	case f.err != nil:
		return uncertain(f.err)
	case attempt != r.Attempt || f.payment.State != gate.PaymentCancelled:
		return fmt.Errorf("%w: %.64q is now %s", ErrUnknownOutcome, attempt, f.payment.State)
	}
	return nil
}

// cancel names the order: one payment of V2's succeeds at most once.
func (v *v2) cancel(ctx context.Context, r CancelRequest) error {
	id, err := segment(r.Order)
	if err != nil {
		return err
	}
	if !validKey(r.Key) {
		return errors.New("cancel a payment: the idempotency key must be 16 to 256 of A-Z a-z 0-9 - _")
	}
	body := marshal(struct {
		StoreID string `json:"storeId,omitempty"`
		Reason  string `json:"reason"`
		Balance int64  `json:"currentCancellableAmount"`
	}{v.storeID, r.Reason, r.Balance})
	answer, err := v.write(ctx, call{
		name: "cancel", method: http.MethodPost, path: "/payments/" + id + "/cancel",
		header: http.Header{"Idempotency-Key": {`"` + r.Key + `"`}}, body: body,
	})
	var no *Error
	if errors.As(err, &no) && no.Status == http.StatusConflict && no.Code == "PAYMENT_ALREADY_CANCELLED" {
		return nil
	}
	if err != nil {
		return uncertain(err)
	}
	var done struct {
		Cancellation struct {
			Status string `json:"status"`
		} `json:"cancellation"`
	}
	err = json.Unmarshal(answer, &done)
	switch {
	case err == nil && (done.Cancellation.Status == "SUCCEEDED" || done.Cancellation.Status == "REQUESTED"):
		return nil
	case err == nil && done.Cancellation.Status == "FAILED":
		return errors.New("cancel of PortOne v2: the cancellation has failed")
	}
	return fmt.Errorf("%w: its status is %.32q", ErrUnknownOutcome, done.Cancellation.Status)
}

// uncertain marks the error of a cancellation that may have been carried out.
func uncertain(err error) error {
	var notSent *unsent
	var no *Error
	switch {
	case errors.As(err, &notSent):
		return err
	case errors.As(err, &no) && no.Status < http.StatusInternalServerError &&
		no.Status != http.StatusRequestTimeout && no.Code != "IDEMPOTENCY_OUTSTANDING_REQUEST":
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
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

package portonesim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxAnswer is how much of a shop's answer is kept, in bytes.
const maxAnswer = 64 << 10

// object is a JSON object.
type object = map[string]any

// confirm makes the confirm call. An error says that no answer came in time.
func (s *Sim) confirm(ctx context.Context, r *record) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opt.ConfirmTimeout)
	defer cancel()
	return s.post(ctx, r.order, r.order.ConfirmURL, s.confirmBody(r), r.fate != invented, "confirm "+r.attempt)
}

func (s *Sim) confirmBody(r *record) object {
	switch r.order.Body {
	case "v1-status":
		return object{"imp_uid": r.attempt, "merchant_uid": r.order.ID, "status": "ready"}
	case "v2-2024-01-01":
		return object{"payment_id": r.order.ID, "tx_id": r.attempt, "total_amount": r.amount}
	case "v2-2024-04-25":
		return object{"type": "Transaction.Confirm", "timestamp": rfc3339(s.opt.Now()), "data": object{
			"paymentId": r.order.ID, "transactionId": r.attempt, "totalAmount": r.amount,
		}}
	default:
		return object{"imp_uid": r.attempt, "merchant_uid": r.order.ID, "amount": r.amount}
	}
}

// refusal is what the payment's record says about an answer other than 200.
func refusal(version, status int, body string) string {
	var said struct {
		Reason       string `json:"reason"`
		ErrorMessage string `json:"errorMessage"`
	}
	_ = json.Unmarshal([]byte(body), &said) // a shop need not answer in JSON
	reason := said.ErrorMessage
	if version == 1 {
		reason = said.Reason
	}
	if reason == "" {
		reason = fmt.Sprintf("confirm: the shop answered %d", status)
	}
	return reason
}

// post sends a confirm call or a webhook in the order's form. V2's are signed,
// where there is a secret and the call is PortOne's own.
func (s *Sim) post(ctx context.Context, o Order, to string, body object, genuine bool, what string) (int, string, error) {
	contentType := "application/json"
	text, err := json.Marshal(body)
	if o.Body == "v1-form" {
		contentType, text = "application/x-www-form-urlencoded", form(body)
	}
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(text))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", contentType)
	if o.Version == 2 && genuine && s.secret != nil {
		sum := s.hash("message", what)
		s.sign(request.Header, "whid_"+hex.EncodeToString(sum[:12]), text)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, "", err
	}
	return response.StatusCode, string(answer), nil
}

func form(body object) []byte {
	values := url.Values{}
	for name, value := range body {
		values.Set(name, fmt.Sprint(value))
	}
	return []byte(values.Encode())
}

// sign sets the headers of Standard Webhooks.
func (s *Sim) sign(header http.Header, id string, body []byte) {
	at := strconv.FormatInt(s.opt.Now().Unix(), 10)
	mac := hmac.New(sha256.New, s.secret)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", at)
	header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

func rfc3339(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

package portonesim

import (
	"bytes"
	"cmp"
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
func (s *Sim) confirm(r *record) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(s.life, s.opt.ConfirmTimeout)
	defer cancel()
	m := s.message(r.order, r.order.ConfirmURL, s.confirmBody(r), "confirm "+r.attempt)
	if r.fate == invented {
		m.secret = nil
	}
	return s.post(ctx, m)
}

func (s *Sim) confirmBody(r *record) object {
	switch r.order.Body {
	case "v1-status":
		return object{"imp_uid": r.attempt, "merchant_uid": r.order.ID, "status": "ready"}
	case "v2-2024-01-01":
		return object{"payment_id": r.order.ID, "tx_id": r.attempt, "total_amount": r.order.Amount}
	case "v2-2024-04-25":
		return object{"type": "Transaction.Confirm", "timestamp": rfc3339(s.deps.Now()), "data": object{
			"storeId": r.order.StoreID, "paymentId": r.order.ID, "transactionId": r.attempt,
			"totalAmount": r.order.Amount,
		}}
	default:
		return object{"imp_uid": r.attempt, "merchant_uid": r.order.ID, "amount": r.v1Amount(r.order.Amount)}
	}
}

// refusal is what the payment's record says about an answer other than 200; the
// status is 0 where no answer came.
func refusal(version, status int, body string) string {
	var said struct {
		Reason       string `json:"reason"`
		ErrorMessage string `json:"errorMessage"`
	}
	_ = json.Unmarshal([]byte(body), &said) // a shop need not answer in JSON
	switch {
	case version == 1:
		return fmt.Sprintf("고객사 요청에 의해 결제를 중단합니다. (상세사유 : %s)", cmp.Or(said.Reason, "알 수 없음"))
	case said.ErrorMessage != "":
		return said.ErrorMessage
	case status == 0:
		return "confirm: the shop gave no answer"
	}
	return fmt.Sprintf("confirm: the shop answered %d", status)
}

// message is a confirm call or a webhook to one of the shop's addresses.
type message struct {
	to, contentType, id string
	secret              []byte // signs it; nil where it is not signed
	body                []byte
}

// message returns a message in the order's form. What it is about gives it its id.
func (s *Sim) message(o Order, to string, body object, what string) message {
	sum := s.hash("message", what)
	m := message{to: to, contentType: "application/json", id: "whid_" + hex.EncodeToString(sum[:12])}
	if o.Version == 2 {
		m.secret = s.secret
	}
	if o.Body == "v1-form" {
		m.contentType, m.body = "application/x-www-form-urlencoded", form(body)
	} else {
		m.body, _ = json.Marshal(body) // of texts and numbers, which cannot fail
	}
	return m
}

// post sends a message, and returns the shop's answer.
func (s *Sim) post(ctx context.Context, m message) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.to, bytes.NewReader(m.body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", m.contentType)
	if m.secret != nil {
		m.sign(request.Header, s.deps.Now())
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
func (m message) sign(header http.Header, now time.Time) {
	at := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, m.secret)
	fmt.Fprintf(mac, "%s.%s.%s", m.id, at, m.body)
	header.Set("webhook-id", m.id)
	header.Set("webhook-timestamp", at)
	header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

func rfc3339(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

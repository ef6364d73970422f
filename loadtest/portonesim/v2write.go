package portonesim

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
)

// refusal2 is an answer of V2's other than 200.
type refusal2 struct {
	status        int
	kind, message string
}

func (r *refusal2) Error() string { return r.kind + ": " + r.message }

// read2 reads a body of V2's, which must be about this store.
func read2(body []byte, ask any) error {
	var of struct {
		StoreID string `json:"storeId"`
	}
	switch {
	case json.Unmarshal(body, &of) != nil || json.Unmarshal(body, ask) != nil:
		return &refusal2{http.StatusBadRequest, "INVALID_REQUEST", "요청 본문이 올바르지 않습니다."}
	case of.StoreID != "" && of.StoreID != StoreID:
		return &refusal2{http.StatusForbidden, "FORBIDDEN", "요청이 거절되었습니다."}
	}
	return nil
}

// v2Cancel gives money back.
func (s *Sim) v2Cancel(r *http.Request, body []byte) (any, error) {
	var ask struct {
		Reason  string `json:"reason"`
		Amount  *int64 `json:"amount"`
		Balance *int64 `json:"currentCancellableAmount"`
		Silent  bool   `json:"skipWebhook"`
	}
	if err := read2(body, &ask); err != nil {
		return nil, err
	}
	var amount int64
	if ask.Amount != nil {
		amount = *ask.Amount
	}
	if ask.Reason == "" || ask.Amount != nil && amount <= 0 {
		return nil, &refusal2{http.StatusBadRequest, "INVALID_REQUEST", "reason은 필수이고 amount는 0보다 커야 합니다."}
	}
	s.mu.Lock()
	p := s.book.newest("2 " + r.PathValue("id"))
	s.mu.Unlock()
	if p == nil {
		return nil, &refusal2{http.StatusNotFound, "PAYMENT_NOT_FOUND", "결제 건이 존재하지 않습니다."}
	}
	s.slowly(p)
	c, err := s.cancel(p, amount, ask.Balance, ask.Reason, !ask.Silent)
	if err != nil {
		return nil, &refusal2{http.StatusConflict, map[error]string{
			errCancelled: "PAYMENT_ALREADY_CANCELLED",
			errNotPaid:   "PAYMENT_NOT_PAID",
			errBalance:   "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN",
			errTooMuch:   "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT",
		}[err], "결제를 취소할 수 없습니다."}
	}
	return object{"cancellation": c.v2View()}, nil
}

// v2PreRegister makes the payment window refuse another amount or currency.
func (s *Sim) v2PreRegister(r *http.Request, body []byte) (any, error) {
	var ask struct {
		Amount   *int64 `json:"totalAmount"`
		Currency string `json:"currency"`
	}
	if err := read2(body, &ask); err != nil {
		return nil, err
	}
	p := prepared{currency: ask.Currency}
	if ask.Amount != nil {
		if p.amount = *ask.Amount; p.amount <= 0 {
			return nil, &refusal2{http.StatusBadRequest, "INVALID_REQUEST", "totalAmount는 0보다 커야 합니다."}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := "2 " + r.PathValue("id")
	if s.book.successful(key) {
		return nil, &refusal2{http.StatusConflict, "ALREADY_PAID", "결제가 이미 완료되었습니다."}
	}
	s.book.prepared[key] = p
	return object{}, nil
}

// handOut gives the buyer the token that the shop's server confirms with, unless
// he leaves before.
func (s *Sim) handOut(r *record) {
	if r.fate == never {
		return
	}
	sum := s.hash("payment token", r.attempt)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.token = hex.EncodeToString(sum[:])
}

// v2Confirm lets a payment go ahead that waits for the shop's server, and answers
// when it has come to an end.
func (s *Sim) v2Confirm(r *http.Request, body []byte) (any, error) {
	p, err := s.redeem("2 "+r.PathValue("id"), body)
	if err != nil {
		return nil, err
	}
	s.proceed(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.state != paid {
		return nil, &refusal2{http.StatusBadGateway, "PG_PROVIDER", p.failReason}
	}
	return object{"pgTxId": "pg_" + p.attempt, "paidAt": rfc3339(p.paidAt)}, nil
}

// redeem returns the attempt that a body's paymentToken is of. A token is good once.
func (s *Sim) redeem(order string, body []byte) (*record, error) {
	var ask struct {
		Token    string `json:"paymentToken"`
		Attempt  string `json:"txId"`
		Currency string `json:"currency"`
		Amount   *int64 `json:"totalAmount"`
		Test     *bool  `json:"isTest"`
	}
	if err := read2(body, &ask); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.book.byOrder[order]) == 0 {
		return nil, &refusal2{http.StatusNotFound, "PAYMENT_NOT_FOUND", "결제 건이 존재하지 않습니다."}
	}
	if s.book.successful(order) {
		return nil, &refusal2{http.StatusConflict, "ALREADY_PAID", "결제가 이미 완료되었습니다."}
	}
	for _, p := range s.book.byOrder[order] {
		if ask.Token == "" || ask.Token != p.token {
			continue
		}
		if ask.Attempt != "" && ask.Attempt != p.attempt || ask.Currency != "" && ask.Currency != p.order.Currency ||
			ask.Amount != nil && *ask.Amount != p.amount || ask.Test != nil && *ask.Test != p.test {
			return nil, &refusal2{http.StatusConflict, "INFORMATION_MISMATCH", "결제 정보가 일치하지 않습니다."}
		}
		p.token = ""
		return p, nil
	}
	return nil, &refusal2{http.StatusBadRequest, "INVALID_PAYMENT_TOKEN", "유효하지 않은 결제 토큰입니다."}
}

// v2Resend sends a webhook again, the order's newest where none is named.
func (s *Sim) v2Resend(r *http.Request, body []byte) (any, error) {
	var ask struct {
		Webhook string `json:"webhookId"`
	}
	if err := read2(body, &ask); err != nil {
		return nil, err
	}
	h, err := s.hook("2 "+r.PathValue("id"), ask.Webhook)
	if err != nil {
		return nil, err
	}
	s.send(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	return object{"webhook": object{
		"id": h.id, "url": h.to, "status": h.status, "paymentStatus": h.news.v2Status(), "isAsync": false, "trigger": "MANUAL",
		"currentExecutionCount": h.count, "request": object{"body": string(h.body), "requestedAt": rfc3339(h.at)}, "triggeredAt": rfc3339(h.at),
	}}, nil
}

// hook returns an order's webhook of an id, its newest for an empty one.
func (s *Sim) hook(order, id string) (*hook, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.book.byOrder[order]) == 0 {
		return nil, &refusal2{http.StatusNotFound, "PAYMENT_NOT_FOUND", "결제 건이 존재하지 않습니다."}
	}
	var found *hook
	for _, r := range s.book.byOrder[order] {
		for _, h := range r.hooks {
			if id == "" || h.id == id {
				found = h
			}
		}
	}
	if found == nil {
		return nil, &refusal2{http.StatusNotFound, "WEBHOOK_NOT_FOUND", "웹훅 내역이 존재하지 않습니다."}
	}
	return found, nil
}

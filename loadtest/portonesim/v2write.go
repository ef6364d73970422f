package portonesim

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
)

// read2 reads the body of a write of V2's, and returns the key of the order that it
// and its path are about.
func (s *Sim) read2(r *http.Request, body []byte, ask any) (key string, err error) {
	var of struct {
		StoreID string `json:"storeId"`
	}
	if json.Unmarshal(body, &of) != nil || json.Unmarshal(body, ask) != nil {
		return "", invalid2("요청 본문이 올바르지 않습니다.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	store, err := s.store(of.StoreID)
	return key2(store, r.PathValue("id")), err
}

// v2Cancel gives money back.
func (s *Sim) v2Cancel(r *http.Request, body []byte) (any, error) {
	var ask struct {
		Reason  string `json:"reason"`
		Amount  *int64 `json:"amount"`
		TaxFree *int64 `json:"taxFreeAmount"`
		VAT     *int64 `json:"vatAmount"`
		Balance *int64 `json:"currentCancellableAmount"`
		Retain  string `json:"promotionDiscountRetainOption"`
		Account *struct {
			Bank   string `json:"bank"`
			Number string `json:"number"`
			Holder string `json:"holderName"`
		} `json:"refundAccount"`
		Silent bool `json:"skipWebhook"`
	}
	key, err := s.read2(r, body, &ask)
	account := ask.Account
	switch {
	case err != nil:
		return nil, err
	case ask.Reason == "" || ask.Amount != nil && *ask.Amount <= 0:
		return nil, invalid2("reason은 필수이고 amount는 0보다 커야 합니다.")
	case ask.Retain != "" && ask.Retain != "RETAIN" && ask.Retain != "RELEASE":
		return nil, invalid2("promotionDiscountRetainOption이 올바르지 않습니다.")
	case account != nil && (account.Bank == "" || account.Number == "" || account.Holder == ""):
		return nil, invalid2("refundAccount의 bank, number, holderName은 필수입니다.")
	}
	s.mu.Lock()
	p := s.book.newest(key)
	s.mu.Unlock()
	if p == nil {
		return nil, noPayment2()
	}
	c, err := s.cancel(p, cancelAsk{
		amount: ask.Amount, balance: ask.Balance, taxFree: ask.TaxFree, vat: ask.VAT, retain: ask.Retain == "RETAIN",
		account: account != nil, reason: ask.Reason, trigger: byAPI, tell: !ask.Silent,
	})
	var no cancelError
	if errors.As(err, &no) {
		return nil, no.v2()
	}
	return object{"cancellation": c.v2View()}, nil
}

// v2 is the reason as an answer of V2's.
func (e cancelError) v2() *refusal2 {
	switch e {
	case invalidRequest:
		return invalid2("취소 요청이 올바르지 않습니다: 가상계좌는 refundAccount가 필요합니다.")
	case belowPromotion, retainChanged:
		return &refusal2{http.StatusBadRequest, string(e), "결제를 취소할 수 없습니다."}
	case pgProvider:
		return &refusal2{http.StatusBadGateway, string(e), "PG사에서 취소를 거절하였습니다."}
	}
	return &refusal2{http.StatusConflict, string(e), "결제를 취소할 수 없습니다."}
}

// v2Close takes a virtual account back that waits for its deposit.
func (s *Sim) v2Close(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	store, err := s.store(r.URL.Query().Get("storeId"))
	p := s.book.newest(key2(store, r.PathValue("id")))
	s.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, noPayment2()
	case !s.closeAccount(p):
		return nil, &refusal2{http.StatusConflict, "PAYMENT_NOT_WAITING_FOR_DEPOSIT", "결제 건이 입금 대기 상태가 아닙니다."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return object{"closedAt": rfc3339(p.cancelledAt)}, nil
}

// v2PreRegister makes the payment window refuse another amount or currency.
func (s *Sim) v2PreRegister(r *http.Request, body []byte) (any, error) {
	var ask struct {
		Amount   *int64 `json:"totalAmount"`
		Currency string `json:"currency"`
	}
	key, err := s.read2(r, body, &ask)
	if err != nil {
		return nil, err
	}
	p := prepared{currency: ask.Currency}
	if ask.Amount != nil {
		if p.hundredths = 100 * *ask.Amount; p.hundredths <= 0 {
			return nil, invalid2("totalAmount는 0보다 커야 합니다.")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.book.successful(key) {
		return nil, alreadyPaid2()
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
	p, err := s.redeem(r, body)
	if err != nil {
		return nil, err
	}
	s.proceed(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.state != paid {
		return nil, &refusal2{http.StatusBadGateway, pgProvider, p.failReason}
	}
	return object{"pgTxId": "pg_" + p.attempt, "paidAt": rfc3339(p.paidAt)}, nil
}

// redeem returns the attempt that a body's paymentToken is of. A token is good once.
func (s *Sim) redeem(r *http.Request, body []byte) (*record, error) {
	var ask struct {
		Token    string `json:"paymentToken"`
		Attempt  string `json:"txId"`
		Currency string `json:"currency"`
		Amount   *int64 `json:"totalAmount"`
		TaxFree  *int64 `json:"taxFreeAmount"`
		Test     *bool  `json:"isTest"`
		Silent   bool   `json:"skipWebhook"`
	}
	order, err := s.read2(r, body, &ask)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.book.byOrder[order]) == 0 {
		return nil, noPayment2()
	}
	if s.book.successful(order) {
		return nil, alreadyPaid2()
	}
	for _, p := range s.book.byOrder[order] {
		if ask.Token == "" || ask.Token != p.token {
			continue
		}
		if ask.Attempt != "" && ask.Attempt != p.attempt || ask.Currency != "" && ask.Currency != p.order.Currency ||
			ask.Amount != nil && *ask.Amount != p.order.Amount || ask.TaxFree != nil &&
			*ask.TaxFree != p.order.TaxFree ||
			ask.Test != nil && *ask.Test != p.order.Test {
			return nil, &refusal2{http.StatusConflict, "INFORMATION_MISMATCH", "결제 정보가 일치하지 않습니다."}
		}
		p.token, p.silent = "", ask.Silent
		return p, nil
	}
	return nil, &refusal2{http.StatusBadRequest, "INVALID_PAYMENT_TOKEN", "유효하지 않은 결제 토큰입니다."}
}

// v2Resend sends a webhook again, the order's newest where none is named.
func (s *Sim) v2Resend(r *http.Request, body []byte) (any, error) {
	var ask struct {
		Webhook string `json:"webhookId"`
	}
	key, err := s.read2(r, body, &ask)
	if err != nil {
		return nil, err
	}
	h, err := s.hook(key, ask.Webhook)
	if err != nil {
		return nil, err
	}
	s.send(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	return object{"webhook": object{
		"id": h.id, "url": h.to, "status": h.status, "paymentStatus": h.news.v2Status(), "isAsync": false,
		"trigger":               "MANUAL",
		"currentExecutionCount": h.count, "request": object{"body": string(h.body), "requestedAt": rfc3339(h.at)},
		"triggeredAt": rfc3339(h.at),
	}}, nil
}

// hook returns an order's webhook of an id, its newest for an empty one.
func (s *Sim) hook(order, id string) (*hook, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.book.byOrder[order]) == 0 {
		return nil, noPayment2()
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

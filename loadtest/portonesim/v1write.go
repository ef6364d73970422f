package portonesim

import (
	"errors"
	"net/http"
)

// v1Cancel gives money back. V1 documents neither codes of its refusals nor another
// status than 200: what cannot be read has -1, and what cannot be done 1.
func (s *Sim) v1Cancel(w http.ResponseWriter, r *http.Request) {
	ask, err := fields(r)
	if err != nil {
		refuse1(w, http.StatusOK, -1, v1Bad)
		return
	}
	p := s.cancellable(ask["imp_uid"], ask["merchant_uid"])
	if p == nil {
		refuse1(w, http.StatusOK, 1, "취소할 결제건이 존재하지 않습니다.")
		return
	}
	wanted, err := cancelAsk1(p, ask)
	if err != nil {
		refuse1(w, http.StatusOK, -1, v1Bad)
		return
	}
	c, err := s.cancel(p, wanted)
	var no cancelError
	switch {
	case errors.As(err, &no):
		refuse1(w, http.StatusOK, 1, no.v1())
		return
	case c.status == refused:
		refuse1(w, http.StatusOK, 1, cancelError(pgProvider).v1())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	good1(w, http.StatusOK, p.v1View())
}

// cancelAsk1 reads what V1 is asked to give back. An amount that is 0 or missing is
// all that is left.
func cancelAsk1(p *record, ask map[string]string) (cancelAsk, error) {
	wanted := cancelAsk{
		retain: ask["retain_promotion"] == "true", reason: ask["reason"], trigger: byAPI,
		tell:    ask["enable_webhook"] == "true",
		account: ask["refund_holder"] != "" && ask["refund_bank"] != "" && ask["refund_account"] != "",
	}
	for name, field := range map[string]**int64{
		"amount": &wanted.amount, "checksum": &wanted.balance, "tax_free": &wanted.taxFree, "vat_amount": &wanted.vat,
	} {
		if ask[name] == "" {
			continue
		}
		n, err := p.readV1Amount(ask[name])
		if err != nil {
			return wanted, err
		}
		*field = &n
	}
	if wanted.amount != nil && *wanted.amount == 0 {
		wanted.amount = nil
	}
	return wanted, nil
}

// readV1Amount reads an amount of the payment as V1 writes it.
func (r *record) readV1Amount(text string) (int64, error) {
	n, err := readUnits(text)
	switch {
	case err != nil || r.order.Decimals:
		return n, err
	case n%100 != 0:
		return 0, errors.New("the payment's channel has no decimals")
	}
	return n / 100, nil
}

// v1 is the reason in the words of V1's answers.
func (e cancelError) v1() string {
	return map[cancelError]string{
		alreadyCancelled: "이미 전액취소된 주문입니다.",
		notPaid:          "결제가 완료되지 않은 주문입니다.",
		otherBalance:     "취소가능금액이 일치하지 않습니다.",
		tooMuch:          "취소요청금액이 취소가능금액보다 큽니다.",
		partsTooMuch:     "면세금액과 부가세의 합이 취소요청금액보다 큽니다.",
		taxedTooMuch:     "취소요청 과세금액이 취소가능한 과세금액보다 큽니다.",
		taxFreeTooMuch:   "취소요청 면세금액이 취소가능한 면세금액보다 큽니다.",
		tooOften:         "취소 가능 횟수를 초과하였습니다.",
		belowPromotion:   "프로모션에 의해 조정된 취소금액이 음수입니다.",
		retainChanged:    "프로모션 유지 여부를 변경할 수 없습니다.",
		invalidRequest:   "환불계좌 정보 등 필수 항목을 확인하세요.",
		pgProvider:       "[PG사 오류] 취소에 실패하였습니다.",
	}[e]
}

// cancellable returns the payment that is named: by its imp_uid where there is
// one, else the order's that was paid, or its newest.
func (s *Sim) cancellable(attempt, order string) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	if attempt != "" {
		return s.attempt1(attempt)
	}
	return s.book.newest(key1(order))
}

// v1Prepare registers what an order costs (POST), or changes that (PUT).
func (s *Sim) v1Prepare(w http.ResponseWriter, r *http.Request) {
	ask, err := fields(r)
	amount, errNumber := readUnits(ask["amount"])
	if errors.Join(err, errNumber) != nil || ask["merchant_uid"] == "" || amount <= 0 {
		refuse1(w, http.StatusOK, -1, "merchant_uid와 amount는 필수입니다.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := key1(ask["merchant_uid"])
	switch _, known := s.book.prepared[key]; {
	case known && r.Method == http.MethodPost:
		refuse1(w, http.StatusOK, 1, "이미 등록된 merchant_uid입니다.")
		return
	case !known && r.Method == http.MethodPut:
		refuse1(w, http.StatusNotFound, -1, v1NotPrepared)
		return
	}
	s.book.prepared[key] = prepared{hundredths: amount, currency: ask["currency"]}
	good1(w, http.StatusOK, s.book.prepared[key].v1View(ask["merchant_uid"]))
}

const v1NotPrepared = "등록되지 않은 merchant_uid입니다."

// v1Prepared shows what an order costs by what was registered (GET), or forgets it (DELETE).
func (s *Sim) v1Prepared(w http.ResponseWriter, r *http.Request) {
	order := r.PathValue("merchant_uid")
	s.mu.Lock()
	defer s.mu.Unlock()
	p, known := s.book.prepared[key1(order)]
	if !known {
		refuse1(w, http.StatusNotFound, -1, v1NotPrepared)
		return
	}
	if r.Method == http.MethodDelete {
		delete(s.book.prepared, key1(order))
	}
	good1(w, http.StatusOK, p.v1View(order))
}

// v1Close takes a virtual account back that waits for its deposit.
func (s *Sim) v1Close(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p := s.attempt1(r.PathValue("imp_uid"))
	s.mu.Unlock()
	switch {
	case p == nil:
		refuse1(w, http.StatusNotFound, -1, v1NoPayment)
		return
	case !s.closeAccount(p):
		refuse1(w, http.StatusBadRequest, -1, "입금대기 상태의 가상계좌가 아닙니다.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	good1(w, http.StatusOK, p.v1View())
}

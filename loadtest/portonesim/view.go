package portonesim

import "time"

// reached is when a payment came into its state.
func (r *record) reached() time.Time {
	switch r.state {
	case paid:
		return r.paidAt
	case failed, cancelled:
		return r.changed
	}
	return r.started
}

// seconds is a time as V1 has it; 0 for what did not happen.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// orNil is a text as V1 has it; null where there is none.
func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// v1View is a payment as V1 shows it.
func (r *record) v1View() object {
	history := []object{}
	var cancelledAt time.Time
	reason := ""
	for _, c := range r.cancels {
		history = append(history, object{
			"pg_tid": "pg_" + c.id, "amount": c.amount, "cancelled_at": c.at.Unix(), "reason": c.reason, "cancellation_id": c.id,
		})
		cancelledAt, reason = c.at, c.reason
	}
	view := object{
		"imp_uid": r.attempt, "merchant_uid": r.order.ID, "status": r.state.v1(),
		"amount": r.amount, "cancel_amount": r.cancelled(), "currency": r.order.Currency, "sandbox": r.test,
		"pay_method": "card", "channel": "pc", "pg_provider": "simulated", "pg_tid": "pg_" + r.attempt, "pg_id": "simulated",
		"escrow": false, "name": "simulated order", "custom_data": nil, "user_agent": "flashgate portone-sim",
		"buyer_name": "홍길동", "buyer_email": "buyer@example.com", "buyer_tel": "010-0000-0000", "buyer_addr": nil, "buyer_postcode": nil,
		"vbank_code": nil, "vbank_name": nil, "vbank_num": nil, "vbank_holder": nil,
		"vbank_date": seconds(r.depositBy), "vbank_issued_at": seconds(r.issued),
		"started_at": seconds(r.started), "paid_at": seconds(r.paidAt), "failed_at": seconds(r.failedAt), "cancelled_at": seconds(cancelledAt),
		"fail_reason": orNil(r.failReason), "cancel_reason": orNil(reason), "receipt_url": nil,
		"cancel_history": history, "cancel_receipt_urls": []string{}, "cash_receipt_issued": false,
	}
	if r.order.VirtualAccount {
		view["pay_method"], view["vbank_code"], view["vbank_name"], view["vbank_num"], view["vbank_holder"] = "vbank", "004", "국민은행", "00000000000000", "주식회사 상점"
	}
	return view
}

// v2Status is the payment's status in V2. PortOne's pages have two words for a
// pending payment; each is that of half of the attempts, so that both are met.
func (r *record) v2Status() string {
	switch {
	case r.state == paid && len(r.cancels) > 0:
		return "PARTIAL_CANCELLED"
	case r.state == paying && r.inShort:
		return "PENDING"
	}
	return [...]string{"READY", "PAY_PENDING", "VIRTUAL_ACCOUNT_ISSUED", "PAID", "FAILED", "CANCELLED"}[r.state]
}

// hasV2Status reports whether a status, in either word, is the payment's.
func (r *record) hasV2Status(status string) bool {
	return status == r.v2Status() || r.state == paying && (status == "PENDING" || status == "PAY_PENDING")
}

// v2View is a payment as V2 shows it.
func (r *record) v2View() object {
	view := r.v2Common()
	view["id"], view["transactionId"] = r.order.ID, r.attempt
	view["origin"] = object{"platformType": "PC"}
	if !r.paidAt.IsZero() {
		view["disputes"] = []object{}
	}
	return view
}

// v2Transaction is an attempt as V2 shows it among an order's transactions.
func (r *record) v2Transaction() object {
	view := r.v2Common()
	view["id"], view["paymentId"] = r.attempt, r.order.ID
	return view
}

func (r *record) v2Common() object {
	channel, taken := "LIVE", int64(0)
	if r.test {
		channel = "TEST"
	}
	if !r.paidAt.IsZero() {
		taken = r.amount - r.cancelled()
	}
	view := object{
		"status": r.v2Status(), "merchantId": "merchant-00000000-0000-4000-8000-000000000000", "storeId": StoreID, "version": "V2",
		"channel": object{
			"type": channel, "id": "channel-id-00000000-0000-4000-8000-000000000000",
			"key": "channel-key-00000000-0000-4000-8000-000000000000", "name": "simulated", "pgProvider": "TOSSPAYMENTS", "pgMerchantId": "simulated",
		},
		"orderName": "simulated order", "currency": r.order.Currency,
		"amount": object{
			"total": r.amount, "taxFree": 0, "discount": 0, "paid": taken, "cancelled": r.cancelled(), "cancelledTaxFree": 0,
		},
		"customer":    object{"name": "홍길동", "email": "buyer@example.com"},
		"method":      object{"type": "PaymentMethodCard"},
		"requestedAt": rfc3339(r.started), "updatedAt": rfc3339(r.changed), "statusChangedAt": rfc3339(r.reached()),
	}
	if r.order.VirtualAccount {
		method := object{"type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "00000000000000"}
		if !r.issued.IsZero() {
			method["issuedAt"], method["expiredAt"] = rfc3339(r.issued), rfc3339(r.depositBy)
		}
		view["method"] = method
	}
	if !r.paidAt.IsZero() {
		view["paidAt"], view["pgTxId"] = rfc3339(r.paidAt), "pg_"+r.attempt
	}
	if r.state == failed {
		view["failedAt"], view["failure"] = rfc3339(r.failedAt), object{"reason": r.failReason}
	}
	if len(r.cancels) > 0 {
		var list []object
		for _, c := range r.cancels {
			list = append(list, c.v2View())
		}
		view["cancellations"], view["cancelledAt"] = list, rfc3339(r.cancels[len(r.cancels)-1].at)
	}
	return view
}

func (c cancellation) v2View() object {
	return object{
		"status": "SUCCEEDED", "id": c.id, "pgCancellationId": "pg_" + c.id, "totalAmount": c.amount, "taxFreeAmount": 0, "vatAmount": 0,
		"reason": c.reason, "requestedAt": rfc3339(c.at), "cancelledAt": rfc3339(c.at),
	}
}

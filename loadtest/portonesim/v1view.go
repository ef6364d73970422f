package portonesim

import (
	"encoding/json"
	"time"
)

// seconds is a time as V1 has it; 0 for what did not happen.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// orNil is a text as V1 has it; null if empty.
func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// v1Amount is an amount of the payment as V1 has it.
func (r *record) v1Amount(amount int64) json.Number {
	if !r.order.Decimals {
		amount *= 100
	}
	return json.Number(units(amount))
}

// v1Time is when the payment came into its status, as V1 looks for it.
func (r *record) v1Time() time.Time {
	switch r.state {
	case paid:
		return r.paidAt
	case failed:
		return r.failedAt
	case cancelled:
		return r.cancelledAt
	}
	return r.started
}

// v1View is a payment as V1 shows it. A cancellation that is requested is in its
// history already, and nowhere else.
func (r *record) v1View() object {
	history := []object{}
	reason := ""
	for _, c := range r.cancels {
		if c.status != refused {
			history = append(history, r.v1Cancellation(c))
		}
		if c.status == succeeded {
			reason = c.reason
		}
	}
	view := object{
		"imp_uid": r.attempt, "merchant_uid": r.order.ID, "status": r.state.v1(),
		"amount": r.v1Amount(r.order.Amount), "cancel_amount": r.v1Amount(r.cancelled()), "currency": r.order.Currency,
		"sandbox":    r.order.Test,
		"pay_method": "card", "channel": "pc", "pg_provider": "simulated", "pg_tid": "pg_" + r.attempt,
		"pg_id":  "simulated",
		"escrow": false, "name": "simulated order", "custom_data": nil, "user_agent": "flashgate portone-sim",
		"buyer_name": "홍길동", "buyer_email": "buyer@example.com", "buyer_tel": "010-0000-0000", "buyer_addr": nil,
		"buyer_postcode": nil,
		"vbank_code":     nil, "vbank_name": nil, "vbank_num": nil, "vbank_holder": nil,
		"vbank_date": seconds(r.depositBy), "vbank_issued_at": seconds(r.issued),
		"started_at": seconds(r.started), "paid_at": seconds(r.paidAt), "failed_at": seconds(r.failedAt),
		"cancelled_at": seconds(r.cancelledAt),
		"fail_reason":  orNil(r.failReason), "cancel_reason": orNil(reason), "receipt_url": nil,
		"cancel_history": history, "cancel_receipt_urls": []string{}, "cash_receipt_issued": false,
	}
	if r.order.VirtualAccount {
		view["pay_method"], view["vbank_code"], view["vbank_name"], view["vbank_num"], view["vbank_holder"] = "vbank",
			"004", "국민은행", "00000000000000", "주식회사 상점"
	}
	if r.order.Promotion > 0 {
		view["promotion"] = object{"id": promotionID, "discount": r.v1Amount(r.order.Promotion)}
	}
	return view
}

func (r *record) v1Cancellation(c *cancellation) object {
	at := c.asked
	if c.status == succeeded {
		at = c.done
	}
	return object{
		"pg_tid": "pg_" + c.id, "amount": r.v1Amount(c.amount), "cancelled_at": at.Unix(), "reason": c.reason,
		"cancellation_id": c.id,
	}
}

// v1Balance is what is left of a payment by its parts, which V1 has for Payco alone.
func (r *record) v1Balance() object {
	part := func(amount, taxFree int64) object {
		vat := (amount - taxFree) / 11
		return object{
			"tax_free": r.v1Amount(taxFree), "supply": r.v1Amount(amount - taxFree - vat),
			"vat": r.v1Amount(vat),
		}
	}
	left, taxFree := r.left()
	return object{
		"amount": r.v1Amount(left), "cash_receipt": part(0, 0), "primary": part(left, taxFree), "secondary": part(0, 0),
		"discount": part(r.discount(), 0), "histories": []object{},
	}
}

// v1View is what was registered in advance as V1 shows it.
func (p prepared) v1View(order string) object {
	return object{"merchant_uid": order, "amount": json.Number(units(p.hundredths)), "currency": orNil(p.currency)}
}

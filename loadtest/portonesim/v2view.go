package portonesim

import (
	"maps"
	"strconv"
	"time"
)

const promotionID = "promotion-id-00000000-0000-4000-8000-000000000000"

// v2Status is the payment's status in V2.
func (r *record) v2Status() string {
	if r.state == paid && r.cancelled() > 0 {
		return "PARTIAL_CANCELLED"
	}
	return [...]string{"READY", "PAY_PENDING", "VIRTUAL_ACCOUNT_ISSUED", "PAID", "FAILED", "CANCELLED"}[r.state]
}

// hasV2Status reports whether the payment is what a list is filtered by, which
// calls a pending payment PENDING.
func (r *record) hasV2Status(filter string) bool {
	if r.state == paying {
		return filter == "PENDING"
	}
	return filter == r.v2Status()
}

// v2View is a payment as V2 shows it.
func (r *record) v2View() object {
	view := r.v2Attempt()
	view["id"], view["transactionId"], view["origin"] = r.order.ID, r.attempt, v2Origin()
	if status := view["status"]; status == "PAID" {
		view["disputes"] = r.v2Disputes()
		if len(r.cancels) > 0 {
			view["cancellations"] = r.v2Cancellations()
		}
	}
	return view
}

// v2Transaction is an attempt as V2 shows it among an order's transactions.
func (r *record) v2Transaction() object {
	view := r.v2Attempt()
	view["id"], view["paymentId"] = r.attempt, r.order.ID
	return view
}

// v2Attempt is what payments and transactions have in common. Each status has its
// own fields.
func (r *record) v2Attempt() object {
	view := r.v2Common()
	view["status"], view["amount"] = r.v2Status(), r.v2Amount()
	view["updatedAt"], view["statusChangedAt"] = rfc3339(r.changed), rfc3339(r.turned)
	switch status := view["status"]; status {
	case "READY":
	case "FAILED":
		view["failedAt"], view["failure"] = rfc3339(r.failedAt), object{
			"reason": r.failReason, "pgCode": pgCode, "pgMessage": r.failReason,
		}
	case "CANCELLED", "PARTIAL_CANCELLED":
		view["cancellations"], view["cancelledAt"] = r.v2Cancellations(), rfc3339(r.cancelledAt)
		fallthrough
	default:
		view["pgTxId"] = "pg_" + r.attempt
		if !r.paidAt.IsZero() {
			view["paidAt"] = rfc3339(r.paidAt)
		}
	}
	return view
}

// v2Common is what is said of an attempt whatever has happened.
func (r *record) v2Common() object {
	channel := "LIVE"
	if r.order.Test {
		channel = "TEST"
	}
	view := object{
		"merchantId": "merchant-00000000-0000-4000-8000-000000000000", "storeId": r.order.StoreID,
		"version": r.version(),
		"channel": object{
			"type": channel, "id": "channel-id-00000000-0000-4000-8000-000000000000",
			"key": "channel-key-00000000-0000-4000-8000-000000000000", "name": "simulated",
			"pgProvider": "TOSSPAYMENTS", "pgMerchantId": "simulated",
		},
		"orderName": "simulated order", "currency": r.order.Currency,
		"customer":    object{"name": "홍길동", "email": "buyer@example.com"},
		"method":      r.v2Method(),
		"requestedAt": rfc3339(r.started),
	}
	if r.order.Promotion > 0 {
		view["promotionId"] = promotionID
	}
	return view
}

// version is whose payment it is, as V2 has it.
func (r *record) version() string { return "V" + strconv.Itoa(r.order.Version) }

func v2Origin() object { return object{"platformType": "PC", "ipAddress": "203.0.113.7"} }

func (r *record) v2Amount() object {
	vat := (r.order.Amount - r.order.TaxFree) / 11
	_, cancelledFree := r.sum(succeeded)
	return object{
		"total": r.order.Amount, "taxFree": r.order.TaxFree, "vat": vat,
		"supply":   r.order.Amount - r.order.TaxFree - vat,
		"discount": r.discount(), "paid": r.charged(), "cancelled": r.cancelled(), "cancelledTaxFree": cancelledFree,
	}
}

func (r *record) v2Method() object {
	if !r.order.VirtualAccount {
		return object{"type": "PaymentMethodCard"}
	}
	method := object{"type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "00000000000000"}
	if !r.issued.IsZero() {
		method["issuedAt"] = rfc3339(r.issued)
	}
	if !r.depositBy.IsZero() {
		method["expiredAt"] = rfc3339(r.depositBy)
	}
	if r.refund != "" {
		method["refundStatus"] = r.refund
	}
	return method
}

func (r *record) v2Disputes() []object {
	list := []object{}
	for i, d := range r.disputes {
		view := object{
			"status": "UNRESOLVED", "reason": d.reason, "createdAt": rfc3339(d.created),
			"pgDisputeId": r.attempt + "-" + string(rune('a'+i%26)),
		}
		if !d.resolved.IsZero() {
			view["status"], view["resolvedAt"] = "RESOLVED", rfc3339(d.resolved)
		}
		list = append(list, view)
	}
	return list
}

func (r *record) v2Cancellations() []object {
	list := []object{}
	for _, c := range r.cancels {
		list = append(list, c.v2View())
	}
	return list
}

func (c *cancellation) v2View() object {
	view := object{
		"status": [...]string{requested: "REQUESTED", succeeded: "SUCCEEDED", refused: "FAILED"}[c.status],
		"id":     c.id, "totalAmount": c.amount, "taxFreeAmount": c.taxFree, "vatAmount": c.vat,
		"reason": c.reason, "trigger": c.trigger, "requestedAt": rfc3339(c.asked),
	}
	if c.status == succeeded {
		view["pgCancellationId"], view["cancelledAt"] = "pg_"+c.id, rfc3339(c.done)
	}
	return view
}

// event is what has become of a payment of V2's, as it was shown then.
type event struct {
	r    *record
	at   time.Time
	view object
}

// eventOf returns the event of a cancellation, or of the payment itself where there
// is none.
func (r *record) eventOf(c *cancellation) event {
	view := object{
		"type": r.v2Status(), "id": r.attempt + "-paid", "paymentId": r.order.ID, "transactionId": r.attempt,
		"createdAt":   rfc3339(r.turned),
		"totalAmount": r.v2Amount(), "eventAmount": r.order.Amount, "pgTxId": "pg_" + r.attempt, "origin": v2Origin(),
	}
	if c == nil {
		view["disputes"] = []object{}
	} else {
		view["id"], view["cancellation"], view["eventAmount"] = c.id, c.v2View(), -c.amount
	}
	maps.Copy(view, r.v2Common())
	return event{r, r.turned, view}
}

package portonesim_test

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// comes pays an order whose cancellations come to what is said.
func (w *world) comes(id, body string, cancels ...string) portonesim.Result {
	w.t.Helper()
	return w.pay(id, body, func(o *portonesim.Order) { o.Cancels = cancels })
}

// slowWorld is a world in which nothing slow comes to an end by itself.
func slowWorld(t *testing.T) *world {
	return newWorld(t, plan(portonesim.Plan{SlowBy: time.Hour}))
}

// cancelled is what the simulator has of an order's payment.
func (w *world) cancelled(order string) portonesim.Payment {
	w.t.Helper()
	for _, p := range w.Payments() {
		if p.Order == order {
			return p
		}
	}
	w.t.Fatalf("there is no payment of %s", order)
	return portonesim.Payment{}
}

func TestARequestedCancellationIsNotDone(t *testing.T) {
	t.Parallel()
	w, s := slowWorld(t), newShop(t, nil)
	order := func(id, body string, cancels ...string) {
		o := s.order(id, body)
		o.Cancels = cancels
		w.Pay(t.Context(), o)
	}
	order("order-1", "v2-2024-04-25", "requested")
	order("order-2", "v2-2024-04-25", "request-fails")
	order("order-3", "v1", "requested")
	order("order-4", "v1", "requested")
	cancel := func(order, where string, want any) {
		t.Helper()
		authorization, path, body := "v2", "/payments/"+order+"/cancel",
			`{"reason":"r","currentCancellableAmount":1000}`
		if w.cancelled(order).Version == 1 {
			authorization, path, body = "v1", "/payments/cancel",
				`{"merchant_uid":"`+order+`","checksum":1000,"reason":"r"}`
		}
		if _, a := w.call(authorization, "POST", path, body); at(a, where) != want {
			t.Errorf("%s: %v, want %s %v", order, a, where, want)
		}
	}
	look := func(path, where string, want any) {
		t.Helper()
		authorization := "v1"
		if path == "/payments/order-1" || path == "/payments/order-2" {
			authorization = "v2"
		}
		if _, a := w.call(authorization, "GET", path, ""); fmt.Sprint(at(a, where)) != fmt.Sprint(want) {
			t.Errorf("%s: %s is %v, want %v", path, where, at(a, where), want)
		}
	}
	first := func(path, list, field string, want any) {
		t.Helper()
		authorization := "v1"
		if list == "cancellations" {
			authorization = "v2"
		}
		_, a := w.call(authorization, "GET", path, "")
		items, _ := at(a, list).([]any)
		if len(items) == 0 || items[0].(map[string]any)[field] != want {
			t.Errorf("%s: %s is %v, want one with %s %v", path, list, items, field, want)
		}
	}

	cancel("order-1", "cancellation.status", "REQUESTED")
	cancel("order-2", "cancellation.status", "REQUESTED")
	cancel("order-3", "response.status", "paid")
	cancel("order-4", "response.status", "paid")
	for _, order := range []string{"order-1", "order-3"} {
		if p := w.cancelled(order); p.Requested != 1000 || p.Cancelled != 0 || p.Status != "paid" ||
			p.CancelCalls != 1 {
			t.Errorf("%s is %+v, want that 1000 are requested", order, p)
		}
	}
	look("/payments/order-1", "status", "PAID")
	look("/payments/order-1", "amount.cancelled", 0)
	first("/payments/order-1", "cancellations", "status", "REQUESTED")
	look("/payments/find/order-3", "response.cancel_amount", 0)
	first("/payments/find/order-3", "response.cancel_history", "amount", 1000.0)
	// Asked for again it is refused: nothing is left to ask for.
	cancel("order-1", "type", "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN")
	cancel("order-3", "code", 1.0)

	for order, fails := range map[string]bool{"order-1": false, "order-2": true, "order-3": false, "order-4": true} {
		if err := w.Settle(order, fails); err != nil {
			t.Error(err)
		}
	}
	look("/payments/order-1", "status", "CANCELLED")
	look("/payments/order-2", "status", "PAID")
	first("/payments/order-1", "cancellations", "status", "SUCCEEDED")
	first("/payments/order-2", "cancellations", "status", "FAILED")
	look("/payments/find/order-3", "response.status", "cancelled")
	look("/payments/find/order-4", "response.status", "paid")
	look("/payments/find/order-4", "response.cancel_history", "[]")
	cancel("order-1", "type", "PAYMENT_ALREADY_CANCELLED")
	if err := w.Settle("order-1", false); err == nil {
		t.Error("what has ended was ended again")
	}
	testkit.Until(t, "the webhooks of what was requested, and of what was done", func() bool {
		pending, done := 0, 0
		for _, m := range s.got("webhook") {
			switch news(t, m) {
			case "Transaction.CancelPending":
				pending++
			case "Transaction.Cancelled", "cancelled":
				done++
			}
		}
		return pending == 2 && done == 2
	})
}

func TestRequestedCancellationsEndByThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{SlowBy: time.Millisecond}))
	w.comes("order-1", "v2-2024-04-25", "requested")
	w.comes("order-2", "v1", "request-fails", "done")
	w.call("v2", "POST", "/payments/order-1/cancel", `{"reason":"r"}`)
	w.call("v1", "POST", "/payments/cancel", `merchant_uid=order-2`)
	testkit.Until(t, "both to end", func() bool {
		return w.cancelled("order-1").Status == "cancelled" && w.cancelled("order-2").Requested == 0
	})
	if _, a := w.call("v1", "POST", "/payments/cancel", `merchant_uid=order-2&checksum=1000`); at(a,
		"response.status") != "cancelled" {
		t.Errorf("after a request that failed: %v", a)
	}
}

// What Settle has ended does not end once more by itself.
func TestARequestEndsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{SlowBy: 100 * time.Millisecond}))
	for _, order := range []string{"order-1", "order-2"} {
		w.comes(order, "v2-2024-04-25", "requested")
		w.call("v2", "POST", "/payments/"+order+"/cancel", `{"reason":"r"}`)
	}
	if err := w.Settle("order-1", false); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the other to end", func() bool { return w.cancelled("order-2").Status == "cancelled" })
	w.Close() // waits for what has begun
	if _, a := w.call("v2", "GET", "/payment-events-by-cursor", ""); len(a["items"].([]any)) != 4 {
		t.Errorf("the events are %v, want a payment and a cancellation of each", a)
	}
}

func TestStaffNeedNotSayWhatIsTaxFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pay("order-1", "v2-2024-04-25", func(o *portonesim.Order) { o.TaxFree = 400 })
	if err := w.Cancel("order-1", "", 700); err != nil {
		t.Error(err)
	}
	if _, a := w.call("v2", "GET", "/payments/order-1", ""); at(a, "amount.cancelledTaxFree") != 100.0 {
		t.Errorf("after 700 of 600 that are taxed and 400 that are not: %v", a)
	}
	if err := w.Cancel("order-1", "", 0); err != nil || w.only().Status != "cancelled" {
		t.Errorf("the rest: %v, %+v", err, w.only())
	}
}

func TestADefiniteFailureStaysWithItsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.comes("order-1", "v2-2024-04-25", "PG_PROVIDER", "failed", "done")
	w.comes("order-2", "v1", "PG_PROVIDER", "failed", "done")
	f := func(key string, status int, where string, want any) {
		t.Helper()
		got, a := w.call("v2", "POST", "/payments/order-1/cancel", `{"reason":"r"}`, "Idempotency-Key", key)
		if got != status || at(a, where) != want {
			t.Errorf("%s: %d %v, want %d with %s %v", key, got, a, status, where, want)
		}
	}
	f("key-0000000000-1", 502, "type", "PG_PROVIDER")
	f("key-0000000000-1", 502, "pgCode", "SIM-0001")
	w.clock.Move(3 * time.Hour)
	f("key-0000000000-1", 502, "type", "PG_PROVIDER")
	if p := w.cancelled("order-1"); p.CancelCalls != 1 {
		t.Errorf("there were %d cancel calls, want one beside the answers that were kept", p.CancelCalls)
	}
	f("key-0000000000-2", 200, "cancellation.status", "FAILED")
	w.clock.Move(time.Second)
	f("key-0000000000-1", 200, "cancellation.status", "SUCCEEDED")
	for _, code := range []float64{1, 1, 0} {
		if _, a := w.call("v1", "POST", "/payments/cancel", `merchant_uid=order-2&checksum=1000`); a["code"] != code {
			t.Errorf("V1: %v, want the code %v", a, code)
		}
	}
}

func TestEachRefusalOfACancellation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{MaxCancels: 3}))
	pay := func(id string, change func(*portonesim.Order)) {
		w.pay(id, "v2-2024-04-25", change)
		w.pay(id, "v1", change)
	}
	pay("taxed", func(*portonesim.Order) {})
	pay("free", func(o *portonesim.Order) { o.TaxFree = 1000 })
	pay("mixed", func(o *portonesim.Order) { o.TaxFree = 400 })
	pay("promoted", func(o *portonesim.Order) { o.Promotion = 600 })
	pay("retained", func(o *portonesim.Order) { o.Promotion = 600 })
	pay("final", func(o *portonesim.Order) { o.Cancels = []string{"NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT"} })
	f := func(order, v2, v1 string, status int, kind any) {
		t.Helper()
		if got, a := w.call("v2", "POST", "/payments/"+order+"/cancel", `{"reason":"r"`+v2+`}`); got != status ||
			a["type"] != kind {
			t.Errorf("V2 %s %s: %d %v, want %d with %v", order, v2, got, a, status, kind)
		}
		if got, a := w.call("v1", "POST", "/payments/cancel", "merchant_uid="+order+v1); got != 200 ||
			(a["code"] == 0.0) != (kind == nil) || a["message"] == "" {
			t.Errorf("V1 %s %s: %d %v, want 200 with a code for %v", order, v1, got, a, kind)
		}
	}
	f("free", ``, ``, 409, "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT")
	f("free", `,"taxFreeAmount":1000`, `&tax_free=1000`, 200, nil)
	f("free", `,"taxFreeAmount":1000`, `&tax_free=1000`, 409, "PAYMENT_ALREADY_CANCELLED")
	f("taxed", `,"taxFreeAmount":1`, `&tax_free=1`, 409, "CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT")
	f("taxed", `,"amount":100,"taxFreeAmount":60,"vatAmount":50`, `&amount=100&tax_free=60&vat_amount=50`, 409,
		"SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT")
	f("taxed", `,"taxFreeAmount":-1`, `&tax_free=-1`, 400, "INVALID_REQUEST")
	f("taxed", `,"amount":1001`, `&amount=1001`, 409, "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT")
	f("taxed", `,"currentCancellableAmount":999`, `&checksum=999`, 409, "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN")
	for range 3 {
		f("taxed", `,"amount":1`, `&amount=1`, 200, nil)
	}
	f("taxed", `,"amount":1`, `&amount=1`, 409, "MAX_CANCEL_COUNT_REACHED")
	f("mixed", `,"amount":700`, `&amount=700`, 409, "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT")
	f("mixed", `,"amount":700,"taxFreeAmount":100`, `&amount=700&tax_free=100`, 200, nil)
	f("mixed", `,"taxFreeAmount":300`, `&tax_free=300`, 200, nil)
	f("promoted", `,"amount":550`, `&amount=550`, 400, "NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT")
	f("promoted", ``, ``, 200, nil)
	f("retained", `,"amount":550,"promotionDiscountRetainOption":"RETAIN"`,
		`&amount=550&retain_promotion=true`, 200, nil)
	f("retained", ``, ``, 400, "PROMOTION_DISCOUNT_RETAIN_OPTION_SHOULD_NOT_BE_CHANGED")
	f("final", ``, ``, 400, "NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT")
	f("final", ``, ``, 400, "NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT")
	if got, a := w.call("v2", "POST", "/payments/retained/cancel",
		`{"reason":"r","promotionDiscountRetainOption":"KEEP"}`); got != 400 || a["type"] != "INVALID_REQUEST" {
		t.Errorf("an unknown option: %d %v", got, a)
	}
	_, a := w.call("v2", "GET", "/payments/mixed", "")
	if at(a, "amount.cancelledTaxFree") != 400.0 || at(a, "amount.taxFree") != 400.0 {
		t.Errorf("a payment with a tax-free part is %v", a)
	}
}

func TestDiscountsAndPromotionsTakeNothingOffWhatCanBeCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	off := func(o *portonesim.Order) { o.Discount, o.Promotion = 100, 50 }
	w.pay("order-1", "v2-2024-04-25", off)
	w.pay("order-1", "v1", off)
	_, a := w.call("v2", "GET", "/payments/order-1", "")
	if at(a, "amount.total") != 1000.0 || at(a, "amount.discount") != 150.0 || at(a, "amount.paid") != 850.0 ||
		a["promotionId"] == nil {
		t.Errorf("V2 shows %v", a)
	}
	_, a = w.call("v1", "GET", "/payments/find/order-1", "")
	if at(a, "response.amount") != 1000.0 || at(a, "response.promotion.discount") != 50.0 {
		t.Errorf("V1 shows %v", a)
	}
	if got, a := w.call("v2", "POST", "/payments/order-1/cancel",
		`{"reason":"r","currentCancellableAmount":1000}`); got != 200 {
		t.Errorf("V2: %d %v", got, a)
	}
	if _, a := w.call("v1", "POST", "/payments/cancel", `merchant_uid=order-1&checksum=1000`); a["code"] != 0.0 {
		t.Errorf("V1: %v", a)
	}
}

func TestSlowCancellationsAreDoneThoughNobodyWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{SlowBy: 50 * time.Millisecond}))
	w.comes("order-1", "v2-2024-04-25", "slow")
	begun := time.Now()
	if got, _ := w.call("v2", "POST", "/payments/order-1/cancel", `{"reason":"r"}`); got != 200 ||
		time.Since(begun) < 50*time.Millisecond {
		t.Errorf("%d after %v", got, time.Since(begun))
	}
}

func TestSharesOfCancellationsAreKept(t *testing.T) {
	t.Parallel()
	const orders = 300
	f := func(what string, p portonesim.Plan, count func(status int, answer map[string]any) bool) {
		t.Helper()
		w, n := newWorld(t, plan(p)), 0
		for i := range orders {
			order := fmt.Sprint("order-", i)
			w.pay(order, "v2-2024-04-25")
			if count(w.call("v2", "POST", "/payments/"+order+"/cancel", `{"reason":"r"}`)) {
				n++
			}
		}
		if share := float64(n) / orders; math.Abs(share-0.3) > 0.09 {
			t.Errorf("%s: %d of %d, want 30 %%", what, n, orders)
		}
	}
	f("requested", portonesim.Plan{RequestedCancels: 0.3, SlowBy: time.Hour}, func(_ int, a map[string]any) bool {
		return at(a, "cancellation.status") == "REQUESTED"
	})
	f("requests that fail", portonesim.Plan{FailedRequests: 0.3, SlowBy: time.Hour},
		func(_ int, a map[string]any) bool {
			return at(a, "cancellation.status") == "REQUESTED"
		})
	f("failed", portonesim.Plan{FailedCancels: 0.3},
		func(_ int, a map[string]any) bool { return at(a, "cancellation.status") == "FAILED" })
	f("gateway's errors", portonesim.Plan{PGErrors: 0.3},
		func(status int, _ map[string]any) bool { return status == http.StatusBadGateway })
	f("refused for good", portonesim.Plan{FinalRefusals: 0.3},
		func(status int, _ map[string]any) bool { return status == 400 || status == 409 })
	f("tax-free", portonesim.Plan{TaxFree: 0.3}, func(_ int, a map[string]any) bool {
		return a["type"] == "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT"
	})
}

package portonesim_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func TestAKeyIsOfOneCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pay("order-1", "v2-2024-04-25")
	w.pay("order-2", "v2-2024-04-25")
	f := func(path, key, body string, status int, kind any) {
		t.Helper()
		got, a := w.call("v2", "POST", path, body, "Idempotency-Key", key)
		if got != status || a["type"] != kind {
			t.Errorf("%s %s %s: %d %v, want %d with %v", path, key, body, got, a, status, kind)
		}
	}
	f("/payments/order-1/cancel", "key-0000000000-1", `{"reason":"r","amount":400}`, 200, nil)
	f("/payments/order-1/cancel", "key-0000000000-1", `{"reason":"r","amount":300}`, 400, "INVALID_REQUEST")
	f("/payments/order-2/cancel", "key-0000000000-1", `{"reason":"r","amount":400}`, 400, "INVALID_REQUEST")
	f("/payments/order-1/pre-register", "key-0000000000-1", `{"reason":"r","amount":400}`, 400, "INVALID_REQUEST")
	f("/payments/order-1/cancel", `"key-0000000000-1"`, `{"reason":"r","amount":400}`, 200, nil)
	f("/payments/order-1/cancel", `key.0000000000.1`, `{"reason":"r","amount":400}`, 400, "INVALID_REQUEST")
	if p := w.Payments(); p[0].Cancelled != 400 || p[1].Cancelled != 0 {
		t.Errorf("the simulator has %+v", p)
	}
	w.clock.Move(3*time.Hour + time.Second)
	f("/payments/order-2/cancel", "key-0000000000-1", `{"reason":"r"}`, 200, nil)
}

func TestV2HoldsToWhatWasRegisteredInAdvance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := func(order, body string, status int, kind any) {
		t.Helper()
		if got, a := w.call("v2", "POST", "/payments/"+order+"/pre-register", body); got != status ||
			a["type"] != kind {
			t.Errorf("%s: %d %v, want %d with %v", body, got, a, status, kind)
		}
	}
	pay := func(order string, amount int64, currency, want string) {
		t.Helper()
		r := w.pay(order, "v2-2024-04-25", func(o *portonesim.Order) { o.Amount, o.Currency = amount, currency })
		if r.Status != want || (r.Attempt == "") != (want == "failed") {
			t.Errorf("%s, %d %s: %+v, want %s", order, amount, currency, r, want)
		}
	}
	f("order-1", `{"totalAmount":900}`, 200, nil)
	f("order-1", `{"totalAmount":1000,"currency":"KRW"}`, 200, nil)
	pay("order-1", 10, "KRW", "failed")
	pay("order-1", 1000, "USD", "failed")
	pay("order-1", 1000, "KRW", "paid")
	f("order-1", `{"totalAmount":1000}`, 409, "ALREADY_PAID")
	f("order-2", `{"currency":"USD"}`, 200, nil)
	pay("order-2", 10, "USD", "paid")
	f("order-3", `{"totalAmount":0}`, 400, "INVALID_REQUEST")
	f("order-3", `no JSON`, 400, "INVALID_REQUEST")
	f("order-3", `{"storeId":"store-other"}`, 403, "FORBIDDEN")
	pay("order-3", 10, "KRW", "paid")
}

func TestTheShopsServerConfirmsByHand(t *testing.T) {
	t.Parallel()
	by := func(o *portonesim.Order) { o.ManualConfirm = true }
	f := func(w *world, order, body string, status int, kind any) map[string]any {
		t.Helper()
		got, a := w.call("v2", "POST", "/payments/"+order+"/confirm", body)
		if got != status || a["type"] != kind {
			t.Errorf("%s %s: %d %v, want %d with %v", order, body, got, a, status, kind)
		}
		return a
	}
	w := newWorld(t)
	r := w.pay("order-1", "v2-2024-04-25", by)
	if r.Status != "ready" || r.PaymentToken == "" || w.only().Status != "ready" {
		t.Fatalf("the buyer sees %+v, want a token and that nothing is paid yet", r)
	}
	token := `{"paymentToken":"` + r.PaymentToken + `"`
	f(w, "order-1", `{}`, 400, "INVALID_PAYMENT_TOKEN")
	f(w, "order-1", `{"paymentToken":"x"}`, 400, "INVALID_PAYMENT_TOKEN")
	f(w, "order-2", token+`}`, 404, "PAYMENT_NOT_FOUND")
	f(w, "order-1", token+`,"totalAmount":999}`, 409, "INFORMATION_MISMATCH")
	f(w, "order-1", token+`,"currency":"USD"}`, 409, "INFORMATION_MISMATCH")
	f(w, "order-1", token+`,"isTest":true}`, 409, "INFORMATION_MISMATCH")
	f(w, "order-1", token+`,"txId":"x"}`, 409, "INFORMATION_MISMATCH")
	f(w, "order-1", token+`,"taxFreeAmount":1}`, 409, "INFORMATION_MISMATCH")
	a := f(w, "order-1", token+`,"totalAmount":1000,"currency":"KRW","isTest":false,"txId":"`+r.Attempt+`"}`, 200, nil)
	if a["pgTxId"] == nil || a["paidAt"] != w.clock.Now().UTC().Format("2006-01-02T15:04:05.000Z") ||
		w.only().Status != "paid" {
		t.Errorf("the answer is %v, the payment %+v", a, w.only())
	}
	f(w, "order-1", token+`}`, 409, "ALREADY_PAID")

	w = newWorld(t, plan(portonesim.Plan{Declines: 1}))
	token = `{"paymentToken":"` + w.pay("order-1", "v2-2024-01-01", by).PaymentToken + `"}`
	f(w, "order-1", token, 502, "PG_PROVIDER")
	f(w, "order-1", token, 400, "INVALID_PAYMENT_TOKEN")
	f(w, "order-1", `{"paymentToken":""}`, 400, "INVALID_PAYMENT_TOKEN")
	if p := w.only(); p.Status != "failed" {
		t.Errorf("the payment is %+v, want failed", p)
	}

	w = newWorld(t, plan(portonesim.Plan{Never: 1}))
	if r := w.pay("order-1", "v2-2024-04-25", by); r.PaymentToken != "" {
		t.Errorf("who leaves is given a token: %+v", r)
	}
	for _, change := range []func(*portonesim.Order){
		func(o *portonesim.Order) { o.Body = "v1" },
		func(o *portonesim.Order) { o.VirtualAccount = true },
		func(o *portonesim.Order) { o.ConfirmURL = w.url },
	} {
		if r := w.pay("order-2", "v2-2024-04-25", by, change); r.Attempt != "" {
			t.Errorf("what cannot be confirmed by hand came to %+v", r)
		}
	}
}

func TestAConfirmationMayTellOfNothing(t *testing.T) {
	t.Parallel()
	f := func(more string, want ...string) {
		t.Helper()
		w, s := newWorld(t), newShop(t, nil)
		o := s.order("order-1", "v2-2024-04-25")
		o.ConfirmURL, o.ManualConfirm = "", true
		token := w.Pay(t.Context(), o).PaymentToken
		w.call("v2", "POST", "/payments/order-1/confirm", `{"paymentToken":"`+token+`"`+more+`}`)
		w.Close()
		var got []string
		for _, m := range s.got("webhook") {
			got = append(got, news(t, m))
		}
		if !slices.Equal(got, want) || w.only().Status != "paid" {
			t.Errorf("%s: the webhooks are %q of %+v, want %q", more, got, w.only(), want)
		}
	}
	f(``, "Transaction.Ready", "Transaction.Paid")
	f(`,"skipWebhook":true`, "Transaction.Ready")
}

func TestV2SendsAWebhookAgainWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{DroppedHooks: 1}))
	status := http.StatusOK
	s := newShop(t, func(w http.ResponseWriter, m message) {
		if m.kind == "webhook" {
			w.WriteHeader(status)
		}
	})
	w.Pay(t.Context(), s.order("order-1", "v2-2024-04-25"))
	w.pay("order-2", "v2-2024-04-25")
	f := func(order, body string, status int, where, want string) map[string]any {
		t.Helper()
		got, a := w.call("v2", "POST", "/payments/"+order+"/resend-webhook", body)
		if got != status || fmt.Sprint(at(a, where)) != want {
			t.Errorf("%s %s: %d %v, want %d with %s %s", order, body, got, a, status, where, want)
		}
		return a
	}
	if n := len(s.got("webhook")); n != 0 {
		t.Fatalf("%d webhooks came that were to be dropped", n)
	}
	a := f("order-1", `{}`, 200, "webhook.paymentStatus", "PAID")
	got := s.got("webhook")
	if len(got) != 1 || news(t, got[0]) != "Transaction.Paid" ||
		got[0].header.Get("webhook-id") != at(a, "webhook.id") || got[0].body != at(a, "webhook.request.body") {
		t.Fatalf("the shop got %v, the answer is %v", got, a)
	}
	status = http.StatusInternalServerError
	f("order-1", fmt.Sprintf(`{"webhookId":%q}`, at(a, "webhook.id")), 200, "webhook.status", "FAILED_NOT_OK_RESPONSE")
	f("order-1", `{}`, 200, "webhook.currentExecutionCount", "3")
	s.Close()
	f("order-1", `{}`, 200, "webhook.status", "FAILED_UNEXPECTED_ERROR")
	f("order-1", `{"webhookId":"whid_0"}`, 404, "type", "WEBHOOK_NOT_FOUND")
	f("order-2", `{}`, 404, "type", "WEBHOOK_NOT_FOUND")
	f("order-3", `{}`, 404, "type", "PAYMENT_NOT_FOUND")
}

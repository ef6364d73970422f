package portonesim_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func TestV2ShowsPayments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.pay("order-1", "v2-2024-04-25").Attempt
	w.clock.Move(time.Minute)
	w.pay("order-2", "v2-2024-01-01", func(o *portonesim.Order) { o.Test = true })
	w.clock.Move(time.Minute)
	w.pay("order-3", "v2-2024-04-25", func(o *portonesim.Order) { o.VirtualAccount = true })
	w.pay("order-4", "v1")

	f := func(path string, status int, where, want string) {
		t.Helper()
		got, a := w.call("v2", "GET", path, "")
		if got != status || fmt.Sprint(at(a, where)) != want {
			t.Errorf("%s: %d with %s %v, want %d with %q: %v", path, got, where, at(a, where), status, want, a)
		}
	}
	f("/payments/order-1", 200, "status", "PAID")
	f("/payments/order-1", 200, "id", "order-1")
	f("/payments/order-1", 200, "transactionId", first)
	f("/payments/order-1", 200, "amount.total", "1000")
	f("/payments/order-1", 200, "amount.paid", "1000")
	f("/payments/order-1", 200, "channel.type", "LIVE")
	f("/payments/order-1?storeId="+portonesim.StoreID, 200, "status", "PAID")
	f("/payments/order-1?storeId=store-other", 403, "type", "FORBIDDEN")
	f("/payments/order-2", 200, "channel.type", "TEST")
	f("/payments/order-3", 200, "status", "VIRTUAL_ACCOUNT_ISSUED")
	f("/payments/order-4", 404, "type", "PAYMENT_NOT_FOUND")
	f("/payments/order-4/transactions", 404, "type", "PAYMENT_NOT_FOUND")

	list := func(ask string, want ...string) {
		t.Helper()
		status, a := w.call("v2", "GET", "/payments?"+query(ask), "")
		var got []string
		items, _ := a["items"].([]any)
		for _, item := range items {
			got = append(got, item.(map[string]any)["id"].(string))
		}
		if status != 200 || !slices.Equal(got, want) {
			t.Errorf("%s: %d with %v, want %v: %v", ask, status, got, want, a)
		}
	}
	list(`{}`, "order-4", "order-3", "order-2", "order-1") // V1's too
	list(`{"filter":{"version":"V2"}}`, "order-3", "order-2", "order-1")
	list(`{"filter":{"sortOrder":"ASC"}}`, "order-1", "order-2", "order-3", "order-4")
	list(`{"page":{"number":1,"size":3},"filter":{"sortOrder":"ASC"}}`, "order-4")
	list(`{"page":{"number":2,"size":2}}`)
	list(`{"filter":{"status":["PAID"]}}`, "order-4", "order-2", "order-1")
	list(`{"filter":{"isTest":false,"status":["PAID"]}}`, "order-4", "order-1")
	list(`{"filter":{"version":"V1"}}`, "order-4")
	minute := w.clock.Now().Add(-time.Minute).Format(time.RFC3339)
	list(`{"filter":{"timestampType":"CREATED_AT","from":"`+minute+`"}}`, "order-4", "order-3", "order-2")
	list(`{"filter":{"timestampType":"CREATED_AT","until":"`+minute+`"}}`, "order-2", "order-1")
	w.clock.Move(time.Minute)
	if err := w.Cancel("order-1", "", 0); err != nil {
		t.Error(err)
	}
	minute = w.clock.Now().Format(time.RFC3339)
	list(`{"filter":{"timestampType":"CREATED_AT","from":"` + minute + `"}}`)
	list(`{"filter":{"from":"`+minute+`"}}`, "order-1")
	list(`{"filter":{"sortBy":"STATUS_CHANGED_AT"}}`, "order-1", "order-4", "order-3", "order-2")
	f("/payments?"+query(`{"page":{"size":1001}}`), 400, "type", "INVALID_REQUEST")
	f("/payments?"+query(`{"filter":{"sortBy":"NAME"}}`), 400, "type", "INVALID_REQUEST")
	f("/payments?"+query(`no JSON`), 400, "type", "INVALID_REQUEST")
	f("/payments?"+query(`{"filter":{"storeId":"store-other"}}`), 403, "type", "FORBIDDEN")

	if status, a := w.call("PortOne wrong", "GET", "/payments/order-1", ""); status != 401 ||
		a["type"] != "UNAUTHORIZED" {
		t.Errorf("a wrong secret: %d %v", status, a)
	}
}

func TestV2HasEveryAttemptAndPaysAnOrderOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{Declines: 0.5}))
	order := ""
	for i := 0; order == ""; i++ {
		if id := fmt.Sprint("order-", i); w.pay(id, "v2-2024-04-25").Status == "failed" {
			order = id
		}
	}
	tries := 1
	for w.pay(order, "v2-2024-04-25").Status != "paid" {
		tries++
	}
	_, a := w.call("v2", "GET", "/payments/"+order+"/transactions", "")
	items := a["items"].([]any)
	first := items[0].(map[string]any)
	if len(items) != tries+1 || first["status"] != "FAILED" || first["paymentId"] != order ||
		at(first, "failure.reason") == nil {
		t.Errorf("after %d failures the transactions are %v", tries, a)
	}
	if r := w.pay(order, "v2-2024-04-25"); r.Status != "failed" || r.Attempt != "" {
		t.Errorf("a paid order was paid again: %+v", r)
	}
}

func TestTwoWindowsPayAnOrderOfV2OnceAndOneOfV1Twice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{Twice: 1}))
	f := func(order, body string, want int) {
		t.Helper()
		w.pay(order, body)
		attempts, paid := 0, 0
		for _, p := range w.Payments() {
			if p.Order == order {
				attempts++
				if p.Paid {
					paid++
				}
			}
		}
		if attempts != 2 || paid != want {
			t.Errorf("%s: %d of %d attempts are paid, want %d of 2", body, paid, attempts, want)
		}
	}
	f("order-1", "v2-2024-04-25", 1)
	if _, a := w.call("v2", "GET", "/payments/order-1", ""); a["status"] != "PAID" {
		t.Errorf("the payment is %v, want the one that succeeded", a)
	}
	f("order-2", "v1", 2)
}

func TestV2CancelsOnceForAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pay("order-1", "v2-2024-04-25")
	w.pay("order-2", "v2-2024-04-25", func(o *portonesim.Order) { o.VirtualAccount = true })
	f := func(order, key, body string, status int, where string, want any) {
		t.Helper()
		got, a := w.call("v2", "POST", "/payments/"+order+"/cancel", body, "Idempotency-Key", key)
		if got != status || at(a, where) != want {
			t.Errorf("%s %s: %d %v, want %d with %s %v", key, body, got, a, status, where, want)
		}
	}
	f("order-1", `"short"`, `{"reason":"r"}`, 400, "type", "INVALID_REQUEST")
	f("order-1", `"key-0000000000-0"`, `{}`, 400, "type", "INVALID_REQUEST")
	f("order-1", `"key-0000000000-1"`, `{"reason":"r","currentCancellableAmount":900}`, 409, "type",
		"CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN")
	f("order-1", `"key-0000000000-2"`, `{"reason":"r","amount":2000}`, 409, "type",
		"CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT")
	f("order-1", `"key-0000000000-3"`, `{"reason":"r","amount":400}`, 200, "cancellation.totalAmount", 400.0)
	f("order-1", `"key-0000000000-3"`, `{"reason":"r","amount":400}`, 200, "cancellation.totalAmount", 400.0)
	if _, a := w.call("v2", "GET", "/payments/order-1", ""); a["status"] != "PARTIAL_CANCELLED" ||
		at(a, "amount.cancelled") != 400.0 {
		t.Errorf("a key that came twice, cancelled in part: %v", a)
	}
	f("order-1", `"key-0000000000-4"`, `{"reason":"r","currentCancellableAmount":600}`, 200,
		"cancellation.status", "SUCCEEDED")
	f("order-1", `"key-0000000000-5"`, `{"reason":"r"}`, 409, "type", "PAYMENT_ALREADY_CANCELLED")
	f("order-1", "", `{"reason":"r"}`, 409, "type", "PAYMENT_ALREADY_CANCELLED")
	f("order-2", "", `{"reason":"r"}`, 409, "type", "PAYMENT_NOT_PAID")
	f("order-3", "", `{"reason":"r"}`, 404, "type", "PAYMENT_NOT_FOUND")
	w.clock.Move(3*time.Hour + time.Second)
	f("order-1", `"key-0000000000-3"`, `{"reason":"r","amount":400}`, 409, "type", "PAYMENT_ALREADY_CANCELLED")
	if p := w.Payments()[0]; p.Cancellations != 2 || p.Cancelled != 1000 {
		t.Errorf("the simulator has %+v", p)
	}
}

func TestAKeyWhoseCallIsRunningIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{SlowCancels: 1, SlowBy: 500 * time.Millisecond}))
	w.pay("order-1", "v2-2024-04-25")
	statuses := map[int]int{}
	var mu sync.Mutex
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			status, _ := w.call("v2", "POST", "/payments/order-1/cancel", `{"reason":"r"}`, "Idempotency-Key",
				`"key-0000000000-1"`)
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	calls.Wait()
	if statuses[http.StatusOK] == 0 || statuses[http.StatusConflict] == 0 || len(statuses) != 2 {
		t.Errorf("eight calls with a key came to %v, want some of 200 and some of 409", statuses)
	}
	if p := w.only(); p.Cancellations != 1 {
		t.Errorf("the simulator has %+v", p)
	}
}

package portonesim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func TestATokenIsSharedAndExtendedInItsLastMinute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func() (token string, life float64) {
		_, a := w.call("", "POST", "/users/getToken", "imp_key=key&imp_secret=secret")
		return at(a, "response.access_token").(string),
			at(a, "response.expired_at").(float64) - at(a, "response.now").(float64)
	}
	f := func(after time.Duration, sameToken bool, wantLife float64) {
		t.Helper()
		before, _ := ask()
		w.clock.Move(after)
		token, life := ask()
		if (token == before) != sameToken || life != wantLife {
			t.Errorf("after %v: the same token %v, life %v, want %v, %v", after, token == before, life,
				sameToken, wantLife)
		}
	}
	f(0, true, 30*60)
	f(29*time.Minute-time.Second, true, 61)
	f(time.Second, true, 60+5*60)
	f(6*time.Minute, false, 30*60)

	token := w.newToken()
	for authorization, want := range map[string]int{"Bearer " + token: 404, token: 404, "Bearer x": 401, "": 401} {
		if status, _ := w.call(authorization, "GET", "/payments/imp_1", ""); status != want {
			t.Errorf("Authorization %q: %d, want %d", authorization, status, want)
		}
	}
	w.clock.Move(30 * time.Minute)
	if status, a := w.call("Bearer "+token, "GET", "/payments/imp_1", ""); status != 401 || a["code"] != -1.0 {
		t.Errorf("a token that has ended: %d %v", status, a)
	}
	if status, a := w.call("", "POST", "/users/getToken", `{"imp_key":"key","imp_secret":"wrong"}`); status != 401 ||
		a["code"] != -1.0 {
		t.Errorf("a wrong secret: %d %v", status, a)
	}
}

func TestV1ShowsPayments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	paid := w.pay("order 1/2", "v1").Attempt
	again := w.pay("order 1/2", "v1").Attempt
	test := w.pay("order-3", "v1", func(o *portonesim.Order) { o.Test = true }).Attempt
	bank := w.pay("order-4", "v1", func(o *portonesim.Order) { o.VirtualAccount = true }).Attempt
	w.pay("order-5", "v2-2024-04-25")

	f := func(path string, status int, where, want string) {
		t.Helper()
		got, a := w.call("v1", "GET", path, "")
		if got != status || fmt.Sprint(at(a, where)) != want {
			t.Errorf("%s: %d with %s %v, want %d with %q: %v", path, got, where, at(a, where), status, want, a)
		}
	}
	f("/payments/"+paid, 200, "response.status", "paid")
	f("/payments/"+paid, 200, "response.merchant_uid", "order 1/2")
	f("/payments/"+paid, 200, "response.amount", "1000")
	f("/payments/"+paid, 200, "response.sandbox", "false")
	f("/payments/"+paid, 200, "response.vbank_date", "0")
	f("/payments/"+bank, 200, "response.status", "ready")
	f("/payments/imp_0", 404, "code", "-1")
	f("/payments/"+test, 404, "code", "-1")
	f("/payments/"+test+"?include_sandbox=true", 200, "response.sandbox", "true")

	f("/payments?imp_uid[]="+paid+"&imp_uid[]="+again, 200, "code", "0")
	f("/payments?imp_uid[]="+paid+"&imp_uid[]=imp_0", 207, "code", "0")
	f("/payments?imp_uid[]="+paid+"&imp_uid[]="+test, 207, "code", "0")
	f("/payments?imp_uid[]="+test+"&include_sandbox=true", 404, "code", "-1") // only GET /payments/{imp_uid} has it
	f("/payments?imp_uid[]=imp_0", 404, "code", "-1")
	f("/payments?"+strings.Repeat("imp_uid[]=x&", 101), 400, "code", "-1")

	f("/payments/findAll/order%201%2F2/", 200, "response.total", "2")
	f("/payments/findAll/order%201%2F2", 200, "response.total", "2")
	f("/payments/findAll/order%201%2F2/paid/", 200, "response.total", "2")
	f("/payments/findAll/order%201%2F2/failed", 404, "code", "-1")
	f("/payments/findAll/order%201%2F2/gone", 400, "code", "-1")
	f("/payments/findAll/order%201%2F2/?sorting=name", 400, "code", "-1")
	f("/payments/findAll/order-3/", 200, "response.total", "1")
	f("/payments/findAll/order-5/", 404, "code", "-1")
	f("/payments/find/order%201%2F2/", 200, "response.imp_uid", again)
	f("/payments/findAll/order%201%2F2/?limit=1", 200, "response.next", "2")
	f("/payments/findAll/order%201%2F2/?limit=1&page=2", 200, "response.next", "0")
	f("/payments/findAll/order%201%2F2/?limit=1&page=2", 200, "response.previous", "1")
	f("/payments/findAll/order%201%2F2/?limit=1001", 400, "code", "-1")

	f("/payments/status/all", 200, "response.total", "3")
	f("/payments/status/all?include_sandbox=true", 200, "response.total", "3")
	f("/payments/status/ready", 200, "response.total", "1")
	f("/payments/status/cancelled", 200, "response.total", "0")
	f("/payments/status/gone", 400, "code", "-1")
	f("/payments/status/paid?page=2", 400, "code", "-1")
	f(fmt.Sprintf("/payments/status/all?to=%d", w.clock.Now().Unix()-1), 200, "response.total", "0")
	f("/payments/status/all?from=0", 400, "code", "-1")

	sorted := func(sorting, first string) {
		t.Helper()
		_, a := w.call("v1", "GET", "/payments/findAll/order%201%2F2/?sorting="+sorting, "")
		if got := at(a, "response.list").([]any)[0].(map[string]any)["imp_uid"]; got != first {
			t.Errorf("sorting %s: %v is first, want %s", sorting, got, first)
		}
	}
	sorted("started", paid)
	sorted("-started", again)
	sorted("-paid", again)
}

func TestV1CancelsOnceAndOnlyTheBalanceAgreedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.pay("order-1", "v1").Attempt
	w.pay("order-2", "v1")
	w.pay("order-3", "v1", func(o *portonesim.Order) { o.VirtualAccount = true })

	f := func(body string, code float64, cancelled any) {
		t.Helper()
		status, a := w.call("v1", "POST", "/payments/cancel", body)
		if status != http.StatusOK || a["code"] != code || at(a, "response.cancel_amount") != cancelled {
			t.Errorf("%s: %d, %v; want code %v with %v cancelled", body, status, a, code, cancelled)
		}
	}
	f(`{"imp_uid":"imp_0"}`, 1, nil)
	f(`{"imp_uid":"`+first+`","checksum":999}`, 1, nil)
	f(`{"imp_uid":"`+first+`","checksum":1000,"amount":300,"reason":"r"}`, 0, 300.0)
	f(`{"imp_uid":"`+first+`","checksum":1000}`, 1, nil)
	f(`{"imp_uid":"`+first+`","amount":701}`, 1, nil)
	f(`imp_uid=`+first+`&merchant_uid=order-2&checksum=700`, 0, 1000.0)
	f(`{"imp_uid":"`+first+`"}`, 1, nil)
	f(`{"merchant_uid":"order-2","checksum":null,"amount":0}`, 0, 1000.0)
	f(`{"merchant_uid":"order-3"}`, 1, nil)

	if status, a := w.call("v1", "POST", "/payments/cancel",
		`{"imp_uid":"`+first+`","amount":"many"}`); status != 200 || a["code"] != -1.0 {
		t.Errorf("an amount that is none: %d %v, want 200 with the code -1", status, a)
	}
	_, a := w.call("v1", "GET", "/payments/"+first, "")
	if at(a, "response.status") != "cancelled" || len(at(a, "response.cancel_history").([]any)) != 2 {
		t.Errorf("after two cancellations the payment is %v", a)
	}
	if p := w.Payments()[0]; p.Cancellations != 2 || p.Cancelled != 1000 || !p.Paid || p.Status != "cancelled" {
		t.Errorf("the simulator has %+v", p)
	}
}

func TestAnAmountRegisteredInAdvanceIsHeldTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, a := w.call("v1", "POST", "/payments/prepare", `{"merchant_uid":"order-1","amount":1000}`)
	if status != 200 || at(a, "response.amount") != 1000.0 {
		t.Fatalf("prepare: %d %v", status, a)
	}
	if _, a := w.call("v1", "POST", "/payments/prepare", `merchant_uid=order-1&amount=5`); a["code"] != 1.0 {
		t.Errorf("prepare again: %v", a)
	}
	if status, a := w.call("v1", "POST", "/payments/prepare", `{"merchant_uid":"order-2"}`); status != 200 ||
		a["code"] != -1.0 {
		t.Errorf("prepare without an amount: %d %v", status, a)
	}
	if r := w.pay("order-1", "v1", func(o *portonesim.Order) { o.Amount = 10 }); r.Status != "failed" ||
		r.Attempt != "" {
		t.Errorf("another amount came to %+v", r)
	}
	if r := w.pay("order-1", "v1"); r.Status != "paid" {
		t.Errorf("the amount came to %+v", r)
	}
}

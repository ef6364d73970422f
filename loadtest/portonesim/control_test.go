package portonesim_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func TestPaymentsAreMadeOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newShop(t, nil)
	f := func(path, body string, status int) map[string]any {
		t.Helper()
		got, a := w.call("", "POST", path, body)
		if got != status {
			t.Errorf("%s %s: %d %v, want %d", path, body, got, a, status)
		}
		return a
	}
	a := f("/sim/pay", `{"id":"order-1","amount":1000,"confirmUrl":"`+s.URL+`/confirm"}`, 200)
	if a["status"] != "paid" || a["confirmStatus"] != 200.0 {
		t.Errorf("the payment is %v", a)
	}
	f("/sim/pay", `{"id":"order-2","amount":1000,"version":2,"virtualAccount":true}`, 200)
	f("/sim/pay", `{"id":"order-3"}`, 400)
	f("/sim/pay", `{"amount":1000}`, 400)
	f("/sim/pay", `{"id":"order-3","amount":1000,"body":"v3"}`, 400)
	f("/sim/pay", `{"id":"order-3","amount":1000,"version":2,"body":"v1"}`, 400)
	f("/sim/pay", `{"id":"order-3","amount":1000,"confirm_url":"x"}`, 400)
	f("/sim/deposit", `{"order":"order-2"}`, 200)
	f("/sim/deposit", `{"order":"order-2"}`, 409)
	f("/sim/pay", `{"id":"order-4","amount":1000,"fate":"declines"}`, 200)
	f("/sim/revive", `{"order":"order-4"}`, 200)
	f("/sim/revive", `{"order":"order-4"}`, 409)
	f("/sim/cancel", `{"order":"order-1","amount":300}`, 200)
	f("/sim/cancel", `{"order":"order-1","amount":1000}`, 409)

	down := func(path string, status, want int) {
		t.Helper()
		f(path, "", status)
		if got := w.status("/payments/order-2"); got != want {
			t.Errorf("after %s a look-up is answered with %d, want %d", path, got, want)
		}
	}
	down("/sim/down?for=soon", 400, 200)
	down("/sim/down?for=-1s", 400, 200)
	down("/sim/down?hangup=maybe", 400, 200)
	down("/sim/down?down=false", 400, 200)
	down("/sim/down", 200, 503)
	w.clock.Move(time.Hour)
	down("/sim/up", 200, 200)
	down("/sim/down?for=30s&hangup=true", 200, 0)
	w.clock.Move(30 * time.Second)
	down("/sim/down?hangup=false", 200, 503)

	response, err := http.Get(w.url + "/sim/payments")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var all []portonesim.Payment
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 || all[0].Cancelled != 300 || !all[1].Paid || !all[2].Paid {
		t.Errorf("the payments are %+v", all)
	}
}

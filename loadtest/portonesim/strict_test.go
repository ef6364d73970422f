package portonesim_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func TestUnknownRoutesAreAnsweredInJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := func(authorization, method, path, where string, status int) {
		t.Helper()
		if got, a := w.call(authorization, method, path, ""); got != status || at(a, where) == nil {
			t.Errorf("%s %s: %d %v, want %d with %s", method, path, got, a, status, where)
		}
	}
	f("v1", "GET", "/nothing", "code", 404)
	f("v1", "PATCH", "/payments/cancel", "code", 404)
	f("v1", "GET", "/payments/imp_1/nothing", "code", 404)
	f("v2", "GET", "/nothing", "type", 404)
	f("v2", "DELETE", "/payments/order-1", "type", 404)
	f("v2", "POST", "/payments/order-1/nothing", "type", 404)
	f("", "GET", "/payments-by-cursor", "type", 401)
	f("", "GET", "/sim/nothing", "error", 404)
}

func TestV1AmountsMayHaveDecimals(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newShop(t, nil)
	o := s.order("order-1", "v1")
	o.Amount, o.Decimals, o.Currency = 1050, true, "USD"
	attempt := w.Pay(t.Context(), o).Attempt
	if got := s.got("confirm"); len(got) != 1 ||
		got[0].body != `{"amount":10.5,"imp_uid":"`+attempt+`","merchant_uid":"order-1"}` {
		t.Errorf("the shop was asked %v", got)
	}
	look := func(where string, want any) {
		t.Helper()
		if _, a := w.call("v1", "GET", "/payments/"+attempt, ""); at(a, where) != want {
			t.Errorf("%s is %v, want %v", where, at(a, where), want)
		}
	}
	cancel := func(ask string, code float64) {
		t.Helper()
		if _, a := w.call("v1", "POST", "/payments/cancel", ask); a["code"] != code {
			t.Errorf("%s: %v, want the code %v", ask, a, code)
		}
	}
	look("response.amount", 10.5)
	cancel("merchant_uid=order-1&checksum=10.51", 1)
	cancel("merchant_uid=order-1&amount=0.255", -1)
	cancel("merchant_uid=order-1&checksum=10.50&amount=0.25", 0)
	look("response.cancel_amount", 0.25)
	cancel("merchant_uid=order-1&checksum=10.25", 0)
	look("response.status", "cancelled")
	w.pay("order-2", "v1")
	cancel("merchant_uid=order-2&amount=10.5", -1)
	cancel("merchant_uid=order-2&amount=10.00", 0)
}

func TestV1ShowsBalanceAndWhatWasPrepared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attempt := w.pay("order-1", "v1", func(o *portonesim.Order) { o.TaxFree = 450 }).Attempt
	f := func(method, path, body string, status int, where string, want any) {
		t.Helper()
		if got, a := w.call("v1", method, path, body); got != status || at(a, where) != want {
			t.Errorf("%s %s: %d %v, want %d with %s %v", method, path, got, a, status, where, want)
		}
	}
	f("GET", "/payments/"+attempt+"/balance", "", 200, "response.amount", 1000.0)
	f("GET", "/payments/"+attempt+"/balance", "", 200, "response.primary.tax_free", 450.0)
	f("GET", "/payments/"+attempt+"/balance", "", 200, "response.primary.vat", 50.0)
	f("GET", "/payments/imp_0/balance", "", 404, "code", -1.0)
	f("GET", "/payments/prepare/order-2", "", 404, "code", -1.0)
	f("PUT", "/payments/prepare", "merchant_uid=order-2&amount=900", 404, "code", -1.0)
	f("POST", "/payments/prepare", "merchant_uid=order-2&amount=900.5&currency=USD", 200, "response.amount", 900.5)
	f("GET", "/payments/prepare/order-2", "", 200, "response.currency", "USD")
	f("PUT", "/payments/prepare", "merchant_uid=order-2&amount=1000", 200, "response.amount", 1000.0)
	f("GET", "/payments/prepare/order-2", "", 200, "response.amount", 1000.0)
	f("DELETE", "/payments/prepare/order-2", "", 200, "response.amount", 1000.0)
	f("GET", "/payments/prepare/order-2", "", 404, "code", -1.0)
	f("GET", "/payments?merchant_uid[]=order-1", "", 200, "code", 0.0)
	f("GET", "/payments?merchant_uid[]=order-1&imp_uid[]=imp_0", "", 207, "code", 0.0)
}

func TestV2TokensAreGoodForHalfAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pay("order-1", "v2-2024-04-25")
	login := func(body string, status int) string {
		t.Helper()
		got, a := w.call("", "POST", "/login/api-secret", body)
		if got != status {
			t.Fatalf("%s: %d %v, want %d", body, got, a, status)
		}
		token, _ := a["accessToken"].(string)
		return token
	}
	login(`{}`, 400)
	login(`{"apiSecret":"wrong"}`, 401)
	first, second := login(`{"apiSecret":"secret2"}`, 200), login(`{"apiSecret":"secret2"}`, 200)
	if first == second || first == "" {
		t.Errorf("the tokens are %q and %q", first, second)
	}
	look := func(want int) {
		t.Helper()
		for _, token := range []string{first, second} {
			if got, a := w.call("Bearer "+token, "GET", "/payments/order-1", ""); got != want ||
				got == 401 && a["type"] != "UNAUTHORIZED" {
				t.Errorf("%d %v, want %d", got, a, want)
			}
		}
	}
	look(200)
	w.clock.Move(30 * time.Minute)
	look(401)
}

// In a store of its own a paymentId is another's. A list without a store has all.
func TestV2KeepsStoresApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const other = "store-other"
	w.pay("order-1", "v2-2024-04-25")
	w.pay("order-1", "v2-2024-04-25", func(o *portonesim.Order) { o.StoreID, o.Amount = other, 500 })
	f := func(path string, status int, where string, want any) {
		t.Helper()
		if got, a := w.call("v2", "GET", path, ""); got != status || at(a, where) != want {
			t.Errorf("%s: %d %v, want %d with %s %v", path, got, a, status, where, want)
		}
	}
	f("/payments/order-1", 200, "amount.total", 1000.0)
	f("/payments/order-1?storeId="+other, 200, "storeId", other)
	f("/payments/order-1?storeId="+other, 200, "amount.total", 500.0)
	f("/payments/order-1?storeId=store-third", 403, "type", "FORBIDDEN")
	f("/payments", 200, "page.totalCount", 2.0)
	f("/payments?"+query(`{"filter":{"storeId":"`+other+`"}}`), 200, "page.totalCount", 1.0)
	f("/payments?"+query(`{"filter":{"currency":"USD"}}`), 200, "page.totalCount", 0.0)
	if got, a := w.call("v2", "POST", "/payments/order-1/cancel", `{"reason":"r","storeId":"`+other+`"}`); got != 200 ||
		at(a, "cancellation.totalAmount") != 500.0 {
		t.Errorf("the other store's: %d %v", got, a)
	}
	f("/payments/order-1", 200, "status", "PAID")
}

// What has changed lately is found by when its status changed, or in V1 by sorting.
func TestLateChangesAreFoundInTheLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		for _, body := range []string{"v1", "v2-2024-04-25"} {
			w.pay(fmt.Sprint("order-", i), body)
		}
		w.clock.Move(time.Minute)
	}
	w.clock.Move(24 * time.Hour)
	since := w.clock.Now()
	for version, order := range []string{"order-3", "order-1"} {
		w.clock.Move(time.Minute)
		var attempt string
		for _, p := range w.Payments() {
			if p.Order == order && p.Version == version+1 {
				attempt = p.Attempt
			}
		}
		if err := w.Cancel(order, attempt, 400); err != nil {
			t.Fatal(err)
		}
	}
	changed := query(
		`{"filter":{"timestampType":"STATUS_CHANGED_AT","status":["PARTIAL_CANCELLED","CANCELLED"],"from":"` +
			since.Format(time.RFC3339) + `","version":"V2","storeId":"` + portonesim.StoreID + `"}}`)
	_, a := w.call("v2", "GET", "/payments?"+changed, "")
	if items, _ := a["items"].([]any); len(items) != 1 || items[0].(map[string]any)["id"] != "order-1" {
		t.Errorf("V2 lists %v, want order-1", a)
	}

	page := func(path string, want ...string) {
		t.Helper()
		status, a := w.call("v1", "GET", path, "")
		var got []string
		items, _ := at(a, "response.list").([]any)
		for _, item := range items {
			got = append(got, item.(map[string]any)["merchant_uid"].(string))
		}
		if status != 200 || !slices.Equal(got, want) {
			t.Errorf("%s: %d %v, want %v", path, status, got, want)
		}
	}
	page("/payments/status/all?sorting=-updated&limit=2", "order-3", "order-4")
	page("/payments/status/paid?sorting=-updated&limit=2&page=2", "order-2", "order-1")
	page("/payments/status/cancelled?sorting=-updated")
	// The window is of when each was paid: a later part does not bring it back.
	page(fmt.Sprintf("/payments/status/paid?sorting=-updated&from=%d", since.Unix()))
}

func TestCursorsGoThroughEverythingOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		w.pay(fmt.Sprint("order-", i), "v2-2024-04-25")
		w.clock.Move(time.Second)
	}
	w.pay("order-v1", "v1") // a merchant's payments are in both
	w.pay("order-5", "v2-2024-04-25", func(o *portonesim.Order) { o.StoreID = "store-other" })
	for _, amount := range []int64{400, 0} {
		if err := w.Cancel("order-0", w.Payments()[0].Attempt, amount); err != nil {
			t.Fatal(err)
		}
	}
	all := func(path, of, what, ask string) (got []string) {
		t.Helper()
		for cursor := ""; ; {
			status, a := w.call("v2", "GET", path+"?"+query(`{"size":2,"cursor":"`+cursor+`"`+ask+`}`), "")
			items, ok := a["items"].([]any)
			if status != 200 || !ok {
				t.Fatalf("%s: %d %v", path, status, a)
			}
			if len(items) == 0 {
				return got
			}
			for _, item := range items {
				got = append(got, fmt.Sprint(at(item.(map[string]any), of+"."+what)))
				cursor = item.(map[string]any)["cursor"].(string)
			}
		}
	}
	f := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("listed are %q, want %q", got, want)
		}
	}
	f(all("/payments-by-cursor", "payment", "id", ""), "order-0", "order-1", "order-2", "order-3",
		"order-4", "order-v1")
	f(all("/payments-by-cursor", "payment", "id", `,"storeId":"store-other"`), "order-5")
	f(all("/payments-by-cursor", "payment", "id",
		`,"from":"`+w.clock.Now().Add(-2*time.Second).Format(time.RFC3339)+`"`), "order-3", "order-4", "order-v1")
	f(all("/payment-events-by-cursor", "paymentEvent", "type", ""), "PAID", "PAID", "PAID", "PAID", "PAID", "PAID",
		"PAID", "PARTIAL_CANCELLED", "CANCELLED")
	f(all("/payment-events-by-cursor", "paymentEvent", "eventAmount", `,"storeId":"`+portonesim.StoreID+`"`), "1000",
		"1000", "1000", "1000", "1000", "1000", "-400", "-600")
	for _, ask := range []string{`{"cursor":"x"}`, `{"size":0}`, `{"size":1001}`} {
		if status, a := w.call("v2", "GET", "/payments-by-cursor?"+query(ask), ""); status != 400 ||
			a["type"] != "INVALID_REQUEST" {
			t.Errorf("%s: %d %v", ask, status, a)
		}
	}
}

func TestAnOrdersCancellationsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, change := range []func(*portonesim.Order){
		func(o *portonesim.Order) { o.Cancels = []string{"done", "perhaps"} },
		func(o *portonesim.Order) { o.TaxFree = 1001 },
		func(o *portonesim.Order) { o.Discount = 1000 },
		func(o *portonesim.Order) { o.StoreID = "store-other" },
		func(o *portonesim.Order) { o.Body, o.Decimals = "v2-2024-04-25", true },
	} {
		if r := w.pay("order-1", "v1", change); r.Attempt != "" {
			t.Errorf("an order that cannot be came to %+v", r)
		}
	}
}

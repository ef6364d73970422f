package portone_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

func TestACallOfAnotherStoreIsRefused(t *testing.T) {
	t.Parallel()
	f := func(store portone.Store, body string, taken bool) {
		t.Helper()
		var c gate.Confirm
		version, v := portone.Decode(&c, []byte(asJSON), []byte(body), store)
		switch {
		case string(c.Order) != "o":
			t.Errorf("%q %s: the order was read as %q", store, body, c.Order)
		case taken && (version == gate.NoVersion || v != gate.Verdict{}):
			t.Errorf("%q %s: refused by %+v", store, body, v)
		case !taken && (version != gate.NoVersion || v.Cause != gate.OtherStore || v.Code != gate.BadRequest ||
			v.Field != "data.storeId" || v.Want == ""):
			t.Errorf("%q %s: got V%d, %+v", store, body, version, v)
		}
	}
	of := func(store string) string {
		return `{"type":"Transaction.Confirm","timestamp":"2026-12-01T01:00:00Z","data":{` + store +
			`"paymentId":"o","transactionId":"a","totalAmount":7}}`
	}
	f("store-1", of(`"storeId":"store-1",`), true)
	f("store-1", of(`"storeId":"\u0073tore-1",`), true)
	f("store-1", of(`"storeId":"store-2",`), false)
	f("store-1", of(`"storeId":"store-11",`), false)
	f("store-1", of(`"storeId":"",`), false)
	f("store-1", of(`"storeId":null,`), false)
	f("store-1", of(`"storeId":["store-1"],`), false)
	f("", of(`"storeId":"store-2",`), true)

	// What names no store, or is of V1, may be this one's.
	f("store-1", of(""), true)
	f("store-1", `{"payment_id":"o","tx_id":"a","total_amount":7,"storeId":"store-2"}`, true)
	f("store-1", `{"merchant_uid":"o","imp_uid":"a","data":{"storeId":"store-2"}}`, true)
}

// With a store named each call asks for it, and what is answered of another one all the
// same says nothing of an order: the same ids may be there too.
func TestPaymentsOfAnotherStoreAreNoneOfOurs(t *testing.T) {
	t.Parallel()
	begun := time.Now().UTC()
	of := func(store string) object {
		return object{"storeId": store, "requestedAt": begun.Format(time.RFC3339Nano)}
	}
	fake := newFakeV2()
	for i := range 25 {
		fake.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID", of([]string{"store-1", "store-2"}[i%2])))
	}
	f := func(store portone.Store, queries []portone.Query, want ...string) {
		t.Helper()
		c := serve(t, nil, fake, func(o *config) { o.V2.Store = store })
		var got []string
		for i, found := range c.Lookup(t.Context(), queries) {
			if len(found.Payments) > 0 && found.Doubt(queries[i]) == nil {
				got = append(got, found.Order)
			} else if found.Err == nil || !strings.Contains(found.Err.Error(), `of store "store-2"`) {
				t.Errorf("%s: got %+v", found.Order, found)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("store %q: %q were found, want %q", store, got, want)
		}
	}
	queries := many(2, 25, begun)
	var even, all []string
	for i := range 25 {
		if all = append(all, fmt.Sprint("o", i)); i%2 == 0 {
			even = append(even, fmt.Sprint("o", i))
		}
	}
	f("", queries, all...)
	f("store-1", queries, even...) // listed, and then asked for alone
	f("store-1", queries[:2], "o0")
	fake.add(v2Payment("o0", "t99", "FAILED", of("store-2"))) // among its transactions
	fake.add(v2Payment("o0", "t0", "PAID", of("store-1")))
	f("store-1", []portone.Query{{Order: "o0", Version: 2, Attempts: []string{"t0", "t98"}}})

	c := serve(t, nil, fake, func(o *config) { o.V2.Store = "store-1" })
	charged, faults := chargedAt(t, c, begun.Add(-time.Minute))
	if len(faults) > 0 || len(charged) != 13 || slices.Contains(charged, "o1") {
		t.Errorf("charged: %q, faults %q", charged, faults)
	}
	if _, err := c.Any(t.Context(), 2); err != nil {
		t.Error(err)
	}
	if err := c.Check(t.Context(), gate.V2); err != nil {
		t.Error(err)
	}

	// Pages of nothing else are not the end of the list.
	strangers := newFakeV2()
	strangers.maxPage = 1
	strangers.add(v2Payment("o1", "t1", "PAID", of("store-2")))
	strangers.add(v2Payment("o2", "t2", "PAID", of("store-1")))
	c = serve(t, nil, strangers, func(o *config) { o.V2.Store = "store-1" })
	if charged, _ := chargedAt(t, c, begun.Add(-time.Minute)); !slices.Equal(charged, []string{"o2"}) {
		t.Errorf("behind a page of another store's: %q", charged)
	}
}

func TestEachCallOfV2AsksForTheStore(t *testing.T) {
	t.Parallel()
	fake := newFakeV2(v2Payment("o", "t1", "FAILED"), v2Payment("o", "t2", "PAID"))
	c := serve(t, nil, fake, func(o *config) { o.V2.Store = "store 1" })
	one(t, c, 2, "o", "t1", "t2")
	c.Lookup(t.Context(), many(2, 25, time.Now()))
	chargedAt(t, c, time.Now().Add(-time.Minute))
	if _, err := c.Any(t.Context(), 2); err != nil {
		t.Error(err)
	}
	_ = c.Check(t.Context(), gate.V2)
	_ = c.CloseAccount(t.Context(), "o", gate.Attempt{ID: "t2", Version: 2})
	if len(fake.calls) < 30 {
		t.Errorf("only %d calls were made", len(fake.calls))
	}
	for _, call := range fake.calls {
		if !strings.HasSuffix(call, "?storeId=store 1") && !strings.Contains(call, `"filter":{"storeId":"store 1"`) {
			t.Errorf("a call asks for no store: %s", call)
		}
	}
}

func TestAStoreIsRefusedWhereTheSecretIsOfAnother(t *testing.T) {
	t.Parallel()
	fake := newFakeV2()
	fake.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		answer(w, http.StatusForbidden, object{"type": "FORBIDDEN"})
		return true
	}
	c := serve(t, nil, fake, func(o *config) { o.V2.Store = "store-1" })
	if err := c.Check(t.Context(), gate.V2); err == nil || !strings.Contains(err.Error(), "--portone-v2-store") {
		t.Errorf("got %v", err)
	}
}

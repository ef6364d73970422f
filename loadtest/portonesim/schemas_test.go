package portonesim_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/schemas"
)

// folder is where PortOne's documents are: make schemas.
var folder = flag.String("schemas", "",
	"hold the simulator against PortOne's documents v1.json and v2.json in this folder")

// documented is a simulator between which and its callers PortOne's documents are.
type documented struct {
	*world
	log   schemas.Log
	spoil []string // what to replace in each answer, and by what
}

// spoilt is an API whose answers are spoilt as d.spoil has it.
func (d *documented) spoilt(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := httptest.NewRecorder()
		api.ServeHTTP(said, r)
		w.WriteHeader(said.Code)
		fmt.Fprint(w, strings.NewReplacer(d.spoil...).Replace(said.Body.String()))
	})
}

func newDocumented(t *testing.T, p portonesim.Plan) *documented {
	t.Helper()
	if *folder == "" {
		t.Skip("needs PortOne's documents: make schemas SCHEMAS=DIR")
	}
	v1, err1 := schemas.V1(*folder)
	v2, err2 := schemas.V2(*folder)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	d := &documented{world: newWorld(t, plan(p))}
	api := d.spoilt(d.Handler())
	first, second := v1.Between(api, &d.log), v2.Between(api, &d.log)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); strings.HasPrefix(a, "PortOne ") || strings.HasPrefix(a, "Bearer v2-") ||
			r.URL.Path == "/login/api-secret" {
			second.ServeHTTP(w, r)
		} else {
			first.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

// Whatever happens to 500 payments of all kinds, and whatever a shop asks about them,
// is asked and answered as PortOne's documents have it.
func TestTheSimulatorAnswersAsPortOnesSchemasHaveIt(t *testing.T) {
	t.Parallel()
	d := newDocumented(t, portonesim.Plan{
		Declines: 0.1, SlowApprovals: 0.05, Lost: 0.05, Never: 0.05, Pending: 0.1, Revived: 0.05,
		SlowCancels: 0.1, RequestedCancels: 0.15, FailedRequests: 0.1, FailedCancels: 0.1, PGErrors: 0.15,
		FinalRefusals: 0.15, FailedRefunds: 0.4,
		PartCancels: 0.1, Disputes: 0.15, Chargebacks: 0.1, VirtualAccounts: 0.3, Deposits: 0.6, NoDueDates: 0.3,
		TaxFree: 0.2, Discounts: 0.2,
		Promotions: 0.2, Decimals: 0.2, TestChannel: 0.1, SwitchedAmount: 0.1, Twice: 0.1, TriesAgain: 0.5,
		SlowBy: 20 * time.Millisecond, MaxCancels: 3,
	})
	s := newShop(t, nil)
	const orders = 500
	for i := range orders {
		o := s.order(fmt.Sprint("order-", i), []string{"v1", "v2-2024-04-25", "v1-form", "v2-2024-01-01"}[i%4])
		if i%4 == 1 && i%3 == 0 {
			o.StoreID = "store-other"
		}
		d.Pay(t.Context(), o)
		if i%5 == 0 {
			d.look(o)
		}
	}
	chance := rand.New(rand.NewPCG(1, 2))
	for _, p := range d.Payments() {
		d.shop(p, chance)
	}
	d.lists()
	d.flows()
	d.faultless()
	for _, call := range []string{
		"v1 POST /users/getToken 200", "v1 GET /payments 207", "v1 GET /payments/{imp_uid} 200",
		"v1 GET /payments/{imp_uid} 404", "v1 POST /payments/cancel 200",
		"v1 GET /payments/find/{merchant_uid}/{payment_status} 200",
		"v1 GET /payments/findAll/{merchant_uid}/{payment_status} 200",
		"v1 GET /payments/status/{payment_status} 200", "v1 DELETE /vbanks/{imp_uid} 200",
		"v1 POST /payments/prepare 200", "v1 PUT /payments/prepare 200",
		"v2 GET /payments 200", "v2 GET /payments 400", "v2 GET /payments 403", "v2 GET /payments/{paymentId} 200",
		"v2 GET /payments/{paymentId} 401",
		"v2 GET /payments/{paymentId} 404", "v2 GET /payments/{paymentId}/transactions 200",
		"v2 POST /payments/{paymentId}/cancel 200",
		"v2 POST /payments/{paymentId}/cancel 400", "v2 POST /payments/{paymentId}/cancel 404",
		"v2 POST /payments/{paymentId}/cancel 409",
		"v2 POST /payments/{paymentId}/cancel 502", "v2 POST /payments/{paymentId}/confirm 200",
		"v2 POST /payments/{paymentId}/confirm 400",
		"v2 POST /payments/{paymentId}/confirm 409", "v2 POST /payments/{paymentId}/pre-register 200",
		"v2 POST /payments/{paymentId}/pre-register 409",
		"v2 POST /payments/{paymentId}/resend-webhook 200", "v2 POST /payments/{paymentId}/resend-webhook 404",
		"v2 POST /payments/{paymentId}/virtual-account/close 200",
		"v2 POST /payments/{paymentId}/virtual-account/close 409",
		"v2 POST /login/api-secret 200", "v2 POST /login/api-secret 401", "v2 GET /payments-by-cursor 200",
		"v2 GET /payment-events-by-cursor 200",
	} {
		if d.log.Calls()[call] == 0 {
			t.Errorf("nothing was %s: the documents were not held against it", call)
		}
	}
}

// faultless fails where something was violated.
func (d *documented) faultless() {
	d.t.Helper()
	calls := 0
	for _, n := range d.log.Calls() {
		calls += n
	}
	d.t.Logf("%d calls and answers were held against PortOne's documents", calls)
	for v, n := range d.log.Violations() {
		d.t.Errorf("%s (%d times)", v, n)
	}
}

// look has an order looked up while it is on its way.
func (d *documented) look(o portonesim.Order) {
	if o.Version == 1 || strings.HasPrefix(o.Body, "v1") {
		d.call("v1", "GET", "/payments/findAll/"+o.ID+"/", "")
		return
	}
	d.call("v2", "GET", "/payments/"+o.ID+"?storeId="+portonesim.StoreID, "")
	d.call("v2", "GET", "/payments/"+o.ID+"/transactions", "")
}

// shop does to a payment what a shop's server and its staff may do.
func (d *documented) shop(p portonesim.Payment, chance *rand.Rand) {
	if p.Invented {
		return
	}
	if p.Version == 1 {
		d.shop1(p, chance)
	} else {
		d.shop2(p, chance)
	}
	if chance.IntN(3) == 0 {
		_ = d.Settle(p.Order, chance.IntN(2) == 0) // where there is something
	}
	if p.Version == 1 {
		d.call("v1", "GET", "/payments/"+p.Attempt+"?include_sandbox=true", "")
		d.call("v1", "GET", "/payments/find/"+p.Order+"/"+p.Status+"?sorting=-updated", "")
		return
	}
	d.call("v2", "GET", "/payments/"+p.Order+"?storeId="+p.StoreID, "")
	d.call("v2", "GET", "/payments/"+p.Order+"/transactions?storeId="+p.StoreID, "")
}

func (d *documented) shop1(p portonesim.Payment, chance *rand.Rand) {
	d.call("v1", "GET", "/payments?imp_uid[]="+p.Attempt+"&merchant_uid[]=none", "")
	switch chance.IntN(5) {
	case 0:
		d.call("v1", "DELETE", "/vbanks/"+p.Attempt, "")
	case 1:
		d.call("v1", "POST", "/payments/cancel",
			fmt.Sprintf("imp_uid=%s&amount=100&checksum=1000&tax_free=100&reason=r", p.Attempt))
	case 2, 3:
		d.call("v1", "POST", "/payments/cancel", fmt.Sprintf(
			`{"imp_uid":"%s","reason":"r","tax_free":%d,"refund_bank":"004","refund_account":"1","refund_holder":"홍길동","enable_webhook":true}`, p.Attempt, p.TaxFree))
	}
}

func (d *documented) shop2(p portonesim.Payment, chance *rand.Rand) {
	path := "/payments/" + p.Order
	store := fmt.Sprintf(`,"storeId":%q`, p.StoreID)
	switch chance.IntN(6) {
	case 0:
		d.call("v2", "POST", path+"/virtual-account/close?storeId="+p.StoreID, "")
	case 1:
		d.call("v2", "POST", path+"/cancel", `{"reason":"r","amount":100,"currentCancellableAmount":1000`+store+`}`)
	case 2, 3, 4:
		for range 2 {
			d.call("v2", "POST", path+"/cancel", fmt.Sprintf(
				`{"reason":"r","taxFreeAmount":%d,"refundAccount":{"bank":"KOOKMIN","number":"1","holderName":"홍길동"}%s}`, p.TaxFree, store),
				"Idempotency-Key", fmt.Sprintf(`"key-of-%s-%d"`, p.Attempt, chance.IntN(2)))
		}
	}
	if chance.IntN(4) == 0 {
		d.call("v2", "POST", path+"/resend-webhook", `{`+store[1:]+`}`)
	}
}

// lists asks for every list of payments.
func (d *documented) lists() {
	for _, status := range []string{"all", "ready", "paid", "cancelled", "failed"} {
		for _, sorting := range []string{"started", "-started", "paid", "-paid", "updated", "-updated"} {
			d.call("v1", "GET", fmt.Sprintf("/payments/status/%s?sorting=%s&limit=1000&page=1&from=%d&to=%d",
				status, sorting,
				d.clock.Now().Add(-time.Hour).Unix(), d.clock.Now().Unix()), "")
		}
	}
	list := func(path, ask string) map[string]any {
		_, a := d.call("v2", "GET", path+"?requestBody="+url.QueryEscape(ask), "")
		return a
	}
	all := list("/payments", `{"page":{"number":0,"size":1000}}`)
	seen := map[string]bool{}
	items, _ := all["items"].([]any)
	for _, item := range items {
		seen[fmt.Sprint(item.(map[string]any)["status"])] = true
	}
	for _, status := range []string{
		"READY", "VIRTUAL_ACCOUNT_ISSUED", "PAID", "FAILED", "PARTIAL_CANCELLED",
		"CANCELLED",
	} {
		if !seen[status] {
			d.t.Errorf("no payment of V2 is %s", status)
		}
		list("/payments",
			`{"filter":{"status":["`+status+`","PENDING"],"timestampType":"STATUS_CHANGED_AT","sortBy":"STATUS_CHANGED_AT","storeId":"`+portonesim.StoreID+`"}}`)
	}
	list("/payments", `{"page":{"size":1001}}`)
	list("/payments", `{"filter":{"storeId":"store-unknown"}}`)
	for _, path := range []string{"/payments-by-cursor", "/payment-events-by-cursor"} {
		list(path, `{"size":1000,"until":"`+d.clock.Now().Format(time.RFC3339)+`"}`)
		list(path, `{"storeId":"store-other"}`)
	}
}

// flows goes through what a shop does beside payments as they come: prices that are
// registered, payments that it confirms itself, tokens, pending payments, what is refused.
func (d *documented) flows() {
	_, a := d.call("", "POST", "/login/api-secret", `{"apiSecret":"secret2"}`)
	d.call(fmt.Sprint("Bearer ", a["accessToken"]), "GET", "/payments/order-1", "")
	d.call("", "POST", "/login/api-secret", `{"apiSecret":"wrong"}`)
	d.call("PortOne wrong", "GET", "/payments/order-1", "")
	d.call("v2", "GET", "/payments/nobody", "")
	d.call("v2", "POST", "/payments/nobody/cancel", `{"reason":"r"}`)
	d.call("v1", "GET", "/payments/imp_0", "")
	for _, method := range []string{"POST", "PUT"} {
		d.call("v1", method, "/payments/prepare", "merchant_uid=prepared&amount=1000&currency=KRW")
	}
	for i := range 30 {
		path := fmt.Sprint("/payments/manual-", i)
		d.call("v2", "POST", path+"/pre-register", `{"totalAmount":1000,"currency":"KRW"}`)
		r := d.pay(fmt.Sprint("manual-", i), "v2-2024-04-25", func(o *portonesim.Order) { o.ManualConfirm = true })
		d.call("v2", "POST", path+"/confirm", `{"paymentToken":"wrong"}`)
		d.call("v2", "POST", path+"/confirm",
			`{"paymentToken":"`+r.PaymentToken+`","totalAmount":1000,"isTest":false,"currency":"KRW"}`)
		d.call("v2", "POST", path+"/confirm", `{"paymentToken":"`+r.PaymentToken+`"}`)
		d.call("v2", "POST", path+"/pre-register", `{"totalAmount":1000}`)
		d.call("v2", "POST", path+"/resend-webhook", `{}`)
		d.call("v2", "GET", path, "")
	}
}

func TestAPendingPaymentIsShownAsPortOnesSchemasHaveIt(t *testing.T) {
	t.Parallel()
	d := newDocumented(t, portonesim.Plan{Pending: 1, VirtualAccounts: 0.5, SlowBy: time.Hour})
	ctx, leave := context.WithCancel(t.Context())
	leave()
	for i := range 10 {
		d.Pay(ctx, portonesim.Order{ID: fmt.Sprint("order-", i), Version: 2, Amount: 1000})
		testkit.Until(t, "it to be pending", func() bool {
			_, a := d.call("v2", "GET", fmt.Sprint("/payments/order-", i), "")
			return a["status"] == "PAY_PENDING"
		})
		d.look(portonesim.Order{ID: fmt.Sprint("order-", i)})
	}
	d.call("v2", "GET", "/payments?"+query(`{"filter":{"status":["PENDING"]}}`), "")
	d.faultless()
}

// What is wrong on purpose is found: else finding nothing would say nothing.
func TestWhatIsPlantedViolatesPortOnesSchemas(t *testing.T) {
	t.Parallel()
	d := newDocumented(t, portonesim.Plan{Disputes: 1})
	attempt := d.pay("order-1", "v1").Attempt
	d.pay("order-2", "v2-2024-04-25")
	d.comes("order-3", "v2-2024-04-25", "PG_PROVIDER")
	f := func(authorization, method, path, body, old, new, want string) {
		t.Helper()
		before := d.log.Violations()
		if d.spoil = nil; old != "" {
			d.spoil = []string{old, new}
		}
		d.call(authorization, method, path, body)
		d.spoil = nil
		var found []string
		for v, n := range d.log.Violations() {
			if n > before[v] {
				found = append(found, v.String())
			}
		}
		planted := slices.ContainsFunc(found, func(one string) bool { return strings.HasSuffix(one, want) })
		if planted != (want != "") {
			t.Errorf("%s %s %s with %s for %s: found is %q, want %q", method, path, body, new, old, found, want)
		}
	}
	v1, v2 := "/payments/"+attempt, "/payments/order-2"
	f("v1", "GET", v1, "", "", "", "")
	f("v2", "GET", v2, "", "", "", "")
	f("v1", "GET", v1, "", `"amount":1000`, `"amount":"1000"`, "answer.response.amount is a text, not a number")
	f("v1", "GET", v1, "", `"sandbox":false,`, ``, "answer.response.sandbox is missing")
	f("v1", "GET", v1+"?include_test=true", "", "", "", "query.include_test is unknown")
	f("v1", "GET", "/payments?imp_uid[]="+attempt+"&include_sandbox=true", "", "", "",
		"query.include_sandbox is unknown")
	f("v1", "GET", v1+"/nothing", "", "", "", "path is unknown")
	f("v1", "POST", "/payments/cancel", `{"imp_uid":1}`, "", "", "body.imp_uid is a number, not a text")
	f("v2", "GET", v2, "", `"ipAddress":"203.0.113.7",`, ``, "answer.origin.ipAddress is missing")
	f("v2", "GET", v2, "", `"status":"PAID"`, `"status":"PENDING"`, "answer.status PENDING is not among its values")
	f("v2", "GET", v2, "", `"status":"UNRESOLVED"`, `"status":"LOST"`,
		"answer.disputes[0].status LOST is not among its values")
	f("v2", "GET", v2, "", `"total":1000`, `"total":1000.5`, "answer.amount.total 1000.5 is no whole number of 64 bits")
	f("v2", "GET", v2+"/transactions", "", `"paymentId":`, `"disputes":[],"paymentId":`,
		"answer.items[0].disputes is unknown")
	f("v2", "GET", "/payments?"+query(`{"filter":{"status":["PAY_PENDING"]}}`), "", "", "",
		"query.requestBody.filter.status[0] PAY_PENDING is not among its values")
	f("v2", "POST", v2+"/refund", `{}`, "", "", "path is unknown")
	f("v2", "POST", v2+"/cancel", `{"amount":1}`, "", "", "body.reason is missing")
	f("v2", "POST", v2+"/cancel", `{"reason":"r","amount":"1"}`, "", "", "body.amount is a text, not a number")
	f("v2", "POST", "/payments/order-3/cancel", `{"reason":"r"}`, `"pgCode":"SIM-0001",`, ``,
		"answer.pgCode is missing")
	f("v2", "POST", "/payments/order-3/cancel", `{"reason":"r"}`, `PG_PROVIDER`, `PAYMENT_NOT_FOUND`,
		"answer.type PAYMENT_NOT_FOUND comes with the status 502, and is none of its errors")
}

package portonesim_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func account(o *portonesim.Order) { o.VirtualAccount = true }

func TestADepositIsGivenBackToTheBuyersOwnAccount(t *testing.T) {
	t.Parallel()
	w := slowWorld(t)
	for _, order := range []string{"order-1", "order-2", "order-3"} {
		w.pay(order, "v2-2024-04-25", account)
		if err := w.Deposit(order); err != nil {
			t.Fatal(err)
		}
	}
	for _, order := range []string{"order-4", "order-5"} {
		w.pay(order, "v1", account)
		if err := w.Deposit(order); err != nil {
			t.Fatal(err)
		}
	}
	f := func(order, more string, status int, where string, want any) {
		t.Helper()
		if got, a := w.call("v2", "POST", "/payments/"+order+"/cancel", `{"reason":"r"`+more+`}`); got != status ||
			at(a, where) != want {
			t.Errorf("%s %s: %d %v, want %d with %s %v", order, more, got, a, status, where, want)
		}
	}
	const buyers = `,"refundAccount":{"bank":"KOOKMIN","number":"123","holderName":"홍길동"}`
	f("order-1", ``, 400, "type", "INVALID_REQUEST")
	f("order-1", `,"refundAccount":{"bank":"KOOKMIN","number":"123"}`, 400, "type", "INVALID_REQUEST")
	f("order-1", buyers, 200, "cancellation.status", "SUCCEEDED")
	f("order-2", `,"amount":400`+buyers, 200, "cancellation.status", "SUCCEEDED")
	f("order-3", buyers, 200, "cancellation.status", "SUCCEEDED")
	refund := func(order, status, want string) {
		t.Helper()
		_, a := w.call("v2", "GET", "/payments/"+order, "")
		if a["status"] != status || at(a, "method.refundStatus") != want || w.cancelled(order).Refund != want {
			t.Errorf("%s is %v with refundStatus %v, want %s with %s", order, a["status"],
				at(a, "method.refundStatus"), status, want)
		}
	}
	for order, fails := range map[string]bool{"order-1": false, "order-2": true, "order-3": true} {
		refund(order, map[bool]string{true: "PARTIAL_CANCELLED", false: "CANCELLED"}[order == "order-2"], "PENDING")
		if err := w.Settle(order, fails); err != nil {
			t.Error(err)
		}
	}
	refund("order-1", "CANCELLED", "COMPLETED")
	refund("order-2", "PARTIAL_CANCELLED", "PARTIAL_REFUND_FAILED")
	refund("order-3", "CANCELLED", "FAILED")

	for code, ask := range []string{
		"&refund_bank=004&refund_account=123&refund_holder=A&checksum=1000", "&refund_bank=004&refund_account=123",
	} {
		_, a := w.call("v1", "POST", "/payments/cancel", "merchant_uid=order-"+fmt.Sprint(4+code)+ask)
		if a["code"] != float64(code) {
			t.Errorf("V1 %s: %v, want the code %v", ask, a, code)
		}
	}
	if p := w.cancelled("order-4"); p.Cancellations != 1 {
		t.Errorf("V1's is %+v", p)
	}
}

func TestAVirtualAccountIsClosedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pay("order-1", "v2-2024-04-25", account)
	attempt := w.pay("order-2", "v1", account).Attempt
	card := w.pay("order-3", "v1").Attempt
	f := func(authorization, method, path string, status int, where string, want any) {
		t.Helper()
		if got, a := w.call(authorization, method, path, ""); got != status || at(a, where) != want {
			t.Errorf("%s %s: %d %v, want %d with %s %v", method, path, got, a, status, where, want)
		}
	}
	now := w.clock.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	f("v2", "POST", "/payments/order-1/virtual-account/close", 200, "closedAt", now)
	f("v2", "POST", "/payments/order-1/virtual-account/close", 409, "type", "PAYMENT_NOT_WAITING_FOR_DEPOSIT")
	f("v2", "POST", "/payments/order-9/virtual-account/close", 404, "type", "PAYMENT_NOT_FOUND")
	f("v2", "POST", "/payments/order-1/virtual-account/close?storeId=store-other", 403, "type", "FORBIDDEN")
	f("v2", "GET", "/payments/order-1", 200, "status", "CANCELLED")
	f("v1", "DELETE", "/vbanks/"+attempt, 200, "response.status", "cancelled")
	f("v1", "DELETE", "/vbanks/"+attempt, 400, "code", -1.0)
	f("v1", "DELETE", "/vbanks/"+card, 400, "code", -1.0)
	f("v1", "DELETE", "/vbanks/imp_0", 404, "code", -1.0)
	for _, order := range []string{"order-1", "order-2"} {
		if err := w.Deposit(order); err == nil || w.cancelled(order).Paid {
			t.Errorf("%s: a closed account was paid into", order)
		}
	}
	if got, a := w.call("v2", "POST", "/payments/order-1/cancel", `{"reason":"r"}`); got != 409 ||
		a["type"] != "PAYMENT_NOT_PAID" {
		t.Errorf("a closed account was cancelled: %d %v", got, a)
	}
}

func TestAnAccountNeedNotHaveADueDate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pay("order-1", "v2-2024-04-25", account, func(o *portonesim.Order) { o.NoDueDate = true })
	w.pay("order-2", "v2-2024-04-25", account,
		func(o *portonesim.Order) { o.DepositBy = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) })
	w.pay("order-3", "v1", account, func(o *portonesim.Order) { o.NoDueDate = true })
	for path, want := range map[string]any{"order-1": nil, "order-2": "9999-12-31T00:00:00.000Z"} {
		if _, a := w.call("v2", "GET", "/payments/"+path, ""); at(a, "method.expiredAt") != want ||
			at(a, "method.issuedAt") == nil {
			t.Errorf("%s: %v, want that it expires at %v", path, a, want)
		}
	}
	if _, a := w.call("v1", "GET", "/payments/find/order-3", ""); at(a, "response.vbank_date") != 0.0 ||
		at(a, "response.vbank_issued_at") == 0.0 {
		t.Errorf("V1: %v", a)
	}
}

func TestBuyersDisputeAndCardCompaniesTakeBack(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newShop(t, nil)
	for _, body := range []string{"v2-2024-04-25", "v2-2024-01-01"} {
		w.Pay(t.Context(), s.order("order-"+body, body))
	}
	w.pay("order-1", "v1")
	w.pay("order-2", "v2-2024-04-25", account)
	const order = "order-v2-2024-04-25"
	look := func(status string, disputes int, disputed bool) {
		t.Helper()
		_, a := w.call("v2", "GET", "/payments/"+order, "")
		list, shown := a["disputes"].([]any)
		if a["status"] != status || len(list) != disputes || shown != (status == "PAID") ||
			w.cancelled(order).Disputed != disputed {
			t.Errorf("the payment is %v, want %s with %d disputes", a, status, disputes)
		}
	}
	look("PAID", 0, false)
	for _, order := range []string{"order-v2-2024-04-25", "order-v2-2024-01-01"} {
		if err := w.Dispute(order); err != nil {
			t.Error(err)
		}
	}
	look("PAID", 1, true)
	if err := w.Resolve(order); err != nil {
		t.Error(err)
	}
	look("PAID", 1, false)
	for what, err := range map[string]error{
		"V1 has no disputes": w.Dispute("order-1"), "not paid": w.Dispute("order-2"), "resolved": w.Resolve(order),
		"unpaid": w.Chargeback("order-2"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if err := w.Chargeback(order); err != nil {
		t.Error(err)
	}
	look("CANCELLED", 0, false)
	_, a := w.call("v2", "GET", "/payments/"+order, "")
	if list, _ := a["cancellations"].([]any); len(list) != 1 || list[0].(map[string]any)["trigger"] != "CHARGEBACK" {
		t.Errorf("the payment is %v, want that it was charged back", a)
	}
	testkit.Until(t, "the webhooks", func() bool {
		count := map[string]int{}
		for _, m := range s.got("webhook") {
			count[news(t, m)]++
		}
		return count["Transaction.DisputeCreated"] == 1 && count["Transaction.DisputeResolved"] == 1 &&
			count["Transaction.Cancelled"] == 1 &&
			len(s.got("webhook")) == 2*2+3 // the older webhooks have none of disputes
	})
}

func TestKindsOfPaymentsAreDrawn(t *testing.T) {
	t.Parallel()
	const orders = 300
	f := func(what, body string, p portonesim.Plan, count func(portonesim.Payment) bool) {
		t.Helper()
		w := newWorld(t, plan(p))
		for i := range orders {
			w.pay(fmt.Sprint("order-", i), body)
		}
		testkit.Until(t, what+" of 30 %", func() bool {
			n := 0
			for _, p := range w.Payments() {
				if count(p) {
					n++
				}
			}
			return math.Abs(float64(n)/orders-0.3) < 0.09
		})
	}
	f("accounts", "v1", portonesim.Plan{VirtualAccounts: 0.3},
		func(p portonesim.Payment) bool { return p.Account && p.Status == "ready" })
	f("deposits", "v2-2024-04-25", portonesim.Plan{VirtualAccounts: 1, Deposits: 0.3},
		func(p portonesim.Payment) bool { return p.Paid })
	f("tax-free", "v1", portonesim.Plan{TaxFree: 0.3},
		func(p portonesim.Payment) bool { return p.TaxFree == 1000 || p.TaxFree == 500 })
	f("decimals", "v1", portonesim.Plan{Decimals: 0.3},
		func(p portonesim.Payment) bool { return p.Decimals && p.Amount == 100050 })
	f("disputes", "v2-2024-04-25", portonesim.Plan{Disputes: 0.3},
		func(p portonesim.Payment) bool { return p.Disputed })
	f("chargebacks", "v1", portonesim.Plan{Chargebacks: 0.3},
		func(p portonesim.Payment) bool { return p.Cancelled == 1000 })

	w := newWorld(t, plan(portonesim.Plan{VirtualAccounts: 1, NoDueDates: 1, Discounts: 1, Promotions: 1}))
	w.pay("order-1", "v2-2024-04-25")
	if _, a := w.call("v2", "GET", "/payments/order-1", ""); at(a, "method.issuedAt") == nil ||
		at(a, "method.expiredAt") != nil || at(a, "amount.discount") != 200.0 {
		t.Errorf("the payment is %v, want an account without a due date, and two discounts", a)
	}
}

// A refund that Settle has ended does not end once more by itself.
func TestARefundEndsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{VirtualAccounts: 1, SlowBy: 100 * time.Millisecond}))
	for _, order := range []string{"order-1", "order-2"} {
		w.pay(order, "v1")
		if err := w.Deposit(order); err != nil {
			t.Fatal(err)
		}
		if err := w.Cancel(order, "", 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Settle("order-1", true); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the other to end", func() bool { return w.cancelled("order-2").Refund == "COMPLETED" })
	w.Close() // waits for what has begun
	if got := w.cancelled("order-1").Refund; got != "FAILED" {
		t.Errorf("the refund that failed is %s", got)
	}
	if err := w.Settle("order-1", true); err == nil {
		t.Error("it failed once more")
	}
	if err := w.Settle("order-1", false); err != nil || w.cancelled("order-1").Refund != "COMPLETED" {
		t.Errorf("it was not sent after all: %v", err)
	}
	if err := w.Settle("order-1", false); err == nil {
		t.Error("it was sent twice")
	}
}

func TestRefundsOfDepositsFailByThePlan(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]string{0: "COMPLETED", 1: "FAILED"} {
		w := newWorld(t, plan(portonesim.Plan{VirtualAccounts: 1, Deposits: 1, FailedRefunds: share}))
		w.pay("order-1", "v1")
		testkit.Until(t, "the deposit", func() bool { return w.only().Paid })
		if err := w.Cancel("order-1", "", 0); err != nil {
			t.Fatal(err)
		}
		testkit.Until(t, "the refund to be "+want, func() bool { return w.only().Refund == want })
	}
}

// Of two windows of one order of V2, one is given an account: else both could be paid.
func TestAnOrderOfV2HasOneAccount(t *testing.T) {
	t.Parallel()
	sim := portonesim.New(portonesim.Deps{Now: time.Now}, portonesim.Options{Plan: portonesim.Plan{Twice: 1}})
	defer sim.Close()
	for i := range 20 {
		sim.Pay(t.Context(), portonesim.Order{Version: 2, ID: fmt.Sprint("ORD", i), Amount: 1000, VirtualAccount: true})
	}
	waiting := map[string]int{}
	for _, p := range sim.Payments() {
		if p.Status == "ready" {
			waiting[p.Order]++
		}
	}
	for order, n := range waiting {
		if n != 1 {
			t.Errorf("order %s has %d accounts", order, n)
		}
	}
	if len(waiting) != 20 {
		t.Errorf("%d of 20 orders have an account", len(waiting))
	}
}

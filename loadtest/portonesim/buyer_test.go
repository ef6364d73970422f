package portonesim_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func TestWhoLeavesIsReadyForAsLongAsNothingComesOfIt(t *testing.T) {
	t.Parallel()
	f := func(p portonesim.Plan, body, status string) {
		t.Helper()
		w := newWorld(t, plan(p))
		s := newShop(t, nil)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		paying := make(chan portonesim.Result, 1)
		go func() { paying <- w.Pay(ctx, s.order("order-1", body)) }()
		testkit.Until(t, "V2 to say "+status, func() bool {
			_, a := w.call("v2", "GET", "/payments/order-1", "")
			all := w.Payments()
			return strings.HasSuffix(fmt.Sprint(a["status"]), status) && len(all) == 1 && all[0].ConfirmStatus == 200
		})
		leave()
		if r := <-paying; r.Status != "ready" || r.ConfirmStatus != 200 {
			t.Errorf("%+v: %+v, want ready", p, r)
		}
	}
	f(portonesim.Plan{Never: 1}, "v2-2024-04-25", "READY")
	f(portonesim.Plan{SlowApprovals: 1, SlowBy: time.Hour}, "v2-2024-04-25", "READY")
	f(portonesim.Plan{Pending: 1, SlowBy: time.Hour}, "v2-2024-04-25", "PENDING")
}

func TestABuyerWhoLeavesDoesNotCutTheConfirmCallOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked, thought := make(chan struct{}), make(chan struct{})
	s := newShop(t, func(_ http.ResponseWriter, m message) {
		if m.kind == "confirm" {
			close(asked)
			<-thought
		}
	})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-asked
		leave()
	}()
	if r := w.Pay(ctx, s.order("order-1", "v1")); r.Status != "ready" || r.ConfirmStatus != 0 {
		t.Errorf("who leaves sees %+v, want ready", r)
	}
	close(thought)
	testkit.Until(t, "the payment that the shop said yes to", func() bool { return w.only().Status == "paid" })
	if p := w.only(); p.ConfirmStatus != 200 {
		t.Errorf("the payment is %+v", p)
	}
}

func TestClosingCutsConfirmCallsOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *portonesim.Options) { o.ConfirmTimeout = time.Hour })
	asked := make(chan struct{})
	s := newShop(t, func(http.ResponseWriter, message) {
		close(asked)
		<-t.Context().Done()
	})
	o := s.order("order-1", "v1")
	o.NoticeURL = ""
	go func() {
		<-asked
		w.Close()
	}()
	ctx, leave := context.WithTimeout(t.Context(), patience)
	defer leave()
	if r := w.Pay(ctx, o); r.Status != "failed" || r.ConfirmStatus != 0 {
		t.Errorf("the payment is %+v, want failed", r)
	}
	if r := w.pay("order-2", "v1"); r.Status != "ready" {
		t.Errorf("a payment at a closed simulator is %+v, want that nothing comes of it", r)
	}
}

func TestTheAmountMaySwitchAfterTheConfirmCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{SwitchedAmount: 1}))
	s := newShop(t, nil)
	status, _ := w.call("v1", "POST", "/payments/prepare", `{"merchant_uid":"order-3","amount":1000}`)
	if status != 200 {
		t.Fatalf("prepare: %d", status)
	}
	f := func(order, body, authorization, path, where string, want float64) {
		t.Helper()
		r := w.Pay(t.Context(), s.order(order, body))
		if r.Status != "paid" {
			t.Errorf("%s: %+v", order, r)
		}
		if _, a := w.call(authorization, "GET", path, ""); at(a, where) != want {
			t.Errorf("%s: a look-up says %v, want %v", order, at(a, where), want)
		}
	}
	f("order-1", "v1", "v1", "/payments/find/order-1", "response.amount", 500)
	f("order-2", "v2-2024-04-25", "v2", "/payments/order-2", "amount.paid", 500)
	f("order-3", "v1", "v1", "/payments/find/order-3", "response.amount", 1000) // which was registered in advance
	for _, m := range s.got("confirm") {
		if named := fields(t, m); named.Get("amount")+named.Get("totalAmount") != "1000" {
			t.Errorf("a confirm call names another amount than 1000: %s", m.body)
		}
	}
}

func TestWhoFailedTriesOnceMore(t *testing.T) {
	t.Parallel()
	f := func(body string) {
		t.Helper()
		w := newWorld(t, plan(portonesim.Plan{Declines: 0.5, TriesAgain: 1}))
		results := map[string]portonesim.Result{}
		for i := range 40 {
			order := fmt.Sprint("order-", i)
			results[order] = w.pay(order, body)
		}
		tries := map[string][]portonesim.Payment{}
		for _, p := range w.Payments() {
			tries[p.Order] = append(tries[p.Order], p)
		}
		ends := map[string]int{}
		for order, list := range tries {
			first, last := list[0], list[len(list)-1]
			if len(list) > 2 || (first.Status == "failed") != (len(list) == 2) {
				t.Errorf("%s %s: the attempts are %+v", body, order, list)
			}
			if r := results[order]; r.Attempt != last.Attempt || r.Status != last.Status {
				t.Errorf("%s %s: the buyer sees %+v, want the last of %+v", body, order, r, list)
			}
			ends[first.Status+" "+last.Status]++
		}
		if ends["paid paid"] == 0 || ends["failed paid"] == 0 || ends["failed failed"] == 0 {
			t.Errorf("%s: first and last attempts end as %v, want some of each", body, ends)
		}
	}
	f("v1")
	f("v2-2024-04-25")
}

func TestAFailedPaymentOfV1MayBePaidAfterAll(t *testing.T) {
	t.Parallel()
	revived := func(slowBy time.Duration) func(*portonesim.Options) {
		return plan(portonesim.Plan{Revived: 1, SlowBy: slowBy})
	}
	w, s := newWorld(t, revived(time.Hour)), newShop(t, nil)
	for _, body := range []string{"v1", "v2-2024-04-25"} {
		if r := w.Pay(t.Context(), s.order("order-"+body, body)); r.Status != "failed" || r.ConfirmStatus != 200 {
			t.Errorf("%s: the buyer sees %+v, want failed", body, r)
		}
	}

	w, s = newWorld(t, revived(time.Millisecond)), newShop(t, nil)
	w.pay("order-2", "v2-2024-04-25")
	attempt := w.Pay(t.Context(), s.order("order-1", "v1")).Attempt
	testkit.Until(t, "the webhook", func() bool { return len(s.got("webhook")) > 0 })
	if got := news(t, s.got("webhook")[0]); got != "paid" {
		t.Errorf("the webhook says %s", got)
	}
	if _, a := w.call("v1", "GET", "/payments/"+attempt, ""); at(a, "response.status") != "paid" ||
		at(a, "response.fail_reason") != nil || at(a, "response.failed_at") != 0.0 {
		t.Errorf("the payment is %v", a)
	}
	if p := w.Payments()[0]; p.Status != "failed" {
		t.Errorf("V2's is %+v, want failed for good", p)
	}
}

func TestAPendingPaymentOfV2IsListedUnderAnotherName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{Pending: 1, SlowBy: time.Hour}))
	ctx, leave := context.WithCancel(t.Context())
	leave()
	w.Pay(ctx, portonesim.Order{ID: "order-1", Version: 2, Amount: 1000})
	testkit.Until(t, "it to be pending", func() bool {
		_, a := w.call("v2", "GET", "/payments/order-1", "")
		return a["status"] == "PAY_PENDING"
	})
	list := func(status string, want int, where string, is any) {
		t.Helper()
		got, a := w.call("v2", "GET", "/payments?"+query(`{"filter":{"status":["`+status+`"]}}`), "")
		if got != want || at(a, where) != is {
			t.Errorf("a list of what is %s: %d %v, want %d with %s %v", status, got, a, want, where, is)
		}
	}
	list("PENDING", 200, "page.totalCount", 1.0)
	list("READY", 200, "page.totalCount", 0.0)
	list("PAY_PENDING", 400, "type", "INVALID_REQUEST")
}

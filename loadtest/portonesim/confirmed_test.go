package portonesim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func TestASimulatorGoesOnFromConfirmCallsThatOthersMade(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newShop(t, nil)
	f := func(path, list string, status int, why string) {
		t.Helper()
		got, a := w.call("", "POST", path, list)
		if text, _ := a["error"].(string); got != status || !strings.Contains(text, why) || why == "" && text != "" {
			t.Errorf("%s: %d %v, want %d with %q", list, got, a, status, why)
		}
	}
	notice := `"noticeUrl":"` + s.URL + `/webhook"`
	list := `[{"id":"order-1","attempt":"imp_1","amount":1000,"confirmStatus":200,` + notice + `},
		{"version":2,"id":"order-1","attempt":"tx-1","amount":2000,"confirmStatus":200,` + notice + `},
		{"id":"order-2","attempt":"imp_2","amount":1000,"confirmStatus":409,"confirmBody":"{\"reason\":\"매진\"}",` + notice + `},
		{"version":2,"id":"order-2","attempt":"tx-2","amount":1000,"confirmStatus":0,` + notice + `},
		{"id":"order-2","attempt":"imp_3","amount":1000,"confirmStatus":200,"virtualAccount":true}]`
	f("/sim/confirmed", list, 200, "")
	f("/sim/confirmed", list, 200, "") // which changes nothing
	if n := len(w.Payments()); n != 5 {
		t.Errorf("there are %d payments, want one for each attempt", n)
	}
	look := func(authorization, path, where, want string) {
		t.Helper()
		testkit.Until(t, path+" to be "+want, func() bool {
			status, a := w.call(authorization, "GET", path, "")
			return status == 200 && fmt.Sprint(at(a, where)) == want
		})
	}
	look("v1", "/payments/imp_1", "response.status", "paid")
	look("v1", "/payments/find/order-1", "response.amount", "1000")
	look("v2", "/payments/order-1", "status", "PAID")
	look("v2", "/payments/order-1", "transactionId", "tx-1")
	look("v2", "/payments/order-1", "amount.paid", "2000")
	look("v1", "/payments/imp_2", "response.status", "failed")
	look("v1", "/payments/imp_2", "response.fail_reason", "고객사 요청에 의해 결제를 중단합니다. (상세사유 : 매진)")
	look("v2", "/payments/order-2", "status", "FAILED")
	look("v1", "/payments/findAll/order-2/", "response.total", "2")
	if err := w.Deposit("order-2"); err != nil {
		t.Error(err)
	}
	testkit.Until(t, "the webhooks", func() bool { return len(s.got("webhook")) == 5 })
	var got []string
	for _, m := range s.got("webhook") {
		got = append(got, news(t, m))
	}
	slices.Sort(got)
	want := []string{
		"Transaction.Failed", "Transaction.Paid", "Transaction.Ready", "Transaction.Ready",
		"paid",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the webhooks are %q, want %q", got, want)
	}

	const good = `{"id":"order-3","attempt":"imp_4","amount":1000,"confirmStatus":200}`
	f("/sim/confirmed", `[`+good+`,{"id":"order-1","attempt":"imp_2","amount":1000,"confirmStatus":200}]`, 400,
		"confirm 1: attempt")
	f("/sim/confirmed", `[`+good+`,{"id":"order-4","attempt":"imp_4","amount":1000,"confirmStatus":200}]`, 400,
		"confirm 1: attempt")
	f("/sim/confirmed", `[`+good+`,{"id":"order-4","amount":1000,"confirmStatus":200}]`, 400,
		"confirm 1: attempt: must be")
	f("/sim/confirmed", `[{"id":"order-4","attempt":"imp_5","amount":0,"confirmStatus":200}]`, 400, "confirm 0: amount")
	f("/sim/confirmed", `[{"id":"order-4","attempt":"imp_5","amount":1000,"confirmStatus":42}]`, 400,
		"confirmStatus 42")
	f("/sim/confirmed", `[{"id":"order-4","attempt":"imp_5","amount":1000,"confirmStatus":200,"confirmUrl":"x"}]`, 400,
		"answered already")
	f("/sim/confirmed", good, 400, "cannot be read")
	if n := len(w.Payments()); n != 5 {
		t.Errorf("there are %d payments, want that nothing was done about a list with a mistake", n)
	}
}

func TestWhatOthersConfirmedComesToWhatThePlanHas(t *testing.T) {
	t.Parallel()
	calls := func() (list []portonesim.Confirm) {
		for i := range 100 {
			list = append(list, portonesim.Confirm{
				Order: portonesim.Order{ID: fmt.Sprint("order-", i), Amount: 1000}, Attempt: fmt.Sprint("imp_",
					i), Status: 200,
			})
		}
		return list
	}
	f := func(p portonesim.Plan, want string) {
		t.Helper()
		w := newWorld(t, plan(p))
		if err := w.Confirmed(calls()); err != nil {
			t.Fatal(err)
		}
		testkit.Until(t, "15 to 45 payments that are "+want+", and the others paid", func() bool {
			statuses := map[string]int{}
			for _, p := range w.Payments() {
				statuses[fmt.Sprint(p.Status, " ", p.ConfirmStatus, " ", p.Amount, " ", p.Invented)]++
			}
			n := statuses[want]
			return n >= 15 && n <= 45 && statuses["paid 200 1000 false"] == 100-n
		})
	}
	f(portonesim.Plan{Declines: 0.3}, "failed 200 1000 false")
	f(portonesim.Plan{Lost: 0.3}, "failed 0 1000 false")
	f(portonesim.Plan{Never: 0.3}, "ready 200 1000 false")
	f(portonesim.Plan{Pending: 0.3, SlowBy: time.Hour}, "ready 200 1000 false")
	f(portonesim.Plan{Invented: 0.3}, "ready 200 1000 true")
	f(portonesim.Plan{SwitchedAmount: 0.3}, "paid 200 500 false")

	w := newWorld(t)
	w.Close()
	if err := w.Confirmed(calls()[:1]); err != nil || w.only().Status != "ready" {
		t.Errorf("at a closed simulator: %v, %+v, want that nothing comes of it", err, w.only())
	}
}

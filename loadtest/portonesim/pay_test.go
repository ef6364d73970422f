package portonesim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func TestTheShopIsAskedInTheFormOfItsVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := func(body, contentType, want string) {
		t.Helper()
		s := newShop(t, nil)
		r := w.Pay(t.Context(), s.order("order-"+body, body))
		got := s.got("confirm")
		if len(got) != 1 || r.Status != "paid" || r.ConfirmStatus != 200 {
			t.Errorf("%s: the confirm calls %v came to %+v", body, got, r)
			return
		}
		want = strings.NewReplacer("ORDER", "order-"+body, "ATTEMPT", r.Attempt,
			"NOW", w.clock.Now().UTC().Format("2006-01-02T15:04:05.000Z")).Replace(want)
		if got[0].body != want || got[0].contentType != contentType {
			t.Errorf("%s: %s %s, want %s", body, got[0].contentType, got[0].body, want)
		}
		w.Cancel("order-"+body, "", 0)
	}
	f("v1", "application/json", `{"amount":1000,"imp_uid":"ATTEMPT","merchant_uid":"ORDER"}`)
	f("v1-form", "application/x-www-form-urlencoded", `amount=1000&imp_uid=ATTEMPT&merchant_uid=ORDER`)
	f("v1-status", "application/json", `{"imp_uid":"ATTEMPT","merchant_uid":"ORDER","status":"ready"}`)
	f("v2-2024-01-01", "application/json", `{"payment_id":"ORDER","total_amount":1000,"tx_id":"ATTEMPT"}`)
	f("v2-2024-04-25", "application/json",
		`{"data":{"paymentId":"ORDER","storeId":"`+portonesim.StoreID+`","totalAmount":1000,"transactionId":"ATTEMPT"},"timestamp":"NOW","type":"Transaction.Confirm"}`)
}

func TestOnlyA200LetsAPaymentGoAhead(t *testing.T) {
	t.Parallel()
	f := func(body string, answer func(http.ResponseWriter, message), status int, reason string) {
		t.Helper()
		w := newWorld(t, func(o *portonesim.Options) { o.ConfirmTimeout = 200 * time.Millisecond })
		s := newShop(t, answer)
		r := w.Pay(t.Context(), s.order("order-1", body))
		if r.Status != "failed" || r.ConfirmStatus != status || r.FailReason != reason {
			t.Errorf("%s: the payment is %+v, want failed by %d with %q", body, r, status, reason)
		}
		if p := w.only(); p.Paid || p.Status != "failed" || p.ConfirmStatus != status {
			t.Errorf("%s: the simulator has %+v", body, p)
		}
	}
	say := func(status int, text string) func(http.ResponseWriter, message) {
		return func(w http.ResponseWriter, m message) {
			if m.kind == "confirm" {
				w.WriteHeader(status)
				fmt.Fprint(w, text)
			}
		}
	}
	const soldOut, unknown = "고객사 요청에 의해 결제를 중단합니다. (상세사유 : 매진)", "고객사 요청에 의해 결제를 중단합니다. (상세사유 : 알 수 없음)"
	f("v1", say(409, `{"reason":"매진","errorMessage":"x"}`), 409, soldOut)
	f("v2-2024-04-25", say(409, `{"reason":"x","errorMessage":"매진"}`), 409, "매진")
	f("v1", say(500, `no JSON`), 500, unknown)
	f("v2-2024-04-25", say(500, `no JSON`), 500, "confirm: the shop answered 500")
	f("v1", say(201, ``), 201, unknown)
	f("v1", func(w http.ResponseWriter, m message) {
		if m.kind == "confirm" {
			w.Header().Set("Location", "/elsewhere") // which would answer 200
			w.WriteHeader(302)
		}
	}, 302, unknown)
	f("v1", func(http.ResponseWriter, message) { panic(http.ErrAbortHandler) }, 0, unknown)
	f("v2-2024-01-01", func(http.ResponseWriter, message) { time.Sleep(time.Second) }, 0,
		"confirm: the shop gave no answer")
}

func TestWebhooksTellWhatHasHappened(t *testing.T) {
	t.Parallel()
	f := func(body string, p portonesim.Plan, act func(*world, portonesim.Order), want ...string) {
		t.Helper()
		w := newWorld(t, plan(p))
		s := newShop(t, nil)
		o := s.order("order-1", body)
		act(w, o)
		w.Close()
		got := []string{}
		for _, m := range s.got("webhook") {
			got = append(got, news(t, m))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the webhooks are %q, want %q", body, got, want)
		}
	}
	pay := func(w *world, o portonesim.Order) { w.Pay(w.t.Context(), o) }
	payAndCancel := func(w *world, o portonesim.Order) {
		pay(w, o)
		for _, amount := range []int64{300, 0} {
			if err := w.Cancel(o.ID, "", amount); err != nil {
				t.Error(err)
			}
		}
	}
	account := func(w *world, o portonesim.Order) {
		o.VirtualAccount = true
		pay(w, o)
		if err := w.Deposit(o.ID); err != nil {
			t.Error(err)
		}
	}
	declines := portonesim.Plan{Declines: 1}
	f("v1", portonesim.Plan{}, pay, "paid")
	f("v1", declines, pay)
	f("v1-form", portonesim.Plan{}, payAndCancel, "paid", "cancelled", "cancelled")
	f("v1", portonesim.Plan{}, account, "ready", "paid")
	f("v1", portonesim.Plan{PartCancels: 1}, pay, "paid", "cancelled")
	f("v2-2024-01-01", portonesim.Plan{}, pay, "Ready", "Paid")
	f("v2-2024-01-01", declines, pay, "Ready", "Failed")
	f("v2-2024-04-25", portonesim.Plan{}, payAndCancel,
		"Transaction.Ready", "Transaction.Paid", "Transaction.PartialCancelled", "Transaction.Cancelled")
	f("v2-2024-04-25", portonesim.Plan{}, account, "Transaction.Ready", "Transaction.VirtualAccountIssued",
		"Transaction.Paid")
	f("v2-2024-04-25", portonesim.Plan{Pending: 1}, pay, "Transaction.Ready", "Transaction.PayPending",
		"Transaction.Paid")
	f("v2-2024-04-25", portonesim.Plan{DroppedHooks: 1}, pay)
	f("v1", portonesim.Plan{DuplicateHooks: 1}, pay, "paid", "paid")
	f("v1", portonesim.Plan{}, func(w *world, o portonesim.Order) {
		w.Close()
		pay(w, o)
	})

	byAPI := func(authorization, path, ask string) func(*world, portonesim.Order) {
		return func(w *world, o portonesim.Order) {
			pay(w, o)
			if status, a := w.call(authorization, "POST", path, ask); status != 200 || a["code"] == 1.0 {
				t.Errorf("%s: %d %v", path, status, a)
			}
		}
	}
	f("v1", portonesim.Plan{}, byAPI("v1", "/payments/cancel", `merchant_uid=order-1`), "paid")
	f("v1", portonesim.Plan{}, byAPI("v1", "/payments/cancel", `{"merchant_uid":"order-1","enable_webhook":true}`),
		"paid", "cancelled")
	f("v2-2024-01-01", portonesim.Plan{}, byAPI("v2", "/payments/order-1/cancel", `{"reason":"r"}`), "Ready",
		"Paid", "Cancelled")
	f("v2-2024-01-01", portonesim.Plan{}, byAPI("v2", "/payments/order-1/cancel", `{"reason":"r","skipWebhook":true}`),
		"Ready", "Paid")
}

// news is what a webhook says has happened.
func news(t *testing.T, m message) string {
	t.Helper()
	if values, err := url.ParseQuery(m.body); err == nil && values.Has("status") {
		return values.Get("status")
	}
	var body struct{ Type, Status string }
	if err := json.Unmarshal([]byte(m.body), &body); err != nil {
		t.Errorf("a webhook %s: %v", m.body, err)
	}
	return body.Type + body.Status
}

func TestLateWebhooksAreOvertaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{LateHooks: 0.5, LateBy: time.Hour}))
	s := newShop(t, nil)
	for i := range 20 {
		w.Pay(t.Context(), s.order(fmt.Sprint("order-", i), "v2-2024-04-25"))
	}
	w.Close() // sends those that are late
	first := map[string]string{}
	for _, m := range s.got("webhook") {
		var body struct{ Data struct{ PaymentID string } }
		if err := json.Unmarshal([]byte(m.body), &body); err != nil {
			t.Fatal(err)
		}
		if first[body.Data.PaymentID] == "" {
			first[body.Data.PaymentID] = news(t, m)
		}
	}
	overtaken := 0
	for _, what := range first {
		if what == "Transaction.Paid" {
			overtaken++
		}
	}
	if len(s.got("webhook")) != 40 || overtaken == 0 || overtaken == 20 {
		t.Errorf("of %d webhooks of 20 orders, %d orders' Paid came first, want some", len(s.got("webhook")), overtaken)
	}
}

func TestV2IsSignedUnlessAForgerCalls(t *testing.T) {
	t.Parallel()
	verifier := testkit.Webhook(t, webhookSecret)
	s := newShop(t, func(w http.ResponseWriter, m message) {
		if err := verifier.Verify([]byte(m.body), m.header); err != nil {
			t.Errorf("%s %s: %v", m.kind, m.body, err)
		}
	})
	w := newWorld(t)
	for _, body := range []string{"v2-2024-01-01", "v2-2024-04-25"} {
		w.Pay(t.Context(), s.order("order-"+body, body))
	}
	w.Close()
	if len(s.got("confirm")) != 2 || len(s.got("webhook")) != 4 {
		t.Errorf("there were %d confirm calls and %d webhooks, want 2 and 4", len(s.got("confirm")),
			len(s.got("webhook")))
	}

	unsigned := func(body string, change ...func(*portonesim.Options)) {
		t.Helper()
		s := newShop(t, nil)
		newWorld(t, change...).Pay(t.Context(), s.order("order-1", body))
		for _, m := range s.got("confirm") {
			if m.header.Get("webhook-signature") != "" {
				t.Errorf("%s: a confirm call is signed", body)
			}
		}
		if len(s.got("confirm")) != 1 {
			t.Errorf("%s: %d confirm calls, want 1", body, len(s.got("confirm")))
		}
	}
	unsigned("v1")
	unsigned("v2-2024-04-25", func(o *portonesim.Options) { o.WebhookSecret = "" })
	unsigned("v2-2024-04-25", plan(portonesim.Plan{Invented: 1}))
}

func TestV2SendsAgainWhatWasNotTaken(t *testing.T) {
	t.Parallel()
	f := func(body string, want int) {
		t.Helper()
		w := newWorld(t)
		s := newShop(t, func(w http.ResponseWriter, m message) {
			if m.kind == "webhook" {
				w.WriteHeader(500)
			}
		})
		w.Pay(t.Context(), s.order("order-1", body))
		testkit.Until(t, "the webhooks", func() bool { return len(s.got("webhook")) >= want })
		w.Close()
		ids := map[string]bool{}
		for _, m := range s.got("webhook") {
			ids[m.header.Get("webhook-id")+news(t, m)] = true
		}
		if len(s.got("webhook")) != want || len(ids) != want/3+want%3 {
			t.Errorf("%s: %d webhooks with %d ids, want %d", body, len(s.got("webhook")), len(ids), want)
		}
	}
	f("v1", 1)
	f("v2-2024-04-25", 2*3)
}

func TestWithoutAConfirmURLNobodyIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{Invented: 1}))
	if r := w.pay("order-1", "v1"); r.Status != "paid" || r.ConfirmStatus != 0 {
		t.Errorf("the payment is %+v, want paid", r)
	}
}

func TestConsoleAndDepositFailWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attempt := w.pay("order-1", "v1").Attempt
	for what, err := range map[string]error{
		"an order unknown":     w.Cancel("order-2", "", 0),
		"another's attempt":    w.Cancel("order-2", attempt, 0),
		"more than was paid":   w.Cancel("order-1", attempt, 1001),
		"a deposit for a card": w.Deposit("order-1"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

package portonesim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func TestEveryNoticeURLIsSentEveryWebhook(t *testing.T) {
	t.Parallel()
	f := func(body string, want ...string) {
		t.Helper()
		w := newWorld(t)
		s, second, third := newShop(t, nil), newShop(t, nil),
			newShop(t, func(w http.ResponseWriter, _ message) { w.WriteHeader(500) })
		o := s.order("order-1", body)
		o.NoticeURLs = []string{second.URL + "/webhook", third.URL + "/webhook"}
		w.Pay(t.Context(), o)
		testkit.Until(t, "the first webhooks", func() bool { return len(third.got("webhook")) >= len(want) })
		w.Close()
		ids := map[string]bool{}
		for i, shop := range []*shop{s, second, third} {
			var got []string
			for _, m := range shop.got("webhook") {
				got = append(got, news(t, m))
				ids[m.header.Get("webhook-id")] = true
			}
			if slices.Sort(got); !slices.Equal(slices.Compact(got), want) ||
				i < 2 && len(shop.got("webhook")) != len(want) {
				t.Errorf("%s: address %d was sent %q, want %q", body, i, got, want)
			}
		}
		if body != "v1" && len(ids) != 3*len(want) {
			t.Errorf("%s: there are %d ids, want one for each webhook and address", body, len(ids))
		}
	}
	f("v1", "paid")
	f("v2-2024-04-25", "Transaction.Paid", "Transaction.Ready")
}

func TestWebhooksComeTenfoldAndShuffled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{
		DuplicateHooks: 1, HookCopies: 10, ShuffledHooks: 1,
		LateBy: 300 * time.Millisecond,
	}))
	s := newShop(t, nil)
	const orders = 5
	for i := range orders {
		w.Pay(t.Context(), s.order(fmt.Sprint("order-", i), "v2-2024-04-25"))
	}
	testkit.Until(t, "the webhooks", func() bool { return len(s.got("webhook")) == orders*2*10 })
	counts, ids, turns, last := map[string]int{}, map[string]bool{}, 0, ""
	for _, m := range s.got("webhook") {
		counts[news(t, m)]++
		ids[m.header.Get("webhook-id")] = true
		if news(t, m) != last {
			turns, last = turns+1, news(t, m)
		}
	}
	if counts["Transaction.Ready"] != orders*10 || counts["Transaction.Paid"] != orders*10 || len(ids) != orders*2 {
		t.Errorf("there were %v with %d ids, want ten of each webhook", counts, len(ids))
	}
	if turns < orders*3 { // in order there would be about two for each payment
		t.Errorf("they came in %d turns of a kind, want them mixed", turns)
	}
}

func TestAShopIsNotSentAllWebhooksAtOnce(t *testing.T) {
	t.Parallel()
	const orders, atOnce = 400, 128
	var now, top atomic.Int32
	thought := make(chan struct{})
	s := newShop(t, func(http.ResponseWriter, message) {
		top.Store(max(top.Load(), now.Add(1))) // a lower bound, which is enough
		<-thought
		now.Add(-1)
	})
	w := newWorld(t)
	var calls []portonesim.Confirm
	for i := range orders {
		calls = append(calls, portonesim.Confirm{
			Order: portonesim.Order{
				ID: fmt.Sprint("order-", i), Amount: 1000,
				NoticeURL: s.URL + "/webhook",
			}, Attempt: fmt.Sprint("imp_", i), Status: 200,
		})
	}
	if err := w.Confirmed(calls); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "all to be paid, and as many webhooks as there may be", func() bool {
		return now.Load() >= atOnce &&
			!slices.ContainsFunc(w.Payments(), func(p portonesim.Payment) bool { return !p.Paid })
	})
	close(thought)
	testkit.Until(t, "every webhook", func() bool { return len(s.got("webhook")) == orders && now.Load() == 0 })
	if top.Load() > atOnce {
		t.Errorf("%d webhooks were under way at once, want at most %d", top.Load(), atOnce)
	}
}

func TestForgersCallPaymentsPaid(t *testing.T) {
	t.Parallel()
	// Nothing comes of the payments, so that whatever says paid is forged.
	open := func(secret string) *world {
		return newWorld(t, plan(portonesim.Plan{ForgedHooks: 1, Never: 1}),
			func(o *portonesim.Options) { o.WebhookSecret = secret })
	}
	forged := func(w *world, body string) message {
		t.Helper()
		s := newShop(t, nil)
		w.Pay(t.Context(), s.order("order-1", body))
		w.Close()
		var found []message
		for _, m := range s.got("webhook") {
			if strings.HasSuffix(strings.ToLower(news(t, m)), "paid") {
				found = append(found, m)
			}
		}
		if len(found) != 1 {
			t.Fatalf("%s: of the webhooks %v there are %d forged, want 1", body, s.got("webhook"), len(found))
		}
		return found[0]
	}

	verifier := testkit.Webhook(t, webhookSecret)
	for _, secret := range []string{webhookSecret, ""} {
		w := open(secret)
		m := forged(w, "v2-2024-04-25")
		if err := verifier.Verify([]byte(m.body), m.header); err == nil || m.header.Get("webhook-signature") == "" {
			t.Errorf("with the secret %q: %v verifies %v, want that it is signed wrongly", secret, err, m.header)
		}
		if !strings.Contains(m.body, w.only().Attempt) {
			t.Errorf("it is about %s, want the attempt %s", m.body, w.only().Attempt)
		}
	}

	w := open(webhookSecret)
	m := forged(w, "v1-form")
	attempt := fields(t, m).Get("imp_uid")
	if status, _ := w.call("v1", "GET", "/payments/"+attempt, ""); status != 404 || attempt == w.only().Attempt ||
		fields(t, m).Get("merchant_uid") != "order-1" {
		t.Errorf("%s is about an attempt that is found with %d, want one that does not exist", m.body, status)
	}
}

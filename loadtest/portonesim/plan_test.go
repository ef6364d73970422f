package portonesim_test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// outcome is what came of an attempt, without when.
func outcomes(w *world) map[string]portonesim.Payment {
	found := map[string]portonesim.Payment{}
	for _, p := range w.Payments() {
		found[p.Attempt] = p
	}
	return found
}

func TestTheSameSeedHasTheSameOutcomesInAnyOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	run := func(seed uint64, body string, atOnce bool) map[string]portonesim.Payment {
		w := newWorld(t, plan(portonesim.Plan{
			Declines: 0.2, Lost: 0.1, Never: 0.1, Invented: 0.1, PartCancels: 0.2, TestChannel: 0.1, WrongAmount: 0.1,
			SwitchedAmount: 0.1,
			Twice:          0.1, TriesAgain: 0.5,
		}), func(o *portonesim.Options) { o.Seed = seed })
		var buyers sync.WaitGroup
		for i := range 60 {
			pay := func() {
				for range 2 { // a second attempt has an outcome of its own
					w.Pay(t.Context(), portonesim.Order{
						ID: fmt.Sprint("order-", i), Body: body, Amount: 1000,
						ConfirmURL: s.URL,
					})
				}
			}
			if atOnce {
				buyers.Go(pay)
			} else {
				pay()
			}
		}
		buyers.Wait()
		return outcomes(w)
	}
	first := run(3, "v1", false)
	if second := run(3, "v1", true); fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("the same seed came to\n%v\nand\n%v", first, second)
	}
	if other := run(4, "v1", false); fmt.Sprint(first) == fmt.Sprint(other) {
		t.Error("another seed has the same outcomes")
	}
}

func TestSharesAreKept(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	const orders = 400
	f := func(what string, p portonesim.Plan, count func(portonesim.Payment) bool) {
		t.Helper()
		w := newWorld(t, plan(p))
		for i := range orders {
			w.Pay(t.Context(), portonesim.Order{
				ID: fmt.Sprint("order-", i), Body: "v1", Amount: 1000,
				ConfirmURL: s.URL,
			})
		}
		n := 0
		for _, p := range w.Payments() {
			if count(p) {
				n++
			}
		}
		if share := float64(n) / float64(len(w.Payments())); math.Abs(share-0.3) > 0.08 {
			t.Errorf("%s: %d of %d, want 30 %%", what, n, len(w.Payments()))
		}
	}
	f("declines", portonesim.Plan{Declines: 0.3}, func(p portonesim.Payment) bool {
		return p.Status == "failed" && p.ConfirmStatus == 200
	})
	f("lost", portonesim.Plan{Lost: 0.3, Declines: 0.3}, func(p portonesim.Payment) bool {
		return p.Status == "failed" && p.ConfirmStatus == 0
	})
	f("never", portonesim.Plan{Never: 0.3},
		func(p portonesim.Payment) bool { return p.Status == "ready" && !p.Invented })
	f("invented", portonesim.Plan{Invented: 0.3},
		func(p portonesim.Payment) bool { return p.Invented && p.ConfirmStatus == 200 })
	f("revived", portonesim.Plan{Revived: 0.3, SlowBy: time.Hour}, func(p portonesim.Payment) bool {
		return p.Status == "failed" && p.ConfirmStatus == 200
	})
	f("switched amount", portonesim.Plan{SwitchedAmount: 0.3},
		func(p portonesim.Payment) bool { return p.Amount == 500 && p.Status == "paid" })
	f("part cancels", portonesim.Plan{PartCancels: 0.3},
		func(p portonesim.Payment) bool { return p.Cancelled == 500 && p.Status == "paid" })
	f("test channel", portonesim.Plan{TestChannel: 0.3}, func(p portonesim.Payment) bool { return p.Test })
	f("wrong amount", portonesim.Plan{WrongAmount: 0.3},
		func(p portonesim.Payment) bool { return p.Amount == 500 && p.Status == "paid" })
}

// An order's own fate goes before the plan's.
func TestAnOrderMayNameItsFate(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t, plan(portonesim.Plan{Declines: 1})), newShop(t, nil)
	for fate, want := range map[string]string{
		"approved": "paid 200", "declines": "failed 200", "": "failed 200", "slow-approvals": "paid 200",
		"lost":  "failed 0",
		"never": "ready 200", "pending": "paid 200", "invented": "ready 200", "revived": "failed 200",
	} {
		o := s.order("order-"+fate, "v2-2024-04-25")
		o.Fate = fate
		if r := w.Pay(t.Context(), o); fmt.Sprint(r.Status, " ", r.ConfirmStatus) != want {
			t.Errorf("%s came to %+v, want %s", fate, r, want)
		}
	}
	o := s.order("order-1", "v1")
	o.Fate = "doomed"
	if r := w.Pay(t.Context(), o); r.Attempt != "" || !strings.Contains(r.FailReason, "approved, declines, invented") {
		t.Errorf("an unknown fate came to %+v", r)
	}
}

func TestNoAPIKnowsWhatWasInvented(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{Invented: 1}))
	s := newShop(t, nil)
	v1 := w.Pay(t.Context(), s.order("order-1", "v1")).Attempt
	w.Pay(t.Context(), s.order("order-2", "v2-2024-04-25"))
	for _, path := range []string{"/payments/" + v1 + "?include_sandbox=true", "/payments/findAll/order-1/"} {
		if status, _ := w.call("v1", "GET", path, ""); status != 404 {
			t.Errorf("%s: %d, want 404", path, status)
		}
	}
	if status, _ := w.call("v2", "GET", "/payments/order-2", ""); status != 404 {
		t.Errorf("V2 has the payment: %d", status)
	}
	for path, authorization := range map[string]string{"/payments/status/all": "v1", "/payments": "v2"} {
		if _, a := w.call(authorization, "GET", path, ""); strings.Contains(fmt.Sprint(a), "order-") {
			t.Errorf("%s has it: %v", path, a)
		}
	}
	w.Close()
	if got := s.got("webhook"); len(got) != 0 {
		t.Errorf("there were the webhooks %v", got)
	}
}

func TestRESTErrorsLeaveOpenWhatWasDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan(portonesim.Plan{RESTErrors: 0.5}))
	done, undone := 0, 0
	for i := range 60 {
		order := fmt.Sprint("order-", i)
		w.pay(order, "v2-2024-04-25")
		status, _ := w.call("v2", "POST", "/payments/"+order+"/cancel", `{"reason":"r"}`)
		switch p := w.Payments()[i]; {
		case status == http.StatusOK && p.Status != "cancelled":
			t.Errorf("200, and it is %+v", p)
		case status == http.StatusBadGateway && p.Status == "cancelled":
			done++
		case status == http.StatusBadGateway:
			undone++
		}
	}
	if done == 0 || undone == 0 {
		t.Errorf("of the errors %d had done what was asked and %d had not, want some of both", done, undone)
	}
	var statuses []int
	for range 20 {
		status, _ := w.call("v2", "GET", "/payments/order-1", "")
		statuses = append(statuses, status)
	}
	if !slices.Contains(statuses, 200) || !slices.Contains(statuses, 502) {
		t.Errorf("one call again and again came to %v, want some of 200 and 502", statuses)
	}
}

func TestAnOutageIsOfTheRESTAPIsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pay("order-1", "v2-2024-04-25")
	f := func(down bool, want int) {
		t.Helper()
		w.SetDown(down)
		if status, _ := w.call("v2", "GET", "/payments/order-1", ""); status != want {
			t.Errorf("V2, down %v: %d, want %d", down, status, want)
		}
		status, _ := w.call("", "POST", "/users/getToken", `{"imp_key":"key","imp_secret":"secret"}`)
		if status != want {
			t.Errorf("V1, down %v: %d, want %d", down, status, want)
		}
		if status, _ := w.call("", "GET", "/sim/payments", ""); status != 200 {
			t.Errorf("/sim/payments: %d", status)
		}
	}
	f(true, 503)
	f(false, 200)
}

func TestAnOutageEndsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pay("order-1", "v2-2024-04-25")
	f := func(hangUp bool, after time.Duration, want int) {
		t.Helper()
		w.DownFor(30*time.Second, hangUp)
		w.clock.Move(after)
		if got := w.status("/payments/order-1"); got != want {
			t.Errorf("%v into an outage, hanging up %v: %d, want %d", after, hangUp, got, want)
		}
	}
	f(false, 0, 503)
	f(false, 30*time.Second-1, 503)
	f(false, 30*time.Second, 200)
	f(true, 0, 0)
	f(true, 30*time.Second, 200)
	w.DownFor(time.Hour, true)
	w.SetDown(false)
	if got := w.status("/payments/order-1"); got != 200 {
		t.Errorf("after an outage was ended: %d", got)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	f := func(o portonesim.Options, want string) {
		t.Helper()
		err := o.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	f(portonesim.Options{}, "")
	f(portonesim.Options{WebhookSecret: webhookSecret, Plan: portonesim.Plan{Declines: 0.5, Lost: 0.5, Twice: 1}}, "")
	f(portonesim.Options{WebhookSecret: "whsec_"}, "empty")
	f(portonesim.Options{WebhookSecret: "c2VjcmV0"}, "whsec_")
	f(portonesim.Options{WebhookSecret: "whsec_?"}, "base64")
	f(portonesim.Options{Plan: portonesim.Plan{Twice: 1.1}}, "from 0 to 1")
	f(portonesim.Options{Plan: portonesim.Plan{Twice: math.NaN()}}, "from 0 to 1")
	f(portonesim.Options{Plan: portonesim.Plan{Declines: 0.6, Pending: 0.6}}, "at most 1")
	f(portonesim.Options{Plan: portonesim.Plan{Declines: 0.6, Revived: 0.6}}, "at most 1")
	f(portonesim.Options{Plan: portonesim.Plan{SlowCancels: 0.6, PGErrors: 0.6}}, "--slow-cancels, --requested-cancels")
	f(portonesim.Options{Plan: portonesim.Plan{MaxCancels: -1}}, "--max-cancels")
	f(portonesim.Options{Plan: portonesim.Plan{ForgedHooks: -1}}, "from 0 to 1")
	f(portonesim.Options{Plan: portonesim.Plan{LateBy: -time.Second}}, "negative")
	f(portonesim.Options{Plan: portonesim.Plan{HookCopies: 101}}, "copies")
}

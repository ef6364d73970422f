package portone_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// refund is a cancellation of the fakes' payment o.
func refund(version uint8) portone.CancelRequest {
	return portone.CancelRequest{
		Order: "o", Attempt: "imp_1", Version: version, Balance: 110000, Reason: "품절", Key: "flashgate-o-imp_1-0123",
	}
}

func TestACancellationGivesBackWhatIsLeft(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(v1Payment("imp_1", "o", "paid"), v1Payment("imp_2", "o", "paid")), newFakeV2(v2Payment("o", "t", "PAID"))
	c := serve(t, fake1, fake2, func(o *portone.Options) { o.V2.StoreID = "store-1" })
	for version := uint8(1); version <= 2; version++ {
		if err := c.Cancel(t.Context(), refund(version)); err != nil {
			t.Errorf("V%d: %v", version, err)
		}
	}
	if p := fake1.byID["imp_1"]; p["status"] != "cancelled" || p["cancel_amount"] != 110000 || p["cancel_reason"] != "품절" {
		t.Errorf("V1: got %v", p)
	}
	if p := fake1.byID["imp_2"]; p["status"] != "paid" {
		t.Errorf("V1: another attempt was cancelled: %v", p)
	}
	if fake2.payments["o"]["status"] != "CANCELLED" || !slices.Equal(fake2.keys, []string{`"flashgate-o-imp_1-0123"`}) ||
		!slices.Equal(fake2.bodies, []string{"store-1 품절 110000"}) {
		t.Errorf("V2: got %v %v %v", fake2.payments["o"], fake2.keys, fake2.bodies)
	}

	// A second time: V2 says that it is done, V1 has no word for it that could be told from others.
	if err := c.Cancel(t.Context(), refund(2)); err != nil {
		t.Errorf("V2 again: %v", err)
	}
	if err := c.Cancel(t.Context(), refund(1)); err == nil || errors.Is(err, portone.ErrUnknownOutcome) {
		t.Errorf("V1 again: %v, want a refusal", err)
	}
}

func TestAnotherBalanceCancelsNothing(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(v1Payment("imp_1", "o", "paid")), newFakeV2(v2Payment("o", "t", "PAID"))
	c := serve(t, fake1, fake2)
	for version := uint8(1); version <= 2; version++ {
		r := refund(version)
		r.Balance = 100000
		if err := c.Cancel(t.Context(), r); err == nil || errors.Is(err, portone.ErrUnknownOutcome) {
			t.Errorf("V%d: %v, want a refusal", version, err)
		}
	}
	if fake1.byID["imp_1"]["status"] != "paid" || fake2.payments["o"]["status"] != "PAID" {
		t.Error("a payment was cancelled all the same")
	}
}

func TestACancellationThatCannotBeMeantIsNotSent(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(), newFakeV2()
	c := serve(t, fake1, fake2)
	f := func(version uint8, change func(*portone.CancelRequest)) {
		t.Helper()
		r := refund(version)
		change(&r)
		if err := c.Cancel(t.Context(), r); err == nil || errors.Is(err, portone.ErrUnknownOutcome) {
			t.Errorf("%+v: got %v", r, err)
		}
	}
	for version := uint8(1); version <= 2; version++ {
		f(version, func(r *portone.CancelRequest) { r.Balance = 0 })
		f(version, func(r *portone.CancelRequest) { r.Balance = -1 })
		f(version, func(r *portone.CancelRequest) { r.Balance = gate.MaxAmount + 1 })
		f(version, func(r *portone.CancelRequest) { r.Reason = "" })
		f(version, func(r *portone.CancelRequest) { r.Version = 3 })
	}
	f(1, func(r *portone.CancelRequest) { r.Attempt = "" })
	f(1, func(r *portone.CancelRequest) { r.Attempt = "a/b" })
	f(2, func(r *portone.CancelRequest) { r.Order = ".." })
	for _, key := range []string{"", "too-short-by-one", strings.Repeat("x", 257), `quoted"-key-0123456`, "with a space-012345"} {
		key = strings.TrimSuffix(key, "e")
		f(2, func(r *portone.CancelRequest) { r.Key = key })
	}
	if calls := len(fake1.calls) + len(fake2.calls); calls != 0 {
		t.Errorf("%d calls were made", calls)
	}
}

func TestAPaymentOfAVersionWithoutCredentialsIsNotCancelled(t *testing.T) {
	t.Parallel()
	f := func(c *portone.Client, version uint8) {
		t.Helper()
		err := c.Cancel(t.Context(), refund(version))
		if err == nil || errors.Is(err, portone.ErrUnknownOutcome) || !strings.Contains(err.Error(), "no credentials") {
			t.Errorf("V%d: got %v, want an error that says what is missing", version, err)
		}
	}
	f(serve(t, nil, newFakeV2()), 1)
	f(serve(t, newFakeV1(), nil), 2)
	f(serve(t, newFakeV1(), newFakeV2()), 0)
}

func TestACancellationIsSentOnceAndItsOutcomeNeverGuessed(t *testing.T) {
	t.Parallel()
	f := func(version uint8, what string, unknown bool, fault func(w http.ResponseWriter)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			fake1, fake2 := newFakeV1(v1Payment("imp_1", "o", "paid")), newFakeV2(v2Payment("o", "t", "PAID"))
			hit := func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/cancel") {
					fault(w)
					return true
				}
				return false
			}
			fake1.fault, fake2.fault = hit, hit
			err := atDirect(t, fake1, fake2).Cancel(t.Context(), refund(version))
			if err == nil || errors.Is(err, portone.ErrUnknownOutcome) != unknown {
				t.Errorf("V%d %s: got %v, unknown must be %v", version, what, err, unknown)
			}
			if sent := fake1.called("POST /payments") + fake2.called("POST /payments"); sent != 1 {
				t.Errorf("V%d %s: sent %d times", version, what, sent)
			}
		})
	}
	status := func(status int, kind string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			answer(w, status, object{"code": -1, "message": kind, "type": kind})
		}
	}
	text := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = w.Write([]byte(text)) }
	}

	for version := uint8(1); version <= 2; version++ {
		for _, code := range []int{500, 502, 503, 504, 408, 204} {
			f(version, http.StatusText(code), true, status(code, "PG_PROVIDER"))
		}
		for _, code := range []int{400, 403, 404, 409, 429} {
			f(version, http.StatusText(code), false, status(code, "X"))
		}
		f(version, "no JSON", true, text("<html>"))
		f(version, "cut short", true, text(`{"code":0,"cancellation":{"sta`))
		f(version, "empty", true, text(`{}`))
		f(version, "slow", true, func(http.ResponseWriter) { time.Sleep(61 * time.Second) })
	}
	f(1, "a strange message", true, text(`{"code":0,"message":5}`))
	f(1, "no payment", true, text(`{"code":0,"response":null}`))
	f(1, "still paid", true, func(w http.ResponseWriter) {
		answer(w, 200, object{"code": 0, "response": v1Payment("imp_1", "o", "paid")})
	})
	f(1, "done, by a fault", true, func(w http.ResponseWriter) {
		answer(w, 500, object{"code": 0, "response": v1Payment("imp_1", "o", "cancelled")})
	})
	f(1, "another's", true, func(w http.ResponseWriter) {
		answer(w, 200, object{"code": 0, "response": v1Payment("imp_9", "o", "cancelled")})
	})
	f(1, "code", false, status(200, "no"))
	f(2, "done, by a fault", true, status(500, "PAYMENT_ALREADY_CANCELLED"))
	f(2, "already running", true, status(409, "IDEMPOTENCY_OUTSTANDING_REQUEST"))
	f(2, "no status", true, text(`{"cancellation":{}}`))
	for _, said := range []string{"SUCCEEDED", "REQUESTED", "FAILED"} {
		f(2, said+" and something else", true, text(`{"cancellation":{"status":"`+said+`"},"cancellation":[]}`))
	}
	f(2, "strange", true, text(`{"cancellation":{"status":"NEW"}}`))
	f(2, "failed", false, text(`{"cancellation":{"status":"FAILED"}}`))
}

func TestAnUnknownOutcomeSaysWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	fake := newFakeV1(v1Payment("imp_1", "o", "paid", object{"currency": nil}))
	err := serve(t, fake, nil).Cancel(t.Context(), refund(1))
	if !errors.Is(err, portone.ErrUnknownOutcome) || !strings.Contains(err.Error(), `"imp_1" of PortOne v1 cannot be read: amount`) {
		t.Errorf("got %v, want an error that says why", err)
	}
}

func TestAnAcceptedCancellationIsOne(t *testing.T) {
	t.Parallel()
	fake := newFakeV2(v2Payment("o", "t", "PAID"))
	fake.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		answer(w, http.StatusOK, object{"cancellation": object{"status": "REQUESTED"}})
		return true
	}
	if err := serve(t, nil, fake).Cancel(t.Context(), refund(2)); err != nil {
		t.Error(err)
	}
}

func TestASlowCancellationIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake1, fake2 := newFakeV1(v1Payment("imp_1", "o", "paid")), newFakeV2(v2Payment("o", "t", "PAID"))
		fake1.fault = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/payments/cancel" {
				time.Sleep(55 * time.Second)
			}
			return false
		}
		fake2.fault = fake1.fault
		fake2.latency = 55 * time.Second
		c := atDirect(t, fake1, fake2)
		for version := uint8(1); version <= 2; version++ {
			if err := c.Cancel(t.Context(), refund(version)); err != nil {
				t.Errorf("V%d: %v", version, err)
			}
		}
	})
}

func TestACancellationThatWasNeverSentIsNotUnknown(t *testing.T) {
	t.Parallel()
	fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for version := uint8(1); version <= 2; version++ {
		if err := serve(t, fake, newFakeV2()).Cancel(ctx, refund(version)); err == nil || errors.Is(err, portone.ErrUnknownOutcome) {
			t.Errorf("V%d: got %v", version, err)
		}
	}
	c := serve(t, fake, nil, func(o *portone.Options) { o.V1.Secret = "WRONG" })
	if err := c.Cancel(t.Context(), refund(1)); err == nil || errors.Is(err, portone.ErrUnknownOutcome) {
		t.Errorf("got %v", err)
	}
	if calls := fake.called("POST /payments/cancel"); calls != 0 {
		t.Errorf("%d calls were made", calls)
	}
}

func TestACancellationAfterAForgottenTokenIsSentAgain(t *testing.T) {
	t.Parallel()
	fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
	c := serve(t, fake, nil)
	one(t, c, 1, "o", "imp_1")
	fake.mu.Lock()
	fake.ends = time.Time{}
	fake.mu.Unlock()
	if err := c.Cancel(t.Context(), refund(1)); err != nil {
		t.Error(err)
	}
	if calls := fake.called("POST /payments/cancel"); calls != 2 {
		t.Errorf("sent %d times, want 2: a 401 has carried nothing out", calls)
	}
}

package portone_test

import (
	"context"
	"fmt"
	"io"
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
func refund(version gate.Version) portone.CancelRequest {
	return portone.CancelRequest{
		Order: "o", Attempt: "imp_1", Version: version, Balance: 110000, Reason: "품절", Key: "flashgate-o-imp_1-0123",
	}
}

func TestACancellationGivesBackWhatIsLeft(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(v1Payment("imp_1", "o", "paid"), v1Payment("imp_2", "o", "paid")),
		newFakeV2(v2Payment("o", "t", "PAID"))
	c := serve(t, fake1, fake2, func(o *config) { o.V2.Store = "store-1" })
	for _, version := range gate.Versions() {
		if came, err := c.Cancel(t.Context(), refund(version)); came != portone.CancelDone || err != nil {
			t.Errorf("V%d: %v, %v", version, came, err)
		}
	}
	if p := fake1.byID["imp_1"]; p["status"] != "cancelled" || p["cancel_amount"] != 110000 ||
		p["cancel_reason"] != "품절" {
		t.Errorf("V1: got %v", p)
	}
	if p := fake1.byID["imp_2"]; p["status"] != "paid" {
		t.Errorf("V1: another attempt was cancelled: %v", p)
	}
	if fake2.payments["o"]["status"] != "CANCELLED" ||
		!slices.Equal(fake2.keys, []string{`"flashgate-o-imp_1-0123"`}) ||
		!slices.Equal(fake2.bodies, []string{"store-1 품절 110000"}) {
		t.Errorf("V2: got %v %v %v", fake2.payments["o"], fake2.keys, fake2.bodies)
	}

	// A second time: V2 says that it is done, V1 has no word for it that could be told from others.
	if came, err := c.Cancel(t.Context(), refund(2)); came != portone.CancelDone || err != nil {
		t.Errorf("V2 again: %v, %v", came, err)
	}
	if came, err := c.Cancel(t.Context(), refund(1)); err == nil || came != portone.CancelFailed {
		t.Errorf("V1 again: %v, %v, want a refusal", came, err)
	}
}

func TestAnotherBalanceCancelsNothing(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(v1Payment("imp_1", "o", "paid")), newFakeV2(v2Payment("o", "t", "PAID"))
	c := serve(t, fake1, fake2)
	for _, version := range gate.Versions() {
		r := refund(version)
		r.Balance = 100000
		if came, err := c.Cancel(t.Context(), r); err == nil || came != portone.CancelFailed {
			t.Errorf("V%d: %v, %v, want a refusal", version, came, err)
		}
	}
	if fake1.byID["imp_1"]["status"] != "paid" || fake2.payments["o"]["status"] != "PAID" {
		t.Error("a payment was cancelled all the same")
	}
}

// A checksum that is rounded, or read by way of a double, would be refused.
func TestABalanceWithDecimalsIsSentExactly(t *testing.T) {
	t.Parallel()
	fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
	var bodies []string
	fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/payments/cancel" {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		answer(w, 200, object{"code": 0, "response": v1Payment("imp_1", "o", "cancelled")})
		return true
	}
	c := serve(t, fake, newFakeV2())
	for _, balance := range []struct {
		units int64
		cents uint8
	}{{10, 50}, {0, 7}, {999999999999, 99}, {10, 0}} {
		r := refund(1)
		r.Balance, r.BalanceCents = balance.units, balance.cents
		if came, err := c.Cancel(t.Context(), r); came != portone.CancelDone || err != nil {
			t.Errorf("%+v: %v, %v", balance, came, err)
		}
	}
	want := []string{`"checksum":10.50,`, `"checksum":0.07,`, `"checksum":999999999999.99,`, `"checksum":10,`}
	for i, body := range bodies {
		if len(bodies) != len(want) || !strings.Contains(body, want[i]) {
			t.Errorf("sent %s, want %s in it", body, want[i])
		}
	}
}

// What was paid into a virtual account goes back to a bank account. That is the buyer's,
// and what PortOne says of it stays out of errors, and so of logs.
func TestTheBuyersBankAccountIsSentAndHidden(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(v1Payment("imp_1", "o", "paid")), newFakeV2(v2Payment("o", "t", "PAID"))
	var body string
	fake1.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/cancel") {
			return false
		}
		text, _ := io.ReadAll(r.Body)
		body = string(text)
		answer(w, http.StatusConflict,
			object{"code": -1, "type": "X", "message": "계좌 110-123-456789 김철수 010-1234-5678"})
		return true
	}
	fake2.fault = fake1.fault
	c := serve(t, fake1, fake2)
	f := func(version gate.Version, bank, want string) {
		t.Helper()
		r := refund(version)
		r.Account = &gate.BankAccount{Bank: bank, Number: "110-123-456789", Holder: "김철수", Phone: "010-1234-5678"}
		came, err := c.Cancel(t.Context(), r)
		if came != portone.CancelFailed || !strings.Contains(body, want) {
			t.Errorf("V%d: %v, sent %s", version, came, body)
		}
		for _, secret := range []string{"110-123-456789", "김철수", "010-1234-5678"} {
			if strings.Contains(err.Error()+portone.Said(err), secret) ||
				strings.Contains(fmt.Sprint(r.Account), secret) {
				t.Errorf("V%d: %v tells of %s", version, err, secret)
			}
		}
	}
	f(1, "004",
		`"refund_holder":"김철수","refund_bank":"004","refund_account":"110-123-456789","refund_tel":"010-1234-5678"`)
	f(2, "KOOKMIN",
		`"refundAccount":{"bank":"KOOKMIN","number":"110-123-456789","holderName":"김철수","holderPhoneNumber":"010-1234-5678"}`)

	body = ""
	for version, banks := range map[gate.Version][]string{
		1: {"", "0 4", "KOOKMIN_BANK_OF_SEOUL"},
		2: {"", "004", "kookmin", "KB"},
	} {
		for _, bank := range banks {
			r := refund(version)
			r.Account = &gate.BankAccount{Bank: bank, Number: "1", Holder: "a"}
			if came, err := c.Cancel(t.Context(), r); came != portone.CancelUnsent || err == nil || body != "" {
				t.Errorf("V%d, bank %q: %v, %v, sent %s", version, bank, came, err, body)
			}
		}
	}
	for _, account := range []gate.BankAccount{
		{Bank: "KOOKMIN", Number: "1"},
		{Bank: "KOOKMIN", Holder: "a"},
		{Bank: "KOOKMIN", Number: "1", Holder: "a", Phone: "\n"},
	} {
		if err := portone.CheckAccount(2, &account); err == nil {
			t.Errorf("%d digits are an account", len(account.Number))
		}
	}
}

// PortOne takes a cancellation for taxable as far as it says nothing else.
func TestWhatIsFreeOfTaxIsCancelledAsThat(t *testing.T) {
	t.Parallel()
	fake := newFakeV2(v2Payment("o", "t", "PAID"))
	var body string
	fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
		text, _ := io.ReadAll(r.Body)
		body = string(text)
		answer(w, http.StatusOK, object{"cancellation": object{"status": "SUCCEEDED"}})
		return true
	}
	c := serve(t, nil, fake)
	for taxFree, want := range map[int64]string{0: "110000}", 10000: `110000,"taxFreeAmount":10000}`} {
		r := refund(2)
		r.TaxFree = taxFree
		if came, err := c.Cancel(t.Context(), r); came != portone.CancelDone || err != nil ||
			!strings.HasSuffix(body, `"currentCancellableAmount":`+want) {
			t.Errorf("%d: %v, %v, sent %s", taxFree, came, err, body)
		}
	}
}

func TestPortOnesOwnWordsAreTold(t *testing.T) {
	t.Parallel()
	fake := newFakeV2(v2Payment("o", "t", "PAID"))
	var said object
	fake.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		answer(w, http.StatusBadGateway, said)
		return true
	}
	for want, body := range map[string]object{
		"PG_PROVIDER: 실패, 2013, 취소 불가": {
			"type": "PG_PROVIDER", "message": "실패", "pgCode": "2013",
			"pgMessage": "취소 불가",
		},
		"PG_PROVIDER: 2013": {"type": "PG_PROVIDER", "pgCode": "2013"},
		"PG_PROVIDER":       {"type": "PG_PROVIDER"},
	} {
		said = body
		if _, err := serve(t, nil, fake).Cancel(t.Context(), refund(2)); err == nil || portone.Said(err) != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestACancellationThatCannotBeMeantIsNotSent(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(), newFakeV2()
	c := serve(t, fake1, fake2)
	f := func(version gate.Version, change func(*portone.CancelRequest)) {
		t.Helper()
		r := refund(version)
		change(&r)
		if came, err := c.Cancel(t.Context(), r); err == nil || came != portone.CancelUnsent {
			t.Errorf("%+v: got %v, %v", r, came, err)
		}
	}
	for _, version := range gate.Versions() {
		f(version, func(r *portone.CancelRequest) { r.Balance = 0 })
		f(version, func(r *portone.CancelRequest) { r.Balance = -1 })
		f(version, func(r *portone.CancelRequest) { r.BalanceCents = 100 })
		f(version, func(r *portone.CancelRequest) { r.Balance = gate.MaxAmount + 1 })
		f(version, func(r *portone.CancelRequest) { r.Reason = "" })
		f(version, func(r *portone.CancelRequest) { r.Version = 3 })
	}
	f(1, func(r *portone.CancelRequest) { r.Attempt = "" })
	f(1, func(r *portone.CancelRequest) { r.Attempt = "a/b" })
	f(2, func(r *portone.CancelRequest) { r.Order = ".." })
	f(2, func(r *portone.CancelRequest) { r.BalanceCents = 50 })
	for _, key := range []string{
		"", "too-short-by-one", strings.Repeat("x", 257), `quoted"-key-0123456`,
		"with a space-012345",
	} {
		key = strings.TrimSuffix(key, "e")
		f(2, func(r *portone.CancelRequest) { r.Key = key })
	}
	if calls := len(fake1.calls) + len(fake2.calls); calls != 0 {
		t.Errorf("%d calls were made", calls)
	}
}

func TestAPaymentOfAVersionWithoutCredentialsIsNotCancelled(t *testing.T) {
	t.Parallel()
	f := func(c *portone.Client, version gate.Version) {
		t.Helper()
		came, err := c.Cancel(t.Context(), refund(version))
		if err == nil || came != portone.CancelUnsent || !strings.Contains(err.Error(), "no credentials") {
			t.Errorf("V%d: got %v, %v, want an error that says what is missing", version, came, err)
		}
	}
	f(serve(t, nil, newFakeV2()), 1)
	f(serve(t, newFakeV1(), nil), 2)
	f(serve(t, newFakeV1(), newFakeV2()), 0)
}

func TestACancellationIsSentOnceAndItsOutcomeNeverGuessed(t *testing.T) {
	t.Parallel()
	f := func(version gate.Version, what string, want portone.Cancelled, fault func(w http.ResponseWriter)) {
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
			came, err := atDirect(t, fake1, fake2).Cancel(t.Context(), refund(version))
			if came != want || (err == nil) != (want == portone.CancelDone || want == portone.CancelRequested) {
				t.Errorf("V%d %s: got %v, %v, want %v", version, what, came, err, want)
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

	const unknown, failed = portone.CancelUnknown, portone.CancelFailed
	for _, version := range gate.Versions() {
		for _, code := range []int{500, 502, 503, 504, 408, 204} {
			f(version, http.StatusText(code), unknown, status(code, "X"))
		}
		for _, code := range []int{400, 403, 404, 409} {
			f(version, http.StatusText(code), failed, status(code, "X"))
		}
		f(version, "too many", portone.CancelUnsent, status(429, "X"))
		f(version, "no JSON", unknown, text("<html>"))
		f(version, "cut short", unknown, text(`{"code":0,"cancellation":{"sta`))
		f(version, "empty", unknown, text(`{}`))
		f(version, "slow", unknown, func(http.ResponseWriter) { time.Sleep(61 * time.Second) })
	}
	f(1, "a strange message", unknown, text(`{"code":0,"message":5}`))
	f(1, "no payment", unknown, text(`{"code":0,"response":null}`))
	v1Says := func(code int, attempt, status string, more object) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			answer(w, code, object{"code": 0, "response": v1Payment(attempt, "o", status, more)})
		}
	}
	history := object{"cancel_history": []object{{
		"amount": 110000, "pg_tid": "x", "cancelled_at": 0, "reason": "x",
		"cancellation_id": "c",
	}}}
	f(1, "still paid", unknown, v1Says(200, "imp_1", "paid", nil))
	f(1, "taken on", portone.CancelRequested, v1Says(200, "imp_1", "paid", history))
	f(1, "done, by a fault", unknown, v1Says(500, "imp_1", "cancelled", nil))
	f(1, "another's", unknown, v1Says(200, "imp_9", "cancelled", nil))
	f(1, "taken on for another", unknown, v1Says(200, "imp_9", "paid", history))
	f(1, "the payment provider has refused", unknown, status(502, "PG_PROVIDER"))
	f(1, "code", failed, status(200, "no"))
	f(2, "the payment provider has refused", failed, status(502, "PG_PROVIDER"))
	f(2, "the payment provider is away", unknown, status(500, "PG_PROVIDER"))
	f(2, "done before", portone.CancelDone, status(409, "PAYMENT_ALREADY_CANCELLED"))
	f(2, "done, by a fault", unknown, status(500, "PAYMENT_ALREADY_CANCELLED"))
	f(2, "already running", unknown, status(409, "IDEMPOTENCY_OUTSTANDING_REQUEST"))
	f(2, "no status", unknown, text(`{"cancellation":{}}`))
	for _, said := range []string{"SUCCEEDED", "REQUESTED", "FAILED"} {
		f(2, said+" and something else", unknown, text(`{"cancellation":{"status":"`+said+`"},"cancellation":[]}`))
	}
	f(2, "strange", unknown, text(`{"cancellation":{"status":"NEW"}}`))
	f(2, "failed", failed, text(`{"cancellation":{"status":"FAILED"}}`))
	for _, code := range []string{
		"INVALID_REQUEST", "PAYMENT_NOT_PAID", "MAX_CANCEL_COUNT_REACHED", "SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT",
		"PROMOTION_DISCOUNT_RETAIN_OPTION_SHOULD_NOT_BE_CHANGED", "NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT",
		"CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT",
		"CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT",
	} {
		f(2, code, portone.CancelFinal, status(409, code))
		f(2, code+" by a fault", unknown, status(500, code))
	}
	for _, code := range []string{
		"CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN", "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT",
		"FORBIDDEN", "PAYMENT_NOT_FOUND",
	} {
		f(2, code, failed, status(409, code))
	}
	f(2, "taken on", portone.CancelRequested, text(`{"cancellation":{"status":"REQUESTED"}}`))
}

func TestAnUnknownOutcomeSaysWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	fake := newFakeV1(v1Payment("imp_1", "o", "paid", object{"currency": nil}))
	came, err := serve(t, fake, nil).Cancel(t.Context(), refund(1))
	if came != portone.CancelUnknown || err == nil ||
		!strings.Contains(err.Error(), `"imp_1" of PortOne v1 cannot be read: amount`) {
		t.Errorf("got %v, want an error that says why", err)
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
		for _, version := range gate.Versions() {
			if came, err := c.Cancel(t.Context(), refund(version)); came != portone.CancelDone || err != nil {
				t.Errorf("V%d: %v, %v", version, came, err)
			}
		}
	})
}

func TestACancellationThatWasNeverSentIsNotUnknown(t *testing.T) {
	t.Parallel()
	fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, version := range gate.Versions() {
		if came, err := serve(t, fake, newFakeV2()).Cancel(ctx, refund(version)); err == nil ||
			came != portone.CancelUnsent {
			t.Errorf("V%d: got %v, %v", version, came, err)
		}
	}
	c := serve(t, fake, nil, func(o *config) { o.V1.Secret = "WRONG" })
	if came, err := c.Cancel(t.Context(), refund(1)); err == nil || came != portone.CancelUnsent {
		t.Errorf("got %v, %v", came, err)
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
	if came, err := c.Cancel(t.Context(), refund(1)); came != portone.CancelDone || err != nil {
		t.Errorf("got %v, %v", came, err)
	}
	if calls := fake.called("POST /payments/cancel"); calls != 2 {
		t.Errorf("sent %d times, want 2: a 401 has carried nothing out", calls)
	}
}

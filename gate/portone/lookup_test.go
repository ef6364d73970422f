package portone_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// one looks a single order up.
func one(t *testing.T, c *portone.Client, version uint8, order string, attempts ...string) portone.Finding {
	t.Helper()
	findings := c.Lookup(t.Context(), []portone.Query{{Order: order, Version: version, Attempts: attempts}})
	if len(findings) != 1 || findings[0].Order != order {
		t.Fatalf("got %+v, want one finding for %s", findings, order)
	}
	return findings[0]
}

// many asks for n orders, o0 to o(n-1), with an attempt each: imp_0, t0 and so on.
func many(version uint8, n int, since time.Time) []portone.Query {
	prefix := "imp_"
	if version == 2 {
		prefix = "t"
	}
	queries := make([]portone.Query, n)
	for i := range queries {
		queries[i] = portone.Query{
			Order: fmt.Sprint("o", i), Version: version, Attempts: []string{fmt.Sprint(prefix, i)}, Since: since,
		}
	}
	return queries
}

func TestV1PaymentsAreReadByTheirStatus(t *testing.T) {
	t.Parallel()
	fake := newFakeV1()
	c := serve(t, fake, nil)
	n := 0
	f := func(status string, more object, want gate.Payment) {
		t.Helper()
		n++
		order, attempt := fmt.Sprint("order-", n), fmt.Sprint("imp_", n)
		fake.add(v1Payment(attempt, order, status, more))
		want.Order, want.Attempt, want.Version = order, attempt, 1
		got := one(t, c, 1, order, attempt)
		if got.Err != nil || len(got.Missing) > 0 || len(got.Payments) != 1 || got.Payments[0] != want {
			t.Errorf("%s %v: got %+v, want %+v", status, more, got, want)
		}
	}
	won := gate.Payment{Amount: 110000, Currency: "KRW", Live: true}
	with := func(state gate.PaymentState, balance int64) gate.Payment {
		p := won
		p.State, p.Balance = state, balance
		return p
	}

	f("ready", nil, with(gate.PaymentReady, 0))
	f("paid", nil, with(gate.PaymentPaid, 110000))
	f("failed", nil, with(gate.PaymentFailed, 0))
	f("paid", object{"cancel_amount": 10000}, with(gate.PaymentPartCancelled, 100000))
	f("cancelled", object{"cancel_amount": 10000}, with(gate.PaymentPartCancelled, 100000))
	f("cancelled", object{"cancel_amount": 110000}, with(gate.PaymentCancelled, 0))
	f("cancelled", object{"cancel_amount": 0}, with(gate.PaymentCancelled, 0)) // an account that was never paid into

	deposit := with(gate.PaymentDeposit, 0)
	f("ready", object{"vbank_issued_at": 1780000000}, deposit)
	deposit.DepositBy = time.Unix(1780600000, 0)
	f("ready", object{"vbank_date": 1780600000, "pay_method": "vbank"}, deposit)

	test := with(gate.PaymentPaid, 110000)
	test.Live = false
	f("paid", object{"sandbox": true}, test)
	dollars := with(gate.PaymentPaid, 5)
	dollars.Currency, dollars.Amount = "USD", 5
	f("paid", object{"currency": "USD", "amount": 5.0}, dollars)
}

func TestV2PaymentsAreReadByTheirStatus(t *testing.T) {
	t.Parallel()
	fake := newFakeV2()
	c := serve(t, nil, fake)
	n := 0
	f := func(status string, more object, want gate.Payment) {
		t.Helper()
		n++
		order, attempt := fmt.Sprint("order-", n), fmt.Sprint("t-", n)
		fake.add(v2Payment(order, attempt, status, more))
		want.Order, want.Attempt, want.Version = order, attempt, 2
		got := one(t, c, 2, order, attempt)
		if got.Err != nil || len(got.Missing) > 0 || len(got.Payments) != 1 || got.Payments[0] != want {
			t.Errorf("%s %v: got %+v, want %+v", status, more, got, want)
		}
	}
	with := func(state gate.PaymentState, balance int64) gate.Payment {
		return gate.Payment{State: state, Amount: 110000, Balance: balance, Currency: "KRW", Live: true}
	}
	cancelled := func(n int) object { return object{"amount": object{"total": 110000, "cancelled": n}} }

	f("READY", nil, with(gate.PaymentReady, 0))
	f("PENDING", nil, with(gate.PaymentPending, 0))
	f("PAY_PENDING", nil, with(gate.PaymentPending, 0))
	f("PAID", nil, with(gate.PaymentPaid, 110000))
	f("PAID", object{"amount": object{"total": 110000}}, with(gate.PaymentPaid, 110000))
	f("FAILED", nil, with(gate.PaymentFailed, 0))
	f("PARTIAL_CANCELLED", cancelled(60000), with(gate.PaymentPartCancelled, 50000))
	f("CANCELLED", cancelled(110000), with(gate.PaymentCancelled, 0))
	f("CANCELLED", cancelled(0), with(gate.PaymentCancelled, 0))

	f("VIRTUAL_ACCOUNT_ISSUED", nil, with(gate.PaymentDeposit, 0))
	deposit := with(gate.PaymentDeposit, 0)
	deposit.DepositBy = time.Date(2026, 12, 3, 14, 59, 59, 0, time.UTC)
	f("VIRTUAL_ACCOUNT_ISSUED", object{"method": object{"type": "PaymentMethodVirtualAccount", "expiredAt": "2026-12-03T14:59:59Z"}}, deposit)

	test := with(gate.PaymentPaid, 110000)
	test.Live = false
	f("PAID", object{"channel": object{"type": "TEST"}}, test)
	ready := with(gate.PaymentReady, 0)
	ready.Live = false
	f("READY", object{"channel": nil}, ready)
}

func TestWhatCannotBeReadIsAnErrorAndNeverAGuess(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(), newFakeV2()
	c := serve(t, fake1, fake2)
	n := 0
	f := func(version uint8, status string, more object) {
		t.Helper()
		n++
		order := fmt.Sprint("order-", n)
		attempt := fmt.Sprint("imp_", n)
		if version == 1 {
			fake1.add(v1Payment(attempt, order, status, more))
		} else {
			fake2.add(v2Payment(order, attempt, status, more))
		}
		got := one(t, c, version, order, attempt)
		if got.Err == nil || len(got.Payments)+len(got.Missing) > 0 {
			t.Errorf("V%d %s %v: got %+v, want an error", version, status, more, got)
		}
	}

	for _, status := range []string{"", "PAID", "pending", "something new"} {
		f(1, status, nil)
	}
	for _, status := range []string{"", "paid", "PAY PENDING", "SOMETHING_NEW"} {
		f(2, status, nil)
	}
	for _, money := range []any{nil, 1.5, -1, "110000", 1e13, object{}} {
		f(1, "paid", object{"amount": money})
		f(1, "paid", object{"cancel_amount": money})
		f(2, "PAID", object{"amount": object{"total": money}})
	}
	f(2, "PAID", object{"amount": object{"total": 1, "cancelled": 0.5}})
	f(2, "PAID", object{"amount": nil})
	for _, nothing := range []any{nil, "yes", 0} {
		f(1, "paid", object{"sandbox": nothing})
	}
	f(1, "paid", object{"currency": nil})
	f(2, "PAID", object{"currency": ""})
	for _, channel := range []any{nil, object{}, object{"type": "live"}, object{"type": "SANDBOX"}} {
		f(2, "PAID", object{"channel": channel})
	}
	f(2, "READY", object{"channel": object{"type": "SANDBOX"}})

	// What contradicts itself.
	f(1, "paid", object{"cancel_amount": 110000})
	f(1, "cancelled", object{"cancel_amount": 110001})
	f(2, "PAID", object{"amount": object{"total": 10, "cancelled": 5}})
	f(2, "PARTIAL_CANCELLED", object{"amount": object{"total": 10}})
	f(2, "PARTIAL_CANCELLED", object{"amount": object{"total": 10, "cancelled": 10}})
	f(2, "CANCELLED", object{"amount": object{"total": 10, "cancelled": 11}})
	f(2, "PAID", object{"transactionId": "\n"})
}

func TestEveryAttemptOfAnOrderIsFound(t *testing.T) {
	t.Parallel()
	fake1 := newFakeV1(v1Payment("imp_1", "o", "failed"), v1Payment("imp_2", "o", "paid", object{"sandbox": true}), v1Payment("imp_3", "o", "ready"))
	fake2 := newFakeV2(v2Payment("o", "t1", "FAILED"), v2Payment("o", "t2", "PAID"))
	c := serve(t, fake1, fake2)
	f := func(version uint8, attempts []string, want string) {
		t.Helper()
		got := one(t, c, version, "o", attempts...)
		var found []string
		for _, p := range got.Payments {
			found = append(found, p.Attempt+" "+p.State.String())
		}
		slices.Sort(found)
		if text := fmt.Sprint(found, got.Missing); got.Err != nil || text != want {
			t.Errorf("V%d %v: got %s %v, want %s", version, attempts, text, got.Err, want)
		}
	}

	f(1, []string{"imp_1"}, "[imp_1 failed imp_2 paid imp_3 ready] []")
	f(1, nil, "[imp_1 failed imp_2 paid imp_3 ready] []")
	f(1, []string{"imp_1", "imp_9"}, "[imp_1 failed imp_2 paid imp_3 ready] [imp_9]")
	f(2, []string{"t2"}, "[t2 paid] []")
	f(2, nil, "[t2 paid] []")
	f(2, []string{"t1"}, "[t1 failed t2 paid] []") // the payment shows another attempt
	f(2, []string{"t1", "t2"}, "[t1 failed t2 paid] []")
	f(2, []string{"t1", "t9"}, "[t1 failed t2 paid] [t9]")

	// The transactions are marked unstable: without them nothing is known.
	fake2.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/transactions") {
			answer(w, http.StatusNotFound, object{"type": "NOT_FOUND"})
			return true
		}
		return false
	}
	if got := one(t, c, 2, "o", "t1", "t2"); got.Err == nil || len(got.Payments) > 0 {
		t.Errorf("without transactions: got %+v, want an error", got)
	}
}

func TestAnOrderOfManyAttemptsIsPagedThrough(t *testing.T) {
	t.Parallel()
	fake := newFakeV1()
	for i := range 2001 {
		fake.add(v1Payment(fmt.Sprint("imp_", i), "o", "failed"))
	}
	c := serve(t, fake, nil)
	if got := one(t, c, 1, "o", "imp_0", "imp_2000"); got.Err != nil || len(got.Payments) != 2001 || len(got.Missing) > 0 {
		t.Errorf("got %d payments, %v missing, error %v", len(got.Payments), got.Missing, got.Err)
	}
	if calls := fake.called("GET /payments/findAll/o/"); calls != 3 {
		t.Errorf("%d calls, want 3", calls)
	}
}

func TestOnlyWhatPortOneDoesNotKnowIsMissing(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(), newFakeV2()
	c := serve(t, fake1, fake2)
	for version := uint8(1); version <= 2; version++ {
		got := one(t, c, version, "o", "imp_1", "imp_2")
		if got.Err != nil || len(got.Payments) > 0 || !slices.Equal(got.Missing, []string{"imp_1", "imp_2"}) {
			t.Errorf("V%d: got %+v, want both missing", version, got)
		}
	}
	// A 404 that PortOne did not write is no answer about a payment.
	for _, fault := range []func(w http.ResponseWriter){
		func(w http.ResponseWriter) { http.Error(w, "404 page not found", http.StatusNotFound) },
		func(w http.ResponseWriter) { answer(w, http.StatusNotFound, object{"error": "no route"}) },
		func(w http.ResponseWriter) { answer(w, http.StatusForbidden, object{"code": -1, "type": "FORBIDDEN"}) },
		func(w http.ResponseWriter) {
			answer(w, http.StatusBadRequest, object{"code": 1, "type": "INVALID_REQUEST"})
		},
		func(w http.ResponseWriter) { answer(w, http.StatusOK, object{"code": -1, "type": "x"}) },
		func(w http.ResponseWriter) { answer(w, http.StatusOK, object{"code": 0, "response": nil}) },
		func(w http.ResponseWriter) { answer(w, http.StatusNoContent, nil) },
	} {
		notToken := func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/users/getToken" {
				return false
			}
			fault(w)
			return true
		}
		fake1.fault, fake2.fault = notToken, notToken
		for version := uint8(1); version <= 2; version++ {
			if got := one(t, c, version, "o", "imp_1"); got.Err == nil || len(got.Missing) > 0 {
				t.Errorf("V%d: got %+v, want an error", version, got)
			}
		}
	}
}

func TestAnInventedAttemptIsFoundUnderItsOwnOrder(t *testing.T) {
	t.Parallel()
	fake := newFakeV1(v1Payment("imp_1", "theirs", "paid"), v1Payment("imp_2", "test", "paid", object{"sandbox": true}))
	for i := range 30 {
		fake.add(v1Payment(fmt.Sprint("imp_9", i), fmt.Sprint("o", i), "paid"))
	}
	c := serve(t, fake, nil)
	queries := []portone.Query{
		{Order: "mine", Version: 1, Attempts: []string{"imp_1"}},
		{Order: "mine too", Version: 1, Attempts: []string{"imp_2"}},
	}
	check := func(findings []portone.Finding) {
		t.Helper()
		for i, theirs := range []string{"theirs", "test"} {
			got := findings[i]
			if got.Err != nil || len(got.Payments) != 1 || got.Payments[0].Order != theirs || len(got.Missing) > 0 {
				t.Errorf("got %+v, want the payment of order %s", got, theirs)
			}
		}
	}
	check(c.Lookup(t.Context(), queries))
	for i := range 30 {
		queries = append(queries, portone.Query{Order: fmt.Sprint("o", i), Version: 1, Attempts: []string{fmt.Sprint("imp_9", i)}})
	}
	check(c.Lookup(t.Context(), queries))

	// What cannot be PortOne's is not even asked for, and spoils no call for others.
	before := fake.called("GET /payments/")
	for _, attempt := range []string{"..", ".", "a/b", "a?b=c&d", strings.Repeat("x", 33), "한"} {
		queries[2].Attempts = []string{attempt}
		got := c.Lookup(t.Context(), queries)
		if got[2].Err != nil || !slices.Equal(got[2].Missing, []string{attempt}) || len(got[2].Payments) != 1 || len(got[31].Payments) != 1 {
			t.Errorf("%q: got %+v and %+v", attempt, got[2], got[31])
		}
	}
	// Per look-up: findAll for the odd order, and findAll and payment for the test payment's.
	if calls := fake.called("GET /payments/") - before; calls != 6*3 {
		t.Errorf("%d single calls for six look-ups, want 18", calls)
	}
}

func TestOrdersAreEscaped(t *testing.T) {
	t.Parallel()
	orders := []string{"a/b", "a?b=c", "a%2Fb", "a b+c", "#", "한글", "a/../b", "..;", "a&b"}
	fake1, fake2 := newFakeV1(), newFakeV2()
	for i, order := range orders {
		fake1.add(v1Payment(fmt.Sprint("imp_", i), order, "paid"))
		fake2.add(v2Payment(order, fmt.Sprint("imp_", i), "PAID"))
	}
	c := serve(t, fake1, fake2)
	for i, order := range orders {
		for version := uint8(1); version <= 2; version++ {
			if got := one(t, c, version, order, fmt.Sprint("imp_", i)); got.Err != nil || len(got.Payments) != 1 || got.Payments[0].Order != order {
				t.Errorf("V%d: got %+v, want a payment of %q", version, got, order)
			}
		}
	}
	for _, order := range []string{"", ".", ".."} {
		for version := uint8(1); version <= 2; version++ {
			if got := one(t, c, version, order, "imp_1"); got.Err == nil {
				t.Errorf("V%d: %q was looked up: %+v", version, order, got)
			}
		}
	}
}

func TestManyV1OrdersShareCalls(t *testing.T) {
	t.Parallel()
	fake := newFakeV1()
	for i := range 250 {
		switch i {
		case 7: // unknown
		case 8:
			fake.add(v1Payment("imp_8", "o8", "paid", object{"sandbox": true}))
		case 9:
			fake.add(v1Payment("imp_9", "o9", "something new"))
		default:
			fake.add(v1Payment(fmt.Sprint("imp_", i), fmt.Sprint("o", i), "paid"))
		}
	}
	c := serve(t, fake, nil)
	queries := many(1, 250, time.Time{})
	queries[5].Attempts = nil
	for i, got := range c.Lookup(t.Context(), queries) {
		switch i {
		case 7:
			if got.Err != nil || !slices.Equal(got.Missing, []string{"imp_7"}) {
				t.Errorf("unknown: got %+v", got)
			}
		case 9:
			if got.Err == nil {
				t.Errorf("unreadable: got %+v", got)
			}
		default:
			if got.Err != nil || got.Order != fmt.Sprint("o", i) || len(got.Payments) != 1 || got.Payments[0].Order != got.Order || got.Payments[0].Live == (i == 8) {
				t.Errorf("order %d: got %+v", i, got)
			}
		}
	}
	// Unexplained were the unknown one, the test payment, and the order without attempts.
	if bulk, all, single := fake.called("GET /payments?"), fake.called("GET /payments/findAll/"), fake.called("GET /payments/imp_"); bulk != 3 || all != 3 || single != 1 {
		t.Errorf("%d calls for a hundred, %d for an order, %d for an attempt; want 3, 3, 1", bulk, all, single)
	}
}

func TestManyV2OrdersAreListed(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC)
	fill := func(f *fakeV2) *fakeV2 {
		f.add(v2Payment("old", "told", "PAID", object{"requestedAt": start.Add(-time.Hour).Format(time.RFC3339Nano)}))
		for i := range 1200 {
			if i == 7 {
				continue // unknown
			}
			p := v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID", object{"requestedAt": start.Add(time.Duration(i) * time.Millisecond).Format(time.RFC3339Nano)})
			if i == 8 {
				p["version"] = "V1" // not listed
			}
			if i == 9 {
				p["status"] = "SOMETHING_NEW"
			}
			f.add(p)
		}
		f.add(v2Payment("o10", "second", "PAID", object{"requestedAt": start.Format(time.RFC3339Nano)}))
		return f
	}
	check := func(f *fakeV2, lists int) {
		t.Helper()
		c := serve(t, nil, f)
		queries := many(2, 1200, start.Add(time.Second))
		queries[11].Since = time.Time{}
		for i, got := range c.Lookup(t.Context(), queries) {
			switch i {
			case 7:
				if got.Err != nil || !slices.Equal(got.Missing, []string{"t7"}) {
					t.Errorf("unknown: got %+v", got)
				}
			case 9:
				if got.Err == nil {
					t.Errorf("unreadable: got %+v", got)
				}
			case 10:
				if got.Err != nil || len(got.Payments) != 2 {
					t.Errorf("two attempts: got %+v", got)
				}
			default:
				if got.Err != nil || len(got.Payments) != 1 || got.Payments[0].Order != fmt.Sprint("o", i) {
					t.Errorf("order %d: got %+v", i, got)
				}
			}
		}
		if list, single := f.called("GET /payments?"), f.called("GET /payments/"); list != lists || single != 4 {
			t.Errorf("%d lists and %d single calls, want %d and 4", list, single, lists)
		}
	}
	check(fill(newFakeV2()), 4) // 3 pages, and an empty one
	small := fill(newFakeV2())
	small.maxPage = 100
	check(small, 13)
}

func TestAListThatIsNotWorthItIsLeft(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC)
	fake := newFakeV2()
	for i := range 5000 {
		fake.add(v2Payment(fmt.Sprint("x", i), "t", "PAID", object{"requestedAt": start.Format(time.RFC3339)}))
	}
	for i := range 30 {
		fake.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID", object{"requestedAt": start.Format(time.RFC3339)}))
	}
	c := serve(t, nil, fake)
	for _, got := range c.Lookup(t.Context(), many(2, 30, start)) {
		if got.Err != nil || len(got.Payments) != 1 {
			t.Errorf("got %+v", got)
		}
	}
	if list, single := fake.called("GET /payments?"), fake.called("GET /payments/"); list != 4 || single != 30 {
		t.Errorf("%d lists and %d single calls, want 4 and 30", list, single)
	}
}

func TestARefusedListMeansSingleCalls(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(), newFakeV2()
	var queries []portone.Query
	for i := range 30 {
		fake1.add(v1Payment(fmt.Sprint("imp_", i), fmt.Sprint("o", i), "paid"))
		fake2.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID"))
	}
	refuse := func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/payments" {
			answer(w, http.StatusBadRequest, object{"code": -1, "type": "INVALID_REQUEST"})
			return true
		}
		return false
	}
	fake1.fault, fake2.fault = refuse, refuse
	c := serve(t, fake1, fake2)
	queries = append(many(1, 30, time.Time{}), many(2, 30, time.Now())...)
	for i, got := range c.Lookup(t.Context(), queries) {
		if got.Err != nil || len(got.Payments) != 1 || got.Payments[0].Version != queries[i].Version || got.Payments[0].Order != queries[i].Order {
			t.Errorf("got %+v", got)
		}
	}
}

func TestFailedCallsFailTheirOrdersAlone(t *testing.T) {
	t.Parallel()
	fake := newFakeV1()
	for i := range 300 {
		fake.add(v1Payment(fmt.Sprint("imp_", i), fmt.Sprint("o", i), "paid"))
	}
	fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if slices.Contains(r.URL.Query()["imp_uid[]"], "imp_0") {
			http.Error(w, "down", http.StatusForbidden)
			return true
		}
		return false
	}
	c := serve(t, fake, nil)
	queries := many(1, 300, time.Time{})
	queries = append(queries, portone.Query{Order: "v2", Version: 2}, portone.Query{Order: "v0"})
	failed := 0
	findings := c.Lookup(t.Context(), queries)
	for i, got := range findings[:300] {
		if got.Err != nil {
			failed++
		} else if len(got.Payments) != 1 || got.Payments[0].Order != fmt.Sprint("o", i) {
			t.Errorf("order %d: got %+v", i, got)
		}
	}
	if failed != 100 || fake.called("GET /payments/") != 0 {
		t.Errorf("%d orders failed, want 100, and no call for one alone", failed)
	}
	if findings[300].Err == nil || findings[301].Err == nil {
		t.Errorf("without credentials: got %+v", findings[300:])
	}
}

func TestALookUpEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, two := newFakeV1(), newFakeV2()
		one.latency, two.latency = time.Hour, time.Hour
		c := atDirect(t, one, two)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		for _, got := range c.Lookup(ctx, append(many(1, 300, start), many(2, 300, start)...)) {
			if got.Err == nil || len(got.Missing) > 0 {
				t.Errorf("got %+v, want an error", got)
			}
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v, want 3s", took)
		}
	})
}

func TestALaunchIsLookedAtWithinTwoMinutes(t *testing.T) {
	t.Parallel()
	const orders = 25_000
	for version := uint8(1); version <= 2; version++ {
		t.Run(fmt.Sprint("V", version), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				one, two := newFakeV1(), newFakeV2()
				open := time.Now()
				queries := many(version, orders, open)
				for i, q := range queries {
					made := object{"requestedAt": open.Add(time.Duration(i) * 2 * time.Millisecond).Format(time.RFC3339Nano)}
					switch {
					case i%100 == 0: // unknown
					case version == 1:
						one.add(v1Payment(q.Attempts[0], q.Order, "paid"))
					default:
						if i%20 == 1 { // a second attempt
							two.add(v2Payment(q.Order, "first", "FAILED", made))
							queries[i].Attempts = append(queries[i].Attempts, "first")
						}
						two.add(v2Payment(q.Order, q.Attempts[0], "PAID", made))
						two.add(v2Payment("other-"+q.Order, "t", "READY", made)) // as many were refused
					}
				}
				one.latency, two.latency = 150*time.Millisecond, 150*time.Millisecond
				time.Sleep(80 * time.Second)
				c := atDirect(t, one, two, func(o *portone.Options) { o.Rate = 50 })
				start := time.Now()
				for i, got := range c.Lookup(t.Context(), queries) {
					if got.Err != nil || (len(got.Payments) == 0) != (i%100 == 0) || (len(got.Missing) == 1) != (i%100 == 0) {
						t.Fatalf("order %d: got %+v", i, got)
					}
				}
				took, calls := time.Since(start), len(one.calls)+len(two.calls)
				t.Logf("%d calls in %v", calls, took)
				if took > 2*time.Minute || calls > 6_000 {
					t.Errorf("%d calls in %v, want 6000 in 2m at most", calls, took)
				}
			})
		})
	}
}

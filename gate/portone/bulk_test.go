package portone_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// many asks for n orders, o0 to o(n-1), with an attempt each: imp_0, t0 and so on.
func many(version gate.Version, n int, since time.Time) []portone.Query {
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
	queries[6].Attempts = []string{"imp_6", "imp_7"}
	queries[10].Attempts = []string{"imp_11", "imp_8"}
	for i, got := range c.Lookup(t.Context(), queries) {
		switch i {
		case 6:
			if got.Err != nil || len(got.Payments) != 1 || !slices.Equal(got.Missing, []string{"imp_7"}) {
				t.Errorf("one of two unknown: got %+v", got)
			}
		case 7:
			if got.Err != nil || !slices.Equal(got.Missing, []string{"imp_7"}) {
				t.Errorf("unknown: got %+v", got)
			}
		case 9:
			if got.Err == nil {
				t.Errorf("unreadable: got %+v", got)
			}
		case 10:
			if got.Err != nil || len(got.Payments) != 3 || got.Payments[1].Order != "o11" ||
				got.Payments[2].Order != "o8" {
				t.Errorf("with attempts of others: got %+v", got)
			}
		default:
			if got.Err != nil || got.Order != fmt.Sprint("o", i) || len(got.Payments) != 1 ||
				got.Payments[0].Order != got.Order || got.Payments[0].Live == (i == 8) {
				t.Errorf("order %d: got %+v", i, got)
			}
		}
	}
	// Unexplained were the unknown one, twice, the test payment, twice, and the order without attempts.
	if bulk, all, single := fake.called("GET /payments?"), fake.called("GET /payments/findAll/"),
		fake.called("GET /payments/imp_"); bulk != 3 || all != 5 || single != 3 {
		t.Errorf("%d calls for a hundred, %d for an order, %d for an attempt; want 3, 5, 3", bulk, all, single)
	}
}

// Money is sent back on what a look-up says, so it must be as it is now.
func TestAnOrderThatOwesARefundIsLookedUpByItself(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(), newFakeV2()
	for i := range 30 {
		fake1.add(v1Payment(fmt.Sprint("imp_", i), fmt.Sprint("o", i), "paid"))
		fake2.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID"))
	}
	c := serve(t, fake1, fake2)
	for _, version := range gate.Versions() {
		queries := many(version, 30, time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC))
		queries[5].Alone, queries[9].Alone = true, true
		for i, got := range c.Lookup(t.Context(), queries) {
			if got.Err != nil || len(got.Payments) != 1 {
				t.Errorf("V%d, order %d: %+v", version, i, got)
			}
		}
	}
	if bulk, one, other := fake1.called("GET /payments?"), fake1.called("GET /payments/findAll/o5/"),
		fake1.called("GET /payments/findAll/"); bulk != 1 || one != 1 || other != 2 {
		t.Errorf("V1: %d calls for many, %d for the order, %d for any: %v", bulk, one, other, fake1.calls)
	}
	if list, one, other := fake2.called("GET /payments?"), fake2.called("GET /payments/o9"),
		fake2.called("GET /payments/o"); list != 1 || one != 1 || other != 2 {
		t.Errorf("V2: %d lists, %d calls for the order, %d for any", list, one, other)
	}

	// A list that fails does not keep it from being looked up.
	fake2.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/payments" {
			answer(w, http.StatusForbidden, object{"type": "FORBIDDEN"})
			return true
		}
		return false
	}
	queries := many(2, 30, time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC))
	queries[5].Alone = true
	for i, got := range c.Lookup(t.Context(), queries) {
		if (got.Err == nil) != (i == 5) {
			t.Errorf("order %d without a list: %+v", i, got)
		}
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
			p := v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID",
				object{"requestedAt": start.Add(time.Duration(i) * time.Millisecond).Format(time.RFC3339Nano)})
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
	check(fill(newFakeV2()), 3)
	small := fill(newFakeV2())
	small.maxPage = 100
	check(small, 15) // 12 pages, and 3 that were asked for with them
}

// wantFound wants one payment for each query, by so many calls.
func wantFound(t *testing.T, fake *fakeV2, queries []portone.Query, lists, singles int) {
	t.Helper()
	for _, got := range serve(t, nil, fake).Lookup(t.Context(), queries) {
		if got.Err != nil || len(got.Payments) != 1 {
			t.Errorf("got %+v", got)
		}
	}
	if list, single := fake.called("GET /payments?"), fake.called("GET /payments/"); list != lists ||
		single != singles {
		t.Errorf("%d lists and %d single calls, want %d and %d", list, single, lists, singles)
	}
}

func TestAListThatIsNotWorthItIsLeft(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC)
	fake := newFakeV2()
	for i := range 5000 {
		fake.add(v2Payment(fmt.Sprint("x", i), "t", "PAID", object{"requestedAt": start.Format(time.RFC3339)}))
	}
	for i := range 30 {
		fake.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID",
			object{"requestedAt": start.Format(time.RFC3339)}))
	}
	wantFound(t, fake, many(2, 30, start), 4, 30)
}

func TestPaymentsAreListedFromBeforeTheFirstConfirm(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC)
	fake := newFakeV2()
	for i := range 3000 { // more than the list is worth
		fake.add(v2Payment(fmt.Sprint("x", i), "t", "PAID",
			object{"requestedAt": start.Add(-16 * time.Minute).Format(time.RFC3339)}))
	}
	for i := range 30 {
		fake.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID",
			object{"requestedAt": start.Add(-15 * time.Minute).Format(time.RFC3339)}))
	}
	queries := many(2, 30, start.Add(10*time.Minute))
	queries[20].Since = start
	wantFound(t, fake, queries, 1, 0)
}

func TestAListIsBegunAnewBehindThePagesThatPortOneShows(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC)
	f := func(apart time.Duration, lists int) {
		t.Helper()
		fake := newFakeV2()
		fake.maxPage = 1
		for i := range 200 {
			fake.add(v2Payment(fmt.Sprint("x", i), "t", "PAID",
				object{"requestedAt": start.Add(time.Duration(i) * apart).Format(time.RFC3339)}))
		}
		for _, got := range atDirect(t, nil, fake).Lookup(t.Context(), many(2, 1400, start.Add(15*time.Minute))) {
			if got.Err != nil || len(got.Missing) != 1 {
				t.Fatalf("got %+v", got)
			}
		}
		if list := fake.called("GET /payments?"); list != lists {
			t.Errorf("payments %v apart: %d lists, want %d", apart, list, lists)
		}
	}
	f(time.Second, 141) // as many as are worth it
	f(0, 120)           // behind the last page are the same payments once more
}

func TestARefusedListMeansSingleCalls(t *testing.T) {
	t.Parallel()
	f := func(status int) {
		t.Helper()
		fake1, fake2 := newFakeV1(), newFakeV2()
		for i := range 30 {
			fake1.add(v1Payment(fmt.Sprint("imp_", i), fmt.Sprint("o", i), "paid"))
			fake2.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID"))
		}
		refuse := func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/payments" {
				answer(w, status, object{"code": -1, "type": "INVALID_REQUEST"})
				return true
			}
			return false
		}
		fake1.fault, fake2.fault = refuse, refuse
		queries := append(many(1, 30, time.Time{}), many(2, 30, time.Now())...)
		for i, got := range serve(t, fake1, fake2).Lookup(t.Context(), queries) {
			if got.Err != nil || len(got.Payments) != 1 || got.Payments[0].Version != queries[i].Version ||
				got.Payments[0].Order != queries[i].Order {
				t.Errorf("%d: got %+v", status, got)
			}
		}
	}
	f(http.StatusBadRequest)
	f(http.StatusRequestURITooLong)
}

func TestManyOrdersThatPortOneDoesNotKnowAreMissing(t *testing.T) {
	t.Parallel()
	c := serve(t, newFakeV1(), newFakeV2())
	queries := append(many(1, 30, time.Time{}), many(2, 30, time.Now())...)
	for i, got := range c.Lookup(t.Context(), queries) {
		if got.Err != nil || len(got.Payments) > 0 || !slices.Equal(got.Missing, queries[i].Attempts) {
			t.Errorf("got %+v", got)
		}
	}
}

func TestAFailedListFailsAllItsOrders(t *testing.T) {
	t.Parallel()
	f := func(version gate.Version, status int, since time.Time, lists int) {
		t.Helper()
		fake1, fake2 := newFakeV1(), newFakeV2()
		for i := range 30 {
			fake1.add(v1Payment(fmt.Sprint("imp_", i), fmt.Sprint("o", i), "paid"))
			fake2.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID"))
		}
		fail := func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/payments" {
				answer(w, status, object{"code": 0, "response": "no list", "items": "no list"})
				return true
			}
			return false
		}
		fake1.fault, fake2.fault = fail, fail
		for _, got := range serve(t, fake1, fake2).Lookup(t.Context(), many(version, 30, since)) {
			if got.Err == nil || len(got.Payments)+len(got.Missing) > 0 {
				t.Errorf("V%d, %d, since %v: got %+v, want an error", version, status, since, got)
			}
		}
		list, all := fake1.called("GET /payments?")+fake2.called("GET /payments?"),
			fake1.called("GET")+fake2.called("GET")
		if list != lists || all != lists {
			t.Errorf("V%d, %d, since %v: %d calls, %d of them for lists, want %d", version, status, since,
				all, list, lists)
		}
	}
	for _, version := range gate.Versions() {
		f(version, http.StatusForbidden, time.Now(), 1)
		f(version, http.StatusOK, time.Now(), 1)
	}
	f(2, http.StatusOK, time.Date(10_001, 1, 1, 0, 0, 0, 0, time.UTC), 0) // which cannot be asked for
}

func TestAnAnswerForSomeAttemptsIsTakenWhateverItsCode(t *testing.T) {
	t.Parallel()
	fake := newFakeV1()
	var list []object
	for i := range 30 {
		list = append(list, v1Payment(fmt.Sprint("imp_", i), fmt.Sprint("o", i), "paid"))
	}
	fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/payments" {
			answer(w, http.StatusMultiStatus, object{"code": -1, "message": "some are unknown", "response": list})
			return true
		}
		return false
	}
	for _, got := range serve(t, fake, nil).Lookup(t.Context(), many(1, 30, time.Time{})) {
		if got.Err != nil || len(got.Payments) != 1 {
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

func TestALaunchIsLookedAtWithinTwoMinutes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("looks up 25,000 orders")
	}
	const orders = 25_000
	for _, version := range gate.Versions() {
		t.Run(fmt.Sprint("V", int(version)), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				one, two := newFakeV1(), newFakeV2()
				open := time.Now()
				queries := many(version, orders, open)
				for i, q := range queries {
					made := object{"requestedAt": open.Add(time.Duration(i) * 2 * time.Millisecond).Format(
						time.RFC3339Nano)}
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
						for _, other := range []string{"a-", "b-"} { // twice as many were refused
							two.add(v2Payment(other+q.Order, "t", "READY", made))
						}
					}
				}
				one.latency, two.latency = 150*time.Millisecond, 150*time.Millisecond
				time.Sleep(80 * time.Second)
				c := atDirect(t, one, two, func(o *config) { o.Rate = 50 })
				start := time.Now()
				for i, got := range c.Lookup(t.Context(), queries) {
					if got.Err != nil || (len(got.Payments) == 0) != (i%100 == 0) ||
						(len(got.Missing) == 1) != (i%100 == 0) {
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

package portone_test

import (
	"context"
	"encoding/json"
	"errors"
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
func one(t *testing.T, c *portone.Client, version gate.Version, order string, attempts ...string) portone.Finding {
	t.Helper()
	findings := c.Lookup(t.Context(), []portone.Query{{Order: order, Version: version, Attempts: attempts}})
	if len(findings) != 1 || findings[0].Order != order {
		t.Fatalf("got %+v, want one finding for %s", findings, order)
	}
	return findings[0]
}

func TestEveryAttemptOfAnOrderIsFound(t *testing.T) {
	t.Parallel()
	fake1 := newFakeV1(v1Payment("imp_1", "o", "failed"), v1Payment("imp_2", "o", "paid", object{"sandbox": true}),
		v1Payment("imp_3", "o", "ready"))
	fake2 := newFakeV2(v2Payment("o", "t1", "FAILED"), v2Payment("o", "t2", "PAID"))
	c := serve(t, fake1, fake2)
	f := func(version gate.Version, attempts []string, want string) {
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
	if got := one(t, c, 2, "o", "t1", "t2"); got.Err == nil ||
		!strings.Contains(got.Err.Error(), "PortOne answered 404") || len(got.Payments) > 0 {
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
	if got := one(t, c, 1, "o", "imp_0", "imp_2000"); got.Err != nil || len(got.Payments) != 2001 ||
		len(got.Missing) > 0 {
		t.Errorf("got %d payments, %v missing, error %v", len(got.Payments), got.Missing, got.Err)
	}
	if calls := fake.called("GET /payments/findAll/o/"); calls != 3 {
		t.Errorf("%d calls, want 3", calls)
	}
}

func TestPagesThatDoNotGoOnOrDoNotEndAreAnError(t *testing.T) {
	t.Parallel()
	f := func(calls int, page func(number int) any) {
		t.Helper()
		fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
		fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/payments/findAll/") {
				return false
			}
			answer(w, http.StatusOK, object{"code": 0, "response": page(fake.called("GET /payments/findAll/"))})
			return true
		}
		got := one(t, serve(t, fake, nil), 1, "o", "imp_1")
		if made := fake.called("GET"); got.Err == nil || len(got.Payments) > 0 || made != calls {
			t.Errorf("got %+v after %d calls, want an error after %d", got, made, calls)
		}
	}
	for _, next := range []any{nil, -1, 1} {
		f(1, func(number int) any {
			if number > 1 {
				return object{"next": 0}
			}
			return object{"next": next, "list": []object{v1Payment("imp_1", "o", "paid")}}
		})
	}
	f(1, func(int) any { return json.RawMessage(`{"next":0,"next":"x"}`) })
	f(10, func(number int) any {
		if number > 20 {
			return object{"next": 0}
		}
		return object{"next": number + 1}
	})
}

func TestOnlyWhatPortOneDoesNotKnowIsMissing(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(), newFakeV2()
	c := serve(t, fake1, fake2)
	for _, version := range gate.Versions() {
		got := one(t, c, version, "o", "imp_1", "imp_2")
		if got.Err != nil || len(got.Payments) > 0 || !slices.Equal(got.Missing, []string{"imp_1", "imp_2"}) {
			t.Errorf("V%d: got %+v, want both missing", version, got)
		}
	}
	// A 404 that PortOne did not write is no answer about a payment.
	for _, fault := range []func(w http.ResponseWriter){
		func(w http.ResponseWriter) { http.Error(w, "404 page not found", http.StatusNotFound) },
		func(w http.ResponseWriter) { answer(w, http.StatusNotFound, object{"error": "no route"}) },
		func(w http.ResponseWriter) { answer(w, http.StatusNotFound, object{"code": 0, "type": "x"}) },
		func(w http.ResponseWriter) {
			answer(w, http.StatusNotFound, object{"code": -1, "type": "PAYMENT_NOT_FOUND", "message": 5})
		},
		func(w http.ResponseWriter) { answer(w, http.StatusForbidden, object{"code": -1, "type": "FORBIDDEN"}) },
		func(w http.ResponseWriter) {
			answer(w, http.StatusForbidden, object{"code": -1, "type": "PAYMENT_NOT_FOUND"})
		},
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
		for _, version := range gate.Versions() {
			if got := one(t, c, version, "o", "imp_1"); got.Err == nil || len(got.Missing) > 0 {
				t.Errorf("V%d: got %+v, want an error", version, got)
			}
		}
	}
}

func TestAnAttemptThatCannotBeLookedUpIsInDoubtAlone(t *testing.T) {
	t.Parallel()
	fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
	fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/payments/imp_2" {
			answer(w, http.StatusForbidden, object{"code": -1})
			return true
		}
		return false
	}
	if got := one(t, serve(t, fake, nil), 1, "o", "imp_1", "imp_2"); got.Err == nil || len(got.Payments) != 1 ||
		len(got.Missing) > 0 {
		t.Errorf("got %+v, want the other's payment and an error", got)
	}
}

func TestAnOrderOfAVersionWithoutCredentialsIsNotLookedUp(t *testing.T) {
	t.Parallel()
	f := func(c *portone.Client, version gate.Version) {
		t.Helper()
		got := one(t, c, version, "o", "imp_1")
		if got.Err == nil || !strings.Contains(got.Err.Error(), "no credentials") ||
			len(got.Payments)+len(got.Missing) > 0 {
			t.Errorf("V%d: got %+v, want an error that says what is missing", version, got)
		}
	}
	f(serve(t, nil, newFakeV2()), 1)
	f(serve(t, newFakeV1(), nil), 2)
	for _, version := range []gate.Version{0, 3} {
		f(serve(t, newFakeV1(), newFakeV2()), version)
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
		queries = append(queries,
			portone.Query{Order: fmt.Sprint("o", i), Version: 1, Attempts: []string{fmt.Sprint("imp_9", i)}})
	}
	check(c.Lookup(t.Context(), queries))

	// What cannot be PortOne's is not even asked for, and spoils no call for others.
	before := fake.called("GET /payments/")
	for _, attempt := range []string{"..", ".", "a/b", "a?b=c&d", strings.Repeat("x", 33), "한"} {
		queries[2].Attempts = []string{attempt}
		got := c.Lookup(t.Context(), queries)
		if got[2].Err != nil || !slices.Equal(got[2].Missing, []string{attempt}) || len(got[2].Payments) != 1 ||
			len(got[31].Payments) != 1 {
			t.Errorf("%q: got %+v and %+v", attempt, got[2], got[31])
		}
		for _, call := range fake.calls {
			if strings.Contains(call, "imp_uid[]="+attempt+"&") {
				t.Errorf("%q was asked for together with others", attempt)
			}
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
		for _, version := range gate.Versions() {
			if got := one(t, c, version, order, fmt.Sprint("imp_", i)); got.Err != nil || len(got.Payments) != 1 ||
				got.Payments[0].Order != order {
				t.Errorf("V%d: got %+v, want a payment of %q", version, got, order)
			}
		}
	}
	long := strings.Repeat("x", 65)
	fake1.add(v1Payment("imp_long", long, "paid"))
	fake2.add(v2Payment(long, "imp_long", "PAID"))
	for _, order := range []string{"", ".", "..", long} {
		for _, version := range gate.Versions() {
			if got := one(t, c, version, order, "imp_long"); got.Err == nil {
				t.Errorf("V%d: %q was looked up: %+v", version, order, got)
			}
		}
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

// Only a finding with a word on each attempt may be built upon.
func TestAFindingThatLeavesAnAttemptOutIsInDoubt(t *testing.T) {
	t.Parallel()
	q := portone.Query{Order: "o1", Version: 1, Attempts: []string{"a1", "a2"}}
	away := errors.New("PortOne is away")
	first := []gate.Payment{{Order: "o1", Attempt: "a1"}}
	f := func(what, want string, found portone.Finding) {
		t.Helper()
		got := ""
		if err := found.Doubt(q); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	f("nothing", `the look-up of order "o1" says nothing of attempt "a1"`, portone.Finding{})
	f("one of two", `the look-up of order "o1" says nothing of attempt "a2"`, portone.Finding{Payments: first})
	f("another", `the look-up of order "o1" says nothing of attempt "a2"`,
		portone.Finding{Payments: first, Missing: []string{"a3"}})
	f("an error", away.Error(), portone.Finding{Payments: first, Missing: []string{"a2"}, Err: away})
	f("each", "", portone.Finding{Payments: first, Missing: []string{"a2"}})
	f("none known", "", portone.Finding{Missing: []string{"a1", "a2"}})
}

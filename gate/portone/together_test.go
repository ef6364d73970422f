package portone_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flashgate/flashgate/gate/portone"
)

// together asks for the queries without calls for one of them alone.
func together(queries []portone.Query) []portone.Query {
	for i := range queries {
		queries[i].Together = true
	}
	return queries
}

// wantAlone wants a finding to leave the order to be looked up alone, with so many of its
// payments known.
func wantAlone(t *testing.T, what string, f portone.Finding, payments int) {
	t.Helper()
	if !errors.Is(f.Err, portone.ErrAlone) || len(f.Payments) != payments || len(f.Missing) > 0 {
		t.Errorf("%s: got %+v, want it left with %d payments", what, f, payments)
	}
}

func TestWhatManyV1OrdersLeaveOpenIsLeftToBeAskedForAlone(t *testing.T) {
	t.Parallel()
	fake := newFakeV1()
	for i := range 100 {
		if i != 7 {
			fake.add(v1Payment(fmt.Sprint("imp_", i), fmt.Sprint("o", i), "paid"))
		}
	}
	c := serve(t, fake, nil)
	queries := together(many(1, 100, time.Time{}))
	queries[6].Attempts = []string{"imp_6", "imp_7"}
	found := c.Lookup(t.Context(), queries)
	wantAlone(t, "one of two unknown", found[6], 1)
	wantAlone(t, "unknown", found[7], 0)
	if found[8].Err != nil || len(found[8].Payments) != 1 {
		t.Errorf("known: got %+v", found[8])
	}
	if n := fake.called("GET /payments/"); n > 0 {
		t.Errorf("%d calls for one order", n)
	}
	if f := c.Lookup(t.Context(), together(many(1, 8, time.Time{})))[7]; f.Err != nil ||
		!slices.Equal(f.Missing, []string{"imp_7"}) {
		t.Errorf("of few, an unknown one: got %+v", f)
	}
	fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("imp_uid[]") {
			answer(w, http.StatusBadRequest, object{"code": -1, "message": "no", "response": nil})
			return true
		}
		return false
	}
	if f := c.Lookup(t.Context(), queries)[7]; f.Err != nil || !slices.Equal(f.Missing, []string{"imp_7"}) {
		t.Errorf("where PortOne takes no call for many, an unknown one: got %+v", f)
	}
}

func TestWhatV2sListLeavesOpenIsLeftToBeAskedForAlone(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC)
	fake := newFakeV2()
	for i := range 100 {
		if i != 7 {
			fake.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID",
				object{"requestedAt": start.Format(time.RFC3339Nano)}))
		}
	}
	c := serve(t, nil, fake)
	queries := together(many(2, 100, start))
	queries[6].Attempts = []string{"t6", "t66"}
	found := c.Lookup(t.Context(), queries)
	wantAlone(t, "one of two unknown", found[6], 1)
	wantAlone(t, "unknown", found[7], 0)
	if found[8].Err != nil || len(found[8].Payments) != 1 {
		t.Errorf("known: got %+v", found[8])
	}
	if n := fake.called("GET /payments/"); n > 0 {
		t.Errorf("%d calls for one order", n)
	}
}

// Who looks many orders up at the same time shares the pages of the list.
func TestLookUpsOfV2ShareTheirPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		fake := newFakeV2()
		for i := range 2000 {
			fake.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID",
				object{"requestedAt": start.Format(time.RFC3339Nano)}))
		}
		fake.latency = time.Second
		c := atDirect(t, newFakeV1(), fake)
		queries := together(many(2, 2000, start))
		var looks sync.WaitGroup
		for some := range slices.Chunk(queries, 100) {
			looks.Go(func() {
				for i, f := range c.Lookup(t.Context(), some) {
					if f.Err != nil || len(f.Payments) != 1 || f.Payments[0].Order != some[i].Order {
						t.Errorf("got %+v", f)
					}
				}
			})
		}
		looks.Wait()
		// The first goes alone; all others share one way through the four pages. Some more
		// are asked for with the last of these.
		if n := fake.called("GET /payments?"); n > 14 {
			t.Errorf("%d pages were asked for, want 14", n)
		}
	})
}

// Who leads a listing may give up: the others go on without.
func TestAListingOutlivesWhoLedIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		fake := newFakeV2()
		for i := range 200 {
			fake.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID",
				object{"requestedAt": start.Format(time.RFC3339Nano)}))
		}
		fake.latency = time.Second
		c := atDirect(t, newFakeV1(), fake)
		queries := together(many(2, 200, start))
		ctx, giveUp := context.WithCancel(t.Context())
		var looks sync.WaitGroup
		look := func(ctx context.Context, queries []portone.Query, fails bool) {
			looks.Go(func() {
				if f := c.Lookup(ctx, queries)[0]; (f.Err != nil) != fails {
					t.Errorf("got %+v", f)
				}
			})
			synctest.Wait()
		}
		look(t.Context(), queries[:50], false) // under way
		look(ctx, queries[50:100], true)       // leads the next
		look(t.Context(), queries[100:150], false)
		look(t.Context(), queries[150:], false)
		giveUp()
		looks.Wait()
	})
}

// Yesterday's orders, named by webhooks, do not have today's wait for a day's payments.
func TestOldOrdersDoNotHideTheNewOnesInV2sList(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC)
	fake := newFakeV2()
	for i := range 20_000 { // of a day
		fake.add(v2Payment(fmt.Sprint("other", i), fmt.Sprint("x", i), "PAID",
			object{"requestedAt": now.Add(time.Duration(i-20_000) * 4 * time.Second).Format(time.RFC3339Nano)}))
	}
	for i := range 50 {
		fake.add(v2Payment(fmt.Sprint("o", i), fmt.Sprint("t", i), "PAID",
			object{"requestedAt": now.Format(time.RFC3339Nano)}))
	}
	c := serve(t, nil, fake)
	queries := together(many(2, 60, now))
	for i := 50; i < 60; i++ { // PortOne does not know them
		queries[i].Since = now.Add(-23 * time.Hour)
	}
	found := c.Lookup(t.Context(), queries)
	for i := range 50 {
		if found[i].Err != nil || len(found[i].Payments) != 1 {
			t.Errorf("order %d: got %+v", i, found[i])
		}
	}
	wantAlone(t, "yesterday's", found[55], 0)
	if n := fake.called("GET /payments?"); n > 8 {
		t.Errorf("%d pages were asked for", n)
	}
}

// Cancellations that take a bank a minute leave look-ups their calls.
func TestSlowCancellationsHoldUpNoLookUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeV1()
		for i := range 40 {
			fake.add(v1Payment(fmt.Sprint("imp_", i), fmt.Sprint("o", i), "paid"))
		}
		fake.fault = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost && r.URL.Path == "/payments/cancel" {
				time.Sleep(50 * time.Second)
			}
			return false
		}
		c := atDirect(t, fake, newFakeV2())
		var cancels sync.WaitGroup
		for i := range 20 {
			cancels.Go(func() {
				_, err := c.Cancel(t.Context(), portone.CancelRequest{
					Order: fmt.Sprint("o", i), Attempt: fmt.Sprint("imp_",
						i), Version: 1, Balance: 110000, Reason: "second payment", Key: "0123456789abcdef",
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if f := c.Lookup(t.Context(), many(1, 1, time.Time{}))[0]; f.Err != nil {
			t.Error(f.Err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("a look-up took %s beside cancellations", took)
		}
		cancels.Wait()
	})
}

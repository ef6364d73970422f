package shop_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/testkit"
)

const minBackoff = time.Second

func TestAnOrderThatTheShopRefusesHoldsBackNoOther(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	good := int64(0) // the revision up to which it takes the order
	s.refuses = func(e shop.Event) int {
		if e.Order.Revision > good && e.Order.Order == "o3" {
			return http.StatusUnprocessableEntity
		}
		return 0
	}
	for i := range 10 {
		l.add(fmt.Sprintf("o%d Held 1", i))
	}
	registry, _ := gateOf(t, l, secretA)
	awaitPosition(t, l, 10)
	d := l.told()
	if len(d.Listed) != 1 || d.Listed[0].Order != "o3" || d.Listed[0].Error != "the shop answered 422" ||
		d.Listed[0].Entry != 4 {
		t.Fatalf("listed %+v", d.Listed)
	}
	if u := d.Listed[0]; u.Next.Sub(u.Tried) < minBackoff/2 || u.GiveUp.Sub(u.Tried) < 71*time.Hour ||
		!u.Since.Equal(l.entries[3].Time) {
		t.Errorf("listed %+v", u)
	}
	l.add("o3 Paid 2", "o4 Paid 2", "o3 Paid 3")
	awaitPosition(t, l, 11)
	if d := l.told(); d.Listed[0].Entry != 11 || !d.Listed[0].Since.Equal(l.entries[3].Time) || len(s.has("o3")) > 0 ||
		len(s.has("o4")) != 2 {
		t.Errorf("listed %+v, and the shop has %v of o3, %v of o4", d.Listed, s.has("o3"), s.has("o4"))
	}
	want := "# HELP flashgate_notify_stuck_orders Orders that are listed as undelivered.\n# TYPE " +
		"flashgate_notify_stuck_orders gauge\nflashgate_notify_stuck_orders{sale=\"race\"} 1\n"
	testkit.Await(t, "the gauge", func() error {
		return testutil.GatherAndCompare(registry, strings.NewReader(want), "flashgate_notify_stuck_orders")
	})

	testkit.Await(t, "the list to be written no more", func() error {
		l.lock.Lock()
		defer l.lock.Unlock()
		if l.wrote > 0 {
			return fmt.Errorf("%d of it were written again", l.wrote)
		}
		return nil
	})

	s.set(func() { good = 3 })
	l.put(10 * time.Minute)
	testkit.Await(t, "the order", func() error {
		if d := l.told(); len(d.Listed) > 0 {
			return fmt.Errorf("listed %+v", d.Listed)
		}
		return nil
	})
	if got := s.has("o3"); !slices.Equal(got, []int64{3}) {
		t.Errorf("the shop has %v of o3, want its newest state alone", got)
	}
}

// Orders that the shop always refuses, more of them than make it count as down,
// do not keep the others from it for long.
func TestManyBadOrdersHoldBackNoOther(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	s.refuses = func(e shop.Event) int {
		if strings.HasPrefix(e.Order.Order, "bad") {
			return http.StatusBadRequest
		}
		return 0
	}
	for i := range 40 {
		l.add(fmt.Sprintf("bad%d Held 1", i))
	}
	for i := range 40 {
		l.add(fmt.Sprintf("good%d Held 1", i))
	}
	gateOf(t, l, secretA)
	testkit.Drive(t, "the end", func() error {
		l.put(time.Second)
		if d := l.told(); d.Position != 80 || len(d.Listed) != 40 {
			return fmt.Errorf("position %d, %d listed", d.Position, len(d.Listed))
		}
		return nil
	})
	for i := range 40 {
		if len(s.has(fmt.Sprintf("good%d", i))) != 1 {
			t.Errorf("good%d did not come", i)
		}
	}
}

func TestAShopThatIsDownIsLeftAloneAndListsNearlyNothing(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	s.set(func() { s.down = true })
	const orders = 2000
	for i := range orders / 20 {
		var changes []string
		for k := range 20 {
			changes = append(changes, fmt.Sprintf("o%d Held 1", 20*i+k))
		}
		l.add(changes...)
	}
	_, stop := gateOf(t, l, secretA)
	testkit.Await(t, "the trouble", func() error {
		if d := l.told(); d.Trouble != "the shop answered 503" {
			return fmt.Errorf("%q", d.Trouble)
		}
		return nil
	})
	if calls, _ := s.got(); calls > orders/10 {
		t.Errorf("%d calls before it was left alone", calls)
	}
	// A gate that takes over begins where this one ends, and knows of the trouble.
	stop()
	before := len(l.told().Listed)
	calls, _ := s.got()
	l.change(func() { l.until = time.Time{} })
	gateOf(t, l, secretA)
	testkit.Drive(t, "another try", func() error {
		l.put(time.Second)
		if now, _ := s.got(); now < calls+30 {
			return fmt.Errorf("%d calls, and %d before", now, calls)
		}
		return nil
	})
	if d := l.told(); d.Position > 1 || len(d.Listed) != before || before > 20 {
		t.Errorf("position %d, %d listed, %d before", d.Position, len(d.Listed), before)
	}
	s.set(func() { s.down = false })
	testkit.Drive(t, "all to come", func() error {
		l.put(time.Second)
		if d := l.told(); d.Position != d.Seq || len(d.Listed) > 0 || d.Trouble != "" {
			return fmt.Errorf("position %d, %d listed, trouble %q", d.Position, len(d.Listed), d.Trouble)
		}
		return nil
	})
	for i := range orders {
		if len(s.has(fmt.Sprintf("o%d", i))) != 1 {
			t.Errorf("o%d did not come", i)
		}
	}
}

func TestAnOrderIsGivenUpAfterThreeDays(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	s.refuses = func(e shop.Event) int { return map[string]int{"o1": http.StatusFound}[e.Order.Order] }
	l.add("o1 Held 1")
	gateOf(t, l, secretA)
	awaitPosition(t, l, 1)
	l.put(73 * time.Hour)
	l.add("o2 Held 1")
	awaitPosition(t, l, 2)
	calls, _ := s.got()
	l.put(time.Hour)
	l.add("o2 Paid 2")
	awaitPosition(t, l, 3)
	if after, _ := s.got(); after != calls+1 {
		t.Errorf("%d calls, want only the one of o2", after-calls)
	}
	if d := l.told(); len(d.Listed) != 1 || d.Listed[0].Error != "the shop answered 302" ||
		d.Listed[0].Due(d.Now, d.Retry) {
		t.Fatalf("listed %+v", d.Listed)
	}

	tries := l.told().Listed[0].Tries
	awaitTries := func(n int) {
		t.Helper()
		testkit.Await(t, "another try", func() error {
			if d := l.told(); d.Listed[0].Tries != n {
				return fmt.Errorf("listed %+v", d.Listed)
			}
			return nil
		})
	}
	l.change(func() { l.d.Retry = l.now() }) // an operator has it tried
	awaitTries(tries + 1)
	l.add("o1 Paid 2") // and so does another change
	awaitTries(tries + 2)
	s.set(func() { s.refuses = func(shop.Event) int { return 0 } })
	l.change(func() { l.d.Retry = l.now() })
	testkit.Await(t, "the order", func() error {
		if d := l.told(); len(d.Listed) > 0 {
			return fmt.Errorf("listed %+v", d.Listed)
		}
		return nil
	})
	if got := s.has("o1"); !slices.Equal(got, []int64{2}) {
		t.Errorf("the shop has %v", got)
	}
}

// An order that is tried again is not tried once more meanwhile; and what a gate
// has under way when it ends is not held against the order.
func TestAnOrderIsTriedOnceAtATime(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	hang := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(hang) }) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r)
		if calls, _ := s.got(); calls > 1 {
			<-hang
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(release)
	s.refuses = func(shop.Event) int { return http.StatusTeapot }
	l := &ledger{notify: server.URL}
	l.add("o1 Held 1")
	registry, stop := gateOf(t, l, secretA)
	awaitPosition(t, l, 1)
	s.set(func() { s.refuses = func(shop.Event) int { return 0 } })
	l.put(time.Minute)
	testkit.Await(t, "the second try", func() error {
		if calls, _ := s.got(); calls < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	l.put(time.Minute)
	l.add("o2 Held 1") // waits for nobody, and hangs too
	awaitAsked(t, l, 3)
	if calls, _ := s.got(); calls != 3 {
		t.Errorf("%d calls, want 3", calls)
	}
	stop()
	if d := l.told(); len(d.Listed) != 1 || d.Listed[0].Order != "o1" || d.Listed[0].Tries != 1 || d.Position != 1 {
		t.Errorf("%+v", d)
	}
	want := "# HELP flashgate_notified_total Messages to the shop about changes, by outcome: delivered or failed.\n# " +
		"TYPE flashgate_notified_total counter\nflashgate_notified_total{outcome=\"delivered\",sale=\"race\"} 0\n" +
		"flashgate_notified_total{outcome=\"failed\",sale=\"race\"} 1\n"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "flashgate_notified_total"); err != nil {
		t.Error(err)
	}
}

// An order that changes while it is tried again stays listed, with what is newer.
func TestAnOrderThatChangesWhileItIsTriedAgainIsToldAnew(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{}
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls, _ := s.got(); calls == 1 { // the second try
			arrived <- struct{}{}
			<-release
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	var once sync.Once
	t.Cleanup(func() { once.Do(func() { close(release) }) })
	s.refuses = func(shop.Event) int { return http.StatusTeapot }
	l.notify = server.URL
	l.add("o1 Held 1")
	gateOf(t, l, secretA)
	awaitPosition(t, l, 1)
	s.set(func() { s.refuses = func(shop.Event) int { return 0 } })
	l.put(time.Minute)
	<-arrived
	l.add("o1 Paid 2")
	awaitPosition(t, l, 2)
	if d := l.told(); len(d.Listed) != 1 || d.Listed[0].Entry != 2 {
		t.Errorf("listed %+v", d.Listed)
	}
	once.Do(func() { close(release) })
	testkit.Drive(t, "the newest state", func() error {
		l.put(time.Second)
		if d := l.told(); len(d.Listed) > 0 {
			return fmt.Errorf("listed %+v", d.Listed)
		}
		return nil
	})
	if got := s.has("o1"); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("the shop has %v", got)
	}
}

// An address may have a secret in it, which an error must not show.
func TestAnErrorDoesNotShowTheAddress(t *testing.T) {
	t.Parallel()
	l := &ledger{notify: testkit.Nowhere(t) + "/?key=sesame"}
	l.add("o1 Held 1")
	gateOf(t, l, secretA)
	awaitPosition(t, l, 1)
	text, err := json.Marshal(l.told().Listed)
	if err != nil || !strings.Contains(string(text), "tell the shop: ") || strings.Contains(string(text), "sesame") {
		t.Errorf("%s, %v", text, err)
	}
	var listed []gate.Undelivered
	if err := json.Unmarshal(text, &listed); err != nil || len(listed) != 1 || listed[0].Order != "o1" {
		t.Errorf("%+v, %v", listed, err)
	}
}

package shop_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/testkit"
)

func TestTheShopIsToldOfAChange(t *testing.T) {
	t.Parallel()
	type message struct {
		headers http.Header
		body    []byte
	}
	came := make(chan message, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		came <- message{r.Header, body}
	}))
	t.Cleanup(server.Close)
	l := &ledger{notify: server.URL}
	l.add()
	l.add("o1 Paid 2")
	at := l.entries[1].Time.UTC().Format(time.RFC3339Nano)
	gateOf(t, l, secretA+","+secretB)
	m := <-came

	want := `{"id":"` + m.headers.Get("webhook-id") + `","type":"order.paid","timestamp":"` + at +
		`","sale":"race","run":1,"seq":2,` +
		`"order":{"order":"o1","state":"paid","revision":2,"lines":[{"sku":"full","quantity":1}],"attempts":[]}}`
	if string(m.body) != want {
		t.Errorf("got  %s\nwant %s", m.body, want)
	}
	if m.headers.Get("Content-Type") != "application/json" || !strings.HasPrefix(m.headers.Get("webhook-id"), "evt_") {
		t.Errorf("got the headers %v", m.headers)
	}
	f := func(secret string, body []byte, want bool) {
		t.Helper()
		hook, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := hook.Verify(body, m.headers); (err == nil) != want {
			t.Errorf("%s: verified %v, want %v", secret, err, want)
		}
	}
	f(secretA, m.body, true)
	f(secretB, m.body, true)
	f("whsec_ZWxzZXdoZXJlIGVsc2V3aGVyZSBlbHNld2hlcmU=", m.body, false)
	f(secretA, append(m.body, ' '), false)
}

func TestSecretsAreReadOrRefused(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		_, err := shop.ParseSecrets(text)
		if got := fmt.Sprint(err); !strings.HasPrefix(got, want) || strings.Contains(got, "c2hvcnQ") {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	f(secretA, "<nil>")
	f(secretA+", "+secretB+"\n", "<nil>")
	f("", "notify secret 1 is not whsec_")
	f(strings.TrimPrefix(secretA, "whsec_"), "notify secret 1 is not whsec_")
	f(secretA+",", "notify secret 2 is not whsec_")
	f("whsec_c2hvcnQ=", "notify secret 1 is not whsec_")
	f(secretA+",whsec_c2hvcnQ/c2hvcnQ/c2hvcnQ/c2hvcnQ!", "notify secret 2 is not whsec_")
}

// Each order's states come in their order, and the newest comes, also where the shop
// refuses one time in three, and where an order changes twice in one entry.
func TestChangesOfAnOrderComeInTheirOrder(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	random := rand.New(rand.NewPCG(1, 2))
	s.refuses = func(shop.Event) int { return []int{0, 0, http.StatusInternalServerError}[random.IntN(3)] }
	const orders, revisions = 40, 5
	for revision := 1; revision < revisions; revision++ {
		for i := 0; i < orders; i += 4 {
			var changes []string
			for k := range 4 {
				changes = append(changes, fmt.Sprintf("o%d Held %d", i+k, revision))
			}
			if revision == revisions-1 {
				changes = append(changes, fmt.Sprintf("o%d Paid %d", i, revisions))
			}
			l.add(changes...)
			if len(l.entries) == 5 {
				gateOf(t, l, secretA)
				awaitPosition(t, l, 5) // so that some of it is told, and some merged
			}
		}
	}
	testkit.Drive(t, "every order's newest state", func() error {
		l.put(time.Second) // so that what is listed is soon due
		for i := range orders {
			want := int64(revisions - min(i%4, 1))
			if got := s.has(fmt.Sprintf("o%d", i)); !slices.IsSorted(got) || !slices.Contains(got, want) {
				return fmt.Errorf("o%d came as %v, want up to %d", i, got, want)
			}
		}
		return nil
	})
	testkit.Await(t, "the list to be empty", func() error {
		if d := l.told(); len(d.Listed) > 0 || d.Position != d.Seq {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
}

// What was told is not told again, by another gate or by this one started anew;
// and nothing is left out.
func TestTheNextGateGoesOnWhereOneEnded(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	l.add("o1 Held 1")
	_, stop := gateOf(t, l, secretA)
	awaitPosition(t, l, 1)
	stop()
	l.add("o1 Paid 2")
	gateOf(t, l, secretA) // at once: the lease was given up
	awaitPosition(t, l, 2)
	if _, taken := s.got(); taken != 2 || !slices.Equal(s.has("o1"), []int64{1, 2}) {
		t.Errorf("%d messages, %v", taken, s.has("o1"))
	}
}

// A gate whose claims went through without a reply does not wait for its own lease.
func TestAClaimWhoseReplyIsLostCostsNoLease(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url, lost: 2}
	l.add("o1 Held 1")
	gateOf(t, l, secretA)
	began := time.Now()
	awaitPosition(t, l, 1)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAGateWhosePlaceIsTakenStops(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	registry, _ := gateOf(t, l, secretA)
	l.add("o1 Held 1")
	awaitPosition(t, l, 1)
	l.change(func() { l.token, l.until = "another", l.now().Add(time.Hour) })
	testkit.Await(t, "the gate to forget it", func() error {
		if n, err := testutil.GatherAndCount(registry, "flashgate_notify_lag_entries"); n != 0 || err != nil {
			return fmt.Errorf("%d gauges, %v", n, err)
		}
		return nil
	})
	l.add("o1 Paid 2")
	l.change(func() { l.until = time.Time{} })
	awaitPosition(t, l, 2)
	l.change(func() {
		if l.claims != 2 {
			t.Errorf("claimed %d times", l.claims)
		}
	})
}

// A store that is away for less than a lease costs nothing; what was told
// meanwhile is written down when it is back.
func TestAStoreMayBeAwayForAWhile(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	slow := make(chan struct{})
	s.refuses = func(e shop.Event) int {
		if e.Order.Order == "o1" {
			<-slow
		}
		return 0
	}
	gateOf(t, l, secretA)
	l.add("o1 Held 1")
	testkit.Await(t, "the claim", func() error {
		l.lock.Lock()
		defer l.lock.Unlock()
		if l.claims == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	l.change(func() { l.away = errors.New("it is away") })
	close(slow)
	l.put(10 * time.Second)
	l.change(func() { l.away = nil })
	awaitPosition(t, l, 1)
	l.change(func() {
		if l.claims != 1 {
			t.Errorf("claimed %d times", l.claims)
		}
	})
}

// A gate that cannot keep its lease sends nothing that might still be under way
// when another gate has the sale.
func TestNothingIsSentWhileTheLeaseMayRunOut(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	const orders = 40
	for i := range orders {
		l.add(fmt.Sprintf("o%d Held 1", i))
	}
	arrived, release := make(chan struct{}, orders), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.notify = server.URL
	gateOf(t, l, secretA)
	<-arrived
	l.change(func() { l.away = errors.New("it is away") })
	l.put(15 * time.Second)
	for range 11 {
		<-arrived
	}
	close(release)
	testkit.Await(t, "what was under way", func() error {
		if calls, _ := s.got(); calls < 12 {
			return fmt.Errorf("%d calls", calls)
		}
		return nil
	})
	awaitAsked(t, l, 2)
	if calls, _ := s.got(); calls != 12 {
		t.Errorf("%d calls, want only those that were under way", calls)
	}
	l.change(func() { l.away = nil })
	awaitPosition(t, l, orders)
	if calls, _ := s.got(); calls != orders {
		t.Errorf("%d calls, want %d", calls, orders)
	}
}

func TestNothingIsToldWithoutASecretOrAnAddress(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	l.add("o1 Held 1")
	registry, stop := gateOf(t, l, "")
	want := "# HELP flashgate_notify_without_secret 1 for a sale with notify while this gate has no secret to sign " +
		"messages with.\n# TYPE flashgate_notify_without_secret " +
		"gauge\nflashgate_notify_without_secret{sale=\"race\"} 1\n"
	testkit.Await(t, "the gauge", func() error {
		return testutil.GatherAndCompare(registry, strings.NewReader(want), "flashgate_notify_without_secret")
	})
	l.change(func() { l.notify = "" })
	testkit.Await(t, "the gauge to go", func() error {
		if n, err := testutil.GatherAndCount(registry, "flashgate_notify_without_secret"); n != 0 || err != nil {
			return fmt.Errorf("%d gauges, %v", n, err)
		}
		return nil
	})
	stop()

	gateOf(t, l, secretA) // an address that comes later is told all, one that goes no more
	l.change(func() { l.notify = s.url })
	awaitPosition(t, l, 1)
	l.change(func() { l.notify = "" })
	testkit.Await(t, "the sale to be given up", func() error {
		l.lock.Lock()
		defer l.lock.Unlock()
		if l.now().Before(l.until) {
			return errors.New("it is kept")
		}
		return nil
	})
	l.add("o1 Paid 2")
	l.change(func() { l.notify = s.url })
	awaitPosition(t, l, 2)
	if calls, _ := s.got(); calls != 2 {
		t.Errorf("%d calls", calls)
	}
}

// However often one order changes, it is one message that waits, and the others
// are told of at once.
func TestAnOrderThatChangesOverAndOverHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	l := &ledger{notify: slow.URL}
	gateOf(t, l, secretA)
	const changes = 20_000
	for i := range changes {
		l.add(fmt.Sprintf("hot Held %d", i+1))
	}
	l.add("o1 Held 1")
	began := time.Now()
	testkit.Await(t, "the other order", func() error {
		if len(s.has("o1")) == 0 {
			return errors.New("the shop has not heard of it")
		}
		return nil
	})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the other order was told of after %v", took)
	}
	awaitPosition(t, l, changes+1)
	hot := s.has("hot")
	if len(hot) > 100 || !slices.IsSorted(hot) || hot[len(hot)-1] != changes {
		t.Errorf("the shop was told of the order %d times, %v", len(hot), hot)
	}
}

// Orders that change again whenever the shop is being told of them wait their turn
// behind the others, though there are more of them than messages at a time.
func TestOrdersThatChangeAllTheTimeHoldUpNoOther(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{}
	over := make(chan struct{})
	const hot = 20
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e shop.Event
		if err := json.Unmarshal(body, &e); err == nil && strings.HasPrefix(e.Order.Order, "hot") {
			l.awaitRead(l.add(fmt.Sprintf("%s Held %d", e.Order.Order, e.Order.Revision+1)), over)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(busy.Close)
	t.Cleanup(func() { close(over) })
	l.notify = busy.URL
	for i := range hot {
		l.add(fmt.Sprintf("hot%d Held 1", i))
	}
	gateOf(t, l, secretA)
	testkit.Await(t, "the first messages", func() error {
		if calls, _ := s.got(); calls < hot {
			return fmt.Errorf("%d calls", calls)
		}
		return nil
	})
	calls, _ := s.got()
	l.add("o1 Held 1")
	testkit.Await(t, "the other order", func() error {
		if now, _ := s.got(); len(s.has("o1")) == 0 {
			return fmt.Errorf("%d calls since", now-calls)
		}
		return nil
	})
	if now, _ := s.got(); now-calls > 4*hot {
		t.Errorf("the other order came after %d messages", now-calls)
	}
}

// What an order became while the shop was being told of it is not forgotten where the
// gate ends: the next one tells it.
func TestWhatAnOrderBecameWhileItWasToldIsNotLost(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{}
	over, arrived := make(chan struct{}), make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls, _ := s.got(); calls == 0 {
			l.awaitRead(l.add("o1 Paid 2"), over)
		} else {
			arrived <- struct{}{}
			<-over
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	var once sync.Once
	end := func() { once.Do(func() { close(over) }) }
	t.Cleanup(end)
	l.notify = server.URL
	l.add("o1 Held 1")
	_, stop := gateOf(t, l, secretA)
	<-arrived
	awaitAsked(t, l, 2)
	stop()
	if d := l.told(); d.Position != 1 || len(d.Listed) > 0 || len(s.has("o1")) != 1 {
		t.Errorf("%+v, and the shop has %v", d, s.has("o1"))
	}
	end()
	gateOf(t, l, secretA)
	awaitPosition(t, l, 2)
	if got := s.has("o1"); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("the shop has %v", got)
	}
}

// A later deadline alone is nothing to tell of; what the shop has not taken is not
// made newer by it either.
func TestNobodyIsToldOfADeadline(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	s.refuses = func(e shop.Event) int { return map[string]int{"o3": http.StatusTeapot}[e.Order.Order] }
	l.add("o1 Held 1", "o3 Held 1", "o3 Held 2 extended")
	l.add("o1 Held 2 extended", "o2 Held 1", "o3 Held 3 extended")
	l.add("o2 Held 2 extended")
	l.add("o1 Held 3 extended", "o1 Held 4")
	gateOf(t, l, secretA)
	awaitPosition(t, l, 4)
	l.add("o3 Held 4 extended", "o2 Held 3 extended")
	awaitPosition(t, l, 5)
	if _, taken := s.got(); taken != 2 || !slices.Equal(s.has("o1"), []int64{4}) ||
		!slices.Equal(s.has("o2"), []int64{1}) {
		t.Fatalf("%d messages, of o1 %v, of o2 %v", taken, s.has("o1"), s.has("o2"))
	}
	if d := l.told(); len(d.Listed) != 1 || d.Listed[0].Entry != 1 {
		t.Fatalf("listed %+v", d.Listed)
	}
	s.set(func() { s.refuses = func(shop.Event) int { return 0 } })
	l.put(time.Minute)
	testkit.Await(t, "what was refused", func() error {
		switch got := s.has("o3"); {
		case len(got) == 0:
			return errors.New("the shop has nothing of it")
		case !slices.Equal(got, []int64{1}):
			t.Fatalf("the shop has %v of o3", got)
		}
		return nil
	})
}

package shop_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate/shop"
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

	want := `{"id":"` + m.headers.Get("webhook-id") + `","type":"order.paid","timestamp":"` + at + `","sale":"race","run":1,"seq":2,` +
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

// Each order's changes come in their order, also where the shop refuses one time
// in three, and where an order changes twice in one entry.
func TestChangesOfAnOrderComeInTheirOrder(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	random := rand.New(rand.NewPCG(1, 2))
	s.refuses = func(shop.Event) int { return []int{0, 0, http.StatusInternalServerError}[random.IntN(3)] }
	const orders, revisions = 40, 5
	gateOf(t, l, secretA)
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
		}
	}
	await(t, "every change", func() error {
		l.put(time.Second) // so that what is listed is soon due
		for i := range orders {
			want := []int64{1, 2, 3, 4, 5}[:revisions-min(i%4, 1)]
			if got := s.has(fmt.Sprintf("o%d", i)); !slices.Equal(got, want) {
				return fmt.Errorf("o%d came as %v, want %v", i, got, want)
			}
		}
		return nil
	})
	await(t, "the list to be empty", func() error {
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

func TestAGateWhosePlaceIsTakenStops(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	registry, _ := gateOf(t, l, secretA)
	l.add("o1 Held 1")
	awaitPosition(t, l, 1)
	l.change(func() { l.token, l.until = "another", l.now().Add(time.Hour) })
	await(t, "the gate to forget it", func() error {
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
	await(t, "the claim", func() error {
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
	await(t, "what was under way", func() error {
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
	want := "# HELP flashgate_notify_without_secret 1 for a sale whose shop is told nothing, because this gate has no secret to sign with.\n" +
		"# TYPE flashgate_notify_without_secret gauge\nflashgate_notify_without_secret{sale=\"race\"} 1\n"
	await(t, "the gauge", func() error {
		return testutil.GatherAndCompare(registry, strings.NewReader(want), "flashgate_notify_without_secret")
	})
	l.change(func() { l.notify = "" })
	await(t, "the gauge to go", func() error {
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
	await(t, "the sale to be given up", func() error {
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

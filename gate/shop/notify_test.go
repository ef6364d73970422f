package shop_test

import (
	"encoding/json"
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

	"github.com/flashgate/flashgate/gate"
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

func TestAnOrderThatTheShopRefusesHoldsBackNoOther(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	l := &ledger{notify: s.url}
	bad := true
	s.refuses = func(e shop.Event) int {
		if bad && e.Order.Order == "o3" {
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
	if len(d.Listed) != 1 || d.Listed[0].Order != "o3" || d.Listed[0].Error != "the shop answered 422" || !slices.Equal(d.Listed[0].Entries, []int64{4}) {
		t.Fatalf("listed %+v", d.Listed)
	}
	if u := d.Listed[0]; u.Next.Sub(u.Tried) < minBackoff/2 || u.GiveUp.Sub(u.Tried) < 71*time.Hour || !u.Since.Equal(l.entries[3].Time) {
		t.Errorf("listed %+v", u)
	}
	l.add("o3 Paid 2", "o4 Paid 2")
	awaitPosition(t, l, 11)
	if d := l.told(); !slices.Equal(d.Listed[0].Entries, []int64{4, 11}) || len(s.has("o3")) > 0 || len(s.has("o4")) != 2 {
		t.Errorf("listed %+v, and the shop has %v of o3, %v of o4", d.Listed, s.has("o3"), s.has("o4"))
	}
	want := "# HELP flashgate_notify_stuck_orders Orders that are listed as undelivered.\n# TYPE flashgate_notify_stuck_orders gauge\n" +
		"flashgate_notify_stuck_orders{sale=\"race\"} 1\n"
	await(t, "the gauge", func() error {
		return testutil.GatherAndCompare(registry, strings.NewReader(want), "flashgate_notify_stuck_orders")
	})

	s.set(func() { bad = false })
	l.put(10 * time.Minute)
	await(t, "the order", func() error {
		if d := l.told(); len(d.Listed) > 0 {
			return fmt.Errorf("listed %+v", d.Listed)
		}
		return nil
	})
	if got := s.has("o3"); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("the shop has %v of o3", got)
	}
}

const minBackoff = time.Second

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
	await(t, "the end", func() error {
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
	await(t, "the trouble", func() error {
		if d := l.told(); d.Trouble != "the shop answered 503" {
			return fmt.Errorf("%q", d.Trouble)
		}
		return nil
	})
	if calls, _ := s.got(); calls > orders/10 {
		t.Errorf("%d calls before it was left alone", calls)
	}
	// A gate that takes over begins where this one ends, and knows of the trouble.
	before := len(l.told().Listed)
	stop()
	l.change(func() { l.until = time.Time{} })
	gateOf(t, l, secretA)
	await(t, "another try", func() error {
		l.put(time.Second)
		if calls, _ := s.got(); calls < 30 {
			return fmt.Errorf("%d calls", calls)
		}
		return nil
	})
	if d := l.told(); d.Position > 1 || len(d.Listed) != before || before > 20 {
		t.Errorf("position %d, %d listed, %d before", d.Position, len(d.Listed), before)
	}
	s.set(func() { s.down = false })
	await(t, "all to come", func() error {
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
	if d := l.told(); len(d.Listed) != 1 || d.Listed[0].Error != "the shop answered 302" || d.Listed[0].Due(d.Now, d.Retry) {
		t.Fatalf("listed %+v", d.Listed)
	}

	tries := l.told().Listed[0].Tries
	awaitTries := func(n int) {
		t.Helper()
		await(t, "another try", func() error {
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
	await(t, "the order", func() error {
		if d := l.told(); len(d.Listed) > 0 {
			return fmt.Errorf("listed %+v", d.Listed)
		}
		return nil
	})
	if got := s.has("o1"); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("the shop has %v", got)
	}
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

// An address may have a secret in it, which an error must not show.
func TestAnErrorDoesNotShowTheAddress(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	l := &ledger{notify: server.URL + "/?key=sesame"}
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

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/store"
	"github.com/flashgate/flashgate/gate/testkit"
)

const notifySecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// informed is a shop that is told of changes. It verifies what it gets.
type informed struct {
	url    string
	mu     sync.Mutex
	events []shop.Event
	room   int // how many it takes before it hangs
	faults []error
}

func openInformed(t *testing.T, room int) *informed {
	t.Helper()
	hook := testkit.Webhook(t, notifySecret)
	s := &informed{room: room}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e shop.Event
		err := errors.Join(hook.Verify(body, r.Header), json.Unmarshal(body, &e))
		s.mu.Lock()
		if err != nil {
			s.faults = append(s.faults, err)
		}
		hangs := len(s.events) >= s.room
		if !hangs {
			s.events = append(s.events, e)
		}
		s.mu.Unlock()
		if hangs {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(func() {
		server.Close()
		for _, err := range s.faults {
			t.Error(err)
		}
	})
	s.url = server.URL + "/orders"
	return s
}

func (s *informed) grow(room int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = room
}

func (s *informed) took() []shop.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// checkTold fails the test unless the shop has the newest revision of each order,
// each that it has first seen after the ones before, and each under one id.
func checkTold(events []shop.Event, orders, newest int) error {
	seen, ids := map[string]int64{}, map[string]string{}
	for _, e := range events {
		change := fmt.Sprint(e.Order.Order, "/", e.Order.Revision)
		if id, again := ids[change]; again && id != e.ID {
			return fmt.Errorf("%s came as %s and as %s", change, id, e.ID)
		} else if !again && e.Order.Revision <= seen[e.Order.Order] {
			return fmt.Errorf("%s came after revision %d", change, seen[e.Order.Order])
		}
		ids[change] = e.ID
		seen[e.Order.Order] = max(seen[e.Order.Order], e.Order.Revision)
	}
	if len(seen) != orders {
		return fmt.Errorf("%d orders came, want %d", len(seen), orders)
	}
	for order, revision := range seen {
		if revision != int64(newest) {
			return fmt.Errorf("%s came up to revision %d, want %d", order, revision, newest)
		}
	}
	return nil
}

func notifyingSale(name, url string) string {
	return strings.Replace(openSale(name, 1000), "hold: 1h,", "hold: 1h, notify: \""+url+"\",", 1)
}

// A gate is killed while it tells the shop. The next one, by whose clock its lease
// has run out, tells the rest: nothing is missing, and what comes twice has one id.
func TestAnotherGateGoesOnTellingTheShopWhereOneWasKilled(t *testing.T) {
	t.Parallel()
	const orders, revisions, before = 50, 3, 30
	redis, told := redistest.Start(t).URL(), openInformed(t, before)
	first := serveSale(t, redis, notifyingSale("race", told.url), "--notify-secret", notifySecret)
	c := newCaller(t)
	for revision := range revisions {
		for i := range orders {
			a := c.post(first.listen, "/confirm/race?items=unit", "application/json",
				v1(order(i), fmt.Sprint("imp_", revision)))
			if a.code != "held" {
				t.Fatalf("%+v", a)
			}
		}
	}
	await(t, "the shop to hang", func() error {
		if n := len(told.took()); n < before {
			return fmt.Errorf("it took %d", n)
		}
		return nil
	})
	first.Kill()
	told.grow(1_000_000)

	quiet := slog.New(slog.DiscardHandler)
	later := func() time.Time { return time.Now().Add(31 * time.Second) }
	s, err := store.Open(redis, store.Deps{Now: later, Log: quiet},
		store.Options{Who: "second", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := shop.ParseSecrets(notifySecret)
	if err != nil {
		t.Fatal(err)
	}
	n := shop.NewNotifier(shop.NotifierDeps{
		Store: s, Sales: func() map[string]*gate.Settings {
			return map[string]*gate.Settings{
				"race": {Notify: told.url},
			}
		},
		Secrets: secrets, Metrics: shop.NewMetrics(prometheus.NewRegistry()), Now: time.Now, Log: quiet,
	})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	await(t, "the rest", func() error { return checkTold(told.took(), orders, revisions) })
	await(t, "the position", func() error {
		d, err := s.Delivery(t.Context(), "race")
		if err != nil || d.Position != d.Seq || len(d.Listed) > 0 {
			return fmt.Errorf("%+v, %v", d, err)
		}
		return nil
	})
}

// One valid link is sent again and again: all get their 200, and neither the ledger
// nor the shop hears more of it than of the first.
func TestALinkThatIsSentAgainAndAgainIsTellingNobodyAnything(t *testing.T) {
	t.Parallel()
	server, told := redistest.Start(t), openInformed(t, 1_000_000)
	gate := serveSale(t, server.URL(), notifyingSale("race", told.url), "--notify-secret", notifySecret)
	c := newCaller(t)
	for range 500 {
		a := c.post(gate.listen, "/confirm/race?items=unit", "application/json", v1(order(1), "imp_1"))
		if a.code != "held" {
			t.Fatalf("%+v", a)
		}
	}
	a := c.post(gate.listen, "/confirm/race?items=unit", "application/json", v1(order(2), "imp_2"))
	if a.code != "held" {
		t.Fatalf("%+v", a)
	}
	await(t, "the shop", func() error { return checkTold(told.took(), 2, 1) })
	if n := len(told.took()); n != 2 {
		t.Errorf("%d messages, want one of each order", n)
	}
	if n := server.Do(t, "XLEN", "fg:{race}:ledger"); n != int64(3) {
		t.Errorf("%v ledger entries, want the sale's and one of each order", n)
	}
}

// Two gates tell the shop of a sale once, and one that ends leaves it to the other
// at once.
func TestTwoGatesTellTheShopOnce(t *testing.T) {
	t.Parallel()
	redis, told := redistest.Start(t).URL(), openInformed(t, 1_000_000)
	gates := []*process{serveSale(t, redis, notifyingSale("race", told.url), "--notify-secret", notifySecret)}
	gates = append(gates, startGate(t, "--redis", redis, "--allow-unsigned", "--notify-secret", notifySecret))
	c := newCaller(t)
	for revision := range 2 {
		for i := range 20 {
			a := c.post(gates[revision].listen, "/confirm/race?items=unit", "application/json",
				v1(order(i), fmt.Sprint("imp_", revision)))
			if a.code != "held" {
				t.Fatalf("%+v", a)
			}
		}
		await(t, "the shop", func() error { return checkTold(told.took(), 20, revision+1) })
		await(t, "the position", func() error {
			var d gate.DeliveryView
			err := json.Unmarshal([]byte(command(t, "undelivered", "--json", "--redis", redis, "race")), &d)
			if err != nil || d.Position != d.Seq {
				return fmt.Errorf("%+v, %v", d, err)
			}
			return nil
		})
		if revision == 0 {
			gates[0].stop(t)
		}
	}
	if n := len(told.took()); n != 40 {
		t.Errorf("%d messages, want 40", n)
	}
}

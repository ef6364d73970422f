package portone_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// changing is a PortOne with a clock of its own, whose list of changes is read.
type changing struct {
	*portonesim.Sim
	t       *testing.T
	version gate.Version
	client  *portone.Client

	mu    sync.Mutex // over what follows
	now   time.Time
	lists int // calls for a page
}

// eachVersion runs a test on both versions' lists.
func eachVersion(t *testing.T, test func(t *testing.T, c *changing)) {
	for _, version := range gate.Versions() {
		t.Run(version.String(), func(t *testing.T) {
			t.Parallel()
			c := &changing{t: t, version: version, now: time.Now().Add(-200 * 24 * time.Hour).Truncate(time.Second)}
			c.Sim = portonesim.New(portonesim.Deps{Now: c.time},
				portonesim.Options{V1Key: fakeKey, V1Secret: fakeSecret, V2Secret: fakeSecret})
			handler := c.Handler()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/payments" || strings.HasPrefix(r.URL.Path, "/payments/status/") {
					c.mu.Lock()
					c.lists++
					c.mu.Unlock()
				}
				handler.ServeHTTP(w, r)
			}))
			t.Cleanup(func() {
				server.Close()
				c.Sim.Close()
			})
			cfg := configured()
			cfg.Rate, cfg.Now = 1000, c.time
			cfg.V1 = portone.V1Options{BaseURL: server.URL, Key: fakeKey, Secret: fakeSecret}
			cfg.V2 = portone.V2Options{BaseURL: server.URL, Secret: fakeSecret}
			c.client = newClient(t, cfg)
			test(t, c)
		})
	}
}

func (c *changing) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *changing) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// pay makes payments of 1000 that are paid at once.
func (c *changing) pay(orders ...string) {
	for _, order := range orders {
		c.Pay(c.t.Context(), portonesim.Order{
			Version: int(c.version),
			Body:    map[gate.Version]string{1: "v1", 2: "v2-2024-04-25"}[c.version], ID: order, Amount: 1000,
		})
	}
}

func (c *changing) cancel(order string, amount int64) {
	c.t.Helper()
	if err := c.Cancel(order, "", amount); err != nil {
		c.t.Fatal(err)
	}
}

// changed reads the changes since a time, and returns those of a kind that were told,
// sorted, each once. What was told before is not new.
func (c *changing) changed(since, begun time.Time, is func(portone.Changed) bool) (orders []string,
	until time.Time, calls int,
) {
	c.t.Helper()
	c.mu.Lock()
	before := c.lists
	c.mu.Unlock()
	seen := map[string]bool{}
	until, all, err := c.client.EachChanged(c.t.Context(), c.version, since, begun,
		func(page []portone.Changed) (isNew bool, err error) {
			for _, p := range page {
				if p.Err != nil {
					c.t.Errorf("order %s: %v", p.Order, p.Err)
				}
				if is(p) && !seen[p.Order] {
					seen[p.Order], isNew = true, true
					orders = append(orders, p.Order)
				}
			}
			return isNew, nil
		})
	if err != nil || !all {
		c.t.Fatalf("all: %v, error: %v", all, err)
	}
	slices.Sort(orders)
	c.mu.Lock()
	defer c.mu.Unlock()
	return orders, until, c.lists - before
}

// cut reports whether some of a payment was given back.
func cut(c portone.Changed) bool {
	return c.Payment.State == gate.PaymentCancelled || c.Payment.State == gate.PaymentPartCancelled
}

func TestWhatWasGivenBackIsListedWithWhatHasChanged(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, c *changing) {
		opened := c.time()
		c.pay("o1", "o2", "o3", "o4")
		c.pass(24 * time.Hour)
		since := c.time()
		c.pass(time.Minute)
		c.cancel("o1", 0)
		c.cancel("o2", 300)
		orders, until, calls := c.changed(since, opened, cut)
		if got := strings.Join(orders, " "); got != "o1 o2" || !until.Equal(c.time()) || calls != 1 {
			t.Errorf("listed %s, until %s at %s, by %d calls", got, until, c.time(), calls)
		}

		// A second part of one that was partly cancelled before is a change too.
		c.pass(24 * time.Hour)
		c.cancel("o2", 200)
		orders, until, calls = c.changed(c.time(), opened,
			func(p portone.Changed) bool { return p.Payment.Balance == 500 })
		if got := strings.Join(orders, " "); got != "o2" || !until.Equal(c.time()) || calls != 1 {
			t.Errorf("listed %s, until %s at %s, by %d calls", got, until, c.time(), calls)
		}
		c.pass(time.Hour)
		if _, _, calls = c.changed(c.time(), opened, func(portone.Changed) bool { return false }); calls != 1 {
			t.Errorf("%d calls where nothing has changed", calls)
		}
	})
}

// More changes than one page holds, many of them within one second, some while the list
// is read: what is missed by one reading is told by the next, from where that one ended.
func TestNoChangeIsMissedByPages(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, c *changing) {
		opened := c.time()
		var names []string
		for i := range 2600 {
			names = append(names, fmt.Sprintf("o%04d", i))
			if i%100 == 0 {
				c.pass(time.Second)
			}
			c.pay(names[i])
		}
		c.pass(time.Hour)
		since := c.time()
		for i, name := range names[:2400] {
			if i < 700 || i >= 2000 { // 1300 within one instant
				c.pass(10 * time.Millisecond)
			}
			c.cancel(name, 300)
		}
		told, twice, pages := map[string]bool{}, map[string]bool{}, 0
		read := func(from time.Time) (until time.Time) {
			until, all, err := c.client.EachChanged(t.Context(), c.version, from, opened,
				func(page []portone.Changed) (bool, error) {
					for _, p := range page {
						if cut(p) {
							told[p.Order] = true
							twice[p.Order] = p.Payment.Balance == 500
						}
					}
					if pages++; pages <= 4 { // those of the page that was given, which is what hurts
						c.pass(10 * time.Millisecond)
						for _, name := range names[40*(pages-1) : 40*pages] {
							c.cancel(name, 200)
						}
					}
					return false, nil
				})
			if err != nil || !all {
				t.Fatalf("all: %v, error: %v", all, err)
			}
			return until
		}
		read(read(since))
		for i, name := range names[:2400] {
			if !told[name] || i < 160 && !twice[name] {
				t.Errorf("order %s: told: %v, its second change: %v, by %d pages", name, told[name], twice[name], pages)
			}
		}
	})
}

// V1 tells when a payment was paid, and not when it learnt of that: a bank's word may come
// hours late. As long as a page has anything new the next one is asked for.
func TestV1sLateNewsAreNoEndOfTheList(t *testing.T) {
	t.Parallel()
	fake, at := newFakeV1(), time.Now().Truncate(time.Second)
	for i := range 3000 {
		fake.add(paidV1(fmt.Sprintf("o%04d", i), at.Add(-time.Hour), 1, 2))
	}
	c := serve(t, fake, nil)
	for limit, want := range map[int]int{0: 100, 50: 2000, 2500: 3000} { // the newest so many are new
		told := map[string]bool{}
		_, all, err := c.EachChanged(t.Context(), 1, at, at.Add(-time.Hour),
			func(page []portone.Changed) (isNew bool, err error) {
				for _, p := range page {
					told[p.Order] = true
					isNew = isNew || p.Order >= fmt.Sprintf("o%04d", 3000-limit)
				}
				return isNew, nil
			})
		if err != nil || !all || len(told) != want {
			t.Errorf("%d new: %d told of, want %d; all: %v, error: %v", limit, len(told), want, all, err)
		}
	}
}

// V1's list goes back 90 days by when a payment came into its status.
func TestAPaymentOfMonthsAgoIsInTheListOfWhatHasChanged(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, c *changing) {
		opened := c.time()
		c.pay("old")
		c.pass(100 * 24 * time.Hour)
		since := c.time()
		c.pay("new")
		c.cancel("old", 300)
		orders, _, _ := c.changed(since, opened, cut)
		if got := strings.Join(orders, " "); got != "old" {
			t.Errorf("listed %s", got)
		}
	})
}

func TestAListOfChangesThatFailsTellsSo(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, c *changing) {
		c.pay("o1")
		wrong := errors.New("wrong")
		_, all, err := c.client.EachChanged(t.Context(), c.version, c.time(), c.time(),
			func([]portone.Changed) (bool, error) { return false, wrong })
		if all || !errors.Is(err, wrong) {
			t.Errorf("all: %v, error: %v", all, err)
		}
		c.SetDown(true)
		until, all, err := c.client.EachChanged(t.Context(), c.version, c.time(), c.time(),
			func([]portone.Changed) (bool, error) { return false, nil })
		if all || err == nil || !until.IsZero() {
			t.Errorf("all: %v, until %s, error: %v", all, until, err)
		}
		if _, _, err := c.client.EachChanged(t.Context(), 3, c.time(), c.time(), nil); !errors.Is(err,
			portone.ErrNoCredentials) {
			t.Errorf("a version that there is not: %v", err)
		}
	})
}

package shop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/testkit"
)

const (
	secretA = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	secretB = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
)

// clock runs like the real one, and can be put ahead.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) put(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += ahead
}

// ledger is a store of one sale, "race". What it does with claims, the script
// notify's golden file says.
type ledger struct {
	clock
	lock    sync.Mutex
	notify  string
	entries []*gate.Entry
	token   string
	until   time.Time
	d       gate.Delivery
	away    error // what every call returns
	lost    int   // claims that are made, and whose reply is lost
	claims  int
	asked   int   // how often it was to be kept
	wrote   int   // how much of the list came with the last time
	read    int64 // the newest entry that was read
}

// add appends an entry that changes orders, each "ORDER STATE REVISION", or "ORDER STATE
// REVISION extended" where only its deadline is new. It returns the entry's number.
func (l *ledger) add(changes ...string) (seq int64) {
	l.lock.Lock()
	defer l.lock.Unlock()
	e := &gate.Entry{Seq: int64(len(l.entries) + 1), Time: l.now().Truncate(time.Millisecond), Kind: "confirm"}
	for i, text := range changes {
		var state string
		text, extended := strings.CutSuffix(text, " extended")
		if extended {
			e.Extended = append(e.Extended, i)
		}
		o := gate.Order{Lines: []gate.Line{{SKU: "full", Quantity: 1}}}
		if _, err := fmt.Sscan(text, &o.ID, &state, &o.Revision); err != nil {
			panic(err)
		}
		o.State = gate.OrderState(state[0])
		e.Orders = append(e.Orders, o)
	}
	l.entries = append(l.entries, e)
	return e.Seq
}

func (l *ledger) told() gate.Delivery {
	l.lock.Lock()
	defer l.lock.Unlock()
	d := l.d
	d.Now, d.Run, d.Seq = l.now(), max(1, d.Run), int64(len(l.entries))
	return d
}

func (l *ledger) change(do func()) {
	l.lock.Lock()
	defer l.lock.Unlock()
	do()
}

func (l *ledger) ClaimDelivery(_ context.Context, _, token string, lease time.Duration) (gate.Delivery, error) {
	l.lock.Lock()
	if l.away != nil || token != l.token && l.now().Before(l.until) {
		defer l.lock.Unlock()
		return gate.Delivery{}, firstOf(l.away, gate.ErrClaimed)
	}
	l.claims++
	l.token, l.until = token, l.now().Add(lease)
	if l.lost > 0 {
		defer l.lock.Unlock()
		l.lost--
		return gate.Delivery{}, errors.New("i/o timeout")
	}
	l.lock.Unlock()
	return l.told(), nil
}

func (l *ledger) KeepDelivery(_ context.Context, _, token string, lease time.Duration,
	p gate.Progress,
) (gate.Delivery, error) {
	l.lock.Lock()
	l.asked++
	if l.away != nil || token != l.token {
		defer l.lock.Unlock()
		return gate.Delivery{}, firstOf(l.away, gate.ErrClaimed)
	}
	l.wrote = len(p.Listed)
	l.until, l.d.Position, l.d.Trouble = l.now().Add(lease), p.Position, p.Trouble
	listed := map[string]gate.Undelivered{}
	for _, u := range l.d.Listed {
		listed[u.Order] = u
	}
	for order, u := range p.Listed {
		if delete(listed, order); u != nil {
			listed[order] = *u
		}
	}
	l.d.Listed = slices.Collect(maps.Values(listed))
	l.lock.Unlock()
	return l.told(), nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *ledger) Entries(_ context.Context, _ string, after int64, most int) ([]*gate.Entry, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	rest := l.entries[min(int(after), len(l.entries)):]
	rest = rest[:min(most, len(rest))]
	l.read = after + int64(len(rest))
	return slices.Clone(rest), l.away
}

func (l *ledger) EntriesAt(_ context.Context, _ string, seqs []int64) ([]*gate.Entry, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	var found []*gate.Entry
	for _, seq := range seqs {
		if seq <= int64(len(l.entries)) {
			found = append(found, l.entries[seq-1])
		}
	}
	return found, l.away
}

// awaitRead waits until a gate has read an entry, or all is over.
func (l *ledger) awaitRead(entry int64, over <-chan struct{}) {
	for {
		l.lock.Lock()
		read := l.read
		l.lock.Unlock()
		if read >= entry {
			return
		}
		select {
		case <-over:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (l *ledger) sales() map[string]*gate.Settings {
	l.lock.Lock()
	defer l.lock.Unlock()
	return map[string]*gate.Settings{"race": {Notify: l.notify}, "quiet": {}}
}

// counter is a shop that is told of changes.
type counter struct {
	url     string
	hook    *standardwebhooks.Webhook
	mu      sync.Mutex
	down    bool
	refuses func(e shop.Event) int // a status, or 0 to take it
	calls   int
	taken   []shop.Event
	ids     map[string]string // of each change, by order and revision
	faults  []error
}

func openShop(t *testing.T) *counter {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(secretA)
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{hook: hook, ids: map[string]string{}, refuses: func(shop.Event) int { return 0 }}
	server := httptest.NewServer(c)
	t.Cleanup(func() {
		server.Close()
		for _, err := range c.faults {
			t.Error(err)
		}
	})
	c.url = server.URL + "/flashgate"
	return c
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	var e shop.Event
	if err = errors.Join(err, json.Unmarshal(body, &e), c.hook.VerifyIgnoringTimestamp(body, r.Header)); err != nil {
		c.faults = append(c.faults, err)
	}
	change := fmt.Sprint(e.Order.Order, "/", e.Order.Revision)
	if was, known := c.ids[change]; known && was != e.ID || r.Header.Get("webhook-id") != e.ID {
		c.faults = append(c.faults,
			fmt.Errorf("%s came as %s and as %s with the header %s", change, was, e.ID, r.Header.Get("webhook-id")))
	}
	c.ids[change] = e.ID
	status := c.refuses(e)
	if c.down {
		status = http.StatusServiceUnavailable
	}
	switch {
	case status == http.StatusFound:
		http.Redirect(w, r, "/elsewhere", status)
	case status != 0:
		w.WriteHeader(status)
	default:
		c.taken = append(c.taken, e)
	}
}

// has returns the order's changes that the shop took, each once, by revision; in
// the order in which they came first.
func (c *counter) has(order string) (revisions []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.taken {
		if e.Order.Order == order && !slices.Contains(revisions, e.Order.Revision) {
			revisions = append(revisions, e.Order.Revision)
		}
	}
	return revisions
}

func (c *counter) set(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

// got returns how many calls came, and how many of them the shop took.
func (c *counter) got() (calls, taken int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls, len(c.taken)
}

// gateOf runs a notifier until the test ends or stop is called. Its clock is the
// store's.
func gateOf(t *testing.T, l *ledger, secrets string) (registry *prometheus.Registry, stop func()) {
	t.Helper()
	return gateWith(t, l, l.now, secrets)
}

// gateWith is gateOf with a clock of the gate's own.
func gateWith(t *testing.T, l *ledger, now func() time.Time, secrets string) (registry *prometheus.Registry,
	stop func(),
) {
	t.Helper()
	registry = prometheus.NewRegistry()
	opt := shop.NotifierDeps{
		Store: l, Sales: l.sales, Metrics: shop.NewMetrics(registry), Now: now,
		Log: slog.New(slog.DiscardHandler),
	}
	if secrets != "" {
		parsed, err := shop.ParseSecrets(secrets)
		if err != nil {
			t.Fatal(err)
		}
		opt.Secrets = parsed
	}
	n := shop.NewNotifier(opt)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return registry, stop
}

// awaitPosition waits until the ledger is done with up to an entry.
func awaitPosition(t *testing.T, l *ledger, want int64) {
	t.Helper()
	testkit.Await(t, "the position", func() error {
		if d := l.told(); d.Position != want {
			return fmt.Errorf("it is %d of %d, %s", d.Position, d.Seq, d.Trouble)
		}
		return nil
	})
}

// awaitAsked waits until a gate has tried to keep the sale so many times more.
func awaitAsked(t *testing.T, l *ledger, times int) {
	t.Helper()
	l.lock.Lock()
	from := l.asked
	l.lock.Unlock()
	testkit.Await(t, "the gate to keep the sale", func() error {
		l.lock.Lock()
		defer l.lock.Unlock()
		if l.asked < from+times {
			return errors.New("it has not")
		}
		return nil
	})
}

package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/mirror"
)

// server stands in for a Redis server with one sale: what scripts do to it is done by the
// tests, in memory.
type server struct {
	mu     sync.Mutex
	id     string
	sale   *gate.Fold
	ledger []*gate.Entry
	more   chan struct{} // is closed with the next entry
	link                 // of all followers
}

// link is how followers reach their server. It is changed under the server's lock.
type link struct {
	down   error         // what every call fails with; nil while it is up
	frozen chan struct{} // calls wait until this is closed; nil while they need not
	delay  time.Duration // of each call
	late   time.Duration // of each reply to a poll
	cuts   int           // how often all connections were closed
}

const gone = "the server is gone"

// newServer has a sale with so many units of a SKU named unit, in its window.
func newServer(stock int64, change ...func(*gate.Settings)) *server {
	s := &server{id: "first", more: make(chan struct{})}
	s.create(1, stock, change...)
	return s
}

func (s *server) create(run, stock int64, change ...func(*gate.Settings)) {
	settings := gate.Settings{
		OpensAt: time.Now().Add(-time.Minute), ClosesAt: time.Now().Add(time.Hour), Hold: time.Minute,
		SKUs: []gate.SKU{{Name: "unit", Stock: stock}},
	}
	for _, f := range change {
		f(&settings)
	}
	counters := map[string]gate.Units{}
	for _, k := range settings.SKUs {
		counters[k.Name] = gate.Units{Total: k.Stock, Left: k.Stock}
	}
	seq := int64(0)
	if s.sale != nil {
		seq = s.sale.Seq
	}
	s.add(&gate.Entry{
		Seq: seq + 1, Kind: "create", Counters: counters,
		Settings: &gate.SettingsEntry{Run: run, Version: 1, Settings: settings},
	})
}

// add adds an entry to the ledger, and changes the sale by it.
func (s *server) add(e *gate.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sale == nil {
		s.sale = gate.NewFold("race")
	}
	if e.Seq == 0 {
		e.Seq = s.sale.Seq + 1
	}
	e.Time = time.Now()
	if err := s.sale.Apply(e); err != nil {
		panic(err)
	}
	s.ledger = append(s.ledger, e)
	close(s.more)
	s.more = make(chan struct{})
}

// move makes an order what it is now, and returns the entry's number.
func (s *server) move(id, buyer string, state gate.OrderState, n int64) (seq int64, change gate.Change) {
	return s.moveLines(id, buyer, state, []gate.Line{{SKU: "unit", Quantity: n}})
}

func (s *server) moveLines(id, buyer string, state gate.OrderState, lines []gate.Line) (seq int64, change gate.Change) {
	s.mu.Lock()
	was, err := s.sale.Order(id)
	counts, counters := s.sale.Orders, map[string]gate.Units{}
	o := gate.Order{
		ID: id, State: state, Revision: was.Revision + 1, Buyer: buyer, Lines: lines,
		Attempts: []gate.Attempt{{ID: "a", State: gate.AttemptOpen, Version: 1}}, Taken: time.Now(),
		Deadline: time.Now(),
	}
	for _, l := range lines {
		units := s.sale.Units[l.SKU]
		if err == nil {
			put(&units, was.State, -l.Quantity)
		}
		put(&units, state, l.Quantity)
		counters[l.SKU] = units
	}
	s.mu.Unlock()
	if err == nil {
		counts.Add(was.State, -1)
	}
	counts.Add(state, 1)
	change = gate.Change{Order: id, Record: string(gate.AppendRecord(nil, &o))}
	e := &gate.Entry{Kind: "confirm", Counters: counters, Counts: counts, Changes: []gate.Change{change}}
	s.add(e)
	return e.Seq, change
}

// put moves n units from what is left to where an order in that state has them.
func put(u *gate.Units, state gate.OrderState, n int64) {
	switch state {
	case gate.OrderHeld, gate.OrderAsking:
		u.Held += n
	case gate.OrderPaid:
		u.Paid += n
	case gate.OrderWithheld:
		u.Withheld += n
	default:
		return
	}
	u.Left -= n
}

func (s *server) set(change func(*gate.Settings)) {
	s.mu.Lock()
	settings, version := s.sale.Settings, s.sale.Version
	counts := s.sale.Orders
	s.mu.Unlock()
	change(&settings)
	s.add(&gate.Entry{
		Kind: "apply", Settings: &gate.SettingsEntry{Run: 1, Version: version + 1, Settings: settings}, Counts: counts,
	})
}

// logs keeps what a mirror logs.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// watched is a mirror of a server's sale that runs until the test ends.
type watched struct {
	*mirror.Mirror
	t        *testing.T
	server   *server
	log      *logs
	registry *prometheus.Registry
}

// watch starts a mirror, and waits until it is fresh. It belongs into a bubble.
func watch(t *testing.T, s *server) *watched {
	t.Helper()
	w := start(t, s)
	w.look()
	w.waitFresh()
	return w
}

// start starts a mirror that is told of nothing yet.
func start(t *testing.T, s *server) *watched {
	t.Helper()
	return startOver(t, s, &link{}, time.Now)
}

// startOver starts a mirror that has a link and a clock of its own.
func startOver(t *testing.T, s *server, own *link, now func() time.Time) *watched {
	t.Helper()
	w := &watched{t: t, server: s, log: &logs{}, registry: prometheus.NewRegistry()}
	w.Mirror = mirror.New("race", mirror.Deps{
		Follower: &follower{server: s, own: own}, Metrics: mirror.NewMetrics(w.registry), Now: now,
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return w
}

// waitFresh gives the mirror the time to load the sale.
func (w *watched) waitFresh() {
	w.t.Helper()
	if time.Sleep(3 * time.Second); !w.Fresh() {
		w.t.Fatalf("the mirror is not fresh: %s", w.log)
	}
}

// metric returns the sum of a metric.
func (w *watched) metric(name string) (sum float64) {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// look has the mirror told how the sale stands, as the gate does twice a second.
func (w *watched) look() {
	w.server.mu.Lock()
	state := w.server.sale.State
	w.server.mu.Unlock()
	w.Watch(&state)
}

// says returns what the mirror says to a confirm: the code of the refusal, or "ask".
func (w *watched) says(order, buyer string, n int64) string {
	return w.saysWith(order, buyer, n, gate.NoCause)
}

func (w *watched) saysWith(order, buyer string, n int64, noHold gate.Cause) string {
	c := &gate.Confirm{Order: []byte(order), Buyer: []byte(buyer), Lines: []gate.Line{{SKU: "unit", Quantity: n}}}
	v, refuses := w.Refuse(c, noHold)
	if !refuses {
		return "ask"
	}
	return v.Code.String()
}

// expect fails unless the mirror says so.
func (w *watched) expect(what, order string, n int64, want string) {
	w.t.Helper()
	if got := w.says(order, "", n); got != want {
		w.t.Errorf("%s: the mirror says %s, want %s", what, got, want)
	}
}

// lose makes the server fail with its connections.
func (s *server) lose() { s.do(func() { s.down = errors.New(gone) }) }

// slow makes each call take so long.
func (s *server) slow(delay time.Duration) { s.do(func() { s.delay = delay }) }

// forget makes the server what it was before its newest entry. It is called by do.
func (s *server) forget() {
	s.ledger = s.ledger[:len(s.ledger)-1]
	s.sale = gate.NewFold("race")
	for _, e := range s.ledger {
		if err := s.sale.Apply(e); err != nil {
			panic(err)
		}
	}
}

func (s *server) do(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func orderID(i int) string { return fmt.Sprintf("order-%03d", i) }

package lane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeStore has one sale, and a decider that the test answers for.
type fakeStore struct {
	mu       sync.Mutex
	states   map[string]gate.State
	expected []string // that were made known
	err      error
	broken   map[string]error // what is wrong with sales
	set      bool             // every reading has new settings
	decide   func(ctx context.Context, batch []*gate.Request) error
	grant    func(ctx context.Context, batch []*gate.Request) error
	closed   int
}

func (s *fakeStore) Sales(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.states {
		names = append(names, name)
	}
	return append(names, s.expected...), s.err
}

func (s *fakeStore) Read(_ context.Context, names []string) map[string]gate.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	read := map[string]gate.Reading{}
	for _, name := range names {
		state, ok := s.states[name]
		read[name] = gate.Reading{State: state, Set: s.set, Err: s.broken[name]}
		if !ok {
			read[name] = gate.Reading{Err: gate.ErrNoSale}
		}
	}
	return read
}

func (s *fakeStore) Expect(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected = append(s.expected, name)
	return s.err
}

func (s *fakeStore) change(name string, f func(*gate.State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.states[name]
	f(&state)
	s.states[name] = state
}

func (s *fakeStore) Decider(string) gate.Decider { return s }

func (s *fakeStore) Granter(string) gate.Decider { return granter{s} }

// granter decides what the shop said.
type granter struct{ *fakeStore }

func (g granter) Decide(ctx context.Context, batch []*gate.Request) error { return g.grant(ctx, batch) }

func (s *fakeStore) Decide(ctx context.Context, batch []*gate.Request) error {
	return s.decide(ctx, batch)
}

func (s *fakeStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func accept(_ context.Context, batch []*gate.Request) error {
	for _, r := range batch {
		if r.Set(gate.Refuse(gate.Held)); r.KnownOnly {
			r.Set(r.Refusal) // this store has no orders
		}
	}
	return nil
}

func testSale() gate.Sale {
	now := time.Now()
	return gate.Sale{Name: "race", Run: 1, Settings: gate.Settings{
		OpensAt: now.Add(-time.Hour), ClosesAt: now.Add(time.Hour), Hold: time.Minute,
		SKUs: []gate.SKU{
			{Name: "full", Stock: 10, Price: new(int64(80000))},
			{Name: "half", Stock: 10, Price: new(int64(60000))},
			{Name: "free", Stock: 10},
		},
	}}
}

// startGate runs a gate over the store and stops it when the test ends.
func startGate(t testing.TB, s *fakeStore, opt Options) (*Gate, *prometheus.Registry) {
	t.Helper()
	return startGateWith(t, s, Deps{}, opt)
}

// startGateWith runs a gate with a shop, a clock, keys or a log of its own.
func startGateWith(t testing.TB, s *fakeStore, deps Deps, opt Options) (*Gate, *prometheus.Registry) {
	t.Helper()
	if s.states == nil {
		s.states = map[string]gate.State{"race": {Sale: testSale(), Version: 1, Times: gate.Times{Now: time.Now()}}}
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Keys == nil {
		deps.Keys = gate.Unsigned()
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	registry := prometheus.NewRegistry()
	deps.Store, deps.Metrics = s, NewMetrics(registry)
	g := New(deps, opt)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	testkit.Until(t, "the gate is ready", g.Ready)
	return g, registry
}

// busyStore returns a store whose decider tells the size of each batch that it
// enters with, and accepts it once the test calls release, or has ended: one
// that fails must not leave a lane waiting.
func busyStore(t *testing.T) (s *fakeStore, entered <-chan int, release func()) {
	sizes, released := make(chan int, 8), make(chan struct{})
	release = sync.OnceFunc(func() { close(released) })
	context.AfterFunc(t.Context(), release)
	s = &fakeStore{decide: func(ctx context.Context, batch []*gate.Request) error {
		sizes <- len(batch)
		<-released
		return accept(ctx, batch)
	}}
	return s, sizes, release
}

// confirm sends one confirm through the gate and returns its verdict.
func confirm(t testing.TB, g *Gate, order string, received time.Time) gate.Verdict {
	t.Helper()
	return confirmIn(g, "race", order, received)
}

func confirmIn(g *Gate, sale, order string, received time.Time) gate.Verdict {
	lane, ok := g.Lane([]byte(sale))
	if !ok {
		return gate.Refuse(gate.UnknownSale)
	}
	r := g.Request(received)
	defer g.Release(r)
	r.Confirm.Order = append(r.Confirm.Order, order...)
	r.Confirm.Attempt = append(r.Confirm.Attempt, "imp"...)
	r.Confirm.Amount = gate.Amount{Value: 1000, Known: true}
	return lane.Confirm(r, &gate.Link{Items: []byte("free")})
}

func TestConfirmsThatWaitAreDecidedTogether(t *testing.T) {
	t.Parallel()
	s, entered, release := busyStore(t)
	g, _ := startGate(t, s, Options{})
	lane, _ := g.Lane([]byte("race"))

	var answered sync.WaitGroup
	ask := func(n int) {
		for i := range n {
			answered.Go(func() {
				if v := confirm(t, g, fmt.Sprint("order", i), time.Now()); v.Code != gate.Held {
					t.Errorf("got %s", v.Code)
				}
			})
		}
	}
	ask(1)
	if n := <-entered; n != 1 {
		t.Errorf("a lone confirm is decided in a batch of %d, want at once and alone", n)
	}
	ask(gate.MaxBatch + 44)
	testkit.Until(t, "all of them wait", func() bool { return len(lane.confirms.waiting) == gate.MaxBatch+44 })
	release()
	answered.Wait()
	if first, second := <-entered, <-entered; first != gate.MaxBatch || second != 44 {
		t.Errorf("what waited was decided in batches of %d and %d, want %d and 44", first, second, gate.MaxBatch)
	}
}

func TestAFullQueueRefusesAsBusy(t *testing.T) {
	t.Parallel()
	s, entered, release := busyStore(t)
	g, _ := startGate(t, s, Options{Queue: 3})
	lane, _ := g.Lane([]byte("race"))

	var answered sync.WaitGroup
	answered.Go(func() { confirm(t, g, "first", time.Now()) })
	<-entered
	for i := range 3 {
		answered.Go(func() { confirm(t, g, fmt.Sprint(i), time.Now()) })
	}
	testkit.Until(t, "the queue is full", func() bool { return len(lane.confirms.waiting) == 3 })
	if v := confirm(t, g, "late", time.Now()); v.Code != gate.Busy {
		t.Errorf("one more got %s, want busy", v.Code)
	}
	release()
	<-entered
	answered.Wait()
}

func TestAConfirmThatWaitedTooLongIsRefusedBeforeTheBatch(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	s := &fakeStore{decide: func(ctx context.Context, batch []*gate.Request) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range batch {
			seen = append(seen, string(r.Confirm.Order))
		}
		return accept(ctx, batch)
	}}
	now := time.Now()
	g, _ := startGateWith(t, s, Deps{Now: func() time.Time { return now }}, Options{})
	patience := AnswerBudget - answerReserve - tries*500*time.Millisecond
	if v := confirm(t, g, "late", now.Add(-patience-time.Millisecond)); v.Code != gate.Busy {
		t.Errorf("a confirm past its time got %s, want busy", v.Code)
	}
	if v := confirm(t, g, "in time", now.Add(-patience)); v.Code != gate.Held {
		t.Errorf("a confirm just in time got %s, want held", v.Code)
	}
	if len(seen) != 1 || seen[0] != "in time" {
		t.Errorf("the store was asked about %q, want only the one in time", seen)
	}
}

func TestABatchIsSentOnceMoreAfterAnError(t *testing.T) {
	t.Parallel()
	calls := 0
	s := &fakeStore{decide: func(ctx context.Context, batch []*gate.Request) error {
		if calls++; calls == 1 {
			return errors.New("the reply was lost")
		}
		return accept(ctx, batch)
	}}
	g, registry := startGate(t, s, Options{})
	if v := confirm(t, g, "order", time.Now()); v.Code != gate.Held || calls != 2 {
		t.Errorf("got %s after %d calls, want held after 2", v.Code, calls)
	}
	if n := testutil.ToFloat64(g.deps.Metrics.errors.WithLabelValues("race")); n != 1 {
		t.Errorf("counted %v errors, want 1", n)
	}
	if _, err := registry.Gather(); err != nil {
		t.Error(err)
	}
}

func TestADeadStoreIsLeftAloneForAWhile(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	calls, dead := 0, true
	s := &fakeStore{decide: func(ctx context.Context, batch []*gate.Request) error {
		mu.Lock()
		defer mu.Unlock()
		if calls++; dead {
			return errors.New("connection refused")
		}
		return accept(ctx, batch)
	}}
	g, _ := startGate(t, s, Options{})
	for range 20 {
		if v := confirm(t, g, "order", time.Now()); v.Code != gate.Unavailable {
			t.Fatalf("got %s, want unavailable", v.Code)
		}
	}
	mu.Lock()
	if calls > 2*breakAfter+2 {
		t.Errorf("the dead store was called %d times for 20 confirms", calls)
	}
	dead = false
	mu.Unlock()
	testkit.Until(t, "the store is asked again",
		func() bool { return confirm(t, g, "order", time.Now()).Code == gate.Held })
}

// A store that is dead for long is tried again and again. The log says once that it is
// dead, and once that it is back.
func TestADeadStoreIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		s := &fakeStore{decide: func(ctx context.Context, batch []*gate.Request) error {
			if dead.Load() {
				return errors.New("connection refused")
			}
			return accept(ctx, batch)
		}}
		var log bytes.Buffer
		g, _ := startGateWith(t, s,
			Deps{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))}, Options{})
		const isDead, isBack = "the store does not decide", "the store decides again"
		said := func(died, came int) {
			t.Helper()
			if n, m := strings.Count(log.String(), isDead),
				strings.Count(log.String(), isBack); n != died || m != came {
				t.Errorf("the log says %d times that the store is dead and %d times that it is back, want "+
					"%d and %d:\n%s", n, m, died, came, &log)
			}
		}
		for outage := range 2 {
			dead.Store(true)
			for range 20 {
				confirm(t, g, "order", time.Now())
				time.Sleep(breakFor / 4)
			}
			said(outage+1, outage)
			dead.Store(false)
			time.Sleep(2 * breakFor)
			confirm(t, g, "order", time.Now())
			said(outage+1, outage+1)
		}
	})
}

func TestACallEndsWithinItsBound(t *testing.T) {
	t.Parallel()
	s := &fakeStore{decide: func(ctx context.Context, _ []*gate.Request) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	g, _ := startGate(t, s, Options{CallTimeout: 20 * time.Millisecond})
	if v := confirm(t, g, "order", time.Now()); v.Code != gate.Unavailable {
		t.Errorf("got %s, want unavailable", v.Code)
	}
}

func TestAPanicCostsOneBatch(t *testing.T) {
	t.Parallel()
	calls := 0
	s := &fakeStore{decide: func(ctx context.Context, batch []*gate.Request) error {
		if calls++; calls <= tries {
			panic("a bug")
		}
		return accept(ctx, batch)
	}}
	g, _ := startGate(t, s, Options{})
	if v := confirm(t, g, "one", time.Now()); v.Code != gate.Unavailable {
		t.Errorf("got %s, want unavailable", v.Code)
	}
	if v := confirm(t, g, "two", time.Now()); v.Code != gate.Held {
		t.Errorf("the next one got %s, want held", v.Code)
	}
}

func TestClosingDecidesWhatWaits(t *testing.T) {
	t.Parallel()
	s, entered, release := busyStore(t)
	g, _ := startGate(t, s, Options{})
	lane, _ := g.Lane([]byte("race"))
	var answered sync.WaitGroup
	ask := func(order string) {
		answered.Go(func() {
			if v := confirm(t, g, order, time.Now()); v.Code != gate.Held {
				t.Errorf("got %s, want held", v.Code)
			}
		})
	}
	ask("first")
	<-entered
	for i := range 4 {
		ask(fmt.Sprint(i))
	}
	testkit.Until(t, "the others wait", func() bool { return len(lane.confirms.waiting) == 4 })
	s.change("race", func(state *gate.State) { state.Deleted = time.Now() })
	testkit.Until(t, "the sale is unknown", func() bool { _, known := g.Lane([]byte("race")); return !known })
	release()
	answered.Wait()
	testkit.Until(t, "the connections are closed",
		func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.closed == 2 })
	late := g.Request(time.Now())
	late.Confirm.Amount = gate.Amount{Value: 1000, Known: true}
	if v := lane.Confirm(late, &gate.Link{Items: []byte("free")}); v.Code != gate.Unavailable {
		t.Errorf("a closed lane answers %s, want unavailable", v.Code)
	}
}

// BenchmarkLane measures a confirm's way through check, queue and batch, with a
// store that accepts all at once.
func BenchmarkLane(b *testing.B) {
	for _, waiting := range []int{1, 128} {
		b.Run(fmt.Sprint("waiting-", waiting), func(b *testing.B) {
			g, _ := startGate(b, &fakeStore{decide: accept}, Options{})
			b.ReportAllocs()
			b.SetParallelism(waiting)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if v := confirm(b, g, "order", time.Now()); v.Code != gate.Held {
						b.Errorf("got %s", v.Code)
					}
				}
			})
		})
	}
}

func TestWhatWaitsInVainIsToldApart(t *testing.T) {
	t.Parallel()
	s, entered, release := busyStore(t)
	g, _ := startGate(t, s, Options{Queue: 1})
	answers := make(chan gate.Verdict, 2)
	for _, order := range []string{"decided", "queued"} {
		go func() { answers <- confirm(t, g, order, time.Now()) }()
		if order == "decided" {
			<-entered
		}
	}
	lane, _ := g.Lane([]byte("race"))
	testkit.Until(t, "the queue is full", func() bool { return len(lane.confirms.waiting) == 1 })
	if v := confirm(t, g, "too many", time.Now()); v != gate.RefuseFor(gate.QueueFull) {
		t.Errorf("got %s %s, want busy queue_full", v.Code, v.Cause)
	}
	release()
	<-answers
	<-answers
	if v := confirm(t, g, "late", time.Now().Add(-AnswerBudget)); v != gate.RefuseFor(gate.QueueTime) {
		t.Errorf("got %s %s, want busy queue_time", v.Code, v.Cause)
	}
}

// A decider that has said yes to some of a batch before it failed has said nothing.
func TestAVerdictOfACallThatFailedIsForgotten(t *testing.T) {
	t.Parallel()
	calls := 0
	s := &fakeStore{decide: func(_ context.Context, batch []*gate.Request) error {
		if calls++; calls == 1 {
			batch[0].Set(gate.Refuse(gate.Held))
			panic("a fault")
		}
		return nil
	}}
	g, _ := startGate(t, s, Options{})
	if v := confirm(t, g, "order", time.Now()); v.Code != gate.Undecided {
		t.Errorf("got %s, want undecided", v.Code)
	}
}

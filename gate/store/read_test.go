package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

func readOne(t *testing.T, s *Store, name string) gate.Reading {
	t.Helper()
	r, ok := s.Read(t.Context(), []string{name})[name]
	if !ok {
		t.Fatalf("nothing is said about %s", name)
	}
	return r
}

func TestReadingAgainTellsWhatHasChanged(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s, other := open("gate"), open("another gate")
		f := func(what string, set bool, left int64) {
			t.Helper()
			r := readOne(t, s, "marathon")
			if r.Err != nil || r.Set != set || r.State.Units["full"].Left != left {
				t.Errorf("%s: settings new %v, %d left, %v; want %v, %d", what, r.Set, r.State.Units["full"].Left,
					r.Err, set, left)
			}
			whole, err := s.Sale(t.Context(), "marathon")
			if err != nil || !whole.Settings.Equal(r.State.Settings) || whole.Seq != r.State.Seq ||
				whole.Version != r.State.Version || whole.Orders != r.State.Orders {
				t.Errorf("%s: read %+v, the sale is %+v, %v", what, r.State, whole, err)
			}
			if r.State.Now.IsZero() || whole.Now.Sub(r.State.Now) > time.Minute {
				t.Errorf("%s: the store's clock was read as %v", what, r.State.Now)
			}
		}
		mustApply(t, s, marathon(1), gate.Created)
		f("the first time", true, 10)
		f("nothing has changed", false, 10)
		take(t, other, "o1", "a1", "", "full", 2)
		f("units were taken", false, 8)
		f("nothing has changed again", false, 8)
		changed := marathon(1)
		changed.PerBuyer = 3
		mustApply(t, other, changed, gate.Changed)
		f("the settings were changed", true, 8)
	})
}

// A lost sale that is made anew begins at version 1 again. Its settings are what
// they are, not what was read before.
func TestASaleThatIsMadeAnewIsReadAnew(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate")
		mustApply(t, s, marathon(1), gate.Created)
		before := readOne(t, s, "marathon").State
		if err := s.client.Unlink(t.Context(), keysOf("marathon").all()...).Err(); err != nil {
			t.Fatal(err)
		}
		if r := readOne(t, s, "marathon"); !errors.Is(r.Err, gate.ErrNoSale) {
			t.Errorf("it is gone: %+v", r)
		}
		again := marathon(1)
		again.Hold = time.Hour
		mustApply(t, s, again, gate.Created)
		r := readOne(t, s, "marathon")
		if r.Err != nil || r.State.Version != before.Version || r.State.Seq != before.Seq || !r.Set ||
			r.State.Hold != time.Hour {
			t.Errorf("read as %+v, before it was %+v", r, before)
		}
	})
}

func TestWhatIsNoSaleIsUnreadableAlone(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate")
		mustApply(t, s, marathon(1), gate.Created)
		for name, damage := range map[string]func(key string) error{
			"type": func(key string) error { return s.client.SAdd(t.Context(), key, "1").Err() },
			"settings": func(key string) error {
				return s.client.HSet(t.Context(), key, "run", 1,
					"settings", "{").Err()
			},
			"lacking": func(key string) error { return s.client.HSet(t.Context(), key, "run", 1).Err() },
		} {
			if err := damage(keysOf(name).sale); err != nil {
				t.Fatal(err)
			}
		}
		read := s.Read(t.Context(), []string{"lacking", "marathon", "none", "settings", "type"})
		for _, name := range []string{"type", "settings", "lacking"} {
			if e, ok := errors.AsType[*gate.UnreadableError](read[name].Err); !ok || e.Sale != name {
				t.Errorf("%s: %v", name, read[name].Err)
			}
		}
		if err := read["none"].Err; !errors.Is(err, gate.ErrNoSale) {
			t.Errorf("a sale that there is none of: %v", err)
		}
		if r := read["marathon"]; r.Err != nil || r.State.Units["full"].Total != 10 {
			t.Errorf("the good one: %+v", r)
		}
	})
}

// A gate reads its sales twice a second, so what has not changed must cost little.
func TestSalesThatDoNotChangeAreNotReadAgain(t *testing.T) {
	t.Parallel()
	s := openLane(t, redistest.Start(t).URL(), Options{}).store
	var names []string
	var skus []gate.SKU
	for i := range gate.MaxSKUs {
		skus = append(skus, gate.SKU{Name: fmt.Sprint("sku-", i), Stock: 10})
	}
	for i := range 20 {
		sale := marathon(1, skus...)
		sale.Name = fmt.Sprint("sale-", i)
		names = append(names, sale.Name)
		mustApply(t, s, sale, gate.Created)
	}
	sent := func() int64 {
		info, err := s.client.Info(t.Context(), "stats").Result()
		n, parsed := strconv.ParseInt(infoField(info, "total_net_output_bytes"), 10, 64)
		if err != nil || parsed != nil {
			t.Fatal(err, parsed)
		}
		return n
	}
	cost := func() int64 {
		before := sent()
		for name, r := range s.Read(t.Context(), names) {
			if r.Err != nil || len(r.State.Units) != gate.MaxSKUs {
				t.Errorf("%s: %d SKUs, %v", name, len(r.State.Units), r.Err)
			}
		}
		return sent() - before
	}
	if first, second := cost(), cost(); first < 1<<20 || second > 20<<10 {
		t.Errorf("Redis sent %d bytes the first time, and %d the second time", first, second)
	}
}

// Five milliseconds to Redis and 500 sales are no reason not to be ready.
func TestManySalesAreReadInFewRoundTrips(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	near := openLane(t, server.URL(), Options{}).store
	var names []string
	for i := range 500 {
		sale := marathon(1)
		sale.Name = fmt.Sprintf("sale-%03d", i)
		names = append(names, sale.Name)
		mustApply(t, near, sale, gate.Created)
	}
	var trips atomic.Int64
	far := openLane(t, strings.Replace(server.URL(), server.Addr(), countTrips(t, server.Addr(), &trips), 1),
		Options{}).store
	listed, err := far.Sales(t.Context())
	slices.Sort(listed)
	if err != nil || !slices.Equal(listed, names) {
		t.Fatalf("%d sales are listed, %v", len(listed), err)
	}
	before := trips.Load()
	for name, r := range far.Read(t.Context(), names) {
		if r.Err != nil || r.State.Name != name {
			t.Errorf("%s: %v", name, r.Err)
		}
	}
	if got := trips.Load() - before; got > 40 {
		t.Errorf("reading 500 sales took %d round trips: with 5 ms each, a gate would read for %d ms", got, 5*got)
	}
}

// countTrips passes on what a client and a server say, and counts how often the
// client speaks after the server did.
func countTrips(t *testing.T, to string, trips *atomic.Int64) (addr string) {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var mu sync.Mutex
	answered := true
	pass := func(from, on net.Conn, note func()) {
		defer context.AfterFunc(ctx, func() { from.Close() })()
		_, _ = io.Copy(noting{on, note}, from)
		on.Close()
	}
	running.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			running.Go(func() {
				pass(client, server, func() {
					mu.Lock()
					defer mu.Unlock()
					if answered {
						trips.Add(1)
					}
					answered = false
				})
			})
			running.Go(func() {
				pass(server, client, func() {
					mu.Lock()
					defer mu.Unlock()
					answered = true
				})
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		stop()
		running.Wait()
	})
	return ln.Addr().String()
}

// noting tells of each write before it is done.
type noting struct {
	io.Writer
	note func()
}

func (n noting) Write(b []byte) (int, error) {
	n.note()
	return n.Writer.Write(b)
}

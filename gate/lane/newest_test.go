package lane

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/mirror"
)

// follower follows a sale without orders, of which only the number that is left changes.
type follower struct {
	mu    sync.Mutex
	state gate.State
	err   error
}

func (f *follower) Server() (string, int) { return "server", 1 }

func (f *follower) State(context.Context) (gate.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state, f.err
}

func (f *follower) Scan(context.Context, uint64) ([]gate.Change, uint64, error) { return nil, 0, nil }

func (f *follower) Poll(_ context.Context, after int64, wait time.Duration) (gate.Page, error) {
	time.Sleep(wait)
	f.mu.Lock()
	defer f.mu.Unlock()
	page := gate.Page{Seq: f.state.Seq, Whole: true}
	if after < f.state.Seq {
		page.Entries = []*gate.Entry{{Seq: f.state.Seq, Time: time.Now(), Counters: f.state.Units}}
	}
	return page, f.err
}

func (f *follower) Close() error { return nil }

func (f *follower) set(left int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.state.Seq++
	f.state.Units = map[string]gate.Units{"full": {Total: left, Left: left}}
}

// Buyers are shown what the gate has heard last.
func TestTheNewestStateIsTheMirrorsWhileThatIsFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		units := func(left int64) map[string]gate.Units {
			return map[string]gate.Units{"full": {Total: left, Left: left}}
		}
		ahead := 3 * time.Second
		read := gate.State{
			Sale: testSale(), Version: 1, Units: units(1), Times: gate.Times{Now: time.Now().Add(ahead), Ahead: ahead},
		}
		f := &follower{state: gate.State{Sale: testSale(), Version: 1, Units: units(5)}}
		s := &fakeStore{decide: accept, states: map[string]gate.State{"race": read}}
		log := slog.New(slog.DiscardHandler)
		metrics := mirror.NewMetrics(prometheus.NewRegistry())
		g := New(Deps{
			Store: s, Metrics: NewMetrics(prometheus.NewRegistry()), Keys: gate.Unsigned(), Now: time.Now, Log: log,
			Mirror: func(sale string) *mirror.Mirror {
				return mirror.New(sale, mirror.Deps{Follower: f, Metrics: metrics, Now: time.Now, Log: log})
			},
		}, Options{})
		t.Cleanup(g.close)
		g.refresh(t.Context())
		l, _ := g.Lane([]byte("race"))
		shows := func(when string, left int64) {
			t.Helper()
			state, v, ok := l.Newest()
			if got := state.Units["full"].Left; !ok || got != left || !state.Now.Equal(time.Now().Add(ahead)) {
				t.Errorf("%s: %d left at %v, %v %v; want %d", when, got, state.Now, v.Code, ok, left)
			}
		}
		shows("before the mirror is loaded", 1)
		time.Sleep(time.Second)
		shows("by the mirror", 5)
		f.set(4, nil)
		time.Sleep(300 * time.Millisecond)
		shows("the mirror was told", 4)
		f.set(3, io.EOF)
		time.Sleep(time.Second)
		shows("the mirror is not fresh, but the last reading is", 1)
		time.Sleep(10 * time.Second)
		if _, v, ok := l.Newest(); ok || v.Code != gate.Unavailable {
			t.Errorf("neither is fresh: %v %v", v.Code, ok)
		}
		f.set(2, nil)
		time.Sleep(5 * time.Second)
		shows("the mirror is fresh, and Redis cannot be read", 2)
	})
}

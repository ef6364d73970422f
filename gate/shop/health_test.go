package shop_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/testkit"
)

// Where the shops of these tests are, in memory.
const (
	upHere    = "http://here.test/up?key=sesame"
	upThere   = "http://there.test/up"
	hang      = 0 // a status of those that do not answer
	tolerance = 50 * time.Millisecond
)

// street is a network in memory with a shop at each address, which answers with a
// status.
type street struct {
	mu     sync.Mutex
	gone   map[string]bool // nobody listens
	status map[string]int
	slow   map[string]time.Duration
	probes map[string][]time.Time // when they came
	over   chan struct{}
	t      *testing.T
	all    sync.WaitGroup
}

// openStreet opens one with two shops that are up, in the test's bubble.
func openStreet(t *testing.T) *street {
	s := &street{
		gone: map[string]bool{}, status: map[string]int{
			"here.test:80":  http.StatusNoContent,
			"there.test:80": http.StatusOK,
		},
		slow: map[string]time.Duration{}, probes: map[string][]time.Time{}, over: make(chan struct{}), t: t,
	}
	t.Cleanup(func() { close(s.over); s.all.Wait() })
	return s
}

// set changes what the shop at a URL does.
func (s *street) set(url string, change func(address string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(addressOf(url))
}

func addressOf(url string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	return host + ":80"
}

func (s *street) answers(url string, status int) { s.set(url, func(a string) { s.status[a] = status }) }

// came returns when probes came to a URL.
func (s *street) came(url string) (times []time.Time) {
	s.set(url, func(a string) { times = append(times, s.probes[a]...) })
	return times
}

// dial connects to a shop. Each connection has a server of its own.
func (s *street) dial(_ context.Context, _, address string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone[address] {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	ln := &single{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	ln.conn <- far
	server := &http.Server{Handler: s.shop(address), ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			ln.Close()
		}
	}}
	s.all.Go(func() { _ = server.Serve(ln) })
	return near, nil
}

func (s *street) shop(address string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		status, slow := s.status[address], s.slow[address]
		s.probes[address] = append(s.probes[address], time.Now())
		s.mu.Unlock()
		if r.Method != http.MethodGet || r.URL.Path != "/up" {
			s.t.Errorf("probed by %s %s", r.Method, r.URL)
		}
		if slow > 0 {
			time.Sleep(slow)
		}
		if status == hang {
			select {
			case <-r.Context().Done():
			case <-s.over:
			}
			return
		}
		w.Header().Set("Location", upThere)
		w.WriteHeader(status)
	}
}

// single is a listener with one connection to accept.
type single struct {
	conn   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conn:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *single) Addr() net.Addr { return &net.TCPAddr{} }

// open are a sale's settings with the shop's URL, open for an hour.
func open(url string) *gate.Settings {
	return &gate.Settings{Healthy: url, OpensAt: time.Now(), ClosesAt: time.Now().Add(time.Hour)}
}

// watch runs a gate in the bubble that probes the shops of these sales, and returns
// it when the first answers have come.
func watch(t *testing.T, s *street, sales map[string]*gate.Settings) *talker {
	w := talkOver(t, s.dial, parsed(t, secretA), sales)
	wait(0)
	return w
}

// wait lets so much time pass, and all that it brings happen.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// up reports whether the sale race may take orders with these settings.
func (w *talker) up(s *gate.Settings) bool { return w.Hindrance("race", s) == gate.NoCause }

// until waits until the shop of the sale is up, or down, and returns how long that took.
func (w *talker) until(up bool, s *gate.Settings) time.Duration {
	began := time.Now()
	for w.up(s) != up {
		wait(10 * time.Millisecond)
		if time.Since(began) > time.Minute {
			w.t.Fatalf("waited in vain for the shop to be up: %t", up)
		}
	}
	return time.Since(began)
}

// It refuses within six seconds of the shop's death and sells within six of its return,
// whenever and however it dies.
func TestAShopsDeathAndReturnAreKnownWithinSixSeconds(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]struct {
		dies, returns func(s *street, address string)
	}{
		"it hangs": {
			func(s *street, a string) { s.status[a] = hang },
			func(s *street, a string) { s.status[a] = 200 },
		},
		"it is slow": {
			func(s *street, a string) { s.slow[a] = 1500 * time.Millisecond },
			func(s *street, a string) { s.slow[a] = 900 * time.Millisecond },
		},
		"it fails": {
			func(s *street, a string) { s.status[a] = 503 },
			func(s *street, a string) { s.status[a] = 204 },
		},
		"it is gone": {
			func(s *street, a string) { s.gone[a], s.status[a] = true, hang },
			func(s *street, a string) { s.gone[a], s.status[a] = false, 200 },
		},
		"it moves": {
			func(s *street, a string) { s.status[a] = 302 },
			func(s *street, a string) { s.status[a] = 200 },
		},
		"it forgets": {
			func(s *street, a string) { s.status[a] = 404 },
			func(s *street, a string) { s.status[a] = 299 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, race := openStreet(t), open(upHere)
				w := watch(t, s, map[string]*gate.Settings{"race": race})
				w.until(true, race)
				least, most := time.Hour, time.Duration(0)
				for offset := time.Duration(0); offset < 2*time.Second; offset += 130 * time.Millisecond {
					for _, up := range []bool{false, true} {
						wait(10*time.Second + offset)
						change := how.dies
						if up {
							change = how.returns
						}
						s.set(upHere, func(a string) { change(s, a) })
						took := w.until(up, race)
						least, most = min(least, took), max(most, took)
					}
				}
				if least < 2*time.Second-tolerance || most > 6*time.Second {
					t.Errorf("it took %v to %v", least, most)
				}
			})
		})
	}
}

// The first answer decides; then it takes two in a row.
func TestTwoAnswersInARowChangeWhatIsKnown(t *testing.T) {
	t.Parallel()
	f := func(answers string, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s, race, got := openStreet(t), open(upHere), ""
			w := talkOver(t, s.dial, parsed(t, secretA), nil)
			if w.up(race) {
				t.Error("it is up before the first answer")
			}
			for i, answer := range answers {
				s.answers(upHere, map[rune]int{'+': 200, '-': 500}[answer])
				if i == 0 {
					w.set(map[string]*gate.Settings{"race": race})
					wait(time.Second)
				} else {
					wait(2 * time.Second)
				}
				got += map[bool]string{true: "+", false: "-"}[w.up(race)]
			}
			if n := len(s.came(upHere)); got != want || n != len(answers) {
				t.Errorf("answers %s are read as %s after %d probes, want %s", answers, got, n, want)
			}
		})
	}
	f("+", "+")
	f("-", "-")
	f("+-+-+-+", "+++++++")
	f("-+-+-+-", "-------")
	f("+--+++--", "++--+++-")
	f("--++-+--", "---++++-")
}

func TestProbesComeEveryTwoSeconds(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, hang} {
		synctest.Test(t, func(t *testing.T) {
			s := openStreet(t)
			s.answers(upHere, status)
			watch(t, s, map[string]*gate.Settings{"race": open(upHere), "other": open(upThere)})
			wait(21 * time.Second)
			for _, url := range []string{upHere, upThere} { // the one that hangs does not delay the other
				came := s.came(url)
				if len(came) != 11 {
					t.Errorf("%s was probed %d times", url, len(came))
				}
				for i := 1; i < len(came); i++ {
					if d := came[i].Sub(came[i-1]); d < 2*time.Second-tolerance || d > 2*time.Second+tolerance {
						t.Errorf("%s was probed after %v", url, d)
					}
				}
			}
		})
	}
}

// What is known of one URL says nothing about another: the sale waits for its first
// answer.
func TestAnotherAddressIsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, old, changed := openStreet(t), open(upHere), open(upThere)
		w := watch(t, s, map[string]*gate.Settings{"race": old})
		w.until(true, old)
		if w.up(changed) {
			t.Error("another address is up at once")
		}
		if c := w.Hindrance("other", old); c != gate.ShopDown {
			t.Errorf("another sale's shop is %q", c)
		}
		if c := w.Hindrance("race", &gate.Settings{}); c != gate.NoCause {
			t.Errorf("without an address the sale is hindered by %q", c)
		}
		s.set(upThere, func(a string) { s.slow[a] = 500 * time.Millisecond })
		w.set(map[string]*gate.Settings{"race": changed})
		wait(300 * time.Millisecond)
		if w.up(old) || w.up(changed) {
			t.Errorf("before the first answer the old one is up %t, the new one %t", w.up(old), w.up(changed))
		}
		if took := w.until(true, changed); took > 500*time.Millisecond {
			t.Errorf("the first answer counted after %v", took)
		}
		if n := len(s.came(upHere)); n != 1 {
			t.Errorf("the old address was probed %d times", n)
		}
	})
}

// An answer that was under way when the address changed is no answer of the new one.
func TestALateAnswerOfTheOldAddressDoesNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, old, changed := openStreet(t), open(upHere), open(upThere)
		s.set(upHere, func(a string) { s.slow[a] = 900 * time.Millisecond })
		s.answers(upThere, hang)
		w := watch(t, s, map[string]*gate.Settings{"race": old})
		wait(100 * time.Millisecond)
		w.set(map[string]*gate.Settings{"race": changed})
		for range 100 {
			wait(100 * time.Millisecond)
			if w.up(old) || w.up(changed) {
				t.Fatal("it counts as up")
			}
		}
	})
}

// A shop is probed from ten minutes before its sale opens until a minute after it has
// closed, also while the sale is paused. What was known before is forgotten.
func TestAShopIsProbedWhileItsSaleIsOpenOrSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, race := openStreet(t), open(upHere)
		race.Paused = true
		race.OpensAt, race.ClosesAt = time.Now().Add(15*time.Minute), time.Now().Add(20*time.Minute)
		w := watch(t, s, map[string]*gate.Settings{"race": race})
		wait(5*time.Minute - time.Second)
		if n := len(s.came(upHere)); n > 0 || w.up(race) {
			t.Errorf("%d probes before it is time, up %t", n, w.up(race))
		}
		wait(2 * time.Second)
		if n := len(s.came(upHere)); n != 1 || !w.up(race) {
			t.Errorf("%d probes ten minutes before it opens, up %t", n, w.up(race))
		}
		wait(15*time.Minute + 30*time.Second)
		if !w.up(race) {
			t.Error("it is forgotten as the sale closes")
		}
		wait(40 * time.Second)
		n := len(s.came(upHere))
		wait(time.Minute)
		if m := len(s.came(upHere)); m != n || w.up(race) {
			t.Errorf("%d probes after it has closed, up %t", m-n, w.up(race))
		}
		again := *race
		again.ClosesAt = time.Now().Add(time.Hour)
		s.answers(upHere, http.StatusBadGateway)
		w.set(map[string]*gate.Settings{"race": &again})
		wait(time.Second)
		if w.up(&again) {
			t.Error("what was known before is not forgotten")
		}
		s.answers(upHere, http.StatusOK)
		w.set(nil)
		wait(time.Second)
		w.set(map[string]*gate.Settings{"race": &again})
		wait(time.Second)
		if !w.up(&again) {
			t.Error("the first answer after a while away does not decide")
		}
	})
}

// A change is logged once, by an address without its secret; the metrics go with the
// sale.
func TestChangesOfHealthAreLoggedAndShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, race := openStreet(t), open(upHere)
		w := watch(t, s, map[string]*gate.Settings{
			"race":  race,
			"quiet": {OpensAt: race.OpensAt, ClosesAt: race.ClosesAt},
		})
		f := func(up int, level, says, why string) {
			t.Helper()
			wait(20 * time.Second)
			lines := w.log.take()
			if len(lines) != 1 {
				t.Fatalf("the log has %q", lines)
			}
			for _, part := range []string{"level=" + level, says, why, "sale=race", "healthy=http://here.test/up?…"} {
				if !strings.Contains(lines[0], part) || strings.Contains(lines[0], "sesame") {
					t.Errorf("no %q in %s", part, lines[0])
				}
			}
			want := "# HELP flashgate_shop_up 1 while the sale's healthy URL answers, else 0. Only for sales that " +
				"are probed.\n# TYPE flashgate_shop_up gauge\nflashgate_shop_up{sale=\"race\"} " + fmt.Sprint(up) + "\n"
			if err := w.shows(want, "flashgate_shop_up"); err != nil {
				t.Error(err)
			}
		}
		f(1, "INFO", "the shop is up", "")
		s.answers(upHere, http.StatusServiceUnavailable)
		f(0, "WARN", "the shop is down", "it answered 503")
		s.answers(upHere, http.StatusOK)
		f(1, "INFO", "the shop is up", "")
		s.answers(upHere, hang)
		f(0, "WARN", "the shop is down", "it did not answer within 1s")
		s.answers(upHere, http.StatusOK)
		f(1, "INFO", "the shop is up", "")
		s.set(upHere, func(a string) { s.gone[a], s.status[a] = true, hang })
		f(0, "WARN", "the shop is down", "it cannot be reached: connection refused")
		w.set(nil)
		wait(time.Second)
		if err := w.shows("", "flashgate_shop_up", "flashgate_shop_probe_duration_seconds"); err != nil {
			t.Error(err)
		}
	})
}

// A gate that ends has no probe left behind, and holds what it gave up against nobody.
func TestAGateThatEndsGivesItsProbesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, race := openStreet(t), open(upHere)
		s.answers(upHere, hang)
		w := newTalker(t, s.dial, nil, map[string]*gate.Settings{"race": race})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { w.Run(ctx); close(ended) }()
		wait(500 * time.Millisecond)
		began := time.Now()
		stop()
		<-ended
		if took := time.Since(began); took > 0 || len(w.log.take()) > 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestOneProbeSaysWhetherAShopIsUp(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/moved":
			http.Redirect(w, r, "/up", http.StatusFound)
		}
	})
	nowhere := testkit.Nowhere(t)
	for at, want := range map[string]string{
		url + "/up?key=sesame":    "<nil>",
		url + "/down?key=sesame":  "it answered 503 and not with a 2xx",
		url + "/moved?key=sesame": "it answered 302 and not with a 2xx",
		url + "/slow?key=sesame":  "it did not answer within 1s",
		nowhere + "?k=sesame":     "it cannot be reached: ",
		"http://\x00?key=sesame":  "probe the shop: ",
	} {
		took, err := shop.Probe(t.Context(), at)
		if got := fmt.Sprint(err); !strings.HasPrefix(got, want) || strings.Contains(got, "sesame") {
			t.Errorf("%s: got %s, want %s", at, got, want)
		}
		if slow := strings.Contains(at, "/slow"); took > 30*time.Second || slow != (took >= time.Second) {
			t.Errorf("%s took %v", at, took)
		}
	}
}

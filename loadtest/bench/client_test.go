package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/flashgate/flashgate/gate/redistest"
)

// listen runs a server until the test ends, and counts its connections.
func listen(t *testing.T, handler http.HandlerFunc) (addr string, connections *atomic.Int64) {
	t.Helper()
	connections = &atomic.Int64{}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), connections
}

func TestEachRequestOfAStreamHasAnOrderOfItsOwn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]bool{}
	addr, connections := listen(t, func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Attempt string `json:"imp_uid"`
			Order   string `json:"merchant_uid"`
			Amount  int    `json:"amount"`
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		id := strings.TrimPrefix(body.Order, "ORD2026")
		if err != nil || len(id) != 10 || body.Attempt != "imp_44"+id || body.Amount != 110_000 ||
			r.FormValue("buyer") != "u"+id {
			t.Errorf("%s got %+v, %v", r.RequestURI, body, err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[id] = true
	})
	f := func(s stream, want int64) {
		t.Helper()
		clear(seen)
		connections.Store(0)
		s.Addr, s.Path, s.Requests = addr, "/confirm/bench?buyer=u", 50
		answers, err := s.send(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r := summary(answers); r.Accepted != 50 || r.Failed != 0 || len(seen) != 50 || connections.Load() != want {
			t.Errorf("got %+v, %d orders on %d connections", r, len(seen), connections.Load())
		}
		for i, a := range answers {
			if s.Rate > 0 && a.due != s.due(i) || a.sent < a.due || a.done < a.sent {
				t.Errorf("request %d was due at %s, sent at %s, answered at %s", i, a.due, a.sent, a.done)
			}
		}
	}
	f(stream{Rate: 10_000, Connections: 7}, 7)
	f(stream{}, 50)
}

func TestNewConnectionsAreOnesAndBounded(t *testing.T) {
	t.Parallel()
	redistest.Require(t, "wrk")
	addr, connections := listen(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	script := filepath.Join(t.TempDir(), "load.lua")
	if err := os.WriteFile(script, loadScript, 0o600); err != nil {
		t.Fatal(err)
	}
	l := load{Connections: 4, New: true, Most: 20, Threads: 2, Duration: time.Second}
	r, err := l.run(t.Context(), script, addr, "/confirm/bench?buyer=u", "")
	if err != nil || r.Broken+r.Refused > 0 || r.Requests < 12 || r.Requests > 20 || r.Duration >= 1_000_000 {
		t.Errorf("got %+v, %v", r, err)
	}
	const probe = 1 // by which wrk sees that there is a server
	if n := int(connections.Load()); n < r.Requests+probe || n > r.Requests+l.Connections+probe {
		t.Errorf("%d requests came on %d connections", r.Requests, n)
	}
	l.New = false
	connections.Store(0)
	if r, err := l.run(t.Context(), script, addr, "/", ""); err != nil || r.Requests <= l.Most ||
		connections.Load() != 4+probe {
		t.Errorf("kept: got %+v, %v, on %d connections", r, err, connections.Load())
	}
}

func TestAnAnswerThatIsNotA200Failed(t *testing.T) {
	t.Parallel()
	addr, _ := listen(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hangup" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Long", strings.Repeat("x", 3000)) // more than one read
		http.Error(w, "full"+strings.Repeat("!", 3000), http.StatusServiceUnavailable)
	})
	closed, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	f := func(s stream, want string) {
		t.Helper()
		s.Requests = 2
		answers, err := s.send(t.Context())
		if r := summary(answers); err != nil || r.Accepted != 0 || r.Failed != 2 || !strings.Contains(r.First, want) {
			t.Errorf("got %+v, %v, want %s", r, err, want)
		}
	}
	f(stream{Addr: addr, Path: "/", Rate: 100, Connections: 2}, "answered with 503: full!")
	f(stream{Addr: addr, Path: "/"}, "answered with 503: full!")
	f(stream{Addr: addr, Path: "/hangup?", Rate: 100, Connections: 1}, "closed before it was answered")
	f(stream{Addr: addr, Path: "/hangup?"}, "closed before it was answered")
	f(stream{Addr: closed[0], Path: "/"}, "connection refused")
	_, err = (&stream{
		Addr: closed[0], Path: "/", Requests: 2, Rate: 100,
		Connections: 2,
	}).send(t.Context())
	if err == nil {
		t.Error("connections were opened to nobody")
	}
}

func TestAConnectionThatTheServerClosedIsOpenedAnew(t *testing.T) {
	t.Parallel()
	addr, connections := listen(t,
		func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	s := stream{Addr: addr, Path: "/", Requests: 5, Rate: 20, Connections: 1}
	answers, err := s.send(t.Context())
	if r := summary(answers); err != nil || r.Accepted != 5 || connections.Load() != 5 {
		t.Errorf("got %+v, %v, on %d connections", r, err, connections.Load())
	}
}

func TestTimeCountsFromWhenARequestWasDue(t *testing.T) {
	t.Parallel()
	s := stream{Rate: 1000}
	if got := s.due(500); got != 500*time.Millisecond {
		t.Errorf("request 500 is due at %s", got)
	}
	const ms = time.Millisecond
	answers := []answered{
		{due: 0, sent: 1 * ms, done: 10 * ms},
		{due: 5 * ms, sent: 10 * ms, done: 12 * ms},
		{due: 6 * ms, sent: 6 * ms, done: 9 * ms},
		{due: 7 * ms, sent: 7 * ms, done: 99 * ms, err: errors.New("gone")},
	}
	got := summary(answers)
	want := streamResult{
		Accepted: 3, Failed: 1, First: "gone", P50: 7000, P99: 10_000, P999: 10_000, Max: 10_000,
		Late: 5000, Seconds: 0.099,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if empty := summary(nil); empty != (streamResult{}) {
		t.Errorf("of nothing: got %+v", empty)
	}
}

func TestTheClientPrintsWhatItSaw(t *testing.T) {
	t.Parallel()
	addr, _ := listen(t, func(http.ResponseWriter, *http.Request) {})
	r, err := stream{Addr: addr, Path: "/", Connections: 3, Requests: 9, Rate: 1000}.run(t.Context())
	if err != nil || r.Accepted != 9 || r.Seconds < 0.008 {
		t.Errorf("got %+v, %v", r, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if r, err := (stream{Addr: addr, Path: "/", Requests: 1}).run(ctx); err == nil {
		t.Errorf("after it was interrupted: got %+v", r)
	}
}

func TestARequestCanBeRead(t *testing.T) {
	t.Parallel()
	var request fasthttp.Request
	err := request.Read(bufio.NewReader(bytes.NewReader(appendRequest(nil, "/confirm/bench?items=ticket&buyer=u", 12))))
	if err != nil || string(request.RequestURI()) != "/confirm/bench?items=ticket&buyer=u1000000012" ||
		string(request.Body()) != `{"imp_uid":"imp_441000000012","merchant_uid":"ORD20261000000012","amount":110000}` {
		t.Errorf("got %s, %v", &request, err)
	}
}

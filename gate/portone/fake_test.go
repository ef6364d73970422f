package portone_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate/portone"
)

// The credentials of the fakes. None may ever be seen in an error or a log.
const (
	fakeKey    = "KEY-7781"
	fakeSecret = "SECRET-3f9a"
	fakeToken  = "TOKEN-c0de"
)

// object is a JSON object of PortOne's.
type object = map[string]any

// fake is what both fakes of PortOne have: a record of the calls, and faults that
// come before the answer.
type fake struct {
	mu       sync.Mutex
	calls    []string // "GET /payments/imp_1?include_sandbox=true", unescaped
	began    []time.Time
	now, top int           // calls under way, now and at most
	latency  time.Duration // of each answer
	fault    func(w http.ResponseWriter, r *http.Request) bool
}

// begin records a call, waits, and reports whether the answer is already given.
func (f *fake) begin(w http.ResponseWriter, r *http.Request) (done bool) {
	f.mu.Lock()
	uri, _ := url.PathUnescape(r.URL.EscapedPath())
	if r.URL.RawQuery != "" {
		query, _ := url.QueryUnescape(r.URL.RawQuery)
		uri += "?" + query
	}
	f.calls = append(f.calls, r.Method+" "+uri)
	f.began = append(f.began, time.Now())
	f.now++
	f.top = max(f.top, f.now)
	fault, latency := f.fault, f.latency
	f.mu.Unlock()
	if latency > 0 {
		select {
		case <-time.After(latency):
		case <-r.Context().Done():
		}
	}
	f.mu.Lock()
	f.now--
	f.mu.Unlock()
	return fault != nil && fault(w, r)
}

// called returns how many calls had the given prefix.
func (f *fake) called(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(f.calls), func(c string) bool { return !strings.HasPrefix(c, prefix) }))
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// direct is a transport to a handler without a network, so that time can be a
// test's own.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	inner := r.Clone(r.Context())
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	inner.RequestURI = r.URL.RequestURI()
	d.handler.ServeHTTP(recorder, inner)
	if err := context.Cause(r.Context()); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// config is what a client is made of.
type config struct {
	portone.Deps
	portone.Options
}

// configured is for a client of the fakes; the rate is out of the way.
func configured() config {
	return config{
		portone.Deps{
			Metrics: portone.NewMetrics(prometheus.NewRegistry()), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		},
		portone.Options{Rate: 10_000},
	}
}

// serve returns a client of servers that answer with the given handlers; nil is none.
func serve(t *testing.T, one, two http.Handler, change ...func(*config)) *portone.Client {
	t.Helper()
	cfg := configured()
	address := func(h http.Handler) string {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return server.URL
	}
	if one != nil {
		cfg.V1 = portone.V1Options{BaseURL: address(one), Key: fakeKey, Secret: fakeSecret}
	}
	if two != nil {
		cfg.V2 = portone.V2Options{BaseURL: address(two), Secret: fakeSecret}
	}
	for _, c := range change {
		c(&cfg)
	}
	return newClient(t, cfg)
}

func newClient(t *testing.T, cfg config) *portone.Client {
	t.Helper()
	c, err := portone.NewClient(cfg.Deps, cfg.Options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// atDirect returns a client of the handlers without a network between.
func atDirect(t *testing.T, one, two http.Handler, change ...func(*config)) *portone.Client {
	t.Helper()
	cfg := configured()
	cfg.V1 = portone.V1Options{BaseURL: "http://one.test", Key: fakeKey, Secret: fakeSecret}
	cfg.V2 = portone.V2Options{BaseURL: "http://two.test", Secret: fakeSecret}
	cfg.Transport = direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host == "one.test" {
			one.ServeHTTP(w, r)
		} else {
			two.ServeHTTP(w, r)
		}
	})}
	for _, c := range change {
		c(&cfg)
	}
	return newClient(t, cfg)
}

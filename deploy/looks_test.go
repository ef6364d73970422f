package deploy_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// front is HAProxy by the file that operators copy, before three gates that the test made.
type front struct {
	t      *testing.T
	url    string
	client *http.Client
}

func startFront(t *testing.T, gate http.Handler) *front {
	t.Helper()
	d := &deployment{t: t, dir: t.TempDir()}
	var gates []string
	for i := range 3 {
		server := httptest.NewServer(gate)
		t.Cleanup(server.Close)
		gates = append(gates, fmt.Sprintf("GATE%d=%s", i+1, strings.TrimPrefix(server.URL, "http://")))
	}
	d.startHAProxy(gates)
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM([]byte(readFile(t, d.ca)))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}}
	t.Cleanup(transport.CloseIdleConnections)
	f := &front{t, d.public, &http.Client{Transport: transport}}
	await(t, "a gate to be up", func() error {
		if answer, _ := f.call("POST", "/confirm/up"); answer.StatusCode != http.StatusOK {
			return fmt.Errorf("the answer is %s", answer.Status)
		}
		return nil
	})
	return f
}

// call sends a request with headers, each a name and a value.
func (f *front) call(method, path string, headers ...string) (*http.Response, string) {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := f.client.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer, string(text)
}

// HAProxy lets in what PortOne calls and what pages ask, and nothing else.
func TestHAProxyLetsInCallsAndLooks(t *testing.T) {
	t.Parallel()
	f := startFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, " ", r.URL.Path)
	}))
	for call, want := range map[string]int{
		"POST /confirm/race": 200, "POST /webhook": 200, "POST /webhook/race": 200, "GET /sales/race": 200,
		"HEAD /sales/race": 200, "OPTIONS /sales/race": 200,
		"GET /confirm/race": 405, "OPTIONS /confirm/race": 405, "GET /webhook": 405,
		"POST /sales/race": 405, "PUT /sales/race": 405, "DELETE /sales/race": 405,
		"GET /sales": 404, "GET /salesmen": 404, "GET /v1/sales/race": 404, "GET /readyz": 404, "GET /metrics": 404,
		"GET /x/sales/race": 404,
	} {
		method, path, _ := strings.Cut(call, " ")
		if answer, body := f.call(method, path); answer.StatusCode != want ||
			want == 200 && method != "HEAD" && body != call {
			t.Errorf("%s: %s %q, want %d", call, answer.Status, body, want)
		}
	}
}

// However many pages ask, and whatever they write behind the path, the gates are asked once a second
// for each sale and origin; an answer that is none is not kept.
func TestHAProxyAnswersLooksForASecond(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	f := startFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if filepath.Dir(r.URL.Path) != "/sales" {
			return
		}
		n := asked.Add(1)
		h := w.Header()
		h.Set("Cache-Control", "public, max-age=1") // as a gate answers
		h.Set("Vary", "Origin")
		h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		switch r.URL.Path {
		case "/sales/none":
			w.WriteHeader(http.StatusNotFound)
		case "/sales/away":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			h.Set("ETag", `W/"race-1"`)
		}
		fmt.Fprint(w, n, r.URL.RawQuery)
	}))
	const calls = 200
	look := func(path string, origins ...string) (asks int64) {
		t.Helper()
		before := asked.Load()
		for i := range calls {
			origin := origins[i%len(origins)]
			answer, body := f.call("GET", fmt.Sprintf(path, i), "Origin", origin)
			if h := answer.Header; h.Get("Access-Control-Allow-Origin") != origin || h.Get("Vary") != "Origin" ||
				strings.Contains(body, "query") {
				t.Fatalf("%s: %s %v", origin, body, answer.Header)
			}
		}
		return asked.Load() - before
	}
	began := time.Now()
	most := func(origins int64) int64 { return origins * (2 + int64(time.Since(began)/time.Second)) }
	if n := look("/sales/race?query=%d", "https://shop.example.com"); n > most(1) {
		t.Errorf("the gates were asked %d times in %v", n, time.Since(began))
	}
	began = time.Now()
	if n := look("/sales/other?query=%d", "https://a.example.com", "https://b.example.com"); n > most(2) {
		t.Errorf("the gates were asked %d times in %v for two origins", n, time.Since(began))
	}
	for _, path := range []string{"/sales/none?query=%d", "/sales/away?query=%d"} {
		if n := look(path, "https://shop.example.com"); n != calls {
			t.Errorf("%s: the gates were asked %d times", path, n)
		}
	}
}

package portone_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

func TestAClientNeedsCredentialsThatCanBeSent(t *testing.T) {
	t.Parallel()
	f := func(change func(*config), want string) {
		t.Helper()
		cfg := configured()
		change(&cfg)
		_, err := portone.NewClient(cfg.Deps, cfg.Options)
		if want == "" && err != nil || want != "" &&
			(err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET")) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	v1 := func(base, key, secret string) func(*config) {
		return func(o *config) { o.V1 = portone.V1Options{BaseURL: base, Key: key, Secret: secret} }
	}
	v2 := func(base, secret string) func(*config) {
		return func(o *config) { o.V2 = portone.V2Options{BaseURL: base, Secret: secret} }
	}

	f(v1("", fakeKey, fakeSecret), "")
	f(v2("", fakeSecret), "")
	for _, base := range []string{"http://127.0.0.1:9000/portone/", "https://api.portone.io", "https://[::1]:9000"} {
		f(v2(base, fakeSecret), "")
	}
	f(func(*config) {}, "no credentials")
	f(v1("", "", fakeSecret), "V1's key")
	f(v1("", fakeKey, ""), "V1's secret")
	f(v1("", fakeKey, "SECRET\n"), "V1's secret")
	for _, secret := range []string{"SECRET key", "SECRET\x7f", "SECRET한"} {
		f(v2("", secret), "V2's secret")
	}
	f(func(o *config) { o.V2.Store = "store" }, "V2's secret")
	for _, base := range []string{
		"api.portone.io", "ftp://api.portone.io", "https://user:SECRET@api.portone.io", "https://", "https://:443",
		"http://[::1",
		"https://api.portone.io?x", "https://api.portone.io?", "https://api.portone.io#x", "https://api.portone.io/#",
	} {
		f(v1(base, fakeKey, fakeSecret), "address of PortOne V1")
		f(v2(base, fakeSecret), "address of PortOne V2")
	}
	for _, change := range []func(*config){
		func(o *config) { o.Rate = -1 },
		func(o *config) { o.Concurrency = -1 },
		func(o *config) { o.Timeout = -1 },
	} {
		f(func(o *config) { v2("", fakeSecret)(o); change(o) }, "above zero")
	}
}

func TestReadsAreRepeatedOnlyWhereItMayHelp(t *testing.T) {
	t.Parallel()
	f := func(what string, tries int, succeeds bool, fault func(w http.ResponseWriter, n int) bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			fake := newFakeV2(v2Payment("o", "t", "PAID"))
			fake.fault = func(w http.ResponseWriter, _ *http.Request) bool { return fault(w, len(fake.calls)) }
			got := one(t, atDirect(t, nil, fake), 2, "o", "t")
			if (got.Err == nil) != succeeds || len(fake.calls) != tries || len(got.Missing) > 0 {
				t.Errorf("%s: got %+v after %d tries, want %d", what, got, len(fake.calls), tries)
			}
		})
	}
	status := func(status, times int) func(http.ResponseWriter, int) bool {
		return func(w http.ResponseWriter, n int) bool {
			if n <= times {
				answer(w, status, object{"type": "X"})
			}
			return n <= times
		}
	}

	for _, code := range []int{500, 502, 503, 504, 429} {
		f(fmt.Sprint(code, " once"), 2, true, status(code, 1))
		f(fmt.Sprint(code, " always"), 4, false, status(code, 9))
	}
	for _, code := range []int{400, 401, 403, 404, 409, 301} {
		f(fmt.Sprint(code), 1, false, status(code, 9))
	}
	f("a body cut short", 2, true, func(w http.ResponseWriter, n int) bool {
		if n == 1 {
			_, _ = w.Write([]byte(`{"id":"o","transactionId":"t","sta`))
		}
		return n == 1
	})
	f("a body that is too large", 1, false, func(w http.ResponseWriter, _ int) bool {
		_, _ = w.Write(bytes.Repeat([]byte(" "), 9<<20))
		return true
	})
}

// endless is a transport whose answers never end.
type endless struct{ read atomic.Int64 }

func (e *endless) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(e)}, nil
}

func (e *endless) Read(b []byte) (int, error) {
	if e.read.Add(int64(len(b))) > 64<<20 {
		return 0, io.EOF
	}
	return len(b), nil
}

func TestAnAnswerWithoutEndIsNotReadToIt(t *testing.T) {
	t.Parallel()
	transport := &endless{}
	c := serve(t, nil, newFakeV2(), func(o *config) { o.Transport = transport })
	if got := one(t, c, 2, "o", "t"); got.Err == nil || transport.read.Load() > 32<<20 {
		t.Errorf("got %+v after %d bytes", got, transport.read.Load())
	}
}

func TestABrokenConnectionIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := func(status int, begun string) {
		t.Helper()
		fake := newFakeV2(v2Payment("o", "t", "PAID"))
		var times atomic.Int64
		fake.fault = func(w http.ResponseWriter, _ *http.Request) bool {
			if times.Add(1) > 1 {
				return false
			}
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(begun))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		got := one(t, serve(t, nil, fake), 2, "o", "t")
		if got.Err != nil || len(got.Payments) != 1 || got.Payments[0].State != gate.PaymentPaid || times.Load() != 2 {
			t.Errorf("%d %s: got %+v after %d tries", status, begun, got, times.Load())
		}
	}
	f(http.StatusOK, `{"id":"o"`)
	f(http.StatusOK, `{"id":"o","transactionId":"t","status":"FAILED","amount":{"total":1},"currency":"KRW"}`)
	f(http.StatusNotFound, `{"type":"PAYMENT_NOT_FOUND"}`)
}

func TestASlowAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeV2(v2Payment("o", "t", "PAID"))
		fake.latency = 11 * time.Second
		start := time.Now()
		got := one(t, atDirect(t, nil, fake), 2, "o", "t")
		if took := time.Since(start); got.Err == nil || took < 40*time.Second || took > 60*time.Second ||
			len(fake.calls) != 4 {
			t.Errorf("got %+v after %v and %d calls, want an error after four times 10 s", got, took, len(fake.calls))
		}
	})
}

func TestCallsKeepToRateAndConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		crowd := func(c *portone.Client) {
			var all sync.WaitGroup
			for range 200 {
				all.Go(func() { one(t, c, 2, "o", "t") })
			}
			all.Wait()
		}
		fake := newFakeV2()
		fake.latency = 100 * time.Millisecond
		crowd(atDirect(t, nil, fake, func(o *config) { o.Concurrency = 3 }))
		if fake.top != 3 {
			t.Errorf("%d calls at once, want 3", fake.top)
		}

		fake = newFakeV2()
		crowd(atDirect(t, nil, fake, func(o *config) { o.Rate = 50 }))
		for i := 50; i < len(fake.began); i++ {
			if took := fake.began[i].Sub(fake.began[i-50]); took < 999*time.Millisecond {
				t.Fatalf("51 calls within %v, want 50 a second at most", took)
			}
		}
		if took := fake.began[199].Sub(fake.began[0]); took > 4*time.Second {
			t.Errorf("200 calls took %v, want what the rate allows", took)
		}
	})
}

func TestAnAPIThatAsksToBeLeftAloneIs(t *testing.T) {
	t.Parallel()
	f := func(status int, header string, pause time.Duration, succeeds bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			fake := newFakeV2(v2Payment("o", "t", "PAID"))
			fake.fault = func(w http.ResponseWriter, _ *http.Request) bool {
				if len(fake.calls) > 1 {
					return false
				}
				if header == "date" {
					header = time.Now().Add(pause).UTC().Format(http.TimeFormat)
				}
				w.Header().Set("Retry-After", header)
				answer(w, status, object{"type": "TOO_MANY_REQUESTS"})
				return true
			}
			c := atDirect(t, nil, fake)
			if got := one(t, c, 2, "o", "t"); (got.Err == nil) != succeeds {
				t.Errorf("%s: got %+v", header, got)
			}
			one(t, c, 2, "o", "t")
			if waited := fake.began[1].Sub(fake.began[0]); waited < pause-time.Second || waited > pause+time.Second {
				t.Errorf("%d with Retry-After %s: the next call came after %v, want %v", status, header, waited, pause)
			}
		})
	}
	f(http.StatusTooManyRequests, "7", 7*time.Second, true)
	f(http.StatusServiceUnavailable, "7", 7*time.Second, true)
	f(http.StatusTooManyRequests, "date", 9*time.Second, true)
	f(http.StatusTooManyRequests, "3600", 30*time.Second, false)
	f(http.StatusTooManyRequests, "soon", 0, true)
	f(http.StatusTooManyRequests, "-5", 0, true)
	f(http.StatusBadGateway, "7", 0, true)
	f(http.StatusNotFound, "7", 0, false)
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	fake := newFakeV2(v2Payment("o", "t", "PAID"))
	fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		return true
	}
	if got := one(t, serve(t, nil, fake), 2, "o", "t"); got.Err == nil || elsewhere.Load() != 0 {
		t.Errorf("got %+v, and %d calls elsewhere", got, elsewhere.Load())
	}
}

func TestNoErrorOrLogShowsACredentialOrABuyer(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var texts []string
	note := func(err error) {
		text := fmt.Sprintf("%v %+v", err, err)
		if strings.Contains(text, "\n") {
			t.Errorf("an error has more than one line: %q", text)
		}
		texts = append(texts, text)
	}
	keyed := "" // the server that knows the key
	fake1 := newFakeV1(v1Payment("imp_1", "o", "strange"), v1Payment("imp_2", "o2", "paid"))
	fake2 := newFakeV2(v2Payment("o", "t", "STRANGE"))
	echo := func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/users/getToken" || r.URL.Path == "/payments/o" {
			return false
		}
		text := "you sent " + r.Header.Get("Authorization") + " " + fakeSecret + "\n" + strings.Repeat("긴", 500)
		if r.Host == keyed {
			text = fakeKey + " " + text
		}
		answer(w, http.StatusBadRequest, object{"code": 1, "message": text, "type": "INVALID_REQUEST"})
		return true
	}
	c := serve(t, fake1, fake2, func(o *config) {
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		keyed = strings.TrimPrefix(o.V1.BaseURL, "http://")
	})
	note(one(t, c, 1, "o", "imp_1").Err)
	note(one(t, c, 2, "o", "t").Err)
	note(one(t, c, 2, "unknown", "t").Err)
	fake1.fault, fake2.fault = echo, echo
	for _, got := range c.Lookup(t.Context(), append(many(1, 30, time.Time{}), many(2, 30, time.Now())...)) {
		note(got.Err)
	}
	for _, version := range gate.Versions() {
		_, err := c.Cancel(t.Context(), refund(version))
		note(err)
	}
	all := strings.Join(texts, "\n") + log.String()
	for _, secret := range []string{fakeKey, fakeSecret, fakeToken, "김철수", "010-", strings.Repeat("긴", 200)} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is seen in errors or logs", secret)
		}
	}
	if !strings.Contains(all, "you sent") || !strings.Contains(log.String(), "one by one") {
		t.Errorf("PortOne's words or the warning are missing: %.2000s", all)
	}
}

func TestEachTryIsCounted(t *testing.T) {
	t.Parallel()
	fake := newFakeV2(v2Payment("o", "t", "PAID"))
	registry := prometheus.NewRegistry()
	c := serve(t, newFakeV1(), fake, func(o *config) { o.Metrics = portone.NewMetrics(registry) })
	fake.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		if len(fake.calls) == 1 {
			answer(w, http.StatusBadGateway, object{"type": "PG_PROVIDER"})
			return true
		}
		return false
	}
	one(t, c, 2, "o", "t")
	one(t, c, 2, "unknown", "t")
	one(t, c, 1, "unknown")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.Lookup(ctx, []portone.Query{{Order: "o", Version: 2}})
	want := `
# HELP flashgate_portone_calls_total Calls to PortOne's REST APIs, each try counted, by outcome: ok, not_found, refused, limited, failed, timeout or no_answer.
# TYPE flashgate_portone_calls_total counter
flashgate_portone_calls_total{api="v1",call="order",outcome="not_found"} 1
flashgate_portone_calls_total{api="v1",call="token",outcome="ok"} 1
flashgate_portone_calls_total{api="v2",call="payment",outcome="failed"} 1
flashgate_portone_calls_total{api="v2",call="payment",outcome="not_found"} 1
flashgate_portone_calls_total{api="v2",call="payment",outcome="ok"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"flashgate_portone_calls_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "flashgate_portone_call_duration_seconds"); err != nil || n != 3 {
		t.Errorf("%d durations %v, want 3", n, err)
	}
}

func TestEachTryIsCountedByWhatCameOfIt(t *testing.T) {
	t.Parallel()
	f := func(outcome string, fault func(w http.ResponseWriter)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			fake := newFakeV2()
			fake.fault = func(w http.ResponseWriter, _ *http.Request) bool {
				fault(w)
				return true
			}
			registry := prometheus.NewRegistry()
			one(t, atDirect(t, nil, fake, func(o *config) { o.Metrics = portone.NewMetrics(registry) }), 2,
				"o", "t")
			want := fmt.Sprintf(`
# HELP flashgate_portone_calls_total Calls to PortOne's REST APIs, each try counted, by outcome: ok, not_found, refused, limited, failed, timeout or no_answer.
# TYPE flashgate_portone_calls_total counter
flashgate_portone_calls_total{api="v2",call="payment",outcome=%q} %d
`, outcome, len(fake.calls))
			if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
				"flashgate_portone_calls_total"); err != nil {
				t.Error(err)
			}
		})
	}
	status := func(status int, kind string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { answer(w, status, object{"type": kind}) }
	}
	f("ok", func(w http.ResponseWriter) { answer(w, http.StatusOK, v2Payment("o", "t", "PAID")) })
	f("not_found", status(http.StatusNotFound, "PAYMENT_NOT_FOUND"))
	f("refused", status(http.StatusNotFound, "NOT_FOUND"))
	f("refused", status(http.StatusForbidden, "FORBIDDEN"))
	f("limited", status(http.StatusTooManyRequests, "TOO_MANY_REQUESTS"))
	f("failed", status(http.StatusInternalServerError, "X"))
	f("failed", status(http.StatusGatewayTimeout, "X"))
	f("timeout", func(http.ResponseWriter) { time.Sleep(11 * time.Second) })
	f("no_answer", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) })
}

package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/portone"
	redisstore "github.com/flashgate/flashgate/gate/store"
)

const (
	kim    = "0123456789abcdef-kim"    // may operate
	viewer = "0123456789abcdef-viewer" // may read
)

// desk is an admin listener over an embedded store with the sale
// "race".
type desk struct {
	t      *testing.T
	store  *redisstore.Store
	admin  *Admin
	public *Public
	client *http.Client
	dial   func() (net.Conn, error)
	redis  string // its URL
}

// adminConfig is what an Admin is made of.
type adminConfig struct {
	AdminDeps
	AdminOptions
}

// openDesk starts it with tokens for kim and viewer, or with what options say.
func openDesk(t *testing.T, change ...func(*adminConfig)) *desk {
	t.Helper()
	return openDeskAt(t, func(ln net.Listener) net.Listener { return ln }, change...)
}

// openDeskAt starts it at what is made of a listener.
func openDeskAt(t *testing.T, at func(net.Listener) net.Listener, change ...func(*adminConfig)) *desk {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	embedded, err := redisstore.StartEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	s, err := redisstore.Open(embedded.URL(), redisstore.Deps{Log: quiet}, redisstore.Options{Who: "desk"})
	if err != nil {
		t.Fatal(err)
	}
	sale := raceSale()
	if err := s.Create(t.Context(), gate.Creation{Who: "test", Sale: sale, OpenNow: true}); err != nil {
		t.Fatal(err)
	}
	g := lane.New(lane.Deps{
		Store: s, Metrics: lane.NewMetrics(prometheus.NewRegistry()), Keys: gate.Unsigned(), Now: time.Now, Log: quiet,
	}, lane.Options{})
	answers, err := portone.NewAnswers("en")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := gate.ParseKeys("k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if err != nil {
		t.Fatal(err)
	}
	tokens := &Tokens{}
	if err := tokens.AddOperators("kim:" + kim); err != nil {
		t.Fatal(err)
	}
	if err := tokens.AddReaders(viewer); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	metrics := NewMetrics(registry)
	public := NewPublic(PublicDeps{Gate: g, Answers: answers, Metrics: metrics, Orders: s, Log: quiet}, PublicOptions{})
	cfg := adminConfig{AdminDeps{
		Registry: registry, Ready: public.Ready, Gate: g, Answers: answers, Metrics: metrics,
		Sales: s, Settling: s, ParseSale: parseTestSale, Audit: auditTestSale,
		Status: func() gate.Status { return gate.Status{Gate: "desk", Checks: []gate.Check{}} },
		Tokens: tokens, Keys: keys, Now: time.Now, Log: quiet,
	}, AdminOptions{BaseURL: "https://gate.example.com"}}
	for _, c := range change {
		c(&cfg)
	}
	admin := NewAdmin(cfg.AdminDeps, cfg.AdminOptions)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.Run(ctx) })
	running.Go(func() {
		if err := admin.Serve(at(ln)); err != nil {
			t.Error(err)
		}
	})
	for !g.Ready() {
		time.Sleep(time.Millisecond)
	}
	dial := func() (net.Conn, error) { return net.Dial("tcp", ln.Addr().String()) }
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := admin.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		stop()
		running.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		embedded.Close()
	})
	return &desk{t, s, admin, public, &http.Client{Transport: transport}, dial, embedded.URL()}
}

func raceSale() gate.Sale {
	now := time.Now().Truncate(time.Second)
	return gate.Sale{Name: "race", Run: 1, Settings: gate.Settings{
		OpensAt: now.Add(-time.Hour), ClosesAt: now.Add(time.Hour), Hold: 5 * time.Minute, PerBuyer: 3,
		SKUs: []gate.SKU{
			{Name: "full", Stock: 10, Price: new(int64(80000))},
			{Name: "half", Stock: 5, Price: new(int64(60000))},
		},
	}}
}

// parseTestSale reads the form that the API shows, in place of the command line's parser.
func parseTestSale(text []byte) (gate.Sale, error) {
	var form gate.SaleForm
	if err := json.Unmarshal(text, &form); err != nil {
		return gate.Sale{}, err
	}
	hold, err := time.ParseDuration(form.Hold)
	sale := gate.Sale{Name: form.Name, Run: form.Run, Settings: gate.Settings{
		OpensAt: form.OpensAt, ClosesAt: form.ClosesAt, Hold: hold, PerBuyer: form.PerBuyer, Accept: form.Accept,
		AmountOptional: form.AmountOptional, Messages: form.Messages, SKUs: form.SKUs,
	}}
	return sale, err
}

// auditTestSale finds nothing in "race", and knows no other sale.
func auditTestSale(_ context.Context, sale, prefix string, known bool) (any, error) {
	if sale != "race" {
		return nil, gate.ErrNoSale
	}
	return map[string]any{"differences": 0, "prefix": prefix, "known": known}, nil
}

func (d *desk) ask(token, method, path, body string, headers ...string) (status int, text string) {
	d.t.Helper()
	answer := d.call(token, method, path, body, headers...)
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer.StatusCode, string(read)
}

// call returns an answer whose body is to be read and closed.
func (d *desk) call(token, method, path, body string, headers ...string) *http.Response {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if request.Header.Set(name, value); name == "Host" {
			request.Host = value
		}
	}
	answer, err := d.client.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer
}

// want asks as kim and holds the answer against a status and a part of its text.
func (d *desk) want(method, path, body string, status int, part string) string {
	d.t.Helper()
	got, text := d.ask(kim, method, path, body)
	if got != status || !strings.Contains(text, part) {
		d.t.Errorf("%s %s %s: %d %s, want %d with %q", method, path, body, got, text, status, part)
	}
	return text
}

func TestEachRoleMayDoWhatItMayDo(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	f := func(method, path, body string, reads, operates int) {
		t.Helper()
		if got, text := d.ask(viewer, method, path, body); got != reads {
			t.Errorf("%s %s by the viewer: %d %s, want %d", method, path, got, text, reads)
		}
		if got, text := d.ask(kim, method, path, body); got != operates {
			t.Errorf("%s %s by the operator: %d %s, want %d", method, path, got, text, operates)
		}
	}
	f("GET", "/metrics", "", 200, 200)
	f("GET", "/v1/status", "", 200, 200)
	f("GET", "/v1/sales", "", 200, 200)
	f("GET", "/v1/sales/race", "", 200, 200)
	f("GET", "/v1/sales/swim", "", 404, 404)
	f("GET", "/v1/sales/race/orders/o1", "", 404, 404)
	f("GET", "/v1/sales/race/undelivered", "", 200, 200)
	f("GET", "/v1/sales/race/aside", "", 200, 200)
	f("GET", "/v1/sales/race/audit", "", 200, 200)
	f("GET", "/v1/sales/swim/audit", "", 404, 404)
	f("GET", "/v1/sales/race/ledger", "", 200, 200)
	f("GET", "/v1/sales/swim/ledger", "", 404, 404)
	f("HEAD", "/v1/sales/race/events", "", 200, 200)
	f("GET", "/v1/sales/swim/events", "", 404, 404)
	f("GET", "/nothing", "", 404, 404)
	f("GET", "/v1/sales/race/refunds", "", 200, 200)
	f("GET", "/v1/sales/race/disputes", "", 200, 200)
	f("POST", "/v1/sales/race/recheck", "", 403, 202)
	f("POST", "/v1/sales/race/recheck?dry_run=true", "", 403, 200)
	f("POST", "/v1/sales/race/orders/o1/recheck", "", 403, 404)
	f("POST", "/v1/sales/race/orders/o1/report", `{"state":"paid"}`, 403, 404)
	f("POST", "/v1/sales/race/orders/o1/refund", `{}`, 403, 404)
	f("GET", "/debug/pprof/", "", 403, 200)
	f("GET", "/debug/pprof/goroutine?debug=1", "", 403, 200)
	f("GET", "/debug/pprof/cmdline", "", 403, 404)
	f("POST", "/v1/sales/race/pause", "", 403, 200)
	f("POST", "/v1/sales/race/resume", "", 403, 200)
	f("POST", "/v1/sales/race/confirm-url", `{"items":"full","buyer":"u","order":"o","amount":80000}`, 403, 200)
	f("PUT", "/v1/sales/race", `{}`, 403, 400)
	f("DELETE", "/v1/sales/race", "", 403, 204)
}

func TestWhoShowsNoTokenIsLetInToHealthAlone(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, text := d.ask("", "GET", path, ""); status != 200 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	d.public.Drain()
	if status, _ := d.ask("", "GET", "/readyz", ""); status != 503 {
		t.Errorf("/readyz is %d while draining", status)
	}
	for _, shown := range []string{"", "wrong", kim + "x", kim[1:], strings.ToUpper(kim)} {
		began := time.Now()
		status, text := d.ask(shown, "GET", "/metrics", "")
		if status != 401 || strings.Contains(text, "flashgate_") {
			t.Errorf("token %q: %d %.100s", shown, status, text)
		}
		if took := time.Since(began); took < loginDelay {
			t.Errorf("token %q was refused after %v, want not before %v", shown, took, loginDelay)
		}
	}
	for _, scheme := range []string{"", "Basic "} {
		status, text := d.ask("", "GET", "/metrics", "", "Authorization: "+scheme+kim)
		if status != 401 || !strings.Contains(text, "show a token: Authorization: Bearer TOKEN") ||
			strings.Contains(text, kim) {
			t.Errorf("a token shown as %q: %d %s", scheme, status, text)
		}
	}
	for _, shown := range []string{"kim:" + kim, kim + "x"} {
		status, text := d.ask(shown, "GET", "/metrics", "")
		if status != 401 || !strings.Contains(text, "without the name and the colon before it") ||
			strings.Contains(text, kim) {
			t.Errorf("token %q: %d %s", shown, status, text)
		}
	}
}

// However many guess, those who know a token do not wait.
func TestGuessingIsSlowAndHindersNobody(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	var guessing sync.WaitGroup
	var mu sync.Mutex
	counts := map[int]int{}
	for i := range 3 * maxFailing {
		guessing.Go(func() {
			status, _ := d.ask(fmt.Sprintf("guess-%d", i), "GET", "/metrics", "")
			mu.Lock()
			counts[status]++
			mu.Unlock()
		})
	}
	d.want("GET", "/v1/sales", "", 200, "race")
	guessing.Wait()
	if counts[401] < maxFailing || counts[429] == 0 || counts[401]+counts[429] != 3*maxFailing {
		t.Errorf("the guesses were answered %v", counts)
	}
}

// Who may come in is said, never left out.
func TestTokensThatNobodyHasLetNobodyIn(t *testing.T) {
	t.Parallel()
	for name, tokens := range map[string]*Tokens{"nil": nil, "none": {}} {
		d := openDesk(t, func(o *adminConfig) { o.Tokens = tokens })
		if status, text := d.ask("", "POST", "/v1/sales/race/pause", ""); status != 401 {
			t.Errorf("%s: %d %s, want 401", name, status, text)
		}
		if status, text := d.ask(kim, "GET", "/v1/sales", ""); status != 401 {
			t.Errorf("%s, with somebody's token: %d %s, want 401", name, status, text)
		}
	}
}

func TestWhereNoTokenIsAskedForOnlyThisMachineIsAnswered(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(o *adminConfig) { o.Tokens = Anybody() })
	f := func(want int, headers ...string) {
		t.Helper()
		if status, text := d.ask("", "POST", "/v1/sales/race/pause", "", headers...); status != want {
			t.Errorf("%q: %d %s, want %d", headers, status, text, want)
		}
	}
	f(200)
	f(200, "Host: 127.0.0.1:9090")
	f(200, "Host: [::1]:9090")
	f(403, "Host: evil.example") // a name that was made to resolve to this machine
	f(403, "Host: 10.0.0.1:9090")
	f(403, "Host: 127.0.0.1.evil.example")
	f(403, "Sec-Fetch-Site: cross-site") // another page in the operator's browser
	f(403, "Origin: https://evil.example")
}

func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		err := (&Tokens{}).AddOperators(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
		if secret := text[strings.LastIndex(text, ":")+1:]; err != nil && len(secret) > 3 &&
			strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error shows it: %v", text, err)
		}
	}
	f("", "token 1: must have at least 16")
	f("kim:", "token 1: must have at least 16")
	f("kim:0123456789abcde", "token 1: must have at least 16")
	f("kim:0123456789 abcdef", "without spaces")
	f("kim:0123456789\x7fabcdef", "printable")
	f("kim:0123456789abcdefé", "printable")
	f("kim:0123456789abcdef,lee", "token 2: must have")
	f("k m:0123456789abcdef", "has U+0020 at column 2")
	f("kim:0123456789\u00a0abcdef", "has U+00A0 at column 15")
	f(":0123456789abcdef", "its name must be")
	f("kim:0123456789abcdef,lee:0123456789abcdef", "token 2 is given twice")
	both := &Tokens{}
	if err := both.AddOperators("0123456789abcdef, lee:fedcba9876543210\n"); err != nil {
		t.Error(err)
	}
	if err := both.AddReaders("0123456789abcdef"); err == nil {
		t.Error("one token has two roles")
	}
}

func TestServingFailsWithItsListener(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	gone := make(arrivals)
	close(gone)
	if err := d.admin.Serve(gone); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
}

func TestShutdownClosesWhatDoesNotEndInTime(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	d := openDesk(t, func(o *adminConfig) {
		o.Audit = func(ctx context.Context, _, _ string, _ bool) (any, error) {
			close(begun)
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	cut := make(chan error, 1)
	go func() {
		request, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost/v1/sales/race/audit", nil)
		if err == nil {
			request.Header.Set("Authorization", "Bearer "+kim)
			_, err = d.client.Do(request)
		}
		cut <- err
	}()
	<-begun
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := d.admin.Shutdown(over); err != nil {
		t.Error(err)
	}
	if err := <-cut; err == nil {
		t.Error("the call was answered")
	}
}

func TestAnAuditIsShown(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.want("GET", "/v1/sales/race/audit", "", 200, `"differences": 0`)
	d.want("GET", "/v1/sales/race/audit?order_prefix=r-&known_orders=true", "", 200, `"known": true`)
	d.want("GET", "/v1/sales/race/audit?order_prefix=r-", "", 200, `"prefix": "r-"`)
	d.want("GET", "/v1/sales/race/audit?known_orders=yes", "", 200, `"known": false`)
}

func TestAGatesStatusIsShown(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC)
	d := openDesk(t, func(o *adminConfig) {
		o.Status = func() gate.Status {
			return gate.Status{
				Gate: "gate-1", Ready: true, Replicas: &gate.Replicas{Needed: 1, Problem: "not known"},
				Checks: []gate.Check{
					{
						Name: gate.CheckNotify, Subject: "https://shop.example.com", Problem: "it is down", Since: at,
						TriedAt: at.Add(time.Minute),
					},
					{
						Name: gate.CheckForward, Subject: "https://shop.example.com", Unknown: true,
						Problem: "not tried", Since: at,
					},
				},
			}
		}
	})
	const want = `{"gate":"gate-1","ready":true,"replicas":{"have":null,"needed":1,"problem":"not known"},"checks":[` +
		`{"name":"shop_notify","subject":"https://shop.example.com","ok":false,"problem":"it is down","since":"2026-12-01T01:00:00Z","tried_at":"2026-12-01T01:01:00Z"},` +
		`{"name":"shop_forward","subject":"https://shop.example.com","ok":false,"unknown":true,"problem":"not tried","since":"2026-12-01T01:00:00Z"}]}`
	var got bytes.Buffer
	if err := json.Compact(&got, []byte(d.want("GET", "/v1/status", "", 200, ""))); err != nil || got.String() != want {
		t.Errorf("got %s, %v; want %s", &got, err, want)
	}
}

func TestOneAuditRunsAtATime(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	d := openDesk(t, func(o *adminConfig) {
		o.Audit = func(ctx context.Context, sale, prefix string, known bool) (any, error) {
			if sale == "race" {
				close(begun)
				<-end
			}
			return auditTestSale(ctx, "race", prefix, known)
		}
	})
	var first sync.WaitGroup
	first.Go(func() { d.want("GET", "/v1/sales/race/audit", "", 200, `"differences": 0`) })
	<-begun
	d.want("GET", "/v1/sales/swim/audit", "", 409, "audits a sale just now")
	close(end)
	first.Wait()
	d.want("GET", "/v1/sales/swim/audit", "", 200, `"differences": 0`)
}

func TestAnAuditThatTakesTooLongIsToldSo(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(o *adminConfig) {
		o.Audit = func(ctx context.Context, _, _ string, _ bool) (any, error) {
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > auditTimeout {
				t.Errorf("the deadline is %s", deadline)
			}
			return nil, fmt.Errorf("read the orders: %w", context.DeadlineExceeded)
		}
	})
	d.want("GET", "/v1/sales/race/audit", "", 503, "use flashgate audit")
}

// Tokens that are replaced by none let nobody in.
func TestTokensAreReplaced(t *testing.T) {
	t.Parallel()
	const one, two = "0123456789abcdef", "fedcba9876543210"
	tokens, other := &Tokens{}, &Tokens{}
	if err := errors.Join(tokens.AddOperators("kim:"+one), other.AddReaders("lee:"+two)); err != nil {
		t.Fatal(err)
	}
	tokens.Replace(other)
	if _, ok := tokens.find(one); ok {
		t.Error("the old one is let in")
	}
	if known, ok := tokens.find(two); !ok || known.name != "lee" || known.role != reader {
		t.Errorf("the new one: %+v, %t", known, ok)
	}
	tokens.Replace(&Tokens{})
	if _, ok := tokens.find(two); ok {
		t.Error("somebody is let in where nobody may be")
	}
}

package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"
	"go.uber.org/goleak"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/shop"
)

func TestMain(m *testing.M) {
	// fasthttp's sweeper of idle workers sleeps for up to 10 s after its server has ended.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// store has the sale "race" and decides as the test says.
type store struct {
	decide   func(batch []*gate.Request) error
	messages map[string]string
	accept   []string
	keys     *gate.Keys       // nil: links are not signed
	secrets  *portone.Secrets // nil: calls are not verified
	lookups  portone.Lookups
	shop     portone.Store // empty: any
	log      *slog.Logger  // nil: nobody reads it
	sources  Sources
	forward  Forwarder
	hasten   func(sale, order string) (bool, error)
	gone     *atomic.Bool // true while the sale is deleted; nil: never
	origins  Origins
	read     func() gate.Reading // of the sale; nil: it is open, and has no units
}

func (s *store) Hasten(_ context.Context, sales []string, order string) (known bool, err error) {
	for _, sale := range sales {
		has, problem := s.hasten(sale, order)
		known, err = known || has, errors.Join(err, problem)
	}
	return known, err
}

func (s *store) Sales(context.Context) ([]string, error) { return []string{"race"}, nil }

func (s *store) Read(context.Context, []string) map[string]gate.Reading {
	if s.read != nil {
		return map[string]gate.Reading{"race": s.read()}
	}
	if s.gone != nil && s.gone.Load() {
		return map[string]gate.Reading{"race": {State: gate.State{Sale: gate.Sale{Name: "race"}, Deleted: time.Now()}}}
	}
	return map[string]gate.Reading{"race": {State: gate.State{
		Version: 1, Times: gate.Times{Now: time.Now()},
		Sale: gate.Sale{Name: "race", Run: 1, Settings: gate.Settings{
			OpensAt: time.Now().Add(-time.Hour), ClosesAt: time.Now().Add(time.Hour), Hold: time.Minute,
			Messages: s.messages, Accept: s.accept, SKUs: []gate.SKU{{Name: "full", Stock: 1}},
		}},
	}}}
}

func (s *store) Decider(string) gate.Decider { return s }

func (s *store) Granter(string) gate.Decider { return s }

func (s *store) Decide(_ context.Context, batch []*gate.Request) error { return s.decide(batch) }

func (s *store) Expect(context.Context, string) error { return nil }

func (s *store) Close() error { return nil }

func always(c gate.Code) func([]*gate.Request) error {
	return func(batch []*gate.Request) error {
		for _, r := range batch {
			if r.Set(gate.Refuse(c)); r.KnownOnly {
				r.Set(r.Refusal) // this store has no orders
			}
		}
		return nil
	}
}

// site is a public listener in memory.
type site struct {
	public  *Public
	metrics *Metrics
	dial    func() (net.Conn, error)
	client  *http.Client
}

func start(t testing.TB, s *store, log *RefusalLog, metrics *Metrics) *site {
	t.Helper()
	ln := fasthttputil.NewInmemoryListener()
	public := serve(t, s, log, metrics, ln)
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn,
		error,
	) {
		return ln.Dial()
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &site{public, metrics, ln.Dial, &http.Client{Transport: transport}}
}

// serve serves at ln until the test ends.
func serve(t testing.TB, s *store, log *RefusalLog, metrics *Metrics, ln net.Listener) *Public {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	keys, secrets, logger := s.keys, s.secrets, s.log
	if keys == nil {
		keys = gate.Unsigned()
	}
	if secrets == nil {
		secrets = portone.Unverified()
	}
	if logger == nil {
		logger = quiet
	}
	answers, err := portone.NewAnswers("en")
	if err != nil {
		t.Fatal(err)
	}
	g := lane.New(lane.Deps{
		Store: s, Metrics: lane.NewMetrics(prometheus.NewRegistry()), Keys: keys, Now: time.Now, Log: quiet,
	}, lane.Options{})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.Run(ctx) })
	for !g.Ready() {
		time.Sleep(time.Millisecond)
	}
	if s.forward == nil {
		s.forward = (*shop.Forwarder)(nil)
	}
	public := NewPublic(PublicDeps{
		Gate: g, Answers: answers, Metrics: metrics, Secrets: secrets, Refusals: log, Orders: s, Forward: s.forward,
		Log: logger,
	}, PublicOptions{Lookups: s.lookups, Store: s.shop, Sources: s.sources, Origins: s.origins})
	running.Go(func() { _ = public.Serve(ln) })
	t.Cleanup(func() {
		if err := public.Shutdown(); err != nil {
			t.Error(err)
		}
		stop()
		running.Wait()
	})
	return public
}

func newMetrics() *Metrics { return NewMetrics(prometheus.NewRegistry()) }

func (s *site) post(t *testing.T, url, body string) (status int, answer string) {
	t.Helper()
	response, err := s.client.Post("http://gate"+url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

const v1 = `{"imp_uid":"imp_1","merchant_uid":"order_1","amount":1000}`

func TestEveryCodeHasAStatusAndOnlyHeldIs200(t *testing.T) {
	t.Parallel()
	want := map[int]string{
		200: "held",
		400: "bad_request",
		403: "not_open closed paused bad_signature expired_link not_allowed",
		404: "unknown_sale unknown_sku",
		409: "sold_out buyer_limit order_changed already_paid attempt_ended attempt_limit amount_mismatch shop_refused",
		413: "too_large",
		503: "undecided shop_unavailable busy unavailable recovering not_durable",
	}
	got := map[int]string{}
	for _, c := range gate.Codes() {
		got[status(c)] = strings.TrimSpace(got[status(c)] + " " + c.String())
	}
	for code, names := range want {
		if got[code] != names {
			t.Errorf("%d: %s, want %s", code, got[code], names)
		}
	}
	if len(got) != len(want) {
		t.Errorf("statuses %v", got)
	}
}

// A decider that forgets a confirm, or sets nothing at all, has not said yes; nor
// has one that failed after its first words.
func TestWhatNobodyHasDecidedIsRefused(t *testing.T) {
	t.Parallel()
	calls := 0
	for name, decide := range map[string]func([]*gate.Request) error{
		"nothing set": func([]*gate.Request) error { return nil },
		"the zero verdict set": func(batch []*gate.Request) error {
			batch[0].Set(gate.Verdict{})
			return nil
		},
		"held by a call that failed": func(batch []*gate.Request) error {
			if calls++; calls > 1 {
				return nil
			}
			batch[0].Set(gate.Refuse(gate.Held))
			return errors.New("the connection was lost")
		},
	} {
		s := start(t, &store{decide: decide}, nil, newMetrics())
		if status, body := s.post(t, "/confirm/race?items=full", v1); status != 503 ||
			!strings.Contains(body, `"undecided"`) {
			t.Errorf("%s: %d %s, want 503 undecided", name, status, body)
		}
	}
}

// A request that is used again must not bring the last one's 200 along.
func TestARequestUsedAgainIsUndecidedAgain(t *testing.T) {
	t.Parallel()
	var forget atomic.Bool
	s := start(t, &store{decide: func(batch []*gate.Request) error {
		if forget.Load() {
			return nil
		}
		return always(gate.Held)(batch)
	}}, nil, newMetrics())
	if status, body := s.post(t, "/confirm/race?items=full", v1); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	forget.Store(true)
	for range 20 { // one at least takes a request that was used
		if status, body := s.post(t, "/confirm/race?items=full", v1); status != 503 {
			t.Fatalf("%d %s, want 503 undecided", status, body)
		}
	}
}

func TestASalesOwnSentenceIsSent(t *testing.T) {
	t.Parallel()
	s := start(t, &store{decide: always(gate.SoldOut), messages: map[string]string{"sold_out": "매진"}},
		nil, newMetrics())
	status, body := s.post(t, "/confirm/race?items=full", v1)
	if want := `{"code":"sold_out","reason":"매진","errorMessage":"매진"}`; status != 409 || body != want {
		t.Errorf("%d %s, want 409 %s", status, body, want)
	}
}

func TestASalesSentencesAreMadeOnceUntilTheyChange(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	lane, _ := d.public.deps.Gate.Lane([]byte("race"))
	first := d.public.front(lane)
	if d.public.front(lane) != first {
		t.Error("they are made for each call")
	}
	settings := raceSale().Settings
	settings.Messages = map[string]string{"sold_out": "매진"}
	if err := d.store.Configure(t.Context(), "test", "apply", "race", 1, settings); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); lane.Settings() == first.settings; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the gate has not read the change for %v", patience)
		}
	}
	if body := d.public.front(lane).answers.Body(gate.Refuse(gate.SoldOut)); !strings.Contains(string(body), "매진") {
		t.Errorf("still %s", body)
	}
}

func TestAPanicCostsOneRequest(t *testing.T) {
	t.Parallel()
	metrics := newMetrics()
	s := start(t, &store{decide: always(gate.Held)}, nil, metrics)
	answers := s.public.deps.Answers
	s.public.deps.Answers = nil // a handler that falls over
	s.public.unknown.answers = answers
	if status, body := s.post(t, "/confirm/race?items=full", v1); status != 503 ||
		!strings.Contains(body, "unavailable") {
		t.Errorf("%d %s, want 503 unavailable", status, body)
	}
	s.public.deps.Answers = answers
	if status, body := s.post(t, "/confirm/race?items=full", v1); status != 200 {
		t.Errorf("the next one: %d %s", status, body)
	}
	if n := testutil.ToFloat64(metrics.panics); n != 1 {
		t.Errorf("counted %v panics", n)
	}
}

func TestAQueryThatSaysSomethingTwiceIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, &store{decide: always(gate.Held)}, nil, newMetrics())
	for url, want := range map[string]string{
		"/confirm/race?items=full&items=full:2":    "items must be given once",
		"/confirm/race?items=full&buyer=a&buyer=b": "buyer must be given once",
		"/confirm/race?items=full&buyer=&buyer=b":  "buyer must be given once",
		"/confirm/race":                                 "items must be",
		"/confirm/race?items=full&buyer=%00":            "buyer must be 1 to 64 bytes",
		"/confirm/race?items=full%2Chalf%3A1&buyer=%41": "",
	} {
		status, body := s.post(t, url, v1)
		if want == "" && status == 404 {
			continue // read, and then there is no such SKU
		}
		if status != 400 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want 400 with %q", url, status, body, want)
		}
	}
}

// What a sale takes is checked before its units are touched.
func TestOnlySignedCallsOfV2AreTakenWhereThereIsASecret(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	const v2 = `{"payment_id":"order_1","tx_id":"tx_1","total_amount":1000}`
	secrets, err := portone.ParseSecrets(secret)
	if err != nil {
		t.Fatal(err)
	}
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	f := func(s *site, body, signed string, want int, wantBody string) {
		t.Helper()
		request, err := http.NewRequest(http.MethodPost, "http://gate/confirm/race?items=full", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if signed != "" {
			now := time.Now()
			signature, err := hook.Sign("msg_1", now, []byte(signed))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("webhook-id", "msg_1")
			request.Header.Set("webhook-timestamp", fmt.Sprint(now.Unix()))
			request.Header.Set("webhook-signature", signature)
		}
		response, err := s.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, _ := io.ReadAll(response.Body); response.StatusCode != want ||
			!strings.Contains(string(text), wantBody) {
			t.Errorf("%s: %d %s, want %d %s", body, response.StatusCode, text, want, wantBody)
		}
	}
	any := start(t, &store{decide: always(gate.Held), secrets: secrets}, nil, newMetrics())
	f(any, v2, v2, 200, "held")
	f(any, v2, "", 403, "bad_signature")
	f(any, v2, v2+" ", 403, "bad_signature")
	f(any, v1, "", 400, `"The shop's payment is not set up right, so no money was taken. Please contact the shop."`)
	f(any, v1, v1, 400, `"The shop's payment is not set up right, so no money was taken. Please contact the shop."`)

	both := start(t, &store{decide: always(gate.Held), secrets: secrets, accept: []string{"v1", "v2"}},
		nil, newMetrics())
	f(both, v1, "", 200, "held")
	f(both, v2, v2, 200, "held")
	f(both, v2, "", 403, "bad_signature")

	newer := start(t, &store{decide: always(gate.Held), accept: []string{"v2"}}, nil, newMetrics())
	f(newer, v1, "", 400, `"The shop's payment is not set up right, so no money was taken. Please contact the shop."`)
	f(newer, v2, "", 200, "held")

	// What cannot be looked up is a hold that nothing ends.
	older := start(t, &store{decide: always(gate.Held), lookups: portone.Lookups{V1: true}}, nil, newMetrics())
	f(older, v1, "", 200, "held")
	f(older, v2, "", 400, "bad_request")
}

// BenchmarkConfirm measures a confirm from its bytes to those of its answer, on
// a kept connection in memory, with a store that decides at once.
func BenchmarkConfirm(b *testing.B) {
	const body = `{"imp_uid":"imp_448280090638","merchant_uid":"ORD20261201000137","amount":110000}`
	request := fmt.Appendf(nil, "POST /confirm/race?items=full&buyer=user-4711 HTTP/1.1\r\nHost: gate\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	for _, code := range []gate.Code{gate.Held, gate.SoldOut} {
		b.Run(code.String(), func(b *testing.B) {
			conn, err := start(b, &store{decide: always(code)}, nil, newMetrics()).dial()
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			in, want := bufio.NewReader(conn), status(code)
			var response fasthttp.Response
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				if err := response.Read(in); err != nil || response.StatusCode() != want {
					b.Fatalf("got %s, %v", &response, err)
				}
			}
		})
	}
}

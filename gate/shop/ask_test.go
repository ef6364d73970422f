package shop_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/testkit"
)

// patience is more than any answer of a test's shop takes.
const patience = 30 * time.Second

// What comes of asking.
var (
	saidYes  = gate.Answer{Word: gate.Yes}
	saidNo   = gate.Answer{Word: gate.No}
	saidElse = gate.Answer{Word: gate.NoAnswer, Cause: gate.ShopFailed}
	silence  = gate.Answer{Word: gate.NoAnswer, Cause: gate.ShopNoAnswer}
	unasked  = gate.Answer{Word: gate.NotAsked, Cause: gate.ShopNoAnswer}
)

// serve starts a shop that answers like this, until the test ends.
func serve(t *testing.T, answer http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

func TestTheShopIsAskedAboutAnOrder(t *testing.T) {
	t.Parallel()
	type message struct {
		method  string
		headers http.Header
		body    []byte
	}
	came := make(chan message, 1)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		came <- message{r.Method, r.Header, body}
	})
	w := talkOver(t, nil, parsed(t, secretA+","+secretB), nil)
	ask := func(q *gate.Question, rest string) message {
		t.Helper()
		before := time.Now().UTC().Truncate(time.Millisecond)
		if got := w.Ask(t.Context(), q); got != saidYes {
			t.Errorf("the answer is %+v", got)
		}
		m := <-came
		var at time.Time
		text := `{"type":"order.ask","id":"` + m.headers.Get("webhook-id") + `","timestamp":"`
		if i := len(text); !strings.HasPrefix(string(m.body), text) ||
			at.UnmarshalText(m.body[i:i+bytes.IndexByte(m.body[i:], '"')]) != nil {
			t.Fatalf("got %s, want %s…", m.body, text)
		}
		if at.Location() != time.UTC || at.Before(before) || time.Since(at) > time.Minute ||
			at.Truncate(time.Millisecond) != at {
			t.Errorf("asked at %v, since %v", at, before)
		}
		if want := text + at.Format(time.RFC3339Nano) + `",` + rest; string(m.body) != want {
			t.Errorf("got  %s\nwant %s", m.body, want)
		}
		return m
	}
	m := ask(question(url), `"sale":"race","run":3,"order":"o1","attempt":"imp_1","version":2,"buyer":"김철수",`+
		`"lines":[{"sku":"full","quantity":2},{"sku":"half","quantity":1}],"amount":220000}`)
	if m.method != http.MethodPost || m.headers.Get("Content-Type") != "application/json" ||
		m.headers.Get("User-Agent") != "flashgate" ||
		len(m.headers.Values("Accept-Encoding"))+len(m.headers.Values("Idempotency-Key")) > 0 {
		t.Errorf("got %s with %v", m.method, m.headers)
	}
	for secret, want := range map[string]bool{
		secretA: true, secretB: true,
		"whsec_ZWxzZXdoZXJlIGVsc2V3aGVyZSBlbHNld2hlcmU=": false,
	} {
		hook, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := hook.Verify(m.body, m.headers); (err == nil) != want {
			t.Errorf("%s: verified %v, want %v", secret, err, want)
		}
	}

	bare := question(url)
	bare.Confirm.Buyer, bare.Confirm.Amount, bare.Confirm.Version = nil, gate.Amount{Value: 7}, 1
	again := ask(bare, `"sale":"race","run":3,"order":"o1","attempt":"imp_1","version":1,`+
		`"lines":[{"sku":"full","quantity":2},{"sku":"half","quantity":1}]}`)
	free := question(url)
	free.Confirm.Amount.Value = 0
	ask(free, `"sale":"race","run":3,"order":"o1","attempt":"imp_1","version":2,"buyer":"김철수",`+
		`"lines":[{"sku":"full","quantity":2},{"sku":"half","quantity":1}],"amount":0}`)
	if id := m.headers.Get("webhook-id"); !strings.HasPrefix(id, "ask_") || id == again.headers.Get("webhook-id") {
		t.Errorf("the ids are %s and %s", id, again.headers.Get("webhook-id"))
	}
}

func TestWhatTheShopsStatusSays(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	elsewhere := atomic.Int64{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere.Add(1)
			return
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(status.Load()))
	})
	w := talk(t, nil)
	for code := 200; code < 600; code++ {
		want := saidElse
		switch {
		case code < 300:
			want = saidYes
		case code == 407, code == 408, code == 421, code == 425, code == 429:
		case code >= 400 && code < 500:
			want = saidNo
		}
		status.Store(int64(code))
		if got := w.about(url, patience); got != want {
			t.Errorf("%d is %+v, want %+v", code, got, want)
		}
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// A body has a reason, or none; either way the no counts.
func TestTheReasonOfANo(t *testing.T) {
	t.Parallel()
	var squeezed bytes.Buffer
	squeeze := gzip.NewWriter(&squeezed)
	for range 128 { // 8 MB
		if _, err := squeeze.Write(make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := squeeze.Close(); err != nil {
		t.Fatal(err)
	}
	var answer atomic.Pointer[http.HandlerFunc]
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { (*answer.Load())(w, r) })
	w := talk(t, nil)
	f := func(what, want string, handler http.HandlerFunc) {
		t.Helper()
		answer.Store(&handler)
		if got := w.about(url, patience); got != (gate.Answer{Word: gate.No, Reason: want}) {
			t.Errorf("%s: got %+v, want the reason %q", what, got, want)
		}
	}
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, text)
		}
	}
	endless := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			for _, err := io.WriteString(w, text); err == nil; {
				_, err = w.Write(bytes.Repeat([]byte(" "), 32<<10))
			}
		}
	}
	f("a reason", "이미 참가 신청을 하셨습니다.", body(`{"reason": "이미 참가 신청을 하셨습니다.", "code": 7}`))
	f("10 MB", "", body(`{"reason": "no", "more": "`+strings.Repeat("x", 10<<20)+`"}`))
	f("an endless body", "", endless(`{"reason": "no", "more": "`))
	f("a bomb", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write(squeezed.Bytes())
	})
	f("a body cut short", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"reason": "no`)
	})
	f("a reason that fits", strings.Repeat("가", 166), body(`{"reason":"`+strings.Repeat(`\uac00`, 1000)+`"}`))
}

func flush(w http.ResponseWriter, text string) {
	fmt.Fprint(w, text)
	_ = http.NewResponseController(w).Flush()
}

// Time-outs are the gate's: whatever the shop does, an answer comes soon after.
func TestAShopThatHangsHoldsNobodyUpForLonger(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		begin func(w http.ResponseWriter)
		want  gate.Answer
	}{
		"before it answers": {func(http.ResponseWriter) {}, silence},
		"after a hint":      {func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) }, silence},
		"within a no": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusConflict)
			flush(w,
				`{"reason":`)
		}, saidNo},
		"within a yes": {func(w http.ResponseWriter) { flush(w, `{`) }, saidYes},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			over := make(chan struct{})
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				c.begin(w)
				<-over
			})
			t.Cleanup(func() { close(over) })
			w := talk(t, nil)
			began := time.Now()
			if got := w.about(url, 200*time.Millisecond); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// More orders than a gate asks about at once are refused and do not wait. The
// connections are kept, all of them.
func TestAGateAsksAboutSoManyOrdersAtOnce(t *testing.T) {
	t.Parallel()
	arrived, release, opened := make(chan struct{}, 2*gate.MaxAsks), make(chan struct{}), atomic.Int64{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	w := talk(t, map[string]*gate.Settings{"race": {Ask: server.URL}})
	const help = "# HELP flashgate_asks_open Orders that shops are being asked about now.\n# TYPE " +
		"flashgate_asks_open gauge\nflashgate_asks_open %d\n# HELP flashgate_asks_capacity Orders that shops may be " +
		"asked about at once; more are refused as busy.\n# TYPE flashgate_asks_capacity " +
		"gauge\nflashgate_asks_capacity %d\n"
	for range 2 {
		var asking sync.WaitGroup
		for range gate.MaxAsks {
			asking.Go(func() {
				if got := w.about(server.URL, patience); got != saidYes {
					t.Errorf("got %+v", got)
				}
			})
		}
		for range gate.MaxAsks {
			<-arrived
		}
		if err := w.shows(fmt.Sprintf(help, gate.MaxAsks, gate.MaxAsks), "flashgate_asks_open",
			"flashgate_asks_capacity"); err != nil {
			t.Error(err)
		}
		if got := w.about(server.URL, patience); got != (gate.Answer{Word: gate.NotAsked, Cause: gate.AsksFull}) {
			t.Errorf("one more: %+v", got)
		}
		for range gate.MaxAsks {
			release <- struct{}{}
		}
		asking.Wait()
	}
	if n := opened.Load(); n != gate.MaxAsks {
		t.Errorf("%d connections were opened for two rounds of %d", n, gate.MaxAsks)
	}
	if err := w.shows(fmt.Sprintf(help, 0, gate.MaxAsks), "flashgate_asks_open",
		"flashgate_asks_capacity"); err != nil {
		t.Error(err)
	}
	if err := w.shows(asksTotal("race", 2*gate.MaxAsks, 0, 0, 0, 2), "flashgate_asks_total"); err != nil {
		t.Error(err)
	}
	if lines := w.log.take(); len(lines) != 1 || !strings.Contains(lines[0], "more slowly than orders come") {
		t.Errorf("the log has %q", lines)
	}
}

// asksTotal is what the metric shows after so many of each outcome.
func asksTotal(sale string, yes, no, failed, noAnswer, notAsked int) string {
	text := "# HELP flashgate_asks_total Orders that the shop was to be asked about, by outcome: yes, no, failed, " +
		"no_answer or not_asked.\n# TYPE flashgate_asks_total counter\n"
	for i, outcome := range []string{"yes", "no", "failed", "no_answer", "not_asked"} {
		text += fmt.Sprintf("flashgate_asks_total{outcome=%q,sale=%q} %d\n", outcome, sale,
			[]int{yes, no, failed, noAnswer, notAsked}[i])
	}
	return text
}

// A shop that cannot be reached knows nothing of the order, so its units need not
// wait. The log says why, and not where: the address may have a secret in it.
func TestAShopThatCannotBeReachedWasNotAsked(t *testing.T) {
	t.Parallel()
	nowhere := testkit.Nowhere(t)
	w := talk(t, map[string]*gate.Settings{"race": {Ask: nowhere}})
	for range 3 {
		if got := w.about(nowhere+"/ask?key=sesame", patience); got != unasked {
			t.Errorf("got %+v", got)
		}
	}
	if err := w.shows(asksTotal("race", 0, 0, 0, 3, 0), "flashgate_asks_total"); err != nil {
		t.Error(err)
	}
	if got := talk(t, nil).about("http://\x00", patience); got != unasked {
		t.Errorf("at no address: %+v", got)
	}
	lines := w.log.take()
	if text := strings.Join(lines, "\n"); len(lines) != 1 || !strings.Contains(text, "connection refused") ||
		!strings.Contains(text, nowhere+"/ask?…") || strings.Contains(text, "sesame") {
		t.Errorf("the log has\n%s", text)
	}
}

func TestAnAnswerWithAVastHeaderIsNone(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter,
		_ *http.Request,
	) {
		w.Header().Set("X-Vast", strings.Repeat("x", 1<<20))
	})
	if got := talk(t, nil).about(url, patience); got != silence {
		t.Errorf("got %+v", got)
	}
}

// raw starts a shop that does with each connection what it likes, until the test ends.
func raw(t *testing.T, with func(conn net.Conn)) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				with(conn)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); serving.Wait() })
	return "http://" + ln.Addr().String()
}

// A server closes kept connections when it likes, also in the moment in which the
// next order is sent on one. That costs no sale.
func TestAConnectionThatTheShopHasJustClosedCostsNoAnswer(t *testing.T) {
	t.Parallel()
	ids := make(chan string, 10)
	url := raw(t, func(conn net.Conn) { // it answers once, reads on, and closes
		r := bufio.NewReader(conn)
		for i := range 2 {
			request, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, request.Body)
			ids <- request.Header.Get("webhook-id")
			if i == 0 {
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}
	})
	w := talk(t, nil)
	for i := range 2 {
		if got := w.about(url, patience); got != saidYes {
			t.Errorf("answer %d is %+v", i, got)
		}
	}
	if len(ids) != 3 {
		t.Fatalf("it was asked %d times", len(ids))
	}
	if first, second, third := <-ids, <-ids, <-ids; first == second || second != third {
		t.Errorf("it was asked as %s, %s and %s", first, second, third)
	}
}

// A connection that speaks something else from now on has no body that would end.
func TestAShopThatSwitchesProtocolsHasNotAnswered(t *testing.T) {
	t.Parallel()
	url := raw(t, func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
		}
		_, _ = io.Copy(io.Discard, conn)
	})
	began := time.Now()
	if got := talk(t, nil).about(url, 200*time.Millisecond); got != saidElse {
		t.Errorf("got %+v", got)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A connection is opened for whoever needs it next, so it goes on when its call has
// been given up. With a shop that accepts and says nothing they must not pile up.
func TestAHandshakeThatGoesNowhereIsGivenUpSoon(t *testing.T) {
	t.Parallel()
	open := make(chan time.Duration, 1)
	url := raw(t, func(conn net.Conn) {
		began := time.Now()
		_, _ = io.Copy(io.Discard, conn)
		open <- time.Since(began)
	})
	if got := talk(t, nil).about(strings.Replace(url, "http:", "https:", 1), 50*time.Millisecond); got != unasked {
		t.Errorf("got %+v", got)
	}
	if took := <-open; took > gate.MaxAsk+2*time.Second {
		t.Errorf("the connection was open for %v", took)
	}
}

// What may be a mistake of the operator's is logged once a minute, what the shop wants
// is not.
func TestOfAskingIsLoggedWhatMayBeAMistake(t *testing.T) {
	t.Parallel()
	var status, reason atomic.Value
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status.Load().(int))
		fmt.Fprintf(w, `{"reason":%q}`, reason.Load())
	})
	f := func(code int, why string, want string) {
		t.Helper()
		status.Store(code)
		reason.Store(why)
		w := talk(t, map[string]*gate.Settings{"race": {Ask: url}})
		for range 3 {
			w.about(url+"/?key=sesame", patience)
		}
		lines := w.log.take()
		if want == "" && len(lines) > 0 || want != "" && len(lines) != 1 {
			t.Errorf("%d %q is logged as %q", code, why, lines)
		}
		w.put(time.Minute)
		w.about(url+"/?key=sesame", patience)
		for _, line := range w.log.take() {
			for _, part := range []string{
				want, fmt.Sprint(" status=", code), " orders=3", " order=o1",
				" sale=race", "?…",
			} {
				if !strings.Contains(line, part) || strings.Contains(line, "sesame") {
					t.Errorf("%d %q: no %q in %s", code, why, part, line)
				}
			}
		}
	}
	for _, code := range []int{400, 401, 403, 404, 405} {
		f(code, "", "wrong address or secret")
		f(code, "you are not a member", "")
	}
	for _, code := range []int{200, 402, 409, 410, 422} {
		f(code, "", "")
	}
	for _, code := range []int{302, 408, 429, 500, 503} {
		f(code, "later", "neither with a 2xx nor with a 4xx")
	}
}

func TestNobodyIsAskedWithoutASecret(t *testing.T) {
	t.Parallel()
	asked := atomic.Int64{}
	url := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	w := talkOver(t, nil, &shop.Secrets{}, map[string]*gate.Settings{"race": {Ask: url}, "quiet": {}})
	if got := w.about(url, patience); got != (gate.Answer{Word: gate.NotAsked, Cause: gate.ShopSecretless}) ||
		asked.Load() > 0 {
		t.Errorf("got %+v after %d calls", got, asked.Load())
	}
	want := "# HELP flashgate_ask_without_secret 1 for a sale that asks its shop while this gate has no secret to " +
		"sign the question with; it then takes no orders. Else 0.\n# TYPE flashgate_ask_without_secret " +
		"gauge\nflashgate_ask_without_secret{sale=\"race\"} 1\n"
	testkit.Await(t, "the gauge", func() error { return w.shows(want, "flashgate_ask_without_secret") })
	time.Sleep(time.Second)
	lines := w.log.take()
	if len(lines) != 1 || !strings.Contains(lines[0], "FLASHGATE_NOTIFY_SECRET") ||
		!strings.Contains(lines[0], "sale=race") {
		t.Errorf("the log has %q", lines)
	}
}

// Secrets that are read anew sign from the next order on.
func TestSecretsThatAreReplacedCountAtOnce(t *testing.T) {
	t.Parallel()
	hooks := map[string]*standardwebhooks.Webhook{}
	for _, secret := range []string{secretA, secretB} {
		hook, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		hooks[secret] = hook
	}
	var expected atomic.Value
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err := errors.Join(err, hooks[expected.Load().(string)].Verify(body, r.Header)); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	w := talk(t, nil)
	for _, secret := range []string{secretA, secretB} {
		w.secrets.Replace(parsed(t, secret))
		expected.Store(secret)
		if got := w.about(url, patience); got != saidYes {
			t.Errorf("%s: %+v", secret, got)
		}
	}
}

// Each outcome is shown from the start, and goes with its sale.
func TestWhatIsCountedOfAsksGoesWithItsSale(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) })
	w := talk(t, map[string]*gate.Settings{"race": {Ask: url}, "quiet": {}})
	testkit.Await(t, "the sale",
		func() error { return w.shows(asksTotal("race", 0, 0, 0, 0, 0), "flashgate_asks_total") })
	w.about(url, patience)
	if err := w.shows(asksTotal("race", 0, 1, 0, 0, 0), "flashgate_asks_total"); err != nil {
		t.Error(err)
	}
	w.set(map[string]*gate.Settings{"race": {}})
	testkit.Await(t, "the sale to go", func() error {
		return w.shows("", "flashgate_asks_total", "flashgate_ask_duration_seconds", "flashgate_ask_without_secret")
	})
}

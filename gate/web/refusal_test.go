package web

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

func linkKeys(t testing.TB) *gate.Keys {
	t.Helper()
	keys, err := gate.ParseKeys(
		"k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=,k2:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// signedPath is the path and query of a link to the sale "race", good until 2100.
func signedPath(t testing.TB, keys *gate.Keys, o gate.Offer) string {
	t.Helper()
	o.Sale, o.Expires = "race", time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	link, err := keys.URL("http://gate", o)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(link, "http://gate")
}

// said is a log that may be read while it is written.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) lines(with string) (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.text.String()) {
		if strings.Contains(line, with) {
			lines = append(lines, line)
		}
	}
	return lines
}

func logTo(w *said, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// One code and one sentence for the buyer; the operator is told which of its
// causes it was, by the metric, at debug, and at info.
func TestWhyALinkIsRefusedIsToldApart(t *testing.T) {
	t.Parallel()
	keys := linkKeys(t)
	good := signedPath(t, keys, gate.Offer{Items: "full", Order: "order_1"})
	secrets, err := portone.ParseSecrets("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if err != nil {
		t.Fatal(err)
	}
	sale := &store{decide: always(gate.Held), keys: keys, secrets: secrets, accept: []string{"v1", "v2"}}
	now := fmt.Sprint(time.Now().Unix())
	const v2 = `{"payment_id":"order_1","tx_id":"tx_1","total_amount":1000}`
	for cause, call := range map[gate.Cause]struct {
		path, body string
		headers    []string // webhook-id, webhook-timestamp, webhook-signature
		right      bool     // a right link came before
	}{
		gate.LinkUnsigned:       {path: "/confirm/race?items=full", body: v1},
		gate.LinkVersion:        {path: strings.Replace(good, "v=1", "v=2", 1), body: v1},
		gate.KeyUnknown:         {path: strings.Replace(good, "kid=k1", "kid=k3", 1), body: v1},
		gate.SignatureMalformed: {path: good[:len(good)-5], body: v1},
		gate.KeyMixedUp:         {path: strings.Replace(good, "kid=k1", "kid=k2", 1), body: v1},
		gate.KeyUnproven:        {path: good, body: strings.Replace(v1, "order_1", "order_2", 1)},
		gate.LinkAltered:        {path: good, body: strings.Replace(v1, "order_1", "order_2", 1), right: true},
		gate.CallUnsigned:       {path: good, body: v2},
		gate.CallStale:          {path: good, body: v2, headers: []string{"msg_1", "1700000000", "v1,AAAA"}},
		gate.CallMismatch:       {path: good, body: v2, headers: []string{"msg_1", now, "v1,AAAA"}},
	} {
		t.Run(cause.String(), func(t *testing.T) {
			t.Parallel()
			log, metrics, own := &said{}, newMetrics(), *sale
			own.log, own.keys = logTo(log, slog.LevelDebug), linkKeys(t)
			s := start(t, &own, nil, metrics)
			if call.right {
				if status, body := s.post(t, good, v1); status != 200 {
					t.Fatalf("the right link: %d %s", status, body)
				}
			}
			request, err := http.NewRequest(http.MethodPost, "http://gate"+call.path, strings.NewReader(call.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			for i, value := range call.headers {
				request.Header.Set([]string{"webhook-id", "webhook-timestamp", "webhook-signature"}[i], value)
			}
			response, err := s.client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			var body bytes.Buffer
			if _, err := body.ReadFrom(response.Body); err != nil || response.StatusCode != 403 ||
				body.String() != `{"code":"bad_signature","reason":"This payment request is not valid. Please pay again from the order page.","errorMessage":"This payment request is not valid. Please pay again from the order page."}` {
				t.Errorf("the buyer is told %d %s %v", response.StatusCode, &body, err)
			}
			for _, other := range gate.Causes() {
				n := testutil.ToFloat64(metrics.causes.WithLabelValues("race", other.Code().String(), other.String()))
				if want := map[bool]float64{true: 1}[other == cause]; n != want {
					t.Errorf("%s is counted %v times", other, n)
				}
			}
			for _, level := range []string{"DEBUG", "INFO"} {
				lines := log.lines("level=" + level)
				if len(lines) != 1 || !strings.Contains(lines[0], "code=bad_signature cause="+cause.String()) ||
					!strings.Contains(lines[0], fmt.Sprintf("means=%q", cause.Means())) {
					t.Errorf("at %s the log says %q", level, lines)
				}
			}
		})
	}
}

func TestCausesAreShownBeforeThereIsAnythingToCount(t *testing.T) {
	t.Parallel()
	metrics := newMetrics()
	start(t, &store{decide: always(gate.Held)}, nil, metrics).post(t, "/confirm/race?items=full", v1)
	// of no sale, and of "race"
	if n, want := testutil.CollectAndCount(metrics.causes), 2*len(gate.Causes()); n != want {
		t.Errorf("%d counters, want %d", n, want)
	}
}

// A flood of wrong links costs the log a line a minute for each cause, and hides
// no other cause.
func TestRefusalsAreLoggedOnceAMinuteForEachCause(t *testing.T) {
	t.Parallel()
	log := &said{}
	p := &Public{refused: newRefusals(), deps: PublicDeps{Log: logTo(log, slog.LevelInfo)}}
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI("/confirm/race?items=full&buyer=alice&sig=secret")
	begin := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	for i := range 10_000 {
		r := &gate.Request{Received: begin.Add(time.Duration(i) * 12 * time.Millisecond)} // two minutes
		p.logRefusal(&ctx, []byte("race"), r, gate.RefuseFor(gate.LinkUnsigned))
		p.logRefusal(&ctx, []byte("race"), r, gate.Refuse(gate.SoldOut)) // nobody's mistake
	}
	r := &gate.Request{Received: begin.Add(2 * time.Minute)}
	for _, v := range []gate.Verdict{
		gate.RefuseFor(gate.KeyUnknown), gate.Malformed("items",
			"must be"), gate.Refuse(gate.UnknownSale), gate.Refuse(gate.UnknownSKU), {},
	} {
		p.logRefusal(&ctx, []byte("race"), r, v)
	}
	for part, want := range map[string]int{
		"cause=link_unsigned": 2, "cause=key_unknown": 1, "code=bad_request field=items want=\"must be\"": 1,
		"code=unknown_sale": 1,
		"code=unknown_sku":  1, "level=ERROR msg=\"confirms are refused; this is the newest of them\" " +
			"code=undecided": 1,
		"confirms=5000": 1,
		"":              7, "alice": 0, "secret": 0,
	} {
		if lines := log.lines(part); len(lines) != want {
			t.Errorf("%d lines have %q, want %d:\n%s", len(lines), part, want, log.lines(""))
		}
	}
}

func TestEachRefusalIsLoggedAtDebug(t *testing.T) {
	t.Parallel()
	log := &said{}
	s := start(t, &store{decide: always(gate.SoldOut), log: logTo(log, slog.LevelDebug)}, nil, newMetrics())
	for range 3 {
		s.post(t, "/confirm/race?items=full&buyer=alice", v1)
	}
	if lines := log.lines("code=sold_out sale=race order=order_1 attempt=imp_1 " +
		"items=full amount=1000"); len(lines) != 3 || len(log.lines("")) != 3 {
		t.Errorf("the log says\n%s", log.lines(""))
	}
}

// Refusing is what a gate does most once a sale is sold out: nobody pays for a
// log that nobody reads.
func TestARefusalThatNobodyReadsAllocatesNothing(t *testing.T) {
	p := &Public{refused: newRefusals(), deps: PublicDeps{Log: logTo(&said{}, slog.LevelInfo)}}
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI("/confirm/race?items=full")
	r, sale := &gate.Request{Received: time.Now()}, []byte("race")
	for _, v := range []gate.Verdict{gate.Refuse(gate.SoldOut), gate.RefuseFor(gate.LinkUnsigned)} {
		p.logRefusal(&ctx, sale, r, v)
		if n := testing.AllocsPerRun(100, func() { p.logRefusal(&ctx, sale, r, v) }); n != 0 {
			t.Errorf("%s %s: %v allocations", v.Code, v.Cause, n)
		}
	}
}

func TestWhyAWebhookIsRefusedIsLogged(t *testing.T) {
	t.Parallel()
	secrets, err := portone.ParseSecrets("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if err != nil {
		t.Fatal(err)
	}
	log := &said{}
	s := start(t, &store{hasten: (&bell{}).hasten, secrets: secrets, log: logTo(log, slog.LevelDebug)},
		nil, newMetrics())
	for range 3 {
		s.post(t, "/webhook", hookV2)
	}
	s.post(t, "/webhook/typo", hookV1)
	s.post(t, "/webhook", "[]")
	for part, want := range map[string]int{
		"level=DEBUG msg=\"a webhook was refused\" code=bad_signature sale=\"\" cause=call_unsigned": 3,
		"level=INFO msg=\"webhooks are refused; this is the newest of them\" code=bad_signature":     1,
		"code=unknown_sale sale=typo":                                            2,
		"code=bad_request sale=\"\" field=body want=\"must be one JSON object\"": 2,
	} {
		if lines := log.lines(part); len(lines) != want {
			t.Errorf("%d lines have %q, want %d:\n%s", len(lines), part, want, log.lines(""))
		}
	}
}

package web

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/portone"
)

// shelf is the sale "race" with 3 of 10 units left of one SKU and none of another. Tests change it.
type shelf struct {
	mu   sync.Mutex
	sale gate.State
	err  error // of reading it
}

func newShelf() *shelf {
	now := time.Now().Truncate(time.Second)
	return &shelf{sale: gate.State{
		Version: 1,
		Sale: gate.Sale{Name: "race", Run: 1, Settings: gate.Settings{
			OpensAt: now.Add(-time.Hour), ClosesAt: now.Add(time.Hour), Hold: time.Minute,
			SKUs: []gate.SKU{{Name: "full", Stock: 10, Price: new(int64(80000))}, {Name: "half", Stock: 5}},
		}},
		Units: map[string]gate.Units{"full": {Total: 10, Left: 3, Held: 7}, "half": {Total: 5, Paid: 5}},
	}}
}

func (s *shelf) read() gate.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.sale
	state.Now = time.Now().Add(state.Ahead)
	return gate.Reading{State: state, Err: s.err}
}

func (s *shelf) do(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sale.Version++
	change()
}

func (s *shelf) units(sku string, left int64) {
	s.do(func() { s.sale.Units = map[string]gate.Units{"full": {Total: 10}, sku: {Total: 10, Left: left}} })
}

// openShelf starts a gate with the sale. It is used in a bubble of virtual time.
func openShelf(t *testing.T, s *shelf, metrics *Metrics) *site {
	t.Helper()
	t.Cleanup(func() { time.Sleep(20 * time.Second) }) // until fasthttp's sweeper of idle workers has ended
	return start(t, &store{decide: always(gate.Held), read: s.read}, nil, metrics)
}

// told is more than a gate and a browser's cache need to be told of a change.
const told = time.Second

func (s *site) do(t *testing.T, request *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

func TestAnybodySeesWhatIsAvailable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.sale.Notify, s.sale.Ask = "https://shop.example.com/n?token=secret", "https://shop.example.com/a?token=secret"
		s.sale.Ahead = 1500*time.Millisecond + 400*time.Microsecond // by Redis' clock
		opens, closes := s.sale.OpensAt.UTC().Format(time.RFC3339Nano), s.sale.ClosesAt.UTC().Format(time.RFC3339Nano)
		site := openShelf(t, s, newMetrics())
		f := func(skus string) {
			t.Helper()
			now := time.Now().Add(1500 * time.Millisecond).UTC().Format(time.RFC3339Nano)
			want := fmt.Sprintf(`{"sale":"race","state":"open","opens_at":%q,"closes_at":%q,"now":%q,"skus":%s}`,
				opens, closes, now, skus)
			answer, body := site.call(t, "GET", "/sales/race?whatever=1")
			if answer.StatusCode != 200 || body != want {
				t.Errorf("%s\n%s\nwant\n%s", answer.Status, body, want)
			}
			if h := answer.Header; h.Get("Content-Type") != "application/json; charset=utf-8" ||
				h.Get("Cache-Control") != "public, max-age=1" || h.Get("ETag") == "" {
				t.Errorf("headers %v", h)
			}
		}
		f(`[{"sku":"full","available":true},{"sku":"half","available":false}]`)
		s.do(func() { s.sale.ShowStock = true })
		time.Sleep(told)
		f(`[{"sku":"full","available":true,"left":3,"total":10},{"sku":"half","available":false,"left":0,"total":5}]`)
		s.units("full", -1) // below what was sold
		time.Sleep(told)
		f(`[{"sku":"full","available":false,"left":0,"total":10},{"sku":"half","available":false,"left":0,"total":0}]`)
	})
}

// A page must know whether there is anything to wait for.
func TestStateAndAvailabilityAreApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		site := openShelf(t, s, newMetrics())
		f := func(want string, change func()) {
			t.Helper()
			s.do(change)
			time.Sleep(told)
			_, body := site.call(t, "GET", "/sales/race")
			if !strings.Contains(body, fmt.Sprintf("%q", want)) || !strings.Contains(body, `"full","available":true`) {
				t.Errorf("%s, want it %s and available", body, want)
			}
		}
		now := time.Now()
		f("paused", func() { s.sale.Paused = true })
		f("open", func() { s.sale.Paused = false })
		f("not_open", func() { s.sale.OpensAt = now.Add(time.Minute) })
		f("open", func() { s.sale.Ahead = time.Minute })
		f("closed", func() { s.sale.ClosesAt = now.Add(30 * time.Second) })
	})
}

func TestWhatIsAvailableIsNotGuessed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		metrics := newMetrics()
		site := openShelf(t, s, metrics)
		f := func(when string, change func(), status int, want string) {
			t.Helper()
			s.do(change)
			time.Sleep(told)
			answer, body := site.call(t, "GET", "/sales/race")
			if h := answer.Header; answer.StatusCode != status || !strings.Contains(body, want) ||
				h.Get("Cache-Control") != "public, max-age=1" || status != 200 && h.Get("ETag") != "" {
				t.Errorf("%s: %s %s, want %d with %s", when, answer.Status, body, status, want)
			}
		}
		open := s.sale
		f("the clock is in doubt", func() { s.sale.Doubt = &gate.ClockError{} }, 503, `"unavailable"`)
		f("the clock is right", func() { s.sale.Doubt = nil }, 200, `"open"`)
		f("Redis is away", func() { s.err = io.ErrUnexpectedEOF }, 200, `"open"`)
		time.Sleep(7 * time.Second)
		f("Redis is away for nine seconds", func() {}, 200, `"open"`)
		time.Sleep(time.Second)
		f("Redis is away for longer", func() {}, 503, `"unavailable"`)
		f("Redis is back", func() { s.err = nil }, 200, `"open"`)
		f("the sale cannot be read", func() { s.err = &gate.UnreadableError{Sale: "race", Err: io.EOF} }, 200, `"open"`)
		time.Sleep(10 * time.Second)
		f("the sale cannot be read for long", func() {}, 503, `"unavailable"`)
		f("the sale is missing", func() { s.err = gate.ErrNoSale }, 503, `"recovering"`)
		f("the sale is there again", func() { s.err = nil }, 200, `"full","available":true`)
		f("the sale is not open yet", func() { s.sale.OpensAt = time.Now().Add(50 * time.Second) }, 200, `"not_open"`)
		f("the sale is not open, and missing", func() { s.err = gate.ErrNoSale }, 503, `"recovering"`)
		f("Redis is away before the sale", func() { s.err = nil }, 200, `"not_open"`)
		s.do(func() { s.err = io.ErrUnexpectedEOF })
		time.Sleep(30 * time.Second)
		f("Redis is away before the sale, for long", func() {}, 200, `"not_open"`)
		time.Sleep(20 * time.Second)
		f("Redis is away as the sale opens", func() {}, 503, `"unavailable"`)
		f("the sale is over", func() { s.err, s.sale.ClosesAt = nil, time.Now() }, 200, `"closed"`)
		f("the sale is over, and missing", func() { s.err = gate.ErrNoSale }, 200, `"full","available":false`)
		f("the sale is over, and missing", func() {}, 200, `"closed"`)
		f("the sale is deleted", func() { s.err, s.sale.Deleted = nil, time.Now() }, 404, `"unknown_sale"`)
		f("the sale is made anew", func() { s.sale = open }, 200, `"open"`)
		for _, path := range []string{"/sales/", "/sales/none", "/sales/race/", "/sales/race/x", "/sales/rac%65"} {
			answer, body := site.call(t, "GET", path)
			if answer.StatusCode != 404 || !strings.Contains(body, `"unknown_sale"`) {
				t.Errorf("%s: %s %s", path, answer.Status, body)
			}
		}
		site.public.Drain()
		f("the gate drains", func() {}, 200, `"open"`)
		for status, want := range map[string]float64{"503": 6, "404": 0, "304": 0} {
			if n := testutil.ToFloat64(metrics.looks.WithLabelValues("race", status)); n != want {
				t.Errorf("%v answers are counted as %s, want %v", n, status, want)
			}
		}
		if n := testutil.ToFloat64(metrics.looks.WithLabelValues("", "404")); n != 6 {
			t.Errorf("%v answers are counted as 404, want 6", n)
		}
	})
}

func TestAGateThatIsNotReadyKnowsOfNoSale(t *testing.T) {
	t.Parallel()
	answers, err := portone.NewAnswers("en")
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	g := lane.New(lane.Deps{
		Store: &store{}, Metrics: lane.NewMetrics(prometheus.NewRegistry()), Now: time.Now, Log: quiet,
	}, lane.Options{})
	p := NewPublic(PublicDeps{Gate: g, Answers: answers, Metrics: newMetrics(), Log: quiet}, PublicOptions{})
	var ctx fasthttp.RequestCtx
	p.availability(&ctx, []byte("race"))
	if got := ctx.Response.StatusCode(); got != 503 || !strings.Contains(string(ctx.Response.Body()), `"unavailable"`) {
		t.Errorf("%d %s, want 503 unavailable", got, ctx.Response.Body())
	}
}

func TestOnlyLooksAreTaken(t *testing.T) {
	t.Parallel()
	site := start(t, &store{decide: always(gate.Held)}, nil, newMetrics())
	_, body := site.call(t, "GET", "/sales/race")
	answer, none := site.call(t, "HEAD", "/sales/race")
	if answer.StatusCode != 200 || none != "" || answer.ContentLength < int64(len(body))-8 ||
		answer.Header.Get("ETag") == "" {
		t.Errorf("HEAD: %s, %d bytes of %d, %v", answer.Status, len(none), answer.ContentLength, answer.Header)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		answer, _ := site.call(t, method, "/sales/race")
		if answer.StatusCode != 405 || answer.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: %s, Allow %q", method, answer.Status, answer.Header.Get("Allow"))
		}
	}
	if answer, _ := site.call(t, "OPTIONS", "/sales/race"); answer.StatusCode != 204 ||
		answer.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("OPTIONS: %s, Allow %q", answer.Status, answer.Header.Get("Allow"))
	}
}

// Who has the newest body gets no other, from any gate. But pages count down by the time in it.
func TestABodyThatIsAsGoodIsNotSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		site := openShelf(t, s, newMetrics())
		tag := func() string {
			t.Helper()
			answer, _ := site.call(t, "GET", "/sales/race")
			return answer.Header.Get("ETag")
		}
		f := func(when, sent string, same bool) {
			t.Helper()
			answer, body := site.call(t, "GET", "/sales/race", "If-None-Match", sent)
			kept := answer.Header.Get("ETag")
			if (answer.StatusCode == 304) != same || (body == "") != same || kept == "" ||
				answer.Header.Get("Cache-Control") != "public, max-age=1" ||
				same && !strings.Contains(sent, kept) && sent != "*" {
				t.Errorf("%s: %s %s %v", when, answer.Status, body, answer.Header)
			}
		}
		first := tag()
		strong := strings.TrimPrefix(first, "W/")
		f("the newest", first, true)
		f("any", "*", true)
		f("one of several", `"a", W/"b-1" ,`+first, true)
		f("without the mark of a weak one", strong, true)
		f("another", `W/"0000000000000000-1"`, false)
		f("without its time", strings.TrimRight(first, `0123456789"`)+`"`, false)
		f("of a time to come", strings.TrimRight(first, `0123456789"`)+`9999999999"`, false)
		f("nonsense", `W/"`+strings.Repeat(",", 3000), false)
		time.Sleep(10 * time.Second)
		f("ten seconds old", first, true)
		if tag() == first {
			t.Error("a new time has the same tag")
		}
		time.Sleep(time.Second)
		f("older", first, false)

		before := tag()
		s.units("full", 0)
		time.Sleep(told)
		f("sold out", before, false)
		s.units("full", 1)
		time.Sleep(told)
		f("a unit came back", tag(), true)

		s.do(func() { s.sale.OpensAt = time.Now().Add(time.Hour) })
		time.Sleep(told)
		early := tag()
		f("before the sale", early, true)
		time.Sleep(2 * time.Second)
		f("before the sale, two seconds old", early, false)

		// Another gate's time may be a moment later.
		ahead := tag()
		s.do(func() { s.sale.Ahead = -time.Second })
		time.Sleep(told)
		f("of a gate whose second is the next", ahead, true)
	})
}

// Tens of thousands of browsers may ask: the sale is looked at for all of them.
func TestAllWhoAskInAMomentGetOneAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		site := openShelf(t, s, newMetrics())
		times := map[time.Time]bool{}
		for range 1000 {
			_, body := site.call(t, "GET", "/sales/race")
			var a gate.Availability
			if err := json.Unmarshal([]byte(body), &a); err != nil {
				t.Fatal(err)
			}
			times[a.Now] = true
			if age := time.Since(a.Now); age < 0 || age >= shownFor {
				t.Errorf("an answer is %v old", age)
			}
			time.Sleep(time.Millisecond)
		}
		if len(times) != 5 {
			t.Errorf("the sale was looked at %d times in a second", len(times))
		}
	})
}

// The test is not parallel, for others would allocate.
func TestALookCostsNoMemory(t *testing.T) {
	origins, err := ParseOrigins([]string{"https://shop.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	public := serve(t, &store{decide: always(gate.Held), origins: origins}, nil, newMetrics(),
		fasthttputil.NewInmemoryListener())
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.Set("Origin", "https://shop.example.com")
	ctx.Request.Header.Set("If-None-Match", `"a", "b"`)
	sale := []byte("race")
	look := func() {
		ctx.Response.Reset()
		public.availability(&ctx, sale)
	}
	for range 100 {
		look()
	}
	if n := testing.AllocsPerRun(1000, look); n > 1 {
		t.Errorf("%v allocations for each", n)
	}
	if ctx.Response.StatusCode() != 200 {
		t.Errorf("status %d", ctx.Response.StatusCode())
	}
}

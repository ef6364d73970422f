package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

func TestPrintedCurlLineWorksWhenPasted(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	for _, listen := range []string{"127.0.0.1:0", ":0", "127.0.0.2:0"} {
		gate := startGate(t, "--listen", listen)
		var line string
		for printed := range strings.Lines(gate.stdout.String()) {
			if strings.HasPrefix(strings.TrimSpace(printed), "curl ") {
				line = printed
			}
		}
		for range 2 {
			said, err := exec.Command("sh", "-c", line).Output()
			if err != nil || !strings.HasPrefix(string(said), "HTTP/1.1 200 OK\r\n") ||
				!strings.HasSuffix(string(said), `{"code":"held"}`) {
				t.Errorf("--listen %s: %q said %q, %v", listen, line, said, err)
			}
		}
		embedded, ok := gate.logged("the store is embedded, in memory: for a look and for tests, not for a sale. All " +
			"of it is gone when this program ends")
		if !ok {
			t.Fatal("the log does not say that the store is in memory")
		}
		redis := strings.TrimPrefix(fmt.Sprint(embedded["other commands reach it with"]), "--redis ")
		if report := readStatus(t, redis, "demo"); report.Orders.Held != 1 || report.SKUs[0].Left != 99 {
			t.Errorf("after the line was run twice the sale is %+v", report)
		}
		gate.stop(t)
	}
}

// The fixtures are one order, told in each way that PortOne has.
func TestEachConfirmOfPortOneIsHeldOnce(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	sale := strings.Replace(openSale("race", 10), "hold:", "amount_optional: true, hold:", 1) // older calls have none
	gate := serveSale(t, redis.URL(), sale)
	fixtures, err := filepath.Glob("../portone/testdata/*confirm*")
	if err != nil || len(fixtures) < 5 {
		t.Fatalf("fixtures %q, %v", fixtures, err)
	}
	caller := newCaller(t)
	for _, fixture := range append(fixtures, fixtures...) {
		body, err := os.ReadFile(fixture)
		if err != nil {
			t.Fatal(err)
		}
		contentType := "application/json"
		if filepath.Ext(fixture) == ".form" {
			contentType = "application/x-www-form-urlencoded"
		}
		a := caller.post(gate.listen, "/confirm/race?items=unit&buyer=ann", contentType,
			strings.TrimSpace(string(body)))
		if a.status != http.StatusOK || a.code != "held" {
			t.Errorf("%s: %+v", fixture, a)
		}
	}
	report := readStatus(t, redis.URL(), "race")
	if report.SKUs[0].Held != 1 || report.SKUs[0].Left != 9 || report.Orders.Held != 1 {
		t.Errorf("the sale is %+v, want one unit held by one order", report)
	}
}

const everySale = `
sales:
  - {name: open, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, per_buyer: 3,
     messages: {sold_out: "다 팔렸습니다 <꼭>"}, skus: [{name: unit, stock: 5, price: 1000}, {name: gone, stock: 0}]}
  - {name: later, opens_at: 2100-01-01T00:00:00Z, closes_at: 2100-01-02T00:00:00Z, skus: [{name: unit, stock: 5}]}
  - {name: over, opens_at: 2020-01-01T00:00:00Z, closes_at: 2020-01-02T00:00:00Z, skus: [{name: unit, stock: 5}]}
  - {name: halted, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, skus: [{name: unit, stock: 5}]}
`

func TestEveryAnswerHasItsStatusAndCode(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), everySale)
	command(t, "pause", "--redis", redis.URL(), "halted")
	gate := startGate(t, "--redis", redis.URL(), "--allow-unsigned")
	caller := newCaller(t)
	const anything = `{"imp_uid":"i","merchant_uid":"o","amount":1000}`
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"open?items=unit&buyer=ann", v1("o1", "i1"), 200, "held"},
		{"open?items=unit&buyer=ann", v1("o1", "i1"), 200, "held"},
		{"open?items=unit:1&buyer=ann&color=red", v1("o1", "i2"), 200, "held"},
		{"open?items=unit&buyer=ben", v1("o1", "i1"), 409, "order_changed"},
		{"open?items=gone&buyer=ann", v1("o2", "i1"), 409, "sold_out"},
		{"open?items=unit:2&buyer=ann", v1("o1", "i1"), 409, "amount_mismatch"},
		{"open?items=unit,gone:3&buyer=ann", v1("o3", "i1"), 409, "buyer_limit"},
		{"open?items=unit", anything, 400, "bad_request"},
		{"open?items=unit:0&buyer=ann", anything, 400, "bad_request"},
		{"open?items=unit&items=unit&buyer=ann", anything, 400, "bad_request"},
		{"open?buyer=ann", anything, 400, "bad_request"},
		{"open?items=unit&buyer=%07", anything, 400, "bad_request"},
		{"open?items=unit&buyer=ann", `{"imp_uid":"i"}`, 400, "bad_request"},
		{"open?items=unit&buyer=ann", `{"imp_uid":"i","merchant_uid":"o","amount":10.5}`, 400, "bad_request"},
		{"open?items=unit&buyer=ann", `imp_uid=i`, 400, "bad_request"},
		{"open?items=unit&buyer=ann", ``, 400, "bad_request"},
		{"open?items=unit&buyer=ann", strings.Repeat(" ", 16<<10) + anything, 413, "too_large"},
		{"open?items=lamp&buyer=ann", anything, 404, "unknown_sku"},
		{"later?items=unit", anything, 403, "not_open"},
		{"over?items=unit", anything, 403, "closed"},
		{"halted?items=unit", anything, 403, "paused"},
		{"nowhere?items=unit", anything, 404, "unknown_sale"},
		{"?items=unit", anything, 404, "unknown_sale"},
	} {
		a := caller.post(gate.listen, "/confirm/"+c.path, "application/json", c.body)
		if a.status != c.status || a.code != c.code {
			t.Errorf("%s with %.60s: %d %s (%v), want %d %s", c.path, c.body, a.status, a.code, a.err, c.status, c.code)
		}
	}
	for attempt := range 7 {
		a := caller.post(gate.listen, "/confirm/open?items=unit&buyer=ann", "application/json",
			v1("o1", fmt.Sprint("more", attempt)))
		if want := map[bool]string{true: "held", false: "attempt_limit"}[attempt < 6]; a.code != want {
			t.Errorf("attempt %d: %d %s, want %s", attempt+3, a.status, a.code, want)
		}
	}
}

// PortOne V1 shows reason to the buyer, V2 errorMessage.
func TestRefusalIsASentenceForTheBuyer(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{
		"ko": "판매 정보를 찾을 수 없습니다. 판매자에게 문의해 주세요.",
		"en": "This sale cannot be found. Please contact the shop.",
	} {
		gate := startGate(t, "--redis", "embedded", "--language", language, "--sales", testkit.SaleFile(t, everySale))
		header, body := postRaw(t, gate, "/confirm/nowhere")
		if want := fmt.Sprintf(`{"code":"unknown_sale","reason":%[1]q,"errorMessage":%[1]q}`, want); body != want {
			t.Errorf("%s: the body is %s, want %s", language, body, want)
		}
		if got := header.Get("Content-Type"); got != "application/json; charset=utf-8" {
			t.Errorf("%s: Content-Type is %q", language, got)
		}
		_, body = postRaw(t, gate, "/confirm/open?items=gone&buyer=a")
		var said map[string]string
		if err := json.Unmarshal([]byte(body), &said); err != nil || said["reason"] != "다 팔렸습니다 <꼭>" ||
			strings.Contains(body, "<") {
			t.Errorf("%s: the sale's own sentence is %s, %v", language, body, err)
		}
	}
}

func postRaw(t *testing.T, gate *process, path string) (http.Header, string) {
	t.Helper()
	response, err := http.Post("http://"+gate.listen+path, "application/json", strings.NewReader(v1("o", "i")))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.Header, string(body)
}

func TestOnlyConfirmCallsAndHealthAreAnswered(t *testing.T) {
	t.Parallel()
	gate := startGate(t)
	for _, c := range []struct {
		method, addr, path string
		status             int
	}{
		{"GET", gate.listen, "/confirm/demo?items=ticket", 405},
		{"PUT", gate.listen, "/confirm/demo?items=ticket", 405},
		{"HEAD", gate.listen, "/confirm/demo?items=ticket", 405},
		{"POST", gate.listen, "/", 404},
		{"POST", gate.listen, "/confirm", 404},
		{"GET", gate.listen, "/metrics", 404},
		{"GET", gate.listen, "/healthz", 200},
		{"GET", gate.listen, "/readyz", 200},
		{"GET", gate.admin, "/healthz", 200},
		{"GET", gate.admin, "/readyz", 200},
		{"GET", gate.admin, "/metrics", 200},
		{"POST", gate.admin, "/metrics", 405},
		{"GET", gate.admin, "/", 404},
		{"POST", gate.admin, "/confirm/demo?items=ticket", 404},
	} {
		request, err := http.NewRequest(c.method, "http://"+c.addr+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != c.status {
			t.Errorf("%s %s%s: %d, want %d", c.method, c.addr, c.path, response.StatusCode, c.status)
		}
		if allow := response.Header.Get("Allow"); c.status == 405 && allow == "" {
			t.Errorf("%s %s: 405 without Allow", c.method, c.path)
		}
	}
}

func TestFullQueueIsBusyAndDeadRedisUnavailable(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 1000), "--queue", "1")
	caller := newCaller(t)
	redis.Stop()
	var mu sync.Mutex
	codes := map[string]int{}
	var calls sync.WaitGroup
	for i := range 20 {
		calls.Go(func() {
			a := caller.confirm(gate.listen, "race", fmt.Sprint(i))
			mu.Lock()
			defer mu.Unlock()
			codes[fmt.Sprint(a.status, " ", a.code)]++
		})
	}
	calls.Wait()
	if codes["503 busy"] == 0 || codes["503 unavailable"] == 0 || codes["503 busy"]+codes["503 unavailable"] != 20 {
		t.Errorf("the answers are %v, want some busy and some unavailable", codes)
	}
	if status, _ := gate.get(gate.listen, "/readyz"); status != http.StatusOK {
		t.Errorf("with a Redis in trouble /readyz answers %d: load balancers would drop every gate", status)
	}
	redis.Continue()
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	promtool := redistest.Require(t, "promtool")
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 3), "--no-mirror") // each confirm is in a batch
	caller := newCaller(t)
	before := labelValues(t, gate, "sale")
	for range 10 { // as load balancers look whether the port is open
		conn, err := net.Dial("tcp", gate.listen)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		caller.confirm(gate.listen, "race", fmt.Sprint("order-", i))
	}
	for i := range 7 {
		caller.confirm(gate.listen, fmt.Sprint("made-up-", i), "order")
	}
	caller.post(gate.listen, "/confirm/race?items=lamp", "application/json", v1("o", "i"))
	caller.post(gate.listen, "/confirm/race", "text/plain", "")
	caller.post(gate.listen, "/confirm/race?items=unit", "application/json", strings.Repeat(" ", 17<<10))

	for series, want := range map[string]string{
		`flashgate_confirms_total{outcome="held",sale="race"}`:        "3",
		`flashgate_confirms_total{outcome="sold_out",sale="race"}`:    "2",
		`flashgate_confirms_total{outcome="unknown_sku",sale="race"}`: "1",
		`flashgate_confirms_total{outcome="bad_request",sale="race"}`: "1",
		`flashgate_confirms_total{outcome="unavailable",sale="race"}`: "0",
		`flashgate_confirms_total{outcome="unknown_sale",sale=""}`:    "7",
		`flashgate_confirms_total{outcome="too_large",sale=""}`:       "1",
		`flashgate_confirms_total{outcome="bad_request",sale=""}`:     "0",
		`flashgate_confirm_duration_seconds_count{sale="race"}`:       "7",
		`flashgate_batch_size_sum{sale="race"}`:                       "5",
		`flashgate_queue_depth{sale="race"}`:                          "0",
		`flashgate_panics_total`:                                      "0",
	} {
		if got := metric(t, gate, series); got != want {
			t.Errorf("%s is %q, want %s", series, got, want)
		}
	}
	await(t, "the units to be shown", func() error {
		for series, want := range map[string]string{
			`flashgate_units{sale="race",sku="unit",state="total"}`: "3",
			`flashgate_units{sale="race",sku="unit",state="left"}`:  "0",
			`flashgate_units{sale="race",sku="unit",state="held"}`:  "3",
			`flashgate_orders{sale="race",state="held"}`:            "3",
		} {
			if got := metric(t, gate, series); got != want {
				return fmt.Errorf("%s is %q, not %s", series, got, want)
			}
		}
		return nil
	})
	if after := labelValues(t, gate, "sale"); !slices.Equal(before, []string{"", "race"}) ||
		!slices.Equal(after, before) {
		t.Errorf("the label sale had the values %q and has %q after calls for sales that do not exist", before, after)
	}
	for _, name := range []string{
		"flashgate_script_duration_seconds_count", "flashgate_clock_offset_seconds", "flashgate_redis_pool_connections",
		"flashgate_build_info", "go_goroutines", "process_cpu_seconds_total",
	} {
		if _, text := gate.get(gate.admin, "/metrics"); !strings.Contains(text, "\n"+name) {
			t.Errorf("there is no %s", name)
		}
	}

	_, text := gate.get(gate.admin, "/metrics")
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if said, err := check.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, said)
	}

	command(t, "delete", "--drop-held", "--redis", redis.URL(), "race")
	await(t, "the gate to forget the sale", func() error {
		if _, deleted := gate.logged("a sale was deleted"); !deleted {
			return errors.New("it knows it")
		}
		return nil
	})
	if a := caller.confirm(gate.listen, "race", "order-1"); a.status != 404 || a.code != "unknown_sale" {
		t.Errorf("of a deleted sale: %+v", a)
	}
	if got := metric(t, gate, `flashgate_units{sale="race",sku="unit",state="left"}`); got != "" {
		t.Errorf("a deleted sale shows %s units", got)
	}
}

// metric returns the value of a series at a gate, empty where there is none.
func metric(t testing.TB, gate *process, series string) string {
	t.Helper()
	_, text := gate.get(gate.admin, "/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// labelValues returns the values that a label has over all series, sorted.
func labelValues(t testing.TB, gate *process, label string) []string {
	t.Helper()
	_, text := gate.get(gate.admin, "/metrics")
	var values []string
	for line := range strings.Lines(text) {
		if _, rest, ok := strings.Cut(line, label+`="`); ok && !strings.HasPrefix(line, "#") {
			value, _, _ := strings.Cut(rest, `"`)
			values = append(values, value)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// atLeast returns nil when a series of a gate's metrics has come to n.
func atLeast(t testing.TB, gate *process, series string, n float64) error {
	t.Helper()
	if value, err := strconv.ParseFloat(metric(t, gate, series), 64); err != nil || value < n {
		return fmt.Errorf("%s is %v, %v", series, value, err)
	}
	return nil
}

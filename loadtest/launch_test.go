package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/launch"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

func TestARehearsalOfAGatePasses(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	gate := startGate(t, "--redis", "embedded", "--sales", testkit.SaleFile(t, rehearsedSale),
		"--signing-key", rehearsalKey, "--webhook-secret", secret)
	dir := t.TempDir()
	page, report := filepath.Join(dir, "report.html"), filepath.Join(dir, "report.json")
	f := func(args ...string) launch.Report {
		t.Helper()
		status, out, errOut := rehearse(t, append([]string{
			"--target", "http://" + gate.listen, "--admin", "http://" + gate.admin, "--sale", "race",
			"--signing-key", rehearsalKey,
			"--webhook-secret", secret, "--bodies", "v1,v1-form,v2-2024-01-01,v2-2024-04-25", "--json", report,
			"--html", page,
			"--within", "10s", "--timeout", "30s",
		}, args...)...)
		if status != 0 || !strings.Contains(out, "\nPASS") {
			t.Fatalf("status %d\n%s%s", status, out, errOut)
		}
		var r launch.Report
		text, err := os.ReadFile(report)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := f("--rate", "300", "--demand", "200", "--buyers", "100", "--carts", "0.3", "--duplicates", "0.5",
		"--hostile", "0.2")
	for _, code := range []string{"held", "bad_request", "unknown_sale", "unknown_sku", "bad_signature"} {
		if r.Codes[code] == 0 {
			t.Errorf("there is no answer %s in %v", code, r.Codes)
		}
	}
	if left := r.Left; len(left) < 2 || left[0].Left != 100 || left[len(left)-1].Left != 100-r.Sold.Units ||
		r.Sold.Units == 0 {
		t.Errorf("of %+v these were left: %v", r.Sold, left)
	}
	if r.Orders != 200 || !r.Pass || !r.Audited || !r.Signed {
		t.Errorf("the report is %+v", r)
	}
	r = f("--rate", "100", "--duration", "1s", "--shape", "steady", "--new-connections", "--items", "full:3,half")
	if r.Requests != 100 || !r.New || r.Codes["sold_out"] == 0 {
		t.Errorf("the report is %+v", r)
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("PASS")) {
		t.Errorf("the page is %s, %v", text, err)
	}
}

func TestARehearsalHasItsPeakWhenTheSaleOpens(t *testing.T) {
	t.Parallel()
	gate := startGate(t, "--redis", "embedded", "--sales", testkit.SaleFile(t, rehearsedSale))
	opens := time.Now().Add(4 * time.Second).Truncate(time.Millisecond)
	sale := fmt.Sprintf(
		`{"name": "late", "opens_at": %q, "closes_at": "2100-01-01T00:00:00Z", "hold": "1h", "skus": [{"name": "unit", "stock": 50}]}`, opens.Format(time.RFC3339Nano))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+gate.admin+"/v1/sales/late",
		strings.NewReader(sale))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	report := filepath.Join(t.TempDir(), "report.json")
	status, out, errOut := rehearse(t, "--target", "http://"+gate.listen, "--admin", "http://"+gate.admin,
		"--sale", "late",
		"--rate", "200", "--duration", "2s", "--json", report, "--within", "10s")
	var r launch.Report
	text, err := os.ReadFile(report)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if status != 0 || err != nil || r.Codes["not_open"] == 0 || r.Codes["held"] < 50 ||
		!strings.Contains(errOut, "late opens at") {
		t.Fatalf("status %d, %v\n%s%s", status, err, out, errOut)
	}
	if early := opens.Sub(r.Began); early < 0 || early > 500*time.Millisecond {
		t.Errorf("the first request went out %s before the sale opened, want a quarter of the run", early)
	}
}

func TestARehearsalOfAGateThatOversellsFails(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /confirm/race",
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"code":"held"}`) })
	mux.HandleFunc("GET /v1/sales/race", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer the-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"run": 1, "skus": [{"sku": "unit", "total": 5, "left": 0, "held": 5}], "orders": {"held": 5},
			"settings": {"opens_at": "2020-01-01T00:00:00Z", "closes_at": "2100-01-01T00:00:00Z", "skus": [{"name": "unit", "stock": 5}]}}`)
	})
	mux.HandleFunc("GET /v1/sales/race/orders/{order}", http.NotFound)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	args := []string{"--target", server.URL, "--sale", "race", "--admin", server.URL, "--rate", "100", "--demand", "20"}

	status, out, errOut := rehearse(t, append(args, "--admin-token", "ops:the-token,other:x")...)
	if status != 1 || !strings.HasPrefix(out, "20 of 5 sold, 15 oversold\n") || !strings.HasSuffix(out, "\nFAIL\n") ||
		!strings.Contains(out, "200 was told for 20 units of 5") || !strings.Contains(errOut, "the rehearsal failed") {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	status, _, errOut = rehearse(t, args...)
	if status != 1 || !strings.Contains(errOut, "token") {
		t.Errorf("without the token: status %d, %s", status, errOut)
	}
}

func TestARehearsalThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	f := func(status int, want string, args ...string) {
		t.Helper()
		got, _, errOut := rehearse(t, args...)
		if got != status || !strings.Contains(errOut, want) {
			t.Errorf("%q: status %d, %s; want %d, %s", args, got, errOut, status, want)
		}
	}
	target := []string{"--target", "http://127.0.0.1:1", "--sale", "race"}
	f(2, "--target", "--sale", "race")
	f(2, "--tolerate", append(target, "--tolerate", "2")...)
	f(2, "--max-in-flight", append(target, "--max-in-flight", "0")...)
	f(2, "--shape", append(target, "--shape", "square")...)
	f(2, "--bodies", append(target, "--bodies", "v3")...)
	f(1, "nothing to buy: give --items, such as --items full, or --admin", target...)
	f(1, "whole number", append(target, "--items", "a:many")...)
	f(1, "not both", append(target, "--items", "a", "--duration", "1s", "--demand", "1")...)
	f(1, "admin API", append(target, "--admin", "http://127.0.0.1:1")...)
	f(1, "base64", append(target, "--items", "a", "--signing-key", "k1:?")...)
	if status, _, errOut := try(t, "targets", target...); status != 1 || !strings.Contains(errOut, "nothing to buy") {
		t.Errorf("targets: status %d, %s", status, errOut)
	}
}

// The targets are for vegeta's own command, so that is what reads them here.
func TestVegetaTakesTheTargets(t *testing.T) {
	t.Parallel()
	vegeta := filepath.Join(t.TempDir(), "vegeta")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", vegeta,
		"github.com/tsenart/vegeta/v12").CombinedOutput(); err != nil {
		t.Fatalf("building vegeta: %v\n%s", err, said)
	}
	gate := startGate(t, "--redis", "embedded", "--sales", testkit.SaleFile(t, rehearsedSale),
		"--signing-key", rehearsalKey)
	status, targets, errOut := try(t, "targets", "--target", "http://"+gate.listen, "--admin", "http://"+gate.admin,
		"--sale", "race", "--signing-key", rehearsalKey, "--demand", "100", "--duplicates", "0")
	if lines := strings.Count(targets, "\n"); status != 0 || lines != 100 {
		t.Fatalf("status %d, %d lines for 100 orders\n%s", status, lines, errOut)
	}
	pipe := func(in []byte, args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), vegeta, args...)
		var stderr bytes.Buffer
		cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("vegeta %q: %v\n%s", args, err, &stderr)
		}
		return out
	}
	results := pipe([]byte(targets), "attack", "-format=json", "-rate=50", "-duration=1s", "-lazy")
	var report struct {
		Requests    int
		StatusCodes map[string]int `json:"status_codes"`
	}
	if err := json.Unmarshal(pipe(results, "report", "-type=json"), &report); err != nil {
		t.Fatal(err)
	}
	if report.Requests < 10 || report.StatusCodes["200"] == 0 ||
		report.StatusCodes["200"]+report.StatusCodes["409"] != report.Requests {
		t.Errorf("vegeta reports %+v", report)
	}
	if page := pipe(results, "plot"); !bytes.Contains(page, []byte("<html")) {
		t.Errorf("vegeta plots %.200s", page)
	}
}

// The rehearsal goes on to pay at a simulated PortOne, a third of the cards are
// declined, and the gate on a real Redis learns all of it.
func TestARehearsalPaysAndWaitsUntilAllIsSettled(t *testing.T) {
	t.Parallel()
	sim, redis := simtest.Start(t, portonesim.Plan{Declines: 0.3}), redistest.Start(t)
	applySale(t, redis.URL(), rehearsedSale)
	gate := startGate(t, append(sim.Settling(), "--redis", redis.URL(), "--signing-key", rehearsalKey)...)
	status, out, errOut := rehearse(t, "--target", "http://"+gate.listen, "--admin", "http://"+gate.admin,
		"--sale", "race",
		"--signing-key", rehearsalKey, "--webhook-secret", simtest.HookSecret, "--bodies",
		"v1,v1-form,v2-2024-01-01,v2-2024-04-25",
		"--rate", "200", "--demand", "300", "--pay", sim.URL, "--within", "10s", "--timeout", "30s")
	if status != 0 || !strings.Contains(out, "settled     0 orders are still held") ||
		!strings.Contains(out, "0 differ from what PortOne was paid") {
		t.Fatalf("status %d\n%s%s", status, out, errOut)
	}
	r := readStatus(t, redis.URL(), "race")
	if first, _, _ := strings.Cut(out, "\n"); !strings.Contains(first, "of 100 sold, 0 oversold, ") ||
		!strings.Contains(first, " declined units ") {
		t.Errorf("it begins with %q", first)
	}
	if r.Orders.Paid == 0 || r.Orders.Released == 0 || r.Orders.Held != 0 {
		t.Errorf("the sale has %+v", r.Orders)
	}
}

// What a rehearsal needs is looked at before it takes a unit.
func TestARehearsalThatCannotGoOnTakesNothing(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), rehearsedSale)
	gate := startGate(t, "--redis", redis.URL(), "--signing-key", rehearsalKey)
	f := func(want string, args ...string) {
		t.Helper()
		status, _, errOut := rehearse(t,
			append([]string{
				"--target", "http://" + gate.listen, "--admin", "http://" + gate.admin, "--signing-key",
				rehearsalKey,
			}, args...)...)
		if status != 1 || !strings.Contains(errOut, want) {
			t.Errorf("%q: status %d, %s; want %s", args, status, errOut, want)
		}
	}
	f("the gate has no such sale; flashgate apply creates one", "--sale", "rase")
	f("--pay http://127.0.0.1:1: is flashgate-loadtest portone-sim running there? Nothing was sent", "--sale", "race",
		"--pay", "http://127.0.0.1:1")
	f("--shop http://127.0.0.1:1: nothing was sent: sale race asks no shop: give it ask: http://127.0.0.1:1/ask",
		"--sale", "race", "--shop", "http://127.0.0.1:1")
	applySale(t, redis.URL(),
		strings.Replace(rehearsedSale, "per_buyer: 3,", "per_buyer: 3, ask: 'http://127.0.0.1:1/ask',", 1))
	f("is flashgate-loadtest portone-sim --shop listening there?", "--sale", "race", "--shop", "http://127.0.0.1:1")
	if r := readStatus(t, redis.URL(), "race"); r.Orders.Held != 0 || r.Orders.Asking != 0 {
		t.Errorf("the sale has %+v", r.Orders)
	}
	f("--items fulll: sale race has no such SKU: did you mean full or half?", "--sale", "race", "--items", "half,fulll")
	command(t, "delete", "--redis", redis.URL(), "race")
	f("it was deleted, in run 1", "--sale", "race")
}

// Without the admin API the gate itself is asked whether there is what is to be
// bought, before anything is sent, and by what takes nothing.
func TestARehearsalOfWhatThereIsNotSendsNothing(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), rehearsedSale)
	// of which any amount would pass
	applySale(t, redis.URL(),
		`sales: [{name: free, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, hold: 1h, skus: [{name: unit, stock: 10}]}]`)
	parsed, err := gate.ParseKeys(rehearsalKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range []*gate.Keys{parsed, nil} {
		serve, send := []string{"--allow-unsigned"}, []string(nil)
		if keys != nil {
			serve = []string{"--signing-key", rehearsalKey}
			send = serve
		}
		p := startGate(t, append([]string{"--redis", redis.URL()}, serve...)...)
		target := "http://" + p.listen
		f := func(want, sale, items, body string) {
			t.Helper()
			status, out, errOut := rehearse(t, append([]string{
				"--target", target, "--sale", sale, "--items", items, "--bodies", body, "--demand", "50",
				"--rate", "1000",
			}, send...)...)
			if status != 1 || !strings.Contains(errOut, want) || out != "" {
				t.Errorf("%q: %s of %s: status %d, %q, %s; want %s", serve, items, sale, status, out, errOut, want)
			}
		}
		f("nothing was sent: the gate at "+target+" has no sale rase", "rase", "full", "v1")
		f("sale race has no SKU fulll; flashgate status race lists", "race", "half,fulll", "v1")
		f("sale race has no SKU fulll; flashgate status race lists", "race", "half,fulll:2", "v2-2024-04-25")

		for sale, sku := range map[string]string{"race": "half", "free": "unit"} {
			plan, err := launch.NewPlan(keys, launch.Options{
				Targets: []string{target}, Sale: sale, Items: []launch.Item{{SKU: sku, Weight: 1, Price: 1}},
				Shape: "steady", Rate: 10, Demand: 5, Bodies: launch.Bodies(),
				Expires: time.Hour, Prefix: "P",
			})
			if err != nil {
				t.Fatal(err)
			}
			err = (&launch.Run{
				Plan: plan, Timeout: 10 * time.Second,
				MaxWorkers: 1,
			}).Probe(t.Context())
			if err != nil {
				t.Errorf("%q: of what there is: %v", serve, err)
			}
			if r := readStatus(t, redis.URL(), sale); r.Seq != 1 {
				t.Errorf("%q: the ledger of %s has entry %d", serve, sale, r.Seq)
			}
		}
		if text := metrics(t, p); !strings.Contains(text,
			`flashgate_confirms_total{outcome="amount_mismatch",sale="race"} `) {
			t.Errorf("%q: no probe came as far as the amount", serve)
		}
	}
}

func TestARehearsalGoesOverTLS(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	pair, err := tls.LoadX509KeyPair(authority.ServerCert, authority.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	gate := startGate(t, "--redis", "embedded", "--sales", testkit.SaleFile(t, rehearsedSale))
	server := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{
		Scheme: "http",
		Host:   gate.listen,
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	args := []string{
		"--target", server.URL, "--admin", "http://" + gate.admin, "--sale", "race", "--rate", "100",
		"--demand", "20", "--within", "10s",
	}
	if status, out, errOut := rehearse(t, append(args, "--ca", authority.CA)...); status != 0 {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	if status, out, _ := rehearse(t, args...); status != 1 || !strings.Contains(out, "certificate") {
		t.Errorf("a stranger's certificate: status %d\n%s", status, out)
	}
	if status, _, errOut := rehearse(t, append(args, "--ca", authority.Key)...); status != 1 ||
		!strings.Contains(errOut, "no certificate in it") {
		t.Errorf("no certificate: status %d, %s", status, errOut)
	}
}

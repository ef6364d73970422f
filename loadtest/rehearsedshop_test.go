package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/launch"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/simtest"
	"github.com/flashgate/flashgate/loadtest/standin"
)

// openStandIn stands in for the shop, and returns its URL.
func openStandIn(t *testing.T, plan standin.Plan) (*standin.Shop, string) {
	t.Helper()
	s := standin.New(time.Now, standin.Options{Secret: notifySecret, Seed: 1, Plan: plan})
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return s, server.URL
}

// A fifth of the orders hears a no, a tenth nothing. Each 200 has its yes, each unit
// that was not sold is on sale again, and all counts agree. It runs alone: beside others
// a busy machine cannot send the orders in time.
func TestALaunchWithLastWordsPasses(t *testing.T) {
	const stock, orders = 800, 2000
	sim, redis := simtest.Start(t, portonesim.Plan{Declines: 0.1}), redistest.Start(t)
	words, url := openStandIn(t, standin.Plan{Refuses: .2, Hangs: .1})
	applySale(t, redis.URL(), testkit.PricedSale(stock, "hold: 10m, ask: "+url+"/ask"))
	flags := append(sim.Settling(), "--redis", redis.URL(), "--signing-key", rehearsalKey,
		"--notify-secret", notifySecret)
	gates := []*process{startGate(t, flags...), startGate(t, flags...)}
	file := filepath.Join(t.TempDir(), "report.json")
	status, out, errOut := rehearse(t, "--target", "http://"+gates[0].listen+",http://"+gates[1].listen, "--admin",
		"http://"+gates[0].admin,
		"--sale", "race", "--signing-key", rehearsalKey, "--shape", "steady", "--rate", "120", "--demand", "2000",
		"--duplicates", "0.2", "--prefix", "ORD", "--pay", sim.URL,
		"--shop", url, "--json", file, "--within", "10s", "--timeout", "30s")
	if status != 0 || !strings.Contains(out, "\nPASS") {
		t.Fatalf("status %d\n%s%s", status, out, errOut)
	}
	r := readReport(t, file)
	passed := map[string]bool{}
	for _, c := range r.Checks {
		passed[c.Name] = c.Result == launch.Passed
	}
	for _, name := range []string{
		"said yes", "said no", "asked once", "records", "units", "holds", "payments",
		"settled", "audit",
	} {
		if !passed[name] {
			t.Errorf("%s was not looked at\n%s", name, out)
		}
	}
	if s := r.Shop; s == nil || s.Words["yes"] < stock/2 || s.Words["no"] < stock/8 || s.Words["hang"] < stock/16 ||
		s.Orders > s.Asks || s.Words["fault"] > 0 {
		t.Errorf("the shop said %+v\n%s", s, out)
	}
	for _, code := range []string{"held", "sold_out", "shop_refused", "shop_unavailable"} {
		if r.Codes[code] == 0 {
			t.Errorf("nobody was told %s: %v", code, r.Codes)
		}
	}
	if report := readStatus(t, redis.URL(), "race"); report.Orders.Asking != 0 || report.Orders.Held != 0 ||
		report.SKUs[0].Paid+report.SKUs[0].Left != stock {
		t.Errorf("the sale has %+v and %+v", report.Orders, report.SKUs)
	}
	if said := command(t, "audit", "--redis", redis.URL(), "race"); !strings.HasPrefix(said, "nothing differs") {
		t.Errorf("the audit says: %s", said)
	}
	for _, ask := range words.Asks(0).Asks {
		if !strings.HasPrefix(ask.Order, "ORD") || ask.Run != 1 || ask.Version != 1 {
			t.Fatalf("the shop was asked %+v", ask)
		}
	}
}

// A shop that is down again and again, and slow in between, costs orders, but no 200
// goes out without a yes. It runs alone, as above.
func TestALaunchWithAShopThatFlapsPasses(t *testing.T) {
	redis := redistest.Start(t)
	_, url := openStandIn(t, standin.Plan{
		Slow: .2, SlowBy: 100 * time.Millisecond, Fails: .1, DownAfter: time.Second, DownFor: 500 * time.Millisecond,
		DownEvery: 1500 * time.Millisecond,
	})
	applySale(t, redis.URL(), testkit.PricedSale(100_000, "hold: 10m, healthy: "+url+"/healthy, ask: "+url+"/ask"))
	gate := startGate(t, "--redis", redis.URL(), "--signing-key", rehearsalKey, "--notify-secret", notifySecret)
	await(t, "the shop to be known as up", func() error {
		if !strings.Contains(metrics(t, gate), `flashgate_shop_up{sale="race"} 1`+"\n") {
			return os.ErrNotExist
		}
		return nil
	})
	file := filepath.Join(t.TempDir(), "report.json")
	status, out, errOut := rehearse(t, "--target", "http://"+gate.listen, "--admin", "http://"+gate.admin, "--sale",
		"race", "--signing-key", rehearsalKey,
		"--rate", "120", "--demand", "1000", "--shape", "steady", "--shop", url, "--json", file, "--within", "10s",
		"--timeout", "30s")
	if status != 0 || !strings.Contains(out, "\nPASS") {
		t.Fatalf("status %d\n%s%s", status, out, errOut)
	}
	r := readReport(t, file)
	if r.Shop.Words["down"] == 0 || r.Shop.Words["slow"] == 0 || r.Shop.Words["fail"] == 0 ||
		r.Codes["shop_unavailable"] == 0 || r.Codes["held"] == 0 {
		t.Errorf("the shop said %+v, and orders were told %v", r.Shop, r.Codes)
	}
}

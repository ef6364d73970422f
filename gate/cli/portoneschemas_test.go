package cli

import (
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/schemas"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

// portoneSchemas is where PortOne's documents are: make schemas.
var portoneSchemas = flag.String("schemas", "",
	"hold a gate's calls against PortOne's documents v1.json and v2.json in this folder")

// A gate settles 500 payments of all kinds, and refunds what is refund due. Each of its
// calls, and each answer that it goes by, is one that PortOne's documents have.
func TestAGateCallsPortOneAsItsSchemasHaveIt(t *testing.T) {
	t.Parallel()
	if *portoneSchemas == "" {
		t.Skip("needs PortOne's documents: make schemas SCHEMAS=DIR")
	}
	const demand, stock = 500, 400
	sim := simtest.Start(t, portonesim.Plan{
		Declines: 0.05, SlowApprovals: 0.05, Lost: 0.05, Never: 0.03, Pending: 0.05, Revived: 0.03, Invented: 0.03,
		SlowCancels: 0.05, RequestedCancels: 0.1, FailedRequests: 0.05, FailedCancels: 0.05, PGErrors: 0.1,
		FinalRefusals: 0.05, FailedRefunds: 0.3,
		PartCancels: 0.05, Disputes: 0.1, Chargebacks: 0.05, VirtualAccounts: 0.2, Deposits: 0.6, NoDueDates: 0.2,
		TaxFree: 0.1, Discounts: 0.1,
		Promotions: 0.1, Decimals: 0.05, TestChannel: 0.1, WrongAmount: 0.05, SwitchedAmount: 0.05, Twice: 0.1,
		TriesAgain: 0.3,
		SlowBy:     300 * time.Millisecond, LateBy: 300 * time.Millisecond, DroppedHooks: 0.3,
	})
	var log schemas.Log
	credentials := append(sim.Credentials(), documented(t, sim, &log)...)
	redis := redistest.Start(t)
	applySale(t, redis.URL(), testkit.PricedSale(stock, "hold: 2s, auto_refund: true, refund_brake: off"))
	server := startGate(t, append([]string{
		"--redis", redis.URL(), "--allow-unsigned", "--webhook-secret", simtest.HookSecret, "--first-look", "500ms",
		"--grace", "2s",
	}, credentials...)...)

	var shopping sync.WaitGroup
	for buyer := range 20 {
		shopping.Go(func() {
			for i := buyer; i < demand; i += 20 {
				sim.Pay(t.Context(), portonesim.Order{
					Body: []string{"v1", "v1-form", "v2-2024-01-01", "v2-2024-04-25"}[i%4], ID: fmt.Sprintf("ORD%06d",
						i), Amount: 1000,
					ConfirmURL: "http://" + server.listen + "/confirm/race?items=unit",
					NoticeURL:  "http://" + server.listen + "/webhook/race",
				})
			}
		})
	}
	shopping.Wait()
	redistest.Await(t, 2*patience, "all but the open accounts to be settled", func() error {
		waiting := int64(0)
		for _, p := range sim.Payments() {
			if p.Account && p.Status == "ready" {
				waiting++
			}
		}
		if r := readStatus(t, redis.URL(), "race"); r.Orders.Held > waiting {
			return fmt.Errorf("%d accounts are open: %+v", waiting, r.Orders)
		}
		return nil
	})
	// What it finds is no matter here: it is made of calls too, and PortOne's side goes on.
	try(t, nil, append([]string{"audit", "--redis", redis.URL(), "race"}, credentials...)...)

	endAccounts(t, sim, credentials[len(credentials)-3], credentials[len(credentials)-1])
	calls, all := log.Calls(), 0
	for _, n := range calls {
		all += n
	}
	t.Logf("%d calls and answers for %d payments were held against PortOne's documents", all, len(sim.Payments()))
	for v, n := range log.Violations() {
		t.Errorf("%s (%d times)", v, n)
	}
	for _, call := range []string{
		"v1 POST /users/getToken ", "v1 GET /payments/{imp_uid} ", "v1 GET /payments/findAll/",
		"v1 POST /payments/cancel ",
		"v2 GET /payments/{paymentId} ", "v2 GET /payments/{paymentId}/transactions ",
		"v2 POST /payments/{paymentId}/cancel ",
		"v1 DELETE /vbanks/{imp_uid} 200", "v2 POST /payments/{paymentId}/virtual-account/close 200",
	} {
		n := 0
		for seen, times := range calls {
			if strings.HasPrefix(seen, call) {
				n += times
			}
		}
		if n == 0 {
			t.Errorf("the gate made no call %s: the documents were not held against it; it made %v", call, calls)
		}
	}
}

// documented returns the flags of a command that reaches the simulator through
// PortOne's documents.
func documented(t *testing.T, sim *simtest.PortOne, log *schemas.Log) []string {
	t.Helper()
	v1, err1 := schemas.V1(*portoneSchemas)
	v2, err2 := schemas.V2(*portoneSchemas)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	first := httptest.NewServer(v1.Between(sim.Handler(), log))
	second := httptest.NewServer(v2.Between(sim.Handler(), log))
	t.Cleanup(func() { first.Close(); second.Close() })
	return []string{"--portone-v1-url", first.URL, "--portone-v2-url", second.URL}
}

// endAccounts closes the accounts that are open, and gives back what was paid into
// others. What comes of it is the plan's: the calls are what matters.
func endAccounts(t *testing.T, sim *simtest.PortOne, v1, v2 string) {
	t.Helper()
	client, err := portone.NewClient(portone.Deps{
		Metrics: portone.NewMetrics(prometheus.NewRegistry()), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}, portone.Options{
		V1:   portone.V1Options{BaseURL: v1, Key: "key", Secret: "secret"},
		V2:   portone.V2Options{BaseURL: v2, Secret: "secret-2", Store: portonesim.StoreID},
		Rate: 500,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range sim.Payments() {
		attempt := gate.Attempt{ID: p.Attempt, Version: gate.Version(p.Version)}
		switch {
		case p.Invented || !p.Account:
		case p.Status == "ready":
			_ = client.CloseAccount(t.Context(), p.Order, attempt)
		case p.Status == "paid":
			_, _ = client.Cancel(t.Context(), portone.CancelRequest{
				Order: p.Order, Attempt: p.Attempt, Version: attempt.Version,
				Balance: p.Amount - p.Cancelled, Reason: "환불",
				Key: "key-of-" + p.Attempt + "-000",
				Account: &gate.BankAccount{
					Bank: map[int]string{1: "004", 2: "KOOKMIN"}[p.Version], Number: "12345678",
					Holder: "홍길동",
				},
			})
		}
	}
}

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/store"
	"github.com/flashgate/flashgate/gate/testkit"
)

// twoGates sell a sale of a few units, from the file that they were started with.
type twoGates struct {
	t      *testing.T
	redis  *redistest.Server
	args   []string // of each
	file   string
	gates  [2]*process
	caller *caller
	asked  int
	held   []answer // all 200s that were ever given
}

// What a Redis has forgotten is not sold again: not by the gates that saw it, not
// by one that is started anew with the file, and not by one without it.
func TestWhatRedisForgotIsNotSoldAgain(t *testing.T) {
	t.Parallel()
	const stock = 12
	f := func(what string, forget func(testing.TB, *redistest.Server)) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g := startTwoGates(t, stock)
			g.buy(stock + 4)
			if counts := tally(g.held); counts["held"] != stock {
				t.Fatalf("%v were sold, want all", counts)
			}

			forget(t, g.redis)
			for range 2 { // the second time, no gate is left that saw the sale
				for _, gate := range g.gates {
					await(t, "the loss to be seen",
						func() error { return answers(g.caller, gate, "race", "another", "recovering") })
				}
				g.buy(stock)
				g.restart(0)
				g.buy(stock)
				g.restart(1, "without the file")
				g.buy(stock)
				if counts := tally(g.held); counts["held"] != stock {
					t.Fatalf("of %d units %v were sold", stock, counts)
				}
				g.sayWhatToDo()
				forget(t, g.redis)
			}

			// Three are known to be left: both gates sell them, and no more.
			left := testkit.SaleFile(t, openSale("race", 3))
			if status, said := refused(t, "apply", "--redis", g.redis.URL(), "-f", left); status != 1 ||
				!strings.Contains(said, gate.NeverSold) {
				t.Errorf("without a word: status %d, %s", status, said)
			}
			command(t, "apply", "--open-now", "--redis", g.redis.URL(), "-f", left)
			applied := time.Now()
			for i, gate := range g.gates {
				await(t, "the sale to be sold again",
					func() error { return sells(g.caller, gate, "race", fmt.Sprint("last-", i)) })
			}
			t.Logf("both gates sold %v after it was applied", time.Since(applied))
			g.held = nil
			g.buy(stock)
			if counts := tally(g.held); counts["held"] != 1 {
				t.Errorf("of 1 unit %v were sold", counts)
			}
			for _, gate := range g.gates {
				if m := metric(t, gate, `flashgate_sale_missing{sale="race"}`); m != "0" {
					t.Errorf("flashgate_sale_missing is %s", m)
				}
			}
		})
	}
	f("FLUSHALL", func(t testing.TB, redis *redistest.Server) { redis.Do(t, "FLUSHALL") })
	f("a restart without persistence", func(_ testing.TB, redis *redistest.Server) { redis.Restart() })
}

func startTwoGates(t *testing.T, stock int) *twoGates {
	g := &twoGates{t: t, redis: redistest.Start(t), caller: newCaller(t)}
	g.file = testkit.SaleFile(t, openSale("race", stock))
	g.args = []string{"--redis", g.redis.URL(), "--allow-unsigned"}
	command(t, "apply", "--open-now", "--redis", g.redis.URL(), "-f", g.file)
	for i := range g.gates {
		g.gates[i] = startGate(t, append(g.args, "--sales", g.file)...)
	}
	g.restart(0) // a gate that is replaced while its sale is there notices nothing
	_, said := g.gates[0].logged("a sale is missing: it is expected, Redis has nothing of it, and its " +
		"payments are refused")
	if said {
		t.Error("a sale that is there is called missing")
	}
	return g
}

// restart replaces a gate, with the file unless told otherwise.
func (g *twoGates) restart(i int, without ...string) {
	g.t.Helper()
	g.gates[i].stop(g.t)
	args := g.args
	if without == nil {
		args = append(args, "--sales", g.file)
	}
	g.gates[i] = startGate(g.t, args...)
}

// buy sends n new orders through both gates.
func (g *twoGates) buy(n int) {
	g.t.Helper()
	for range n {
		g.asked++
		if a := g.caller.confirm(g.gates[g.asked%2].listen, "race", order(g.asked)); a.code == "held" {
			g.held = append(g.held, a)
		} else if a.err != nil {
			g.t.Error(a.err)
		}
	}
}

// sayWhatToDo wants both ways out of both gates' logs, and of status.
func (g *twoGates) sayWhatToDo() {
	g.t.Helper()
	for _, p := range g.gates {
		await(g.t, "the gate to say what to do", func() error {
			said, ok := p.logged("a sale is missing: it is expected, Redis has nothing of it, and its " +
				"payments are refused")
			if !ok || said["sale"] != "race" || said["never_sold_yet"] != gate.NeverSold ||
				said["lost"] != gate.WasSold {
				return fmt.Errorf("it says %v", said)
			}
			if m := metric(g.t, p, `flashgate_sale_missing{sale="race"}`); m != "1" {
				return fmt.Errorf("flashgate_sale_missing is %q", m)
			}
			if _, list := p.get(p.admin, "/v1/sales"); !strings.Contains(list, `"state": "missing"`) {
				return errors.New(list)
			}
			return nil
		})
	}
	status := command(g.t, "status", "--redis", g.redis.URL())
	if !strings.Contains(status, gate.NeverSold) || !strings.Contains(status, gate.WasSold) {
		g.t.Errorf("status says %s", status)
	}
}

// answers returns nil when a gate answers an order's confirm with that code.
func answers(c *caller, p *process, sale, order, code string) error {
	if a := c.confirm(p.listen, sale, order); a.code != code {
		return fmt.Errorf("the answer is %+v", a)
	}
	return nil
}

// refused runs a command that may fail, and returns its status and what it said of it.
func refused(t testing.TB, args ...string) (status int, said string) {
	t.Helper()
	status, _, said = try(t, nil, args...)
	return status, said
}

// Each of both clocks can keep a gate from creating a sale of its file, and a
// gate's is its own: Redis' is set here.
func TestAGateCreatesASaleOnlyWhileBothClocksSayThatItHasNotOpened(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := func(what string, redis time.Time, opens time.Time, on string, created, agree bool) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			e, err := store.StartEmbedded()
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			var log bytes.Buffer
			logger := slog.New(slog.NewJSONHandler(&log, nil))
			s, err := store.Open(e.URL(),
				store.Deps{Log: logger, Now: func() time.Time { return redis }}, store.Options{Who: "gate"})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			sale := gate.Sale{Name: "race", Run: 1, Settings: gate.Settings{
				OpensAt: opens, ClosesAt: opens.Add(time.Hour), Hold: time.Minute,
				SKUs: []gate.SKU{{Name: "unit", Stock: 1}},
			}}
			c := serveCommand{Redis: on, Name: "gate"}
			if err := c.createSales(t.Context(), s, []gate.Sale{sale}, logger); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Sale(t.Context(), "race"); errors.Is(err, gate.ErrNoSale) == created {
				t.Errorf("created: want %t, got %v", created, err)
			}
			_, told := logged(log.String(),
				"Redis' clock and this gate's do not agree whether a sale's window has begun: set both by NTP")
			if told == agree {
				t.Errorf("the log says %s", &log)
			}
		})
	}
	const real = "redis://redis.internal"
	f("both before", now, now.Add(time.Hour), real, true, true)
	f("both after", now, now.Add(-time.Minute), real, false, true)
	f("over", now, now.Add(-2*time.Hour), real, false, true)
	f("Redis' after", now.Add(2*time.Hour), now.Add(time.Hour), real, false, false)
	f("the gate's after", now.Add(-2*time.Hour), now.Add(-time.Hour), real, false, false)
	f("embedded", now, now.Add(-time.Minute), "", true, true)
}

// Who moves an opening to an earlier time must change the files too: a gate would
// take a lost sale for one that has not begun.
func TestAnEarlierOpeningRemindsOfTheFiles(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	f := func(opens string, want bool, flags ...string) {
		t.Helper()
		sale := strings.Replace(openSale("race", 10), "2020-01-01T00:00:00Z", opens, 1)
		file := testkit.SaleFile(t, sale)
		said := command(t, append([]string{"apply", "--redis", redis.URL(), "-f", file}, flags...)...)
		got := strings.Contains(said,
			"\n  it opens earlier now: write this opens_at into the files given to --sales too\n")
		if got != want {
			t.Errorf("opening at %s: %s", opens, said)
		}
	}
	f("2098-01-01T00:00:00Z", false)
	f("2097-01-01T00:00:00Z", true, "--dry-run")
	f("2097-01-01T00:00:00Z", true)
	f("2097-01-01T00:00:00Z", false)
	f("2099-01-01T00:00:00Z", false)
	f("2020-01-01T00:00:00Z", true)
}

// A running gate that is asked by V1 of a sale that it knows by name alone says
// that it is missing, and not that it takes no V1.
func TestAMissingSaleIsMissingToEveryVersion(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	redis.Do(t, "SADD", "fg:sales", "race")
	gate := startGate(t, "--redis", redis.URL(), "--allow-unsigned", "--webhook-secret",
		"whsec_Zm9yIHRlc3RzIG9ubHksIG5vIHNlY3JldCBhdCBhbGw=")
	a := newCaller(t).post(gate.listen, "/confirm/race?items=unit", "application/json", v1("order-1", "imp_1"))
	if a.status != 503 || a.code != "recovering" {
		t.Errorf("%+v", a)
	}
	var reports []struct{ Sale, State string }
	if _, text := gate.get(gate.admin, "/v1/sales"); json.Unmarshal([]byte(text), &reports) != nil ||
		len(reports) != 1 || reports[0].State != "missing" {
		t.Errorf("%s", text)
	}
}

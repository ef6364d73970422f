package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/store"
)

// freshFor is how long a gate may refuse by its copy of a sale after that was last proven.
const freshFor = 500 * time.Millisecond

// A unit comes back while a gate's follower is cut off. Half a second after the cut nobody is
// refused by the old copy, and when the cut is over there is one again that refuses.
func TestAGateWhoseFollowerIsCutOffRefusesNothingByAnOldCopy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]cutOffBy{
		"its connection hangs":             {hangs: true},
		"its connections are closed":       {closes: true},
		"its replies are two seconds late": {late: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			wire := startWire(t, redis.Addr())
			g := startSoldOut(t, redis.URL(), strings.Replace(redis.URL(), redis.Addr(), wire.addr, 1))
			wire.set(c)
			cutAt := time.Now()
			g.restock(t)
			time.Sleep(time.Until(cutAt.Add(freshFor)))
			g.sells(t)
			if fresh := metric(t, g.process, `flashgate_mirror_fresh{sale="race"}`); fresh != "0" {
				t.Errorf("the copy is shown as fresh (%q): the follower was not cut off", fresh)
			}
			wire.set(cutOffBy{})
			g.awaitRefusals(t)
		})
	}
}

// Whoever kills the follower's connection as often as he can ends neither sales nor refusals.
func TestAGateWhoseFollowerIsKilledOverAndOverRefusesNothingByAnOldCopy(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	g := startSoldOut(t, redis.URL(), redis.URL())
	follower := regexp.MustCompile(`(?m)^id=(\d+) .* cmd=xread`)
	kill := func(until time.Time) (killed int) {
		for time.Now().Before(until) {
			for _, id := range follower.FindAllStringSubmatch(fmt.Sprint(redis.Do(t, "CLIENT", "LIST")), -1) {
				redis.Do(t, "CLIENT", "KILL", "ID", id[1])
				killed++
			}
		}
		return killed
	}
	killed := kill(time.Now().Add(freshFor))
	g.restock(t)
	killed += kill(time.Now().Add(freshFor))
	g.sells(t)
	if killed < 5 {
		t.Errorf("the follower was killed %d times: that is not over and over", killed)
	}
	g.awaitRefusals(t)
}

func TestAfterAFailoverNothingIsRefusedByTheOldServersCopy(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replicas := []*redistest.Server{redistest.StartReplica(t, primary), redistest.StartReplica(t, primary)}
	sentinels := redistest.StartSentinel(t, primary, 2, 3)
	g := startSoldOut(t, sentinels.URL(), sentinels.URL())
	primary.Kill()
	killed := time.Now()
	for promoted := false; !promoted; promoted = isPromoted(t, sentinels, primary) {
		a := g.confirm()
		if a.code == "sold_out" && a.sent.Sub(killed) > freshFor && !isPromoted(t, sentinels, primary) {
			t.Fatalf("%s after its server died a gate refuses by its copy", a.sent.Sub(killed))
		}
	}
	promoted(t, sentinels, replicas)
	await(t, "the new primary to take stock", func() error { return g.more() })
	restocked := time.Now()
	time.Sleep(time.Until(restocked.Add(freshFor)))
	await(t, "the unit to be sold", func() error {
		a := g.confirm()
		if a.code == "sold_out" {
			t.Fatal("a gate refuses by the copy of a server that is gone")
		}
		if a.code != "held" {
			return fmt.Errorf("%+v", a)
		}
		return nil
	})
}

func isPromoted(t *testing.T, sentinels *redistest.Sentinels, old *redistest.Server) bool {
	t.Helper()
	addr, _ := sentinels.Nodes()[0].Do(t, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster").([]any)
	return len(addr) == 2 && addr[1] != fmt.Sprint(old.Port())
}

// soldOut is a gate of a sale of which nothing is left.
type soldOut struct {
	*process
	caller *caller
	store  *store.Store
	orders int
}

// startSoldOut returns a gate that refuses by its copy. It reaches Redis at another address.
func startSoldOut(t *testing.T, redis, reached string) *soldOut {
	t.Helper()
	applySale(t, redis, openSale("race", 1))
	g := &soldOut{
		process: startGate(t, "--redis", reached, "--allow-unsigned"), caller: newCaller(t), store: openStore(t, redis),
	}
	if a := g.confirm(); a.code != "held" {
		t.Fatalf("%+v", a)
	}
	g.awaitRefusals(t)
	return g
}

// confirm sends the confirm of a new order.
func (g *soldOut) confirm() answer {
	g.orders++
	return g.caller.confirm(g.listen, "race", order(g.orders))
}

// awaitRefusals waits until the gate refuses by its copy.
func (g *soldOut) awaitRefusals(t *testing.T) {
	t.Helper()
	const refusals = `flashgate_mirror_refusals_total{sale="race"}`
	before := metric(t, g.process, refusals)
	await(t, "the gate to refuse by its copy", func() error {
		if a := g.confirm(); a.code != "sold_out" {
			return fmt.Errorf("%+v", a)
		}
		if now := metric(t, g.process, refusals); now == before {
			return fmt.Errorf("it has refused %s", now)
		}
		return nil
	})
}

// more raises the stock by two units, by a way of its own.
func (g *soldOut) more() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	state, err := g.store.Sale(ctx, "race")
	if err != nil {
		return err
	}
	state.SKUs[0].Stock += 2
	_, err = gate.Apply(ctx, g.store, gate.Application{Who: "kim", Sale: state.Sale})
	return err
}

func (g *soldOut) restock(t *testing.T) {
	t.Helper()
	if err := g.more(); err != nil {
		t.Fatal(err)
	}
}

// sells wants what came back to be sold.
func (g *soldOut) sells(t *testing.T) {
	t.Helper()
	for range 2 {
		if a := g.confirm(); a.code != "held" {
			t.Errorf("a unit that is back is not sold: %+v", a)
		}
	}
}

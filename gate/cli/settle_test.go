package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

// long has tests take as long as a real launch does: make long.
var long = flag.Bool("long", false, "settle at the default times")

// Three in ten cards are declined, and V1 tells nobody. All units end as paid
// all the same: what is declined is on sale again, 10 s after the first look at
// the latest.
func TestDeclinedUnitsAreSoldToOthers(t *testing.T) {
	t.Parallel()
	stock, firstLook, limit := 200, 500*time.Millisecond, 2*patience
	if *long {
		stock, firstLook, limit = 500, 20*time.Second, 10*time.Minute
	}
	const buyers = 20
	sim, redis := simtest.Start(t, portonesim.Plan{Declines: 0.3}), redistest.Start(t)
	applySale(t, redis.URL(), testkit.PricedSale(stock, "hold: 10m"))
	flags := append(sim.Settling(), "--redis", redis.URL(), "--allow-unsigned", "--first-look", firstLook.String())
	gates := []*process{startGate(t, flags...), startGate(t, flags...)}

	var paid, tries atomic.Int64
	var shopping sync.WaitGroup
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	for buyer := range buyers {
		shopping.Go(func() {
			for i := 0; int(paid.Load()) < stock && ctx.Err() == nil; i++ {
				tries.Add(1)
				r := sim.Pay(ctx, portonesim.Order{
					Version: 1, ID: fmt.Sprintf("ORD%dx%d", buyer, i), Amount: 1000,
					ConfirmURL: "http://" + gates[i%2].listen + "/confirm/race?items=unit",
				})
				switch {
				case r.Status == "paid":
					paid.Add(1)
				case r.ConfirmStatus != 200:
					time.Sleep(50 * time.Millisecond) // a buyer who looks again whether something is left
				}
			}
		})
	}
	shopping.Wait()
	await(t, "every order to be settled", func() error {
		r := readStatus(t, redis.URL(), "race")
		if r.Orders.Held > 0 || int(r.SKUs[0].Paid) != stock || r.SKUs[0].Left != 0 {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
	declined := 0
	for _, p := range sim.Payments() {
		if p.ConfirmStatus == 200 && !p.Paid {
			declined++
		}
	}
	released, longest := releases(t, redis)
	if int(paid.Load()) != stock || declined == 0 || released != declined {
		t.Errorf("%d were paid, %d were declined and %d released", paid.Load(), declined, released)
	}
	if longest > firstLook+10*time.Second {
		t.Errorf("units were back on sale after %s", longest)
	}
	t.Logf("%d tries, %d of them declined after a 200, back on sale after %s at most", tries.Load(), declined, longest)
}

// releases reads in the ledger how many orders were released, and how long the
// longest of them had its units.
func releases(t *testing.T, redis *redistest.Server) (n int, longest time.Duration) {
	t.Helper()
	for line := range strings.Lines(command(t, "ledger", "--redis", redis.URL(), "race")) {
		var e gate.EntryView
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		for _, o := range e.Orders {
			if o.State == gate.OrderReleased.String() {
				n, longest = n+1, max(longest, e.Time.Sub(o.Taken))
			}
		}
	}
	return n, longest
}

// Whoever confirms an order over and over moves its deadline, and no more: how its
// payment ended is noted all the same, also while others do so with other orders.
func TestAnOrderIsSettledWhileItIsConfirmedOverAndOver(t *testing.T) {
	t.Parallel()
	const orders = 6
	sim, redis := simtest.Start(t, portonesim.Plan{Declines: 0.5}), redistest.Start(t)
	applySale(t, redis.URL(), testkit.PricedSale(orders, "hold: 10m"))
	gate := startGate(t, append([]string{"--redis", redis.URL(), "--allow-unsigned"}, sim.Settling()...)...)
	url := "http://" + gate.listen + "/confirm/race?items=unit"

	var clients sync.WaitGroup
	client := newCaller(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var held, paid, failed atomic.Int64
	for i := range orders {
		r := sim.Pay(ctx, portonesim.Order{Version: 1, ID: order(i), Amount: 1000, ConfirmURL: url})
		want := "held"
		if r.Status == "paid" {
			paid.Add(1)
		} else {
			want = "attempt_ended"
			failed.Add(1)
		}
		clients.Go(func() {
			last := answer{}
			for ctx.Err() == nil {
				last = client.post(gate.listen, "/confirm/race?items=unit", "application/json", v1(order(i), r.Attempt))
				if last.code == "held" {
					held.Add(1)
				}
				time.Sleep(2 * time.Millisecond) // about as fast as one client can
			}
			if last.code != want {
				t.Errorf("%s has %s at PortOne, and its last answer is %+v, want %s", order(i), r.Status, last, want)
			}
		})
	}
	await(t, "every order to be settled", func() error {
		r := readStatus(t, redis.URL(), "race")
		if r.Orders.Held > 0 || r.Orders.Paid != paid.Load() || r.Orders.Released != failed.Load() {
			return fmt.Errorf("%+v", r.Orders)
		}
		return checkMoney(t, sim, redis)
	})
	before := held.Load()
	await(t, "paid orders to be confirmed once more", func() error {
		if held.Load() < before+2*orders {
			return errors.New("they were not")
		}
		return nil
	})
	stop()
	clients.Wait()
	if paid.Load() == 0 || failed.Load() == 0 {
		t.Errorf("%d were paid, %d failed", paid.Load(), failed.Load())
	}
	if n := metric(t, gate, `flashgate_settle_overtaken_total{sale="race"}`); n != "0" {
		t.Errorf("%s look-ups were overtaken", n)
	}
	t.Logf("%d confirms were answered 200", held.Load())
}

// Everything goes wrong at once, in a fifth of all orders: the card is declined
// or slow, answers and webhooks are lost, come tenfold, shuffled, forged or late, buyers pay twice or
// never, amounts are changed, attempts are invented, PortOne is away, and gates
// are killed. In the end no unit is lost or oversold, and each refund is made once.
func TestNothingLeaksWhateverGoesWrong(t *testing.T) {
	t.Parallel()
	const stock, demand = 1000, 2000
	sim := simtest.Start(t, portonesim.Plan{
		Declines: 0.05, SlowApprovals: 0.03, Lost: 0.04, Never: 0.03, Pending: 0.03, Invented: 0.02,
		DuplicateHooks: 0.2, LateHooks: 0.2, DroppedHooks: 0.2, RESTErrors: 0.05, PartCancels: 0.03, TestChannel: 0.03,
		WrongAmount: 0.03, Twice: 0.05, HookCopies: 10, ShuffledHooks: 0.2, ForgedHooks: 0.05,
		SlowBy: 300 * time.Millisecond, LateBy: 500 * time.Millisecond,
	})
	redis := redistest.Start(t)
	applySale(t, redis.URL(), testkit.PricedSale(stock, "hold: 2s, auto_refund: true, refund_brake: off"))
	flags := append([]string{"--redis", redis.URL(), "--allow-unsigned"}, sim.Settling()...)
	steady, mortal := startGate(t, flags...), startGate(t, flags...)

	var mu sync.Mutex // over mortal
	listen := func(i int) string {
		mu.Lock()
		defer mu.Unlock()
		return []*process{steady, mortal}[i%2].listen
	}
	var shopping sync.WaitGroup
	for buyer := range 12 {
		shopping.Go(func() {
			for i := buyer; i < demand; i += 12 {
				addr := listen(i)
				sim.Pay(t.Context(), portonesim.Order{
					Body: []string{"v1", "v1-form", "v2-2024-01-01", "v2-2024-04-25"}[i%4], ID: fmt.Sprintf("ORD%06d",
						i), Amount: 1000,
					ConfirmURL: "http://" + addr + "/confirm/race?items=unit",
					NoticeURL:  "http://" + addr + "/webhook/race",
				})
			}
		})
	}
	for round := range 5 {
		time.Sleep(300 * time.Millisecond) // somewhere in the middle of something
		sim.SetDown(true)
		mortal.Kill()
		if *long && round == 2 {
			time.Sleep(time.Minute) // PortOne is away for that long
		}
		next := startGate(t, flags...)
		mu.Lock()
		mortal = next
		mu.Unlock()
		sim.SetDown(false)
	}
	shopping.Wait()
	// What a gate had claimed when it was killed is left to it for a minute.
	redistest.Await(t, time.Minute+2*patience, "every order to be settled", func() error {
		if r := readStatus(t, redis.URL(), "race"); r.Orders.Held > 0 || r.Orders.Refunds > 0 {
			return fmt.Errorf("%+v", r)
		}
		return checkMoney(t, sim, redis)
	})
	refunded := 0
	for _, p := range sim.Payments() {
		if p.Paid && p.Cancelled == p.Amount {
			refunded++
		}
	}
	if refunded == 0 {
		t.Error("no payment was refunded")
	}
	said := command(t, append([]string{"audit", "--redis", redis.URL(), "race"}, sim.Credentials()...)...)
	if !strings.HasPrefix(said, "nothing differs\n") {
		t.Errorf("the audit says: %s", said)
	}
	t.Log(said)
	t.Logf("%d payments were refunded: %+v", refunded, readStatus(t, redis.URL(), "race"))
}

// checkMoney holds what PortOne was paid against what the gate has: every order
// with money kept is paid here, and paid once.
func checkMoney(t *testing.T, sim *simtest.PortOne, redis *redistest.Server) error {
	t.Helper()
	kept, cancellations := map[string]int64{}, map[string]int{}
	for _, p := range sim.Payments() {
		if p.Paid && !p.Test {
			kept[p.Order] += p.Amount - p.Cancelled
		}
		cancellations[p.Attempt] += p.Cancellations
		if p.Cancellations > 2 { // one in part by the shop's staff, and the rest of it by the gate
			return fmt.Errorf("attempt %s was cancelled %d times", p.Attempt, p.Cancellations)
		}
	}
	paid := int64(0)
	for id := range orders(t, redis, "race") {
		o := readOrder(t, redis, id)
		isPaid := o == gate.OrderPaid.String()
		if isPaid {
			paid++
		}
		if isPaid != (kept[id] > 0) || kept[id] > 1000 {
			return fmt.Errorf("order %s is %s, and %d of it was kept", id, o, kept[id])
		}
		delete(kept, id)
	}
	for id, sum := range kept {
		if sum > 0 {
			return fmt.Errorf("order %s was never held, and %d of it was kept", id, sum)
		}
	}
	r := readStatus(t, redis.URL(), "race")
	if u := r.SKUs[0]; u.Sum() != u.Total || u.Left < 0 || u.Paid != paid || u.Held != 0 {
		return fmt.Errorf("%d orders are paid, and the units are %+v", paid, u)
	}
	return nil
}

// readOrder returns an order's state, by its record in Redis.
func readOrder(t *testing.T, redis *redistest.Server, id string) string {
	t.Helper()
	record := fmt.Sprint(redis.Do(t, "HGET", "fg:{race}:orders", id))
	if len(record) < 2 {
		t.Fatal(errors.New("order " + id + " has no record"))
	}
	return gate.OrderState(record[1]).String()
}

// Forged calls hold all that there is before anybody has paid through the gate. The
// shop has other payments, so the credentials are right, and the holds end like any.
func TestForgedHoldsEndWhereOnlyOthersHavePaid(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			t.Parallel()
			sim, redis := simtest.Start(t, portonesim.Plan{}), redistest.Start(t)
			applySale(t, redis.URL(), testkit.PricedSale(1, "hold: 1s"))
			gate := startGate(t, append(sim.Credentials(), "--redis", redis.URL(), "--allow-unsigned", "--first-look",
				"200ms", "--grace", "1s")...)
			body := v1("forged", "imp_forged")
			if version == 2 {
				body = `{"payment_id":"forged","tx_id":"tx_forged","total_amount":1000}`
			}
			a := newCaller(t).post(gate.listen, "/confirm/race?items=unit", "application/json", body)
			if a.code != "held" {
				t.Fatalf("%+v", a)
			}
			await(t, "the gate to have asked", func() error {
				if !strings.Contains(gate.stderr.String(), "has known none of the payments so far, and lists none") {
					return errors.New("it is not in the log")
				}
				return nil
			})
			if r := readStatus(t, redis.URL(), "race"); r.Orders.Held != 1 {
				t.Errorf("before anybody has paid: %+v", r.Orders)
			}
			sim.Pay(t.Context(), portonesim.Order{Version: version, ID: "ORDother", Amount: 5000})
			redistest.Await(t, 2*patience, "the unit to be on sale again", func() error {
				if r := readStatus(t, redis.URL(), "race"); r.Orders.Released != 1 {
					return fmt.Errorf("%+v", r.Orders)
				}
				return nil
			})
		})
	}
}

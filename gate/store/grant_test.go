package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

// asker is what a lane does with a sale that asks the shop: a batch of confirms, then
// a batch of what the shop said, each once more after an error.
type asker struct {
	*lane
	granter gate.Decider
}

func openAsker(t *testing.T, url string, opt Options) *asker {
	t.Helper()
	l := openLane(t, url, opt)
	a := &asker{l, l.store.Granter("marathon")}
	t.Cleanup(func() { a.granter.Close() })
	return a
}

// asks has the orders taken, and returns the requests that the shop is asked about.
func (a *asker) asks(orders ...string) []*gate.Request {
	a.t.Helper()
	var batch []*gate.Request
	for _, order := range orders {
		batch = append(batch, &gate.Request{Asks: true, Confirm: gate.Confirm{
			Order: []byte(order), Attempt: []byte("attempt of " + order), Buyer: []byte("buyer"),
			Lines: []gate.Line{{SKU: "full", Quantity: 1}},
		}})
	}
	err := a.decider.Decide(a.t.Context(), batch)
	if err != nil {
		err = a.decider.Decide(a.t.Context(), batch)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	for _, r := range batch {
		if v := r.Verdict(); v != gate.RefuseFor(gate.ShopNoAnswer) || r.Revision == 0 {
			a.t.Errorf("order %s is %+v of revision %d, want asking", r.Confirm.Order, v, r.Revision)
		}
	}
	return batch
}

// answers wants what becomes of the requests once the shop has said the word to all.
func (a *asker) answers(yes bool, want string, batch ...*gate.Request) {
	a.t.Helper()
	for _, r := range batch {
		r.Yes = yes
	}
	err := a.granter.Decide(a.t.Context(), batch)
	if err != nil {
		err = a.granter.Decide(a.t.Context(), batch)
	}
	var codes []string
	for _, r := range batch {
		codes = append(codes, r.Verdict().Code.String())
	}
	if got := strings.Join(codes, " "); err != nil || got != want {
		a.t.Errorf("answered %t: got %s, %v; want %s", yes, got, err, want)
	}
}

// counts wants so many orders in each state, and the units that they have.
func (a *asker) counts(asking, held, released int64) {
	a.t.Helper()
	state := read(a.t, a.store)
	o, u := state.Orders, state.Units["full"]
	if o.Asking != asking || o.Held != held || o.Released != released || u.Held != asking+held || u.Sum() != u.Total {
		a.t.Errorf("got %+v with %+v, want %d asking, %d held, %d released", o, u, asking, held, released)
	}
}

func TestAYesHoldsAndANoReleases(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate")
		a := &asker{&lane{t, s, s.Decider("marathon")}, s.Granter("marathon")}
		defer a.decider.Close()
		defer a.granter.Close()
		mustApply(t, s, marathon(1), gate.Created)
		batch := a.asks("a", "b", "c")
		a.counts(3, 0, 0)
		a.answers(true, "held", batch[0])
		a.answers(false, "shop_unavailable", batch[1])
		a.counts(1, 1, 1)
		a.wants("held attempt_ended", "a", "b")
		a.asks("c")
		a.answers(true, "held held", batch[0], batch[2])
		a.counts(0, 2, 1)
	})
}

// The reply of a grant is lost: who asks again hears what became of it.
func TestALostReplyOfAGrantIsAskedForAgain(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a := openAsker(t, redis.URL(), Options{})
	mustApply(t, a.store, marathon(1), gate.Created)
	for range 3 {
		batch := a.asks("a", "b")
		redis.Do(t, "CLIENT", "KILL", "TYPE", "normal")
		a.answers(true, "held held", batch...)
		redis.Do(t, "SCRIPT", "FLUSH")
		a.answers(true, "held held", batch...)
		a.counts(0, 2, 0)
		if err := a.store.Delete(t.Context(), "kim", "marathon", gate.Drop{Held: true}); err != nil {
			t.Fatal(err)
		}
		mustApply(t, a.store, marathon(read(t, a.store).Run+1), gate.Created)
	}
}

// What the shop has said counts on a full Redis too: the units were taken before.
func TestAFullRedisTakesTheShopsWord(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a := openAsker(t, redis.URL(), Options{})
	mustApply(t, a.store, marathon(1), gate.Created)
	batch := a.asks("a", "b")
	redis.Do(t, "CONFIG", "SET", "maxmemory", 1)
	a.answers(true, "held", batch[0])
	a.answers(false, "shop_unavailable", batch[1])
	a.counts(0, 1, 1)
}

// The order that is asked about need not be safe: the yes must.
func TestOnlyTheGrantWaitsForReplicas(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := redistest.StartReplica(t, primary)
	a := openAsker(t, primary.URL(), Options{WaitReplicas: 1, WaitTimeout: 100 * time.Millisecond})
	mustApply(t, openLane(t, primary.URL(), Options{}).store, marathon(1), gate.Created)
	testkit.Await(t, "the replica to follow",
		func() error { _, err := a.store.client.Do(t.Context(), "WAIT", 1, 1000).Result(); return err })

	replica.Stop()
	start := time.Now()
	for range 20 {
		a.asks("a", "b")
	}
	if took := time.Since(start); took > 20*100*time.Millisecond {
		t.Errorf("20 batches of orders that are asked about took %s: each was waited for", took)
	}
	batch := a.asks("a", "b")
	a.answers(true, "not_durable", batch[0])
	a.counts(1, 1, 0)
	a.answers(true, "not_durable", batch[1]) // at once, and it stays asking
	a.counts(1, 1, 0)

	replica.Continue()
	testkit.Await(t, "the replica to follow", func() error { return a.granted(batch...) })
	a.counts(0, 2, 0)
}

// granted reports an error until all are held.
func (a *asker) granted(batch ...*gate.Request) error {
	if err := a.granter.Decide(a.t.Context(), batch); err != nil {
		return err
	}
	for _, r := range batch {
		if v := r.Verdict(); v.Code != gate.Held {
			return errors.New(v.Code.String())
		}
	}
	return nil
}

// A failover may forget an order that is asked about: then the yes is none.
func TestAYesToAnOrderThatAFailoverForgotIsNone(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a := openAsker(t, redis.URL(), Options{})
	mustApply(t, a.store, marathon(1), gate.Created)
	batch := a.asks("a")
	redis.Do(t, "HDEL", "fg:{marathon}:orders", "a")
	a.answers(true, "shop_unavailable", batch...)
	redis.Do(t, "FLUSHALL")
	a.answers(true, "recovering", batch...)
}

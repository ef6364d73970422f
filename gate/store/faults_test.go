package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

// lane is what a lane of the gate does with its decider: a batch at a time, and
// once more after an error.
type lane struct {
	t       *testing.T
	store   *Store
	decider gate.Decider
}

func openLane(t *testing.T, url string, opt Options) *lane {
	t.Helper()
	return openCountedLane(t, url, nil, opt)
}

// openCountedLane opens a lane that counts in the metrics.
func openCountedLane(t *testing.T, url string, metrics *Metrics, opt Options) *lane {
	t.Helper()
	opt.Who, opt.Timeout = "gate", 2*time.Second
	s, err := Open(url, Deps{Metrics: metrics, Log: slog.New(slog.DiscardHandler)}, opt)
	if err != nil {
		t.Fatal(err)
	}
	l := &lane{t, s, s.Decider("marathon")}
	t.Cleanup(func() {
		l.decider.Close()
		s.Close()
	})
	return l
}

// once has the orders decided by one call, in one batch, and returns their codes.
func (l *lane) once(orders ...string) (string, error) {
	var batch []*gate.Request
	for _, order := range orders {
		batch = append(batch, &gate.Request{Confirm: gate.Confirm{
			Order: []byte(order), Attempt: []byte("attempt of " + order), Buyer: []byte("buyer"),
			Lines: []gate.Line{{SKU: "full", Quantity: 1}},
		}})
	}
	ctx, cancel := context.WithTimeout(l.t.Context(), 3*time.Second)
	defer cancel()
	if err := l.decider.Decide(ctx, batch); err != nil {
		return "", err
	}
	var codes []string
	for _, r := range batch {
		codes = append(codes, r.Verdict().Code.String())
	}
	return strings.Join(codes, " "), nil
}

// wants has the orders decided, at the second call if the first one fails.
func (l *lane) wants(want string, orders ...string) {
	l.t.Helper()
	got, err := l.once(orders...)
	if err != nil {
		got, err = l.once(orders...)
	}
	if err != nil || got != want {
		l.t.Errorf("orders %q are %s, %v; want %s", orders, got, err, want)
	}
}

// fails has the orders decided by one call, which must fail and say why.
func (l *lane) fails(why string, orders ...string) {
	l.t.Helper()
	if got, err := l.once(orders...); err == nil || !strings.Contains(err.Error(), why) {
		l.t.Errorf("orders %q are %s, %v; want an error with %q", orders, got, err, why)
	}
}

// holds wants so many units to be held, by as many orders.
func (l *lane) holds(want int64) {
	l.t.Helper()
	state := read(l.t, l.store)
	if u := state.Units["full"]; u.Held != want || u.Sum() != u.Total || state.Orders.Held != want {
		l.t.Errorf("%+v are held by %d orders, want %d", u, state.Orders.Held, want)
	}
}

// A batch whose reply is lost is sent again, and takes nothing twice.
func TestALostReplyTakesNothingTwice(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	l := openLane(t, redis.URL(), Options{})
	mustApply(t, l.store, marathon(1), gate.Created)
	l.wants("held held", "a", "b")
	for range 3 {
		redis.Do(t, "CLIENT", "KILL", "TYPE", "normal")
		l.wants("held held held", "a", "b", "c")
		redis.Do(t, "SCRIPT", "FLUSH")
		if got, err := l.once("a", "b", "c"); got != "held held held" {
			t.Errorf("after SCRIPT FLUSH one call gives %q, %v", got, err)
		}
	}
	l.holds(3)
}

// A Redis that has no memory left refuses the script, and none of it is written. Who
// has a hold already hears so, for that takes nothing, also where replicas are waited
// for.
func TestAFullRedisRefusesAndKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	redistest.StartReplica(t, redis)
	l := openLane(t, redis.URL(), Options{WaitReplicas: 1, WaitTimeout: time.Second})
	mustApply(t, openLane(t, redis.URL(), Options{}).store, marathon(1), gate.Created)
	l.wants("held", "a")
	before := read(t, l.store)
	redis.Do(t, "CONFIG", "SET", "maxmemory", 1)
	l.fails("OOM", "b", "c")
	l.wants("held", "a")
	l.wants("held", "a")
	after := read(t, l.store)
	if before.Seq != after.Seq || len(ledger(t, l.store, 0)) != 2 {
		t.Errorf("entry %d was written where there is no memory", after.Seq)
	}
	redis.Do(t, "CONFIG", "SET", "maxmemory", 0)
	l.wants("held held held", "a", "b", "c")
	l.holds(3)
}

// A person who finds Redis full can pause, lower the stock, report orders, and delete;
// held orders are found to be looked at, and webhooks count.
func TestAFullRedisCanBeFreed(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	l := openLane(t, redis.URL(), Options{})
	mustApply(t, l.store, marathon(1), gate.Created)
	l.wants("held held held", "a", "b", "c")
	redis.Do(t, "DEL", "fg:{marathon}:due")
	redis.Do(t, "CONFIG", "SET", "maxmemory", 1)

	overdue, found, faults, err := l.store.Sweep(t.Context(), "marathon", time.Now().Add(time.Hour))
	if err != nil || overdue != 3 || found != 3 || len(faults) > 0 {
		t.Errorf("swept %d of %d, %v, %v", found, overdue, faults, err)
	}
	for order, want := range map[string]bool{"a": true, "stranger": false} {
		if known, err := l.store.Hasten(t.Context(), []string{"marathon"}, order); err != nil || known != want {
			t.Errorf("a webhook about %s: %t, %v", order, known, err)
		}
	}
	due, err := l.store.Claim(t.Context(), "marathon", [gate.Queues]int{10, 10, 10}, time.Minute)
	if err != nil || len(due.Orders[gate.QueueAgain]) != 3 || len(due.Orders[gate.QueueHastened]) != 1 {
		t.Errorf("claimed %+v, %v", due, err)
	}
	if err := l.store.Keep(t.Context(), "marathon", gate.QueueHastened, []string{"a"}, time.Minute); err != nil {
		t.Error(err)
	}
	if added, err := l.store.SetAside(t.Context(), "marathon",
		[]error{&gate.FaultError{Order: "b", Err: errors.New("odd")}}, false); err != nil || added != 1 {
		t.Errorf("set aside %d, %v", added, err)
	}
	if err := l.store.RetryAside(t.Context(), "marathon"); err != nil {
		t.Error(err)
	}
	orders, _, err := l.store.Orders(t.Context(), "marathon", []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	after := orders[0]
	after.State, after.Attempts, after.Deadline = gate.OrderReleased,
		[]gate.Attempt{{ID: "attempt of a", State: gate.AttemptFailed}}, time.Time{}
	moved, err := l.store.Settle(t.Context(), "gate", "settle", "marathon",
		[]gate.Move{{Before: orders[0], After: &after}}, nil)
	if err != nil || moved[0] != gate.MovedOn {
		t.Errorf("released: %q, %v", moved, err)
	}
	l.holds(2)
	if _, err := l.store.ClaimDelivery(t.Context(), "marathon", "A", time.Minute); err != nil {
		t.Error(err)
	}
	if changed, err := gate.SetPaused(t.Context(), l.store, "kim", "marathon", true); err != nil || !changed {
		t.Errorf("paused: %t, %v", changed, err)
	}
	l.wants("paused", "d")
	if err := l.store.Delete(t.Context(), "kim", "marathon", gate.Drop{Held: true}); err != nil {
		t.Error(err)
	}
}

// More than one round trip takes: all of it is read, each once, and what is gone is
// left out.
func TestAllThatIsDueIsReadHoweverMuchItIs(t *testing.T) {
	t.Parallel()
	l := openLane(t, redistest.Start(t).URL(), Options{})
	mustApply(t, l.store, marathon(1, gate.SKU{Name: "full", Stock: 5000}), gate.Created)
	seqs := []int64{}
	for i := range 3*entriesAtOnce - 1 {
		batch := make([]string, 20)
		for k := range batch {
			batch[k] = fmt.Sprintf("o%d-%d", i, k)
		}
		if _, err := l.once(batch...); err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, int64(i+2))
	}
	ids, bad, err := l.store.changed(t.Context(), "marathon", append(seqs, 99999))
	if want := 20 * len(seqs); len(ids) != want || len(bad) > 0 || err != nil || want <= 2*ordersAtOnce {
		t.Fatalf("%d of %d orders, %v, %v", len(ids), want, bad, err)
	}
	orders, faults, err := l.store.Orders(t.Context(), "marathon", append(ids, "stranger"))
	if len(orders) != len(ids) || len(faults) > 0 || err != nil {
		t.Fatalf("%d of %d orders, %v, %v", len(orders), len(ids), faults, err)
	}
	for i := range orders {
		if orders[i].ID != ids[i] {
			t.Fatalf("order %d is %s, want %s", i, orders[i].ID, ids[i])
		}
	}
	entries, err := l.store.EntriesAt(t.Context(), "marathon", seqs)
	if len(entries) != len(seqs) || err != nil {
		t.Errorf("%d of %d entries, %v", len(entries), len(seqs), err)
	}
}

func TestASaleThatIsGoneIsNotSold(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	l := openLane(t, redis.URL(), Options{})
	mustApply(t, l.store, marathon(1), gate.Created)
	l.wants("held", "a")
	redis.Do(t, "FLUSHALL")
	l.wants("recovering recovering", "b", "a")
	mustApply(t, l.store, marathon(1), gate.Created)
	l.wants("held", "b")
}

func TestAReplicaDecidesNothing(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	l := openLane(t, primary.URL(), Options{})
	mustApply(t, l.store, marathon(1), gate.Created)
	l.wants("held", "a")
	other := redistest.StartReplica(t, primary)
	openLane(t, other.URL(), Options{}).fails("the server is a replica", "b")

	// The roles change under an open connection.
	other.Promote()
	primary.Do(t, "REPLICAOF", "127.0.0.1", other.Port())
	l.fails("READONLY", "b")
	l.fails("the server is a replica", "b")
	openLane(t, other.URL(), Options{}).wants("held held", "a", "b")
}

// Without its replica a gate takes one batch at most, and then asks with a write
// that takes nothing until the replica follows again.
func TestAProbeTellsWhetherReplicasFollow(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := redistest.StartReplica(t, primary)
	l := openLane(t, primary.URL(), Options{WaitReplicas: 1, WaitTimeout: 100 * time.Millisecond})
	mustApply(t, openLane(t, primary.URL(), Options{}).store, marathon(1), gate.Created)
	follows := func(order string) {
		t.Helper()
		testkit.Await(t, "the replica to follow", func() error {
			got, err := l.once(order)
			if err == nil && got != "held" {
				err = errors.New(got)
			}
			return err
		})
	}
	follows("a")

	replica.Stop()
	l.wants("not_durable not_durable", "b", "c")
	l.holds(3)
	probed := primary.Do(t, "HGET", "fg:{marathon}", "time")
	l.wants("not_durable not_durable", "d", "e")
	l.wants("not_durable", "a") // it is known, but nobody can tell that the replica has it
	l.wants("not_durable", "b")
	testkit.Await(t, "a probe that writes, so that WAIT has something to wait for", func() error {
		l.wants("not_durable", "f")
		if primary.Do(t, "HGET", "fg:{marathon}", "time") == probed {
			return errors.New("nothing is written")
		}
		return nil
	})
	l.holds(3)

	replica.Continue()
	follows("b")
	follows("c")
	follows("d")
	l.holds(4)

	// A repeat writes too: only so does WAIT say something about it.
	replica.Stop()
	l.wants("not_durable", "a")
	l.holds(4)
}

// A refusal takes nothing, so no replica needs to have it.
func TestARefusalNeedsNoReplica(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	l := openLane(t, redis.URL(), Options{WaitReplicas: 1, WaitTimeout: 100 * time.Millisecond})
	mustApply(t, openLane(t, redis.URL(), Options{}).store, marathon(1, gate.SKU{Name: "full", Stock: 0}), gate.Created)
	start := time.Now()
	l.wants("sold_out sold_out", "a", "b")
	for range 20 {
		l.wants("sold_out", "a")
	}
	if took := time.Since(start); took > 20*100*time.Millisecond {
		t.Errorf("21 batches of refusals took %s: each was waited for", took)
	}
}

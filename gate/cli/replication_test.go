package cli

import (
	"fmt"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

// The replica stalls, the primary dies, the replica is promoted: it has every
// order that was answered 200.
func TestWaitingForAReplicaSurvivesTheDeathOfThePrimary(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := redistest.StartReplica(t, primary)
	gate := serveSale(t, primary.URL(), openSale("race", 1_000_000), "--wait-replicas", "1", "--wait-timeout", "100ms")
	load := startLoad(t, "race", 8, gate)
	load.await(t, 200, "held")

	replica.Stop()
	load.await(t, 20, "not_durable")
	taken := len(orders(t, primary, "race"))
	load.await(t, 20, "not_durable")
	if now := len(orders(t, primary, "race")); now != taken {
		t.Errorf("while no replica follows the orders went from %d to %d", taken, now)
	}
	replica.Continue()
	load.await(t, 200, "held")

	cutOff(t, primary, replica)
	load.await(t, 20, "not_durable")
	primary.Kill()
	load.await(t, 50, "unavailable")
	answers := load.stop()
	replica.Continue()
	replica.Promote()
	checkAnswers(t, answers)
	checkRecorded(t, replica, "race", answers)
}

// The measure for what the gates' own memory must bring back: without waiting,
// what was answered 200 since the replica stalled is lost with the primary.
func TestNotWaitingLosesOrdersWithThePrimary(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := redistest.StartReplica(t, primary)
	gate := serveSale(t, primary.URL(), openSale("race", 1_000_000))
	load := startLoad(t, "race", 8, gate)
	load.await(t, 200, "held")
	await(t, "the replica to follow", func() error {
		if n := len(orders(t, replica, "race")); n < 100 {
			return fmt.Errorf("it has %d orders", n)
		}
		return nil
	})
	cutOff(t, primary, replica)
	before := load.count("held")
	load.await(t, 200, "held")
	primary.Kill()
	load.await(t, 50, "unavailable")
	answers := load.stop()
	replica.Continue()
	replica.Promote()

	checkAnswers(t, answers)
	recorded := orders(t, replica, "race")
	lost := map[string]bool{}
	for _, a := range answers {
		if a.code == "held" && !recorded[a.order] {
			lost[a.order] = true
		}
	}
	t.Logf("of %d confirms answered 200, %d of them after the replica stalled, %d orders are lost",
		load.count("held"), load.count("held")-before, len(lost))
	if len(lost) == 0 {
		t.Error("nothing is lost: the test no longer shows what waiting for a replica is for")
	}
	checkUnits(t, replica.URL(), "race", len(recorded))
}

// cutOff suspends the replica and ends its connection, so that it does not even
// find what the primary sends in its socket when it goes on.
func cutOff(t *testing.T, primary, replica *redistest.Server) {
	t.Helper()
	replica.Stop()
	if n := primary.Do(t, "CLIENT", "KILL", "TYPE", "replica"); n != int64(1) {
		t.Fatalf("%v connections of replicas are ended, want 1", n)
	}
}

func TestWithoutAReplicaNothingIsSoldThatMustWaitForOne(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 10), "--wait-replicas", "1", "--wait-timeout", "50ms")
	caller := newCaller(t)
	for i := range 5 {
		if a := caller.confirm(gate.listen, "race", order(i)); a.status != 503 || a.code != "not_durable" {
			t.Errorf("%+v", a)
		}
	}
	if taken := len(orders(t, redis, "race")); taken != 1 {
		t.Errorf("%d orders took units, want only the first", taken)
	}
	redistest.StartReplica(t, redis)
	await(t, "the gate to sell", func() error { return sells(caller, gate, "race", order(0)) })
	if err := sells(caller, gate, "race", order(9)); err != nil {
		t.Error(err)
	}
	if got := metric(t, gate, `flashgate_confirms_total{outcome="not_durable",sale="race"}`); got == "" || got == "0" {
		t.Errorf("%s are counted as not_durable", fmt.Sprintf("%q", got))
	}
}

package store

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

// waitingStore opens a store whose changes one replica must have.
func waitingStore(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(url, Deps{Log: slog.New(slog.DiscardHandler)}, Options{
		Who: "kim", Timeout: 5 * time.Second, WaitReplicas: 1, WaitTimeout: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// isUnsecured wants a change to be made that the replica does not have.
func isUnsecured(t *testing.T, what string, err error) {
	t.Helper()
	got, is := errors.AsType[*gate.UnsecuredError](err)
	if !is || got.Replicas != 0 || got.Wanted != 1 {
		t.Errorf("%s: got %v, want that it is made, and that no replica has it", what, err)
	}
}

// Each change that somebody is told of is waited for, wherever the sale lies; so
// is a repeat of it, which changes nothing.
func TestAChangeIsMadeAndSaysThatNoReplicaHasIt(t *testing.T) {
	t.Parallel()
	for kind, start := range map[string]func(t *testing.T) (url string, replica *redistest.Server){
		"one server": func(t *testing.T) (string, *redistest.Server) {
			primary := redistest.Start(t)
			return primary.URL(), redistest.StartReplica(t, primary)
		},
		"sentinel": func(t *testing.T) (string, *redistest.Server) {
			primary := redistest.Start(t)
			replica := redistest.StartReplica(t, primary)
			return redistest.StartSentinel(t, primary, 1, 1).URL(), replica
		},
		"cluster": func(t *testing.T) (string, *redistest.Server) {
			cluster := redistest.StartCluster(t, 3)
			slot := cluster.Nodes()[0].Do(t, "CLUSTER", "KEYSLOT", "fg:{marathon}").(int64)
			return cluster.URL(), cluster.StartReplicas(t)[int(slot)*3/16384]
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url, replica := start(t)
			made := openLane(t, url, Options{}).store // which waits for nothing
			mustApply(t, made, marathon(1), gate.Created)
			take(t, made, "o1", "a1", "ann", "full", 1)
			changeWithout(t, waitingStore(t, url), replica)
		})
	}
}

func changeWithout(t *testing.T, s *Store, replica *redistest.Server) {
	lower, next := marathon(1, gate.SKU{Name: "full", Stock: 5}), marathon(2)
	held, err := s.Order(t.Context(), "marathon", "o1")
	if err != nil {
		t.Fatal(err)
	}
	paid := held
	paid.State, paid.Deadline, paid.Attempts = gate.OrderPaid, time.Time{},
		[]gate.Attempt{{ID: "a1", State: gate.AttemptPaid}}
	report := func() (gate.Moved, error) { // as settle.Tell makes it, of an order as it is
		o, err := s.Order(t.Context(), "marathon", "o1")
		if err != nil {
			return 0, err
		}
		move := gate.Move{Before: o, Look: time.Minute}
		if o.State == gate.OrderHeld {
			move.After = &paid
		}
		return s.Report(t.Context(), "kim", "marathon", move)
	}
	replica.Stop()

	for _, want := range []gate.Outcome{gate.Changed, gate.Unchanged} {
		got, err := apply(t, s, lower, false)
		if isUnsecured(t, string(want), err); got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
	for _, changes := range []bool{true, false} {
		changed, err := gate.SetPaused(t.Context(), s, "kim", "marathon", true)
		if isUnsecured(t, "pause", err); changed != changes {
			t.Errorf("the pause changed something: %v", changed)
		}
		moved, err := report()
		if isUnsecured(t, "report", err); (moved == gate.MovedOn) != changes {
			t.Errorf("the report is %c", moved)
		}
	}
	isUnsecured(t, "retry", s.RetryDelivery(t.Context(), "marathon"))
	state := read(t, s)
	if u := state.Units["full"]; u != (gate.Units{Total: 5, Left: 4, Paid: 1}) || !state.Paused {
		t.Errorf("the primary has %+v, paused %v", u, state.Paused)
	}
	if done, err := gate.Apply(t.Context(), s,
		gate.Application{Who: "kim", Sale: marathon(1), DryRun: true}); err != nil || done.Outcome != gate.Changed {
		t.Errorf("a dry run has nothing to wait for: %+v, %v", done, err)
	}

	replica.Continue()
	testkit.Await(t, "lowering to be secured by a repeat",
		func() error { _, err := apply(t, s, lower, false); return err })
	testkit.Await(t, "a pause to be secured",
		func() error { _, err := gate.SetPaused(t.Context(), s, "kim", "marathon", true); return err })
	testkit.Await(t, "a report to be secured", func() error { _, err := report(); return err })
	if again := read(t, s); again.Seq != state.Seq {
		t.Errorf("the repeats changed something: seq %d, before %d", again.Seq, state.Seq)
	}

	replica.Stop()
	done, err := gate.Apply(t.Context(), s,
		gate.Application{Who: "kim", Sale: next, Drop: gate.Drop{Paid: new(int64(1))}})
	if isUnsecured(t, "a new run", err); done.Outcome != gate.Restarted || read(t, s).Run != 2 {
		t.Errorf("the new run is %s", done.Outcome)
	}
	for range 2 { // a repeat does not say that it is gone before a replica knows
		isUnsecured(t, "delete", s.Delete(t.Context(), "kim", "marathon", gate.Drop{}))
	}
	replica.Continue()
	testkit.Await(t, "the deletion to be secured", func() error {
		if err := s.Delete(t.Context(), "kim", "marathon", gate.Drop{}); !errors.Is(err, gate.ErrNoSale) {
			return err
		}
		return nil
	})
}

// What was refused was not made, so no replica is missed.
func TestARefusedChangeMissesNoReplica(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	s := waitingStore(t, url)
	isUnsecured(t, "create", s.Create(t.Context(), gate.Creation{Who: "kim", Sale: marathon(1), OpenNow: true}))
	take(t, openLane(t, url, Options{}).store, "o1", "a1", "ann", "full", 4)
	version := read(t, s).Version
	for what, err := range map[string]error{
		"create":    s.Create(t.Context(), gate.Creation{Who: "kim", Sale: marathon(1), OpenNow: true}),
		"configure": s.Configure(t.Context(), "kim", "apply", "marathon", version+1, marathon(1).Settings),
		"stock": s.Configure(t.Context(), "kim", "apply", "marathon", version,
			marathon(1, gate.SKU{Name: "full", Stock: 3}).Settings),
		"delete": s.Delete(t.Context(), "kim", "marathon", gate.Drop{}),
		"secure": s.Secure(t.Context(), "marathon", version+1),
	} {
		if err == nil || gate.IsUnsecured(err) {
			t.Errorf("%s: got %v, want why it was refused", what, err)
		}
	}
}

// What is kept as it is, and what is given up as missing, is made sure of too.
func TestWhatIsKeptOrGivenUpIsSecuredToo(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	s, made := waitingStore(t, url), openLane(t, url, Options{}).store
	mustApply(t, made, marathon(1), gate.Created)
	done, err := gate.Apply(t.Context(), s, gate.Application{Who: "kim", Sale: marathon(1), IfNone: true})
	if isUnsecured(t, "only new", err); done.Outcome != gate.Kept {
		t.Errorf("the sale is %s", done.Outcome)
	}
	if err := made.Expect(t.Context(), "swim"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		isUnsecured(t, "a missing sale", s.Delete(t.Context(), "kim", "swim", gate.Drop{}))
	}
}

// In a Cluster the names of the sales lie elsewhere than a sale. A sale without
// its name is never seen, so the name is made sure of too.
func TestASalesNameIsSecuredInACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	replicas := cluster.StartReplicas(t)
	node := func(key string) int {
		return int(cluster.Nodes()[0].Do(t, "CLUSTER", "KEYSLOT", key).(int64)) * 3 / 16384
	}
	sale, names := marathon(1), replicas[node(salesKey)]
	for i := 0; node(keysOf(sale.Name).sale) == node(salesKey); i++ {
		sale.Name = fmt.Sprint("elsewhere-", i)
	}
	s := waitingStore(t, cluster.URL())
	again := func() error {
		_, err := gate.Apply(t.Context(), s, gate.Application{Who: "kim", Sale: sale, OpenNow: true})
		return err
	}
	names.Stop()
	isUnsecured(t, "create", s.Create(t.Context(), gate.Creation{Who: "kim", Sale: sale, OpenNow: true}))
	isUnsecured(t, "apply again", again())
	names.Continue()
	testkit.Await(t, "the name to be secured", again)
}

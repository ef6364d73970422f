package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

func TestSellingGoesOnAfterASentinelFailover(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replicas := []*redistest.Server{redistest.StartReplica(t, primary), redistest.StartReplica(t, primary)}
	sentinels := redistest.StartSentinel(t, primary, 2, 3)
	gate := serveSale(t, sentinels.URL(), openSale("race", 1_000_000), "--wait-replicas", "1")
	load := startLoad(t, "race", 8, gate)
	load.await(t, 200, "held")

	primary.Kill()
	load.await(t, 50, "unavailable")
	load.await(t, 200, "held")
	answers := load.stop()

	checkAnswers(t, answers)
	if got := metric(t, gate, `flashgate_redis_server_changes_total{sale="race"}`); got != "1" {
		t.Errorf("%q changes of server are counted, want 1", got)
	}
	checkRecorded(t, promoted(t, sentinels, replicas), "race", answers)
	checkUnits(t, sentinels.URL(), "race", len(orders(t, promoted(t, sentinels, replicas), "race")))
}

// promoted returns the replica that the Sentinels have made the primary.
func promoted(t *testing.T, sentinels *redistest.Sentinels, replicas []*redistest.Server) *redistest.Server {
	t.Helper()
	addr, _ := sentinels.Nodes()[0].Do(t, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster").([]any)
	for _, r := range replicas {
		if len(addr) == 2 && addr[1] == strconv.Itoa(r.Port()) {
			return r
		}
	}
	t.Fatalf("the primary is %v, none of the replicas", addr)
	return nil
}

// The slot of a sale moves to another node while it is sold. Redis makes the
// sale wait while only some of its keys have moved; before and after that it is
// sold where it is.
func TestSellingGoesOnWhileTheSlotMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	gate := serveSale(t, cluster.URL(), openSale("race", 1_000_000))
	caller := newCaller(t)
	if a := caller.post(gate.listen, "/confirm/race?items=unit&buyer=ann", "application/json",
		v1("first", "imp")); a.code != "held" {
		t.Fatalf("%+v", a) // from now on all keys of the sale exist
	}
	load := startLoad(t, "race", 8, gate)
	load.await(t, 200, "held")

	source, target := cluster.Nodes()[0], cluster.Nodes()[1]
	slot := source.Do(t, "CLUSTER", "KEYSLOT", "fg:{race}")
	if owner := int(slot.(int64)) * 3 / 16384; owner != 0 {
		source, target = cluster.Nodes()[owner], cluster.Nodes()[0]
	}
	id := func(node *redistest.Server) any { return node.Do(t, "CLUSTER", "MYID") }
	target.Do(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", id(source))
	source.Do(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", id(target))
	load.await(t, 100, "held")

	keys, _ := source.Do(t, "CLUSTER", "GETKEYSINSLOT", slot, 10).([]any)
	if len(keys) < 5 {
		t.Fatalf("the slot has only the keys %v", keys)
	}
	refused := load.count("unavailable")
	for _, key := range keys {
		source.Do(t, "MIGRATE", "127.0.0.1", target.Port(), key, 0, 5000)
	}
	load.await(t, 100, "held") // by the ASK of the source
	for _, node := range []*redistest.Server{target, source, cluster.Nodes()[2]} {
		node.Do(t, "CLUSTER", "SETSLOT", slot, "NODE", id(target))
	}
	load.await(t, 200, "held") // by its MOVED
	answers := load.stop()

	checkAnswers(t, answers)
	t.Logf("%d confirms were refused while the slot moved", load.count("unavailable")-refused)
	recorded := orders(t, target, "race")
	for _, a := range answers {
		if a.code == "held" && !recorded[a.order] {
			t.Errorf("order %s was answered 200 and is not recorded", a.order)
		}
	}
	checkUnits(t, cluster.URL(), "race", len(recorded))
	if got := metric(t, gate, `flashgate_redis_server_changes_total{sale="race"}`); got == "0" {
		t.Error("no change of server is counted")
	}
}

// Sales of one gate lie on several nodes, and a node that is down stops only its own.
func TestSalesOfAClusterAreSoldSideBySide(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	var names []string
	for i := range 3 { // one for each node
		for n := 0; len(names) == i; n++ {
			name := fmt.Sprintf("sale-%d", n)
			slot := cluster.Nodes()[0].Do(t, "CLUSTER", "KEYSLOT", "fg:{"+name+"}").(int64)
			if int(slot)*3/16384 == i && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	var file strings.Builder
	file.WriteString("sales:\n")
	for _, name := range names {
		one := strings.TrimSuffix(strings.TrimPrefix(openSale(name, 10), "sales: ["), "]")
		file.WriteString("  - " + one + "\n")
	}
	gate := serveSale(t, cluster.URL(), file.String())
	caller := newCaller(t)
	for i, name := range names {
		if err := sells(caller, gate, name, "order-1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := orders(t, cluster.Nodes()[i], name); !got["order-1"] {
			t.Errorf("%s is not on node %d", name, i)
		}
	}
	cluster.Nodes()[2].Stop()
	if err := sells(caller, gate, names[0], "order-2"); err != nil {
		t.Error(err)
	}
	if a := caller.confirm(gate.listen, names[2], "order-2"); a.code != "unavailable" || a.took > answerBound {
		t.Errorf("%+v", a)
	}
	cluster.Nodes()[2].Continue()
	await(t, "the node's sale to be sold again", func() error { return sells(caller, gate, names[2], "order-3") })
}

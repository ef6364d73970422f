package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

// shift moves the slot of the marathon between the nodes of a Cluster, step by
// step.
type shift struct {
	t              *testing.T
	nodes          []*redistest.Server
	slot           any
	source, target *redistest.Server
}

func newShift(t *testing.T, cluster *redistest.Cluster) *shift {
	nodes := cluster.Nodes()
	slot := nodes[0].Do(t, "CLUSTER", "KEYSLOT", "fg:{marathon}")
	source := int(slot.(int64)) * len(nodes) / 16384
	return &shift{t, nodes, slot, nodes[source], nodes[(source+1)%len(nodes)]}
}

func (s *shift) begin() {
	s.target.Do(s.t, "CLUSTER", "SETSLOT", s.slot, "IMPORTING", s.source.Do(s.t, "CLUSTER", "MYID"))
	s.source.Do(s.t, "CLUSTER", "SETSLOT", s.slot, "MIGRATING", s.target.Do(s.t, "CLUSTER", "MYID"))
}

func (s *shift) move(keys ...any) {
	for _, key := range keys {
		s.source.Do(s.t, "MIGRATE", "127.0.0.1", s.target.Port(), key, 0, 5000)
	}
}

func (s *shift) end() {
	id := s.target.Do(s.t, "CLUSTER", "MYID")
	s.target.Do(s.t, "CLUSTER", "SETSLOT", s.slot, "NODE", id)
	for _, node := range s.nodes {
		node.Do(s.t, "CLUSTER", "SETSLOT", s.slot, "NODE", id)
	}
}

func TestASlotThatMovesIsFollowedStepByStep(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	l := openLane(t, cluster.URL(), Options{})
	mustApply(t, l.store, marathon(1), gate.Created)
	l.wants("held", "a")
	s := newShift(t, cluster)
	for round := range 2 { // there and back
		order := fmt.Sprintf("%d-", round)
		s.begin()
		l.wants("held held", "a", order+"before") // all keys are still there

		k := keysOf("marathon")
		s.move(k.orders, k.sale)
		for range 3 { // some are here and some there, and no script sees only some
			if got, err := l.once("a", order+"between"); err == nil {
				t.Errorf("with its keys apart the sale says %s", got)
			}
		}
		s.move(k.buyers, k.ledger, k.due)
		testkit.Await(t, "the ASK to be followed", func() error {
			got, err := l.once("a", order+"asked")
			if err == nil && got != "held held" {
				err = errors.New(got)
			}
			return err
		})
		s.end()
		l.wants("held held", order+"asked", order+"after")
		l.wants("held held held", "a", order+"before", order+"after")
		l.holds(int64(1 + 3*(round+1)))
		s.source, s.target = s.target, s.source
	}
}

// The lane finds the sale by itself when the node that it was sent to is gone.
func TestALaneThatWasRedirectedLooksAgainWhenTheNodeIsGone(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	l := openLane(t, cluster.URL(), Options{})
	mustApply(t, l.store, marathon(1), gate.Created)
	l.wants("held", "a")
	s := newShift(t, cluster)
	k := keysOf("marathon")
	s.begin()
	s.move(k.sale, k.orders, k.buyers, k.ledger, k.due)
	s.end()
	l.wants("held", "b")
	s.target.Restart() // it comes back with its slots, and without the sale
	testkit.Await(t, "the node to be back", func() error {
		verdicts, err := l.once("c")
		if err != nil || verdicts != "recovering" {
			return fmt.Errorf("deciding gives %q, %w", verdicts, err)
		}
		return nil
	})
}

package mirror_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/mirror"
)

// A primary that was a replica for a while has the identity that it had, and may have other
// entries under the numbers that the copy has.
func TestAServerThatComesBackWithOtherDataIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(2)
		s.move("a", "", gate.OrderHeld, 1)
		w := watch(t, s)
		s.move("b", "", gate.OrderHeld, 1)
		time.Sleep(settle)
		s.do(func() {
			s.forget()
			s.cuts++
		})
		s.move("c", "", gate.OrderHeld, 1) // as many units as b had, under its number
		w.waitFresh()
		if _, known := w.Records()["c"]; !known {
			t.Errorf("the copy has %v: it is that of a sale that is no more", w.Records())
		}
		if n := w.metric("flashgate_mirror_frozen_orders"); n != 2 {
			t.Errorf("the frozen copy has %g orders, want a and b", n)
		}
	})
}

func TestALostConnectionAloneLosesNoCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(0)
		w := watch(t, s)
		for range 20 {
			s.do(func() { s.cuts++ })
			time.Sleep(60 * time.Millisecond)
		}
		w.expect("after many cuts", "new", 1, "sold_out")
		if n := w.metric("flashgate_mirror_loads_total"); n != 1 {
			t.Errorf("the copy was loaded %g times, want once", n)
		}
	})
}

// The sale was deleted and made again on the same connections, between two questions.
func TestASaleThatIsNotWhatTheGateReadsIsDisowned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(0)
		w := watch(t, s)
		s.do(func() { s.sale, s.ledger = nil, nil })
		s.create(1, 1)
		w.look()
		w.expect("as soon as the gate has read it", "new", 1, "ask")
		w.waitFresh()
		w.expect("when it is loaded", "new", 2, "sold_out")
	})
}

func TestWhatAGateWasToldIsNotMissing(t *testing.T) {
	t.Parallel()
	held := func(id string) []gate.Change {
		return []gate.Change{{Order: id, Record: string(gate.AppendRecord(nil, &gate.Order{
			ID: id, State: gate.OrderHeld, Lines: []gate.Line{{SKU: "unit", Quantity: 1}},
		}))}}
	}
	for name, seq := range map[string]int64{"by an entry that the copy has": 1, "by one that the server has not": 9} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newServer(0)
				w := watch(t, s)
				w.expect("before", "ours", 1, "sold_out")
				w.Learn(seq, held("ours"))
				w.expect("an order that this gate accepted", "ours", 1, "ask")
				time.Sleep(2 * settle)
				time.Sleep(100 * time.Millisecond)
				w.waitFresh()
				if n := w.metric("flashgate_mirror_frozen_orders"); n != 1 {
					t.Errorf("the frozen copy has %g orders, want what the server has lost", n)
				}
			})
		})
	}
}

func TestALedgerThatLagsBehindTheSaleMakesTheCopyAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1)
		w := watch(t, s)
		s.do(func() { s.sale.Seq += 5 }) // by entries that nobody has
		time.Sleep(mirror.FreshFor)
		w.waitFresh()
		w.expect("when it is loaded again", "new", 2, "sold_out")
		if said := w.log.String(); !strings.Contains(said, "the ledger ends at entry 1, and the sale is at 6") {
			t.Errorf("the log says %s", said)
		}
	})
}

func TestWhatFailsOverAndOverIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1)
		w := start(t, s)
		w.look()
		s.lose()
		time.Sleep(time.Minute)
		if n := strings.Count(w.log.String(), gone); n != 1 {
			t.Errorf("it is logged %d times, want once: %s", n, w.log)
		}
	})
}

// A new run cuts off the ledger of the one before, so there may be entries that no copy has.
func TestWhoReadsTheFeedIsNotToldOfARunAsOfTheOneBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(5)
		w := watch(t, s)
		s.move("a", "", gate.OrderHeld, 1)
		time.Sleep(settle)
		frozen := make(chan struct{})
		s.do(func() { s.frozen = frozen })
		s.move("b", "", gate.OrderHeld, 1)
		s.move("c", "", gate.OrderHeld, 1)
		s.create(2, 5)
		s.do(func() {
			s.ledger = s.ledger[len(s.ledger)-1:]
			s.frozen = nil
		})
		close(frozen)
		time.Sleep(settle)
		if entries, _, ok := w.Since(3); ok {
			t.Errorf("behind entry 3 there are %d entries, of which one is missing", len(entries))
		}
		if entries, _, ok := w.Since(4); !ok || len(entries) != 1 || entries[0].Kind != "create" {
			t.Errorf("behind entry 4 there are %v, %t", entries, ok)
		}
	})
}

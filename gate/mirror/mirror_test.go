package mirror_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/mirror"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settle is more than a mirror needs to be told of what has just changed.
const settle = 30 * time.Millisecond

func TestAnOrderThatCannotBeMetIsRefusedAndAKnownOneIsNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(3)
		s.move("held", "", gate.OrderHeld, 2)
		w := watch(t, s)
		w.expect("a unit is left", "new", 1, "ask")
		w.expect("one is left, of two", "new", 2, "sold_out")
		w.expect("a known order", "held", 2, "ask")
		s.move("last", "", gate.OrderHeld, 1)
		time.Sleep(settle)
		w.expect("nothing is left", "new", 1, "sold_out")
		w.expect("the last order", "last", 1, "ask")
		s.move("last", "", gate.OrderReleased, 1)
		time.Sleep(settle)
		w.expect("a unit came back", "new", 1, "ask")
	})
}

func TestUnknownSKUsAreForRedis(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, newServer(0))
		c := &gate.Confirm{
			Order: []byte("new"),
			Lines: []gate.Line{{SKU: "unit", Quantity: 1}, {SKU: "zoo", Quantity: 1}},
		}
		if v, refuses := w.Refuse(c, gate.NoCause); refuses {
			t.Errorf("it is refused as %s", v.Code)
		}
	})
}

func TestTheWindowAndThePauseAreToldButNotNearItsEdges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1, func(s *gate.Settings) {
			s.OpensAt, s.ClosesAt = time.Now().Add(time.Minute), time.Now().Add(2*time.Minute)
		})
		w := watch(t, s)                               // three seconds
		at := func(after time.Duration, want string) { // for an order that cannot be met
			t.Helper()
			time.Sleep(after)
			w.expect("after another "+after.String(), "new", 2, want)
		}
		at(54*time.Second, "not_open") // 57
		at(2*time.Second, "ask")       // 59
		at(2*time.Second, "ask")       // 61
		at(2*time.Second, "sold_out")  // 63
		w.expect("in the window", "new", 1, "ask")
		s.set(func(s *gate.Settings) { s.Paused = true })
		time.Sleep(settle)
		w.expect("paused", "new", 1, "paused")
		s.set(func(s *gate.Settings) { s.Paused = false })
		time.Sleep(settle)
		w.expect("resumed", "new", 1, "ask")
		at(56*time.Second-2*settle, "ask") // 119
		at(2*time.Second, "ask")           // 121
		at(2*time.Second, "closed")        // 123
	})
}

func TestTheWindowIsByTheClockOfRedis(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1, func(s *gate.Settings) { s.ClosesAt = time.Now().Add(30 * time.Second) })
		w := watch(t, s)
		s.do(func() { s.sale.Ahead = 40 * time.Second })
		w.look()
		w.expect("Redis' clock is past closing", "new", 1, "closed")
		s.do(func() { s.sale.Doubt = &gate.ClockError{} })
		w.look()
		w.expect("Redis' clock is in doubt", "new", 1, "ask")
	})
}

func TestAShopThatIsDownGetsNoNewOrdersAndSoldOutComesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1)
		s.move("held", "", gate.OrderReleased, 1)
		w := watch(t, s)
		for order, want := range map[string]string{"new": "shop_unavailable", "held": "ask"} {
			if got := w.saysWith(order, "", 1, gate.ShopDown); got != want {
				t.Errorf("%s: the mirror says %s, want %s", order, got, want)
			}
		}
		if got := w.saysWith("new", "", 2, gate.ShopDown); got != "sold_out" {
			t.Errorf("two of one unit: the mirror says %s", got)
		}
	})
}

func TestABuyerWhoMayBePastTheLimitIsForRedis(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(2, func(s *gate.Settings) { s.PerBuyer = 2 })
		s.move("a", "kim", gate.OrderHeld, 2)
		w := watch(t, s)
		for buyer, want := range map[string]string{"kim": "ask", "lee": "sold_out", "": "ask"} {
			if got := w.says("new", buyer, 1); got != want {
				t.Errorf("buyer %q: the mirror says %s, want %s", buyer, got, want)
			}
		}
		s.move("a", "kim", gate.OrderReleased, 2)
		s.move("b", "lee", gate.OrderHeld, 2)
		time.Sleep(settle)
		if got := w.says("new", "kim", 1); got != "sold_out" {
			t.Errorf("a buyer whose order was released: the mirror says %s", got)
		}
	})
}

// A gate that has answered 200 must not refuse the same order by a copy that was not told yet.
func TestWhatTheGateAcceptedIsKnownBeforeTheLedgerTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1)
		w := watch(t, s)
		s.move("theirs", "", gate.OrderHeld, 1)
		time.Sleep(settle)
		frozen := make(chan struct{})
		s.do(func() { s.frozen = frozen })
		s.move("theirs", "", gate.OrderReleased, 1)
		seq, change := s.move("ours", "", gate.OrderHeld, 1)
		w.Learn(seq, []gate.Change{change})
		w.expect("what this gate accepted", "ours", 1, "ask")
		w.expect("another order", "new", 1, "sold_out")
		s.do(func() { s.frozen = nil })
		close(frozen)
		time.Sleep(settle)
		w.expect("once the ledger has told", "ours", 1, "ask")
		w.expect("another order, once the ledger has told", "new", 1, "sold_out")
	})
}

// A follower that hangs while the gate sells must not fill the memory.
func TestACopyThatIsTooFarBehindIsMadeAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(0)
		w := watch(t, s)
		s.do(func() { s.frozen = make(chan struct{}) })
		many := make([]gate.Change, 1001)
		for i := range 100 {
			w.Learn(int64(i+10), many)
		}
		w.expect("right after", "new", 1, "ask")
		s.do(func() {
			close(s.frozen)
			s.frozen = nil
		})
		w.waitFresh()
		w.expect("when it is loaded again", "new", 1, "sold_out")
		if n := w.metric("flashgate_mirror_loads_total"); n != 2 {
			t.Errorf("the copy was loaded %g times, want twice", n)
		}
	})
}

func TestACopyThatWasNotProvenForHalfASecondAnswersNothing(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(s *server){
		"the server does not answer":  func(s *server) { s.do(func() { s.frozen = make(chan struct{}) }) },
		"the connection is lost":      func(s *server) { s.lose() },
		"Redis answers with an error": func(s *server) { s.do(func() { s.down = gate.ErrNoOrder }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newServer(0)
				w := watch(t, s)
				for range 20 { // it stays fresh while nothing happens
					time.Sleep(90 * time.Millisecond)
					w.expect("while nothing happens", "new", 1, "sold_out")
				}
				cut(s)
				s.set(func(s *gate.Settings) { s.Paused = true }) // unseen
				time.Sleep(mirror.FreshFor + time.Millisecond)
				w.expect("half a second later", "new", 1, "ask")
				s.do(func() {
					if s.frozen != nil {
						close(s.frozen)
					}
					s.frozen, s.down = nil, nil
				})
				time.Sleep(3 * time.Second)
				w.expect("when it is back", "new", 1, "paused")
				if n := w.metric("flashgate_mirror_loads_total"); n != 1 {
					t.Errorf("the copy was loaded %g times, want once: nothing was lost", n)
				}
			})
		})
	}
}

func TestAGapMakesTheCopyAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(2)
		w := watch(t, s)
		s.move("a", "", gate.OrderHeld, 1)
		s.move("b", "", gate.OrderHeld, 1)
		time.Sleep(settle)
		s.do(func() { s.sale.Seq += 5 }) // by entries that nobody has
		s.move("c", "", gate.OrderReleased, 1)
		time.Sleep(settle)
		w.expect("right after the gap", "new", 1, "ask")
		w.waitFresh()
		w.expect("when it is loaded again", "new", 1, "sold_out")
		for _, known := range []string{"a", "b", "c"} {
			w.expect("a known order", known, 1, "ask")
		}
		if said := w.log.String(); !strings.Contains(said, "entry 9 follows entry 3") {
			t.Errorf("the log says %s", said)
		}
		if n := w.metric("flashgate_mirror_frozen_orders"); n != 0 {
			t.Errorf("a copy with %g orders is kept, though the server has lost nothing", n)
		}
	})
}

func TestOrdersThatDoNotAddUpAreNotUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1)
		s.move("a", "", gate.OrderHeld, 1)
		w := watch(t, s)
		s.do(func() {
			u := s.sale.Units["unit"]
			u.Held, u.Paid = 0, 1
			s.sale.Units["unit"] = u
			s.id = "second"
		})
		time.Sleep(time.Minute)
		w.expect("a count that does not add up", "new", 1, "ask")
		if n := w.metric("flashgate_mirror_fresh"); n != 0 {
			t.Error("it is shown as fresh")
		}
		if n := w.metric("flashgate_mirror_loads_total"); n < 20 || n > 40 {
			t.Errorf("it was loaded %g times in a minute, want once in two seconds", n)
		}
	})
}

func TestAnotherServerAndLostDataFreezeTheCopy(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(s *server){
		"another server, which has forgotten": func(s *server) {
			s.id = "second"
			s.forget()
		},
		"another server, which has all": func(s *server) { s.id = "second" },
		"the same server, with less":    func(s *server) { s.forget() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newServer(2)
				s.move("a", "", gate.OrderHeld, 1)
				w := watch(t, s)
				s.move("b", "", gate.OrderHeld, 1)
				time.Sleep(settle)
				w.Learn(99, []gate.Change{{Order: "c", Record: string(gate.AppendRecord(nil, &gate.Order{
					ID: "c", State: gate.OrderHeld, Lines: []gate.Line{{SKU: "unit", Quantity: 1}},
				}))}})
				s.do(func() { lose(s) })
				time.Sleep(2 * settle)
				time.Sleep(100 * time.Millisecond)
				w.waitFresh()
				if n := w.metric("flashgate_mirror_frozen_orders"); n != 3 {
					t.Errorf("the frozen copy has %g orders, want a, b, and c, which this gate accepted", n)
				}
				if want := float64(len(s.sale.Records)); w.metric("flashgate_mirror_orders") != want {
					t.Errorf("the new copy has %g orders, want the server's %g",
						w.metric("flashgate_mirror_orders"), want)
				}
			})
		})
	}
}

func TestASaleThatIsGoneIsNotAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(0)
		w := watch(t, s)
		w.expect("before", "new", 1, "sold_out")
		s.do(func() { s.sale, s.ledger = nil, nil })
		time.Sleep(300 * time.Millisecond)
		w.expect("when nothing is left of it", "new", 1, "ask")
	})
}

func TestANewRunBeginsANewCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1)
		s.move("a", "", gate.OrderHeld, 1)
		w := watch(t, s)
		s.add(&gate.Entry{Seq: 3, Kind: "delete"})
		time.Sleep(settle)
		w.expect("a deleted sale", "new", 1, "ask")
		s.create(2, 0)
		time.Sleep(settle)
		w.expect("an order of the run before", "a", 1, "sold_out")
		s.create(3, 1)
		time.Sleep(settle)
		w.expect("a run with stock", "new", 1, "ask")
		if n := w.metric("flashgate_mirror_loads_total"); n != 1 {
			t.Errorf("the copy was loaded %g times, want once: the ledger tells all", n)
		}
	})
}

func TestASaleIsFollowedFromAnHourBeforeItOpensUntilAnHourAfterItsLastOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1, func(s *gate.Settings) {
			s.OpensAt, s.ClosesAt = time.Now().Add(2*time.Hour), time.Now().Add(3*time.Hour)
		})
		w := start(t, s)
		at := func(when string, after time.Duration, followed bool) {
			t.Helper()
			for end := time.Now().Add(after); time.Now().Before(end); time.Sleep(time.Minute) {
				w.look()
			}
			if time.Sleep(3 * time.Second); w.Fresh() != followed {
				t.Errorf("%s: it is fresh: %t", when, w.Fresh())
			}
			if w.Settled() != true {
				t.Errorf("%s: it is not settled", when)
			}
		}
		at("more than an hour before", 50*time.Minute, false)
		at("an hour before", 20*time.Minute, true)
		s.move("a", "", gate.OrderHeld, 1)
		at("past closing, with a held order", 3*time.Hour, true)
		s.move("a", "", gate.OrderPaid, 1)
		at("soon after", 50*time.Minute, true)
		at("an hour after", 20*time.Minute, false)
	})
}

func TestOrdersAreReadWhileTheSaleGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(200)
		for i := range 100 {
			s.move(orderID(i), "", gate.OrderHeld, 1)
		}
		w := start(t, s)
		w.look()
		s.slow(time.Millisecond)
		for i := range 100 { // each is changed while the others are read, some of them before and some after they are
			s.move(orderID(99-i), "", gate.OrderPaid, 1)
			s.move(orderID(100+i), "", gate.OrderHeld, 1)
			time.Sleep(time.Millisecond)
		}
		w.waitFresh()
		if n := w.metric("flashgate_mirror_orders"); n != 200 {
			t.Errorf("the copy has %g orders, want 200", n)
		}
		if n := w.metric("flashgate_mirror_loads_total"); n != 1 {
			t.Errorf("the copy was loaded %g times, want once", n)
		}
		w.expect("everything is sold", "new", 1, "sold_out")
	})
}

func TestWhoReadsTheFeedGetsEachEntryOrIsToldToStartOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(5000)
		w := watch(t, s)
		entries, more, ok := w.Since(1)
		if !ok || len(entries) != 0 {
			t.Fatalf("%d entries behind the first, %t", len(entries), ok)
		}
		s.move("a", "", gate.OrderHeld, 1)
		<-more
		entries, _, ok = w.Since(1)
		if !ok || len(entries) != 1 || entries[0].Seq != 2 {
			t.Fatalf("%v behind the first, %t", entries, ok)
		}
		if _, _, ok := w.Since(3); ok {
			t.Error("there is something behind an entry that is yet to come")
		}
		for i := range 2000 {
			s.move(orderID(i), "", gate.OrderHeld, 1)
			if i%50 == 0 {
				time.Sleep(settle)
			}
		}
		time.Sleep(settle)
		if _, _, ok := w.Since(2); ok {
			t.Error("entries are kept for who is 2,000 behind")
		}
		if entries, _, ok := w.Since(1500); !ok || len(entries) != 502 || entries[0].Seq != 1501 {
			t.Errorf("%d entries behind 1500, %t", len(entries), ok)
		}
		_, more, _ = w.Since(2002)
		s.do(func() { s.id = "second" })
		<-more // who waits is woken when the copy is dropped
		if _, _, ok := w.Since(2002); ok {
			t.Error("a copy that was dropped has entries")
		}
	})
}

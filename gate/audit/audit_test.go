package audit_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/audit"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/store"
)

// scene is a sale "race" in a Redis of its own.
type scene struct {
	*redistest.Server
	t *testing.T
	s *store.Store
}

// open returns a scene with a sale of 100 full and 100 half that buyers have
// orders of: o1 is held, o2 paid, o3 released, o4 released with an attempt that
// is refund due, o5 refunded and withheld, o6 held past its deadline.
func open(t *testing.T) *scene {
	t.Helper()
	server := redistest.Start(t)
	sc := &scene{Server: server, t: t, s: openStore(t, server, nil)}
	now := time.Now().Truncate(time.Millisecond)
	sale := gate.Sale{Name: "race", Run: 1, Settings: gate.Settings{
		OpensAt: now.Add(-time.Hour), ClosesAt: now.Add(time.Hour), Hold: 5 * time.Minute,
		SKUs: []gate.SKU{{Name: "full", Stock: 100}, {Name: "half", Stock: 100}},
	}}
	if err := sc.s.Create(t.Context(), gate.Creation{Who: "kim", Sale: sale, OpenNow: true}); err != nil {
		t.Fatal(err)
	}
	for i, buyer := range []string{"ann", "ann", "ben", "", "cho", "dan"} {
		sc.take(fmt.Sprintf("o%d", i+1), buyer)
	}
	sc.settle("o2", gate.OrderPaid, gate.AttemptPaid)
	sc.settle("o3", gate.OrderReleased, gate.AttemptFailed)
	sc.settle("o4", gate.OrderReleased, gate.AttemptRefundDue)
	sc.settle("o5", gate.OrderPaid, gate.AttemptPaid)
	sc.settle("o5", gate.OrderWithheld, gate.AttemptRefunded)
	sc.settle("o6", gate.OrderHeld, gate.AttemptOpen, func(o *gate.Order) { o.Deadline = now.Add(-time.Minute) })
	return sc
}

func openStore(t *testing.T, server *redistest.Server, now func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(server.URL(),
		store.Deps{Now: now, Log: slog.New(slog.DiscardHandler)},
		store.Options{Who: "gate-1", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// take has an order of one full and two half held, with the attempt a1 of V1 and
// an amount of 1000.
func (sc *scene) take(id, buyer string) {
	sc.t.Helper()
	d := sc.s.Decider("race")
	defer d.Close()
	r := &gate.Request{Confirm: gate.Confirm{
		Order: []byte(id), Attempt: []byte("a1"), Version: 1, Buyer: []byte(buyer),
		Amount: gate.Amount{Value: 1000, Known: true},
		Lines:  []gate.Line{{SKU: "full", Quantity: 1}, {SKU: "half", Quantity: 2}},
	}}
	if err := d.Decide(sc.t.Context(), []*gate.Request{r}); err != nil {
		sc.t.Fatal(err)
	}
	if v := r.Verdict(); v.Code != gate.Held {
		sc.t.Fatalf("order %s is %s", id, v.Code)
	}
}

// settle moves an order and its first attempt on, to be looked at in an hour.
func (sc *scene) settle(id string, state gate.OrderState, attempt gate.AttemptState, change ...func(*gate.Order)) {
	sc.t.Helper()
	orders, _, err := sc.s.Orders(sc.t.Context(), "race", []string{id})
	if err != nil || len(orders) != 1 {
		sc.t.Fatalf("order %s: %v, %v", id, orders, err)
	}
	next := orders[0]
	next.State, next.Attempts = state, slices.Clone(next.Attempts)
	next.Attempts[0].State = attempt
	next.Revision++
	for _, c := range change {
		c(&next)
	}
	moved, err := sc.s.Settle(sc.t.Context(), "gate-1", "settle", "race",
		[]gate.Move{{Before: orders[0], After: &next, Look: time.Hour}}, nil)
	if err != nil || moved[0] != gate.MovedOn {
		sc.t.Fatalf("order %s: %v, %v", id, moved, err)
	}
}

// everything is what must be agreed to for the sale to go.
func (sc *scene) everything() gate.Drop {
	sc.t.Helper()
	loss, err := sc.s.Losses(sc.t.Context(), "race", gate.Drop{})
	if _, refused := errors.AsType[*gate.LossError](err); err != nil && !refused {
		sc.t.Fatal(err)
	}
	return loss.Agreement()
}

// audit returns the report, which must have looked at all orders.
func (sc *scene) audit(payments audit.Payments) audit.Report {
	sc.t.Helper()
	report, err := audit.Run(sc.t.Context(), audit.Deps{Store: sc.s, Payments: payments}, "race", audit.Options{})
	if err != nil {
		sc.t.Fatal(err)
	}
	return report
}

// kinds lists the findings as "kind what", sorted.
func kinds(r audit.Report) string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, strings.TrimSpace(fmt.Sprint(f.Kind, " ", f.SKU+f.Order+f.Buyer)))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

const key = "fg:{race}"

func TestASaleThatIsAsItShouldBeHasNoFindings(t *testing.T) {
	t.Parallel()
	r := open(t).audit(nil)
	if kinds(r) != "" || r.Differences != 0 || r.Moving != 0 {
		t.Errorf("found %+v", r)
	}
	if r.Orders != 6 || r.Buyers != 2 || r.Entries != 13 || r.Looks != 11 || r.Seq != 13 || r.Run != 1 {
		t.Errorf("looked at %+v", r)
	}
}

// Each kind of damage is put into Redis by hand.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	f := func(what, want string, damage func(sc *scene)) {
		t.Run(strings.ReplaceAll(what, " ", "-"), func(t *testing.T) {
			t.Parallel()
			sc := open(t)
			damage(sc)
			r := sc.audit(nil)
			if got := kinds(r); got != want {
				t.Errorf("found %q, want %q", got, want)
			}
			for _, finding := range r.Findings {
				if finding.Text == "" || r.Differences != int64(len(r.Findings)) {
					t.Errorf("%d differences with %+v", r.Differences, finding)
				}
			}
		})
	}
	hash := func(field, value string) func(*scene) {
		return func(sc *scene) { sc.Do(sc.t, "HSET", key, field, value) }
	}
	record := func(id, old, new string) func(*scene) {
		return func(sc *scene) {
			text := fmt.Sprint(sc.Do(sc.t, "HGET", key+":orders", id))
			if !strings.Contains(text, old) {
				sc.t.Fatalf("the record of %s is %q", id, text)
			}
			sc.Do(sc.t, "HSET", key+":orders", id, strings.Replace(text, old, new, 1))
		}
	}

	f("nothing", "", func(*scene) {})
	f("a unit vanished", "ledger_counters full, sum full", hash("sku:full", "100,95,2,1,1"))
	f("a hold that no order has", "ledger_counters full, unit_counters full", hash("sku:full", "100,95,3,1,1"))
	f("a payment that no order has", "ledger_counters full, unit_counters full", hash("sku:full", "100,95,2,2,1"))
	f("a unit withheld for no order", "ledger_counters full, unit_counters full", hash("sku:full", "100,95,2,1,2"))
	f("the stock raised past the settings", "ledger_counters full, settings full", hash("sku:full", "101,97,2,1,1"))
	f("more sold than there was, for a moment", "ledger_break full, ledger_break full, oversold full", func(sc *scene) {
		sc.Do(sc.t, "HSET", key, "sku:full", "3,5,2,1,1")
		sc.take("o9", "eve")
		sc.Do(sc.t, "HSET", key, "sku:full", "100,95,3,1,1")
		sc.settle("o9", gate.OrderReleased, gate.AttemptFailed)
	})
	f("a SKU that is not listed", "ledger_counters bike, settings bike", hash("sku:bike", "10,10,0,0,0"))
	f("a SKU that is gone", "ledger_counters half, settings half, unit_counters half", func(sc *scene) {
		sc.Do(sc.t, "HDEL", key, "sku:half")
	})
	f("orders counted wrong", "ledger_counters, order_counters", hash("orders", "0,3,1,2,0,1,1"))
	f("refunds counted wrong", "ledger_counters, refund_counter", hash("orders", "0,2,1,2,0,1,0"))
	f("requested refunds counted wrong", "ledger_counters, refund_counter", hash("orders", "0,2,1,2,0,1,1,1"))
	f("a refund that is requested, and not counted", "ledger_counters, refund_counter", func(sc *scene) {
		sc.settle("o4", gate.OrderReleased, gate.AttemptRequested)
		sc.Do(sc.t, "HSET", key, "orders", "0,2,1,2,0,1,0")
	})
	f("a buyer with too many units", "buyer_units ann",
		func(sc *scene) { sc.Do(sc.t, "HSET", key+":buyers", "ann", 7) })
	f("a buyer with too few units", "buyer_units ann", func(sc *scene) { sc.Do(sc.t, "HSET", key+":buyers", "ann", 5) })
	f("a buyer who is gone", "buyer_units dan", func(sc *scene) { sc.Do(sc.t, "HDEL", key+":buyers", "dan") })
	f("a buyer with no number", "buyer_units dan", func(sc *scene) { sc.Do(sc.t, "HSET", key+":buyers", "dan", "x") })
	f("a buyer nobody has", "buyer_unknown eve", func(sc *scene) { sc.Do(sc.t, "HSET", key+":buyers", "eve", 2) })
	f("a buyer of released orders alone", "buyer_unknown ben",
		func(sc *scene) { sc.Do(sc.t, "HSET", key+":buyers", "ben", 3) })
	f("a record of another version", "unreadable o1", record("o1", "1H", "9H"))
	f("a record of no state", "unreadable o1", record("o1", "1H", "1Z"))
	f("a record of no revision", "unreadable o1", record("o1", "1H\x1f1", "1H\x1f0"))
	f("a record with an attempt of no state", "unreadable o1", record("o1", "O1a1", "Z1a1"))
	f("a record with a negative quantity", "unreadable o1", record("o1", "full:1", "full:-1"))
	f("an order lost", "buyer_units ann, order_counters, order_lost o2, unit_counters full, unit_counters half",
		func(sc *scene) {
			sc.Do(sc.t, "HDEL", key+":orders", "o2")
		})
	f("a released order lost", "order_counters, order_lost o3",
		func(sc *scene) { sc.Do(sc.t, "HDEL", key+":orders", "o3", "x") })
	f("an order that nobody took",
		"buyer_units ann, order_counters, order_untold o9, unit_counters full, unit_counters half", func(sc *scene) {
			sc.Do(sc.t, "HSET", key+":orders", "o9", sc.Do(sc.t, "HGET", key+":orders", "o2"))
		})
	f("an order paid by hand", "order_counters, order_differs o1, unit_counters full, unit_counters half",
		record("o1", "1H", "1P"))
	f("an order with another amount", "order_differs o2", record("o2", "1000", "1"))
	f("an order with another attempt", "order_differs o1", record("o1", "O1a1", "O1a2"))
	f("an order for another buyer", "buyer_units ann, buyer_units zoe, order_differs o1", record("o1", "ann", "zoe"))
	f("a ledger entry lost", "ledger_gap, order_differs o3",
		func(sc *scene) { sc.Do(sc.t, "XDEL", key+":ledger", "9-0") })
	f("the only entry of an order lost", "ledger_gap, order_untold o1, unwatched o1",
		func(sc *scene) { sc.Do(sc.t, "XDEL", key+":ledger", "2-0") })
	f("the ledger's beginning lost", "ledger_gap, settings",
		func(sc *scene) { sc.Do(sc.t, "XTRIM", key+":ledger", "MINID", "2-0") })
	f("the whole ledger lost",
		"ledger_counters, ledger_counters full, ledger_counters half, order_untold o1, order_untold o2, "+
			"order_untold o3, order_untold o4, order_untold o5, order_untold o6, seq, settings, unwatched o1",
		func(sc *scene) { sc.Do(sc.t, "DEL", key+":ledger") })
	f("an entry that cannot be read", "ledger_fault, seq",
		func(sc *scene) { sc.Do(sc.t, "XADD", key+":ledger", "14-0", "e", "x") })
	f("an entry with a number that is taken", "ledger_fault", func(sc *scene) {
		entries := sc.Do(sc.t, "XRANGE", key+":ledger", "13-0", "13-0").([]any)
		sc.Do(sc.t, append([]any{"XADD", key + ":ledger", "13-1"}, entries[0].([]any)[1].([]any)...)...)
	})
	f("seq ahead of the ledger", "seq", hash("seq", "20"))
	f("seq behind the ledger", "seq", hash("seq", "9"))
	f("settings changed by hand", "settings", func(sc *scene) {
		text := fmt.Sprint(sc.Do(sc.t, "HGET", key, "settings"))
		sc.Do(sc.t, "HSET", key, "settings", strings.Replace(text, `"hold_ms":300000`, `"hold_ms":600000`, 1),
			"hold", 600000)
	})
	f("another version of the settings", "settings", hash("version", "2"))
	f("paused by hand", "settings", hash("paused", "1"))
	f("opened by hand", "settings", hash("opens", "1"))
	f("a limit by hand", "settings", hash("per_buyer", "1"))
	f("a hold that nobody looks at", "unwatched o6", func(sc *scene) {
		sc.Do(sc.t, "ZREM", key+":due", "seq:7")
		sc.Do(sc.t, "ZREM", key+":again", "o:o6")
	})
	f("a hold that is looked at with its batch", "", func(sc *scene) { sc.Do(sc.t, "ZREM", key+":again", "o:o6") })
	f("a hold that is looked at by itself", "", func(sc *scene) { sc.Do(sc.t, "ZREM", key+":due", "seq:7") })
	f("a hold in time that nobody looks at", "unwatched o1",
		func(sc *scene) { sc.Do(sc.t, "ZREM", key+":due", "seq:2") })
	f("a refund that nobody looks at", "unwatched o4", func(sc *scene) {
		sc.Do(sc.t, "ZREM", key+":due", "seq:5")
		sc.Do(sc.t, "ZREM", key+":again", "o:o4")
	})
	f("a refund that is asked for and that nobody looks at", "unwatched o5", func(sc *scene) {
		sc.settle("o5", gate.OrderWithheld, gate.AttemptRequested)
		sc.Do(sc.t, "DEL", key+":again")
		sc.Do(sc.t, "ZREM", key+":due", "seq:6")
		for _, id := range []string{"o3", "o4", "o6"} {
			sc.Do(sc.t, "ZADD", key+":again", time.Now().UnixMilli(), "o:"+id)
		}
	})
	f("a late payment that nobody looks for", "unwatched o3", func(sc *scene) {
		sc.Do(sc.t, "ZREM", key+":due", "seq:4")
		sc.Do(sc.t, "ZREM", key+":again", "o:o3")
	})
	f("all looks lost", "unwatched o1, unwatched o3, unwatched o4, unwatched o6",
		func(sc *scene) { sc.Do(sc.t, "DEL", key+":due", key+":again") })
	f("a hold that is set aside is looked at", "", func(sc *scene) {
		sc.Do(sc.t, "ZREM", key+":due", "seq:7")
		sc.Do(sc.t, "ZREM", key+":again", "o:o6")
		sc.Do(sc.t, "ZADD", key+":aside", 1, "o:o6")
	})
	f("a look a year ahead", "look_far o1", func(sc *scene) { sc.Do(sc.t, "ZADD", key+":due", yearAhead(), "o:o1") })
	f("a look at a batch a year ahead", "look_far",
		func(sc *scene) { sc.Do(sc.t, "ZADD", key+":due", yearAhead(), "seq:2") })
	f("a look at no order", "look_unknown o9", func(sc *scene) { sc.Do(sc.t, "ZADD", key+":due", 1, "o:o9") })
	f("a time that is not yet", "time_ahead",
		func(sc *scene) { sc.Do(sc.t, "HSET", key, "time", time.Now().Add(2*time.Minute).UnixMilli()) })
	f("a time a little ahead", "",
		func(sc *scene) { sc.Do(sc.t, "HSET", key, "time", time.Now().Add(30*time.Second).UnixMilli()) })
	f("a shop told of what there is not", "notify_ahead",
		func(sc *scene) { sc.Do(sc.t, "HSET", key+":notify", "position", 14) })
	f("a shop told of all", "", func(sc *scene) { sc.Do(sc.t, "HSET", key+":notify", "position", 13) })
	f("an order to be told of from nowhere", "notify_ahead o1", func(sc *scene) {
		sc.Do(sc.t, "HSET", key+":notify", "o:o1", `{"entry":14}`, "o:o2", `{"entry":13}`)
	})
	f("a brake that cannot be read", "braked", func(sc *scene) { sc.Do(sc.t, "HSET", key, "brake", "junk") })
	f("a brake that cannot count", "braked", func(sc *scene) { sc.Do(sc.t, "HSET", key, "brake_count", "junk") })
	f("a brake that holds", "", func(sc *scene) {
		sc.Do(sc.t, "HSET", key, "brake", "1\x1frate\x1famount\x1f21\x1f20", "brake_count",
			"amount\x1f9\x1f0\x1f0\x1f1:20")
	})
	f("a brake that holds for so many in a row", "", func(sc *scene) {
		sc.Do(sc.t, "HSET", key, "brake", "1\x1frow\x1famount\x1f10\x1f10", "brake_count",
			"amount\x1f10\x1f0\x1f0\x1f1:10")
	})
	f("a brake of no rule", "braked",
		func(sc *scene) { sc.Do(sc.t, "HSET", key, "brake", "1\x1fbike\x1famount\x1f10\x1f10") })
	f("a brake that is off for the scripts alone", "settings",
		func(sc *scene) { sc.Do(sc.t, "HSET", key, "brake_off", "1") })
	f("a name that is not listed", "unlisted", func(sc *scene) { sc.Do(sc.t, "SREM", "fg:sales", "race") })
	f("a look at nothing", "look_unknown", func(sc *scene) { sc.Do(sc.t, "ZADD", key+":due", 1, "seq:x") })
}

// The ledger of a sale that is made anew begins where that of the run before ended.
func TestASaleThatWasMadeAnewHasNoFindings(t *testing.T) {
	t.Parallel()
	sc := open(t)
	state, err := sc.s.Sale(t.Context(), "race")
	if err == nil {
		err = sc.s.Delete(t.Context(), "kim", "race", sc.everything())
	}
	if err != nil {
		t.Fatal(err)
	}
	sc.Do(t, "XTRIM", key+":ledger", "MAXLEN", "0") // as archiving does
	state.Run = 2
	if err := sc.s.Create(t.Context(), gate.Creation{Who: "kim", Sale: state.Sale, OpenNow: true}); err != nil {
		t.Fatal(err)
	}
	if r := sc.audit(nil); kinds(r) != "" || r.Run != 2 || r.Seq < 15 {
		t.Errorf("found %+v", r)
	}
}

func yearAhead() int64 { return time.Now().AddDate(1, 0, 0).UnixMilli() }

// A day after its release nobody looks at an order any more.
func TestNobodyNeedsToLookAtAnOrderThatWasReleasedLongAgo(t *testing.T) {
	t.Parallel()
	sc := open(t)
	sc.Do(t, "DEL", key+":due", key+":again")
	later := &scene{
		Server: sc.Server, t: t,
		s: openStore(t, sc.Server, func() time.Time { return time.Now().Add(24 * time.Hour) }),
	}
	if got := kinds(later.audit(nil)); got != "unwatched o1, unwatched o4, unwatched o6" {
		t.Errorf("found %s", got)
	}
}

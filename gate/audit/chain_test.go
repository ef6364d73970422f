package audit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
)

// rewrite puts the ledger back with a text in one entry replaced. Redis takes no
// entry between others, so all are written anew.
func (sc *scene) rewrite(seq int, old, new string) {
	sc.t.Helper()
	entries := sc.Do(sc.t, "XRANGE", key+":ledger", "-", "+").([]any)
	sc.Do(sc.t, "DEL", key+":ledger")
	found := false
	for _, e := range entries {
		id, fields := e.([]any)[0].(string), e.([]any)[1].([]any)
		args := []any{"XADD", key + ":ledger", id}
		for _, field := range fields {
			text := field.(string)
			if id == fmt.Sprintf("%d-0", seq) && !found && strings.Contains(text, old) {
				found, text = true, strings.Replace(text, old, new, 1)
			}
			args = append(args, text)
		}
		sc.Do(sc.t, args...)
	}
	if !found {
		sc.t.Fatalf("no field of entry %d has %q", seq, old)
	}
}

// apply changes the sale's settings.
func (sc *scene) apply(change func(*gate.Settings)) {
	sc.t.Helper()
	state, err := sc.s.Sale(sc.t.Context(), "race")
	if err != nil {
		sc.t.Fatal(err)
	}
	next := state.Settings
	change(&next)
	if err := sc.s.Configure(sc.t.Context(), "kim", "apply", "race", state.Version, next); err != nil {
		sc.t.Fatal(err)
	}
}

// The entries of a scene: 1 creates the sale, 2 to 7 take o1 to o6, 8 pays o2, 9
// releases o3, 10 releases o4, 11 pays o5, 12 refunds o5, 13 moves o6's deadline.
func TestAnEntryThatDoesNotFollowIsFound(t *testing.T) {
	t.Parallel()
	f := func(what, want string, damage func(sc *scene)) {
		t.Run(strings.ReplaceAll(what, " ", "-"), func(t *testing.T) {
			t.Parallel()
			sc := open(t)
			damage(sc)
			if got := kinds(sc.audit(nil)); got != want {
				t.Errorf("found %q, want %q", got, want)
			}
		})
	}
	in := func(seq int, old, new string) func(*scene) {
		return func(sc *scene) { sc.rewrite(seq, old, new) }
	}
	f("nothing", "", in(8, "settle", "settle"))
	f("a beginning that cannot be read", "ledger_fault, settings", in(1, "1\x1f", "9\x1f"))
	f("a unit that vanished and came back", "ledger_break full", in(4, "full:100,97,3,0,0", "full:100,96,3,0,0"))
	f("a hold too many", "ledger_break full, ledger_break full", in(4, "full:100,97,3,0,0", "full:100,96,4,0,0"))
	f("a payment too many", "ledger_break full, ledger_break full", in(8, "full:100,94,5,1,0", "full:100,93,5,2,0"))
	f("a unit withheld too many", "ledger_break full, ledger_counters full",
		in(12, "full:100,96,2,1,1", "full:100,96,2,0,2"))
	f("stock that no settings gave", "ledger_break full, ledger_break full",
		in(4, "full:100,97,3,0,0", "full:101,98,3,0,0"))
	f("counters that are not told", "ledger_break half, ledger_break half", in(4, ";half:100,94,6,0,0", ""))
	f("orders counted wrong for a while", "ledger_break, ledger_break", in(9, "0,4,1,1,0,0,0", "0,4,1,2,0,0,0"))
	f("refunds counted wrong for a while", "ledger_break, ledger_break", in(10, "0,3,1,2,0,0,1", "0,3,1,2,0,0,0"))
	f("a revision left out", "ledger_break o5, ledger_break o5", in(11, "1P\x1f2", "1P\x1f3"))
	f("a first record that is not the first", "ledger_break o1, order_differs o1", in(2, "1H\x1f1", "1H\x1f2"))
	f("other units than before", "ledger_break half, ledger_break half, ledger_break o5, ledger_break o5",
		in(11, "half:2", "half:1"))
	f("another buyer than before", "ledger_break o5, ledger_break o5", in(11, "cho", "eve"))
	f("an order that begins as paid",
		"ledger_break, ledger_break full, ledger_break half, ledger_break o1, order_differs o1",
		in(2, "1H\x1f1", "1P\x1f1"))
	f("an order paid after it was refunded", "ledger_break o5", func(sc *scene) {
		sc.settle("o5", gate.OrderPaid, gate.AttemptPaid)
	})
	f("settings that the entry before did not have", "ledger_break", func(sc *scene) {
		sc.apply(func(s *gate.Settings) { s.PerBuyer = 3 })
		sc.apply(func(s *gate.Settings) { s.PerBuyer = 4 })
		sc.rewrite(15, `"per_buyer":3`, `"per_buyer":2`)
	})
	f("settings of a version that was left out", "ledger_break, settings", func(sc *scene) {
		sc.apply(func(s *gate.Settings) { s.PerBuyer = 3 })
		sc.rewrite(14, "1\x1f2\x1f", "1\x1f4\x1f")
	})
}

// What an entry that is missing may have changed is not known, and what was known
// before it is compared no more until it is told again.
func TestNothingFollowsAcrossAGap(t *testing.T) {
	t.Parallel()
	sc := open(t)
	sc.Do(t, "XDEL", key+":ledger", "9-0", "10-0")
	if got := kinds(sc.audit(nil)); got != "ledger_gap, order_differs o3, order_differs o4" {
		t.Errorf("found %s", got)
	}
	sc.take("o9", "ann")
	sc.rewrite(14, "full:100,95,3,1,1", "full:100,95,2,1,2")
	if got := kinds(sc.audit(nil)); got != "ledger_break full, ledger_counters full, ledger_gap, order_differs o3, "+
		"order_differs o4" {
		t.Errorf("after an entry behind the gap, found %s", got)
	}
	sc.settle("o3", gate.OrderReleased, gate.AttemptRefundDue)
	sc.apply(func(s *gate.Settings) { s.PerBuyer = 3 })
	sc.apply(func(s *gate.Settings) { s.PerBuyer = 4 })
	sc.Do(t, "XDEL", key+":ledger", "16-0")
	if got := kinds(sc.audit(nil)); got != "ledger_break full, ledger_counters full, ledger_gap, ledger_gap, "+
		"order_differs o4" {
		t.Errorf("after an order and settings behind the gap, found %s", got)
	}
}

// Earlier versions did not say what settings replaced.
func TestSettingsNeedNotSayWhatTheyReplaced(t *testing.T) {
	t.Parallel()
	sc := open(t)
	before := fmt.Sprint(sc.Do(t, "HGET", key, "settings"))
	sc.apply(func(s *gate.Settings) { s.PerBuyer = 3 })
	sc.rewrite(14, "\x1f"+before, "\x1f")
	if got := kinds(sc.audit(nil)); got != "" {
		t.Errorf("found %s", got)
	}
}

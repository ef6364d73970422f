package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/audit"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/store"
)

// watched is a store in which something happens while an audit reads.
type watched struct {
	*store.Store
	looks     func(gate.Look) bool // whether due is told of
	lookTimes func()               // before the times of looks are read
	entries   func()               // before ledger entries are read
	twice     bool                 // orders and looks come twice, as they may while a table grows
}

func (w *watched) EachLook(ctx context.Context, sale string, do func(gate.Look) error) error {
	return w.Store.EachLook(ctx, sale, func(l gate.Look) error {
		if w.looks != nil && !w.looks(l) {
			return nil
		}
		return do(l)
	})
}

func (w *watched) EachOrder(ctx context.Context, sale string,
	do func(id string, o gate.Order, fault error) error,
) error {
	err := w.Store.EachOrder(ctx, sale, do)
	if err == nil && w.twice {
		err = w.Store.EachOrder(ctx, sale, do)
	}
	return err
}

func (w *watched) EachEntry(ctx context.Context, sale string, from, upto int64,
	do func(seq int64, e *gate.Entry, fault error) error,
) error {
	if w.entries != nil {
		w.entries()
	}
	return w.Store.EachEntry(ctx, sale, from, upto, do)
}

func (w *watched) LookTimes(ctx context.Context, sale string, ids []string) ([]time.Time, error) {
	if w.lookTimes != nil {
		w.lookTimes()
	}
	return w.Store.LookTimes(ctx, sale, ids)
}

func (w *watched) audit(t *testing.T, payments audit.Payments) audit.Report {
	t.Helper()
	r, err := audit.Run(t.Context(), audit.Deps{Store: w, Payments: payments}, "race", audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// missesO6 is due read while o6 went from its batch to a look of its own.
func missesO6(l gate.Look) bool { return l.Order != "o6" && l.Entry != 7 }

func TestALookThatMovesWhileDueIsReadIsFoundWhereItIsNow(t *testing.T) {
	t.Parallel()
	sc := open(t)
	if r := (&watched{Store: sc.s, looks: missesO6}).audit(t, nil); kinds(r) != "" {
		t.Errorf("found %s", kinds(r))
	}
}

func TestAnOrderThatIsSettledWhileLooksAreReadNeedsNone(t *testing.T) {
	t.Parallel()
	sc := open(t)
	settled := func() {
		sc.settle("o6", gate.OrderReleased, gate.AttemptFailed)
		sc.Do(t, "ZREM", key+":again", "o:o6")
	}
	if r := (&watched{Store: sc.s, looks: missesO6, lookTimes: settled}).audit(t, nil); kinds(r) != "" {
		t.Errorf("found %s", kinds(r))
	}
}

func TestWhatComesTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	sc := open(t)
	asked := map[string]int{}
	r := (&watched{Store: sc.s, twice: true}).audit(t, asking(asOrdered().counted(asked)))
	if kinds(r) != "" || r.Orders != 6 || r.Payments != 6 || asked["o1"] != 1 {
		t.Errorf("asked %v: %+v", asked, r)
	}
}

// A sale that ends while its payments are compared has no report either.
func TestARunThatEndsDuringALookUpIsSeen(t *testing.T) {
	t.Parallel()
	afresh := func(sc *scene) {
		state, err := sc.s.Sale(sc.t.Context(), "race")
		if err != nil {
			sc.t.Fatal(err)
		}
		state.Run++
		if err := sc.s.Create(sc.t.Context(),
			gate.Creation{Who: "kim", Sale: state.Sale, Drop: sc.everything()}); err != nil {
			sc.t.Fatal(err)
		}
	}
	deleted := func(sc *scene) {
		if err := sc.s.Delete(sc.t.Context(), "kim", "race", sc.everything()); err != nil {
			sc.t.Fatal(err)
		}
	}
	f := func(what string, change func(sc *scene), whileEntriesAreRead bool) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			sc, asked, ended := open(t), 0, false
			end := func() {
				if asked > 1 && !ended {
					ended = true
					change(sc)
				}
			}
			w := &watched{Store: sc.s}
			if whileEntriesAreRead {
				sc.take("o7", "") // so that there is something to follow
				w.entries = end
			}
			_, err := audit.Run(t.Context(), audit.Deps{
				Store: w, Payments: asking(func(q portone.Query) portone.Finding {
					if q.Order == "o2" { // differs, so that it is asked for once more
						if asked++; !whileEntriesAreRead {
							end()
						}
					}
					return payments{}.find(q)
				}),
			}, "race", audit.Options{})
			if !errors.Is(err, audit.ErrRestarted) || !ended {
				t.Errorf("got %v", err)
			}
		})
	}
	f("afresh", afresh, false)
	f("deleted", deleted, false)
	f("afresh between two reads", afresh, true)
}

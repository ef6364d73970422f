package gate

import (
	"testing"
	"time"
)

func held(id, buyer string, quantity int64) Order {
	return Order{ID: id, State: OrderHeld, Revision: 1, Buyer: buyer, Lines: []Line{{SKU: "full", Quantity: quantity}}}
}

func apply(t *testing.T, f *Fold, entries ...Entry) {
	t.Helper()
	for i := range entries {
		e := &entries[i]
		for _, o := range e.Orders {
			e.Changes = append(e.Changes, Change{o.ID, string(AppendRecord(nil, &o))})
		}
		if err := f.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
}

func stateOf(t *testing.T, f *Fold, id string) OrderState {
	t.Helper()
	o, err := f.Order(id)
	if err != nil {
		t.Fatal(err)
	}
	return o.State
}

func created(seq, run int64) Entry {
	sale := testSale()
	return Entry{
		Seq: seq, Kind: "create", Time: time.Now(), Counters: map[string]Units{"full": {Total: 10, Left: 10}},
		Settings: &SettingsEntry{Run: run, Version: 1, Settings: sale.Settings},
	}
}

func TestAFoldKeepsTheNewestOfEachOrder(t *testing.T) {
	t.Parallel()
	f := NewFold("race")
	released := held("a", "kim", 2)
	released.State = OrderReleased
	apply(t, f, created(1, 1),
		Entry{
			Seq: 2, Kind: "confirm", Counters: map[string]Units{"full": {Total: 10, Left: 7, Held: 3}},
			Orders: []Order{held("a", "kim", 2), held("b", "kim", 1)},
		},
		Entry{
			Seq: 3, Kind: "release", Counters: map[string]Units{"full": {Total: 10, Left: 9, Held: 1}},
			Orders: []Order{released},
		},
	)
	if f.Units["full"].Left != 9 || f.Buyers["kim"] != 1 || stateOf(t, f, "a") != OrderReleased ||
		stateOf(t, f, "b") != OrderHeld {
		t.Errorf("got %+v %v %v", f.Units, f.Buyers, f.Records)
	}
	releasedB := held("b", "kim", 1)
	releasedB.State = OrderReleased
	apply(t, f, Entry{Seq: 4, Kind: "release", Orders: []Order{releasedB}})
	if _, left := f.Buyers["kim"]; left {
		t.Error("a buyer who has nothing is still there")
	}
}

func TestAFoldTakesNoEntryOutOfTurn(t *testing.T) {
	t.Parallel()
	f := NewFold("race")
	apply(t, f, created(5, 1))
	for _, seq := range []int64{4, 5, 7} {
		if err := f.Apply(&Entry{Seq: seq, Kind: "confirm", Orders: []Order{held("a", "kim", 1)}}); err == nil {
			t.Errorf("entry %d follows entry 5", seq)
		}
	}
	if len(f.Records) != 0 || f.Seq != 5 {
		t.Error("a refused entry has left something behind")
	}
}

func TestANewRunOrADeletionStartsAFoldAfresh(t *testing.T) {
	t.Parallel()
	f := NewFold("race")
	apply(t, f, created(1, 1), Entry{Seq: 2, Kind: "confirm", Orders: []Order{held("a", "kim", 1)}}, created(9, 2))
	if f.Run != 2 || f.Seq != 9 || len(f.Records) != 0 || len(f.Buyers) != 0 {
		t.Errorf("a new run keeps %+v", f)
	}
	apply(t, f, Entry{Seq: 10, Kind: "delete", Time: time.UnixMilli(1)})
	if f.Deleted.IsZero() || len(f.Units) != 0 {
		t.Errorf("a deletion keeps %+v", f)
	}
	apply(t, f, created(11, 3))
	if !f.Deleted.IsZero() || f.Units["full"].Left != 10 {
		t.Errorf("what was deleted does not come back: %+v", f)
	}
}

func TestASKUThatIsNoLongerListedLeavesAFold(t *testing.T) {
	t.Parallel()
	f := NewFold("race")
	apply(t, f, created(1, 1))
	next := f.Settings
	next.SKUs = []SKU{{Name: "half", Stock: 4}}
	apply(t, f, Entry{
		Seq: 2, Kind: "apply", Counters: map[string]Units{"half": {Total: 4, Left: 4}},
		Settings: &SettingsEntry{Run: 1, Version: 2, Settings: next},
	})
	if _, there := f.Units["full"]; there || f.Units["half"].Left != 4 || f.Version != 2 {
		t.Errorf("got %+v", f.Units)
	}
}

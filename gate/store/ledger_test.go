package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func TestAnOrderIsRead(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate-1")
		mustApply(t, s, marathon(1), gate.Created)
		take(t, s, "주문 1", "a1", "ann", "full", 2)
		take(t, s, "주문 1", "a2", "ann", "full", 2)
		o, err := s.Order(t.Context(), "marathon", "주문 1")
		if err != nil {
			t.Fatal(err)
		}
		if o.ID != "주문 1" || o.State != gate.OrderHeld || o.Revision != 2 || o.Buyer != "ann" || len(o.Attempts) != 2 ||
			o.Lines[0] != (gate.Line{SKU: "full", Quantity: 2}) || o.Deadline.Sub(o.Taken) < 5*time.Minute {
			t.Errorf("got %+v", o)
		}
		for _, unknown := range []string{"o2", ""} {
			if _, err := s.Order(t.Context(), "marathon", unknown); !errors.Is(err, gate.ErrNoOrder) {
				t.Errorf("order %q: %v", unknown, err)
			}
		}
		if _, err := s.Order(t.Context(), "no-such-sale", "o1"); !errors.Is(err, gate.ErrNoOrder) {
			t.Errorf("order of no sale: %v", err)
		}
	})
}

// fill writes a ledger of more than two pages: entry 1 creates the sale, each
// later one holds two orders.
func fill(t *testing.T, s *Store) (last int64) {
	t.Helper()
	mustApply(t, s, marathon(1, gate.SKU{Name: "full", Stock: 10_000}), gate.Created)
	d := s.Decider("marathon")
	defer d.Close()
	for last = 2; last <= 2*ledgerPage+50; last++ {
		var batch []*gate.Request
		for _, half := range []string{"a", "b"} {
			batch = append(batch, &gate.Request{Confirm: gate.Confirm{
				Order: fmt.Appendf(nil, "o%d%s", last,
					half), Attempt: []byte("a1"), Lines: []gate.Line{{SKU: "full", Quantity: 1}},
			}})
		}
		if err := d.Decide(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	return last - 1
}

func TestALedgerIsReadPageByPage(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate-1")
		last := fill(t, s)
		for _, from := range []int64{0, 1, 2, ledgerPage, ledgerPage + 1, last, last + 1} {
			next := max(from, 1)
			for _, e := range ledger(t, s, from) {
				if e.Seq != next {
					t.Fatalf("from %d: entry %d, want %d", from, e.Seq, next)
				}
				next++
			}
			if next != last+1 {
				t.Errorf("from %d: ended before entry %d, want %d", from, next, last+1)
			}
		}
		for e, err := range s.Ledger(t.Context(), "marathon", 0) {
			if err != nil || e.Seq > 3 {
				t.Fatalf("%+v, %v", e, err)
			}
			if e.Seq == 3 {
				break
			}
		}
		for range s.Ledger(t.Context(), "no-such-sale", 0) {
			t.Error("no sale has a ledger")
		}
	})
}

func TestALedgerThatCannotBeReadEndsWithTheError(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate-1")
		mustApply(t, s, marathon(1), gate.Created)
		if err := s.client.Do(t.Context(), "XADD", keysOf("marathon").ledger, "2-0", "e", "x").Err(); err != nil {
			t.Fatal(err)
		}
		var problems []error
		for _, err := range s.Ledger(t.Context(), "marathon", 2) {
			problems = append(problems, err)
		}
		if len(problems) != 1 || !errors.Is(problems[0], errEntry) {
			t.Errorf("got %v, want %v", problems, errEntry)
		}
	})
}

func TestTheStoryOfAnOrder(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate-1")
		last := fill(t, s)
		take(t, s, "o7a", "a2", "", "full", 1)
		for order, want := range map[string][]int64{
			"o7a":                         {7, last + 1}, // on the first page and the last
			"o2b":                         {2},
			fmt.Sprintf("o%da", last):     {last},
			fmt.Sprintf("o%db", last-199): {last - 199},
		} {
			var at []int64
			var read []int
			story, err := s.Story(t.Context(), "marathon", order, func(n int) { read = append(read, n) })
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range story {
				at = append(at, e.Seq)
				if len(e.Orders) != 1 || e.Orders[0].ID != order || e.Orders[0].Revision != int64(i+1) {
					t.Errorf("%s: entry %d tells of %+v", order, e.Seq, e.Orders)
				}
			}
			if !slices.Equal(at, want) {
				t.Errorf("%s: told by the entries %v, want %v", order, at, want)
			}
			if len(read) == 0 || !slices.IsSorted(read) {
				t.Errorf("%s: progress %v", order, read)
			}
		}
		if _, err := s.Story(t.Context(), "marathon", "nobody", func(int) {}); !errors.Is(err, gate.ErrNoOrder) {
			t.Errorf("an order that is not known: %v", err)
		}
	})
}

func TestTheStoryOfAnOrderThatIsTwiceInOneBatch(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate-1")
		mustApply(t, s, marathon(1), gate.Created)
		d := s.Decider("marathon")
		defer d.Close()
		var batch []*gate.Request
		for _, attempt := range []string{"a1", "a2"} {
			batch = append(batch, &gate.Request{Confirm: gate.Confirm{
				Order: []byte("o1"), Attempt: []byte(attempt), Lines: []gate.Line{{SKU: "full", Quantity: 1}},
			}})
		}
		if err := d.Decide(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		story, err := s.Story(t.Context(), "marathon", "o1", func(int) {})
		if err != nil || len(story) != 1 || len(story[0].Orders) != 2 || len(story[0].Orders[1].Attempts) != 2 {
			t.Errorf("got %+v, %v", story, err)
		}
	})
}

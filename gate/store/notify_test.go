package store

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const lease = 30 * time.Second

// undelivered is an order of which the shop did not take the newest state, which is in
// this entry.
func undelivered(order string, entry int64) gate.Undelivered {
	at := time.UnixMilli(1_800_000_000_000)
	return gate.Undelivered{
		Order: order, Entry: entry, Since: at, Tries: 3, Tried: at.Add(time.Minute), Next: at.Add(2 * time.Minute),
		GiveUp: at.Add(72 * time.Hour), Error: "the shop answered 500",
	}
}

func TestOneGateAtATimeTellsTheShop(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		first, second := open("gate-1"), open("gate-2")
		var ahead time.Duration
		second.deps.Now = func() time.Time { return time.Now().Add(ahead) }
		sale := marathon(1)
		sale.Notify = "https://shop.example.com/"
		mustApply(t, first, sale, gate.Created)
		take(t, first, "o1", "a1", "", "full", 1)

		d, err := first.ClaimDelivery(t.Context(), "marathon", "A", lease)
		if err != nil || d.Run != 1 || d.Seq != 2 || d.Position != 0 || d.Listed != nil ||
			time.Since(d.Now).Abs() > time.Minute {
			t.Fatalf("claimed %+v, %v", d, err)
		}
		if _, err := second.ClaimDelivery(t.Context(), "marathon", "B", lease); !errors.Is(err, gate.ErrClaimed) {
			t.Errorf("a second claim: %v", err)
		}
		o1, o2 := undelivered("o1", 2), undelivered("주문 2", 1)
		done := gate.Progress{
			Position: 2, Trouble: "it is down",
			Listed: map[string]*gate.Undelivered{"o1": &o1, "주문 2": &o2},
		}
		if d, err = first.KeepDelivery(t.Context(), "marathon", "A", lease, done); err != nil ||
			d.Seq != 2 || d.Run != 1 {
			t.Fatalf("kept %+v, %v", d, err)
		}

		ahead = lease + time.Second // the first gate has died, it seems
		d, err = second.ClaimDelivery(t.Context(), "marathon", "B", lease)
		if err != nil || d.Position != 2 || d.Trouble != "it is down" ||
			!reflect.DeepEqual(d.Listed, []gate.Undelivered{o2, o1}) {
			t.Fatalf("taken over %+v, %v", d, err)
		}
		if _, err := first.KeepDelivery(t.Context(), "marathon", "A", lease,
			gate.Progress{Position: 1}); !errors.Is(err, gate.ErrClaimed) {
			t.Errorf("the first gate writes on: %v", err)
		}
		done = gate.Progress{Position: 3, Listed: map[string]*gate.Undelivered{"o1": nil}}
		if _, err := second.KeepDelivery(t.Context(), "marathon", "B", 0, done); err != nil {
			t.Fatal(err)
		}
		d, err = first.Delivery(t.Context(), "marathon")
		if err != nil || d.Position != 3 || d.Trouble != "" || d.Seq != 2 || d.Notify != sale.Notify ||
			!reflect.DeepEqual(d.Listed, []gate.Undelivered{o2}) {
			t.Errorf("read %+v, %v", d, err)
		}
		if err := second.RetryDelivery(t.Context(), "marathon"); err != nil {
			t.Fatal(err)
		}
		if d, err = second.ClaimDelivery(t.Context(), "marathon", "C", lease); err != nil ||
			d.Now.Sub(d.Retry).Abs() > 20*time.Second {
			t.Errorf("given up, then claimed %+v, %v", d, err)
		}
	})
}

// The position follows the list, so that nothing is lost where the gate dies
// between the calls that write a long one.
func TestALongListIsWrittenInParts(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate-1")
		mustApply(t, s, marathon(1), gate.Created)
		if _, err := s.ClaimDelivery(t.Context(), "marathon", "A", lease); err != nil {
			t.Fatal(err)
		}
		p := gate.Progress{Position: 7, Listed: map[string]*gate.Undelivered{}}
		for i := range 2*keepMost + 1 {
			u := undelivered(fmt.Sprint("o", i), int64(i+1))
			p.Listed[u.Order] = &u
		}
		if _, err := s.KeepDelivery(t.Context(), "marathon", "A", lease, p); err != nil {
			t.Fatal(err)
		}
		d, err := s.Delivery(t.Context(), "marathon")
		if err != nil || len(d.Listed) != 2*keepMost+1 || d.Position != 7 || d.Listed[5].Order != "o5" {
			t.Errorf("%d listed, position %d, %v", len(d.Listed), d.Position, err)
		}
	})
}

func TestASaleThatIsGoneHasNothingToDeliver(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate-1")
		gone := func(what string) {
			t.Helper()
			_, claim := s.ClaimDelivery(t.Context(), "marathon", "B", lease)
			_, keep := s.KeepDelivery(t.Context(), "marathon", "A", lease, gate.Progress{Position: 1})
			_, read := s.Delivery(t.Context(), "marathon")
			for _, err := range []error{claim, keep, read, s.RetryDelivery(t.Context(), "marathon")} {
				if !errors.Is(err, gate.ErrNoSale) {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
		gone("no sale")
		mustApply(t, s, marathon(1), gate.Created)
		if _, err := s.ClaimDelivery(t.Context(), "marathon", "A", lease); err != nil {
			t.Fatal(err)
		}
		if _, err := s.KeepDelivery(t.Context(), "marathon", "A", lease, gate.Progress{Position: 1}); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), "kim", "marathon", gate.Drop{}); err != nil {
			t.Fatal(err)
		}
		gone("deleted")
		mustApply(t, s, marathon(2), gate.Created)
		if _, err := s.KeepDelivery(t.Context(), "marathon", "A", lease, gate.Progress{Position: 9}); !errors.Is(err,
			gate.ErrClaimed) {
			t.Errorf("a gate of the run before: %v", err)
		}
		if d, err := s.ClaimDelivery(t.Context(), "marathon", "B", lease); err != nil || d.Position != 0 || d.Run != 2 {
			t.Errorf("a new run: %+v, %v", d, err)
		}
	})
}

func TestAListThatCannotBeReadIsSaid(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate-1")
		mustApply(t, s, marathon(1), gate.Created)
		f := func(field, value string) {
			t.Helper()
			key := keysOf("marathon").notify
			if err := s.client.HSet(t.Context(), key, field, value).Err(); err != nil {
				t.Fatal(err)
			}
			if d, err := s.Delivery(t.Context(), "marathon"); err == nil {
				t.Errorf("%s %s: read as %+v", field, value, d)
			}
			if err := s.client.HDel(t.Context(), key, field).Err(); err != nil {
				t.Fatal(err)
			}
		}
		f("position", "far")
		f("o:o1", "garbage")
		f("o:o1", "{}")
	})
}

func TestEntriesAreReadAfterAPositionAndByTheirNumbers(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate-1")
		last := fill(t, s)
		seqs := func(entries []*gate.Entry, err error) (numbers []int64) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				numbers = append(numbers, e.Seq)
			}
			return numbers
		}
		f := func(got []int64, want ...int64) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		f(seqs(s.Entries(t.Context(), "marathon", 0, 3)), 1, 2, 3)
		f(seqs(s.Entries(t.Context(), "marathon", last-2, 10)), last-1, last)
		f(seqs(s.Entries(t.Context(), "marathon", last, 10)))
		f(seqs(s.EntriesAt(t.Context(), "marathon", []int64{2, last, last + 1})), 2, last)
		f(seqs(s.EntriesAt(t.Context(), "marathon", nil)))
	})
}

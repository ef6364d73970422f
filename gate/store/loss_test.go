package store

import (
	"errors"
	"testing"

	"github.com/flashgate/flashgate/gate"
)

// settleTo moves an order that is held to another state.
func settleTo(t *testing.T, s *Store, order string, to gate.OrderState, attempt gate.AttemptState) {
	t.Helper()
	o, err := s.Order(t.Context(), "marathon", order)
	if err != nil {
		t.Fatal(err)
	}
	after := o
	after.State, after.Attempts = to,
		[]gate.Attempt{{ID: o.Attempts[0].ID, State: attempt, Version: o.Attempts[0].Version}}
	moved, err := s.Settle(t.Context(), "kim", "settle", "marathon", []gate.Move{{Before: o, After: &after}}, nil)
	if err != nil || moved[0] != gate.MovedOn {
		t.Fatalf("%s, %v", moved, err)
	}
}

// soldSale is a sale with 4 units held, two orders paid and one refund due, of
// which the shop was told nothing.
func soldSale(t *testing.T, s *Store) gate.Loss {
	t.Helper()
	sale := marathon(1)
	sale.Notify = "https://shop.example.com"
	mustApply(t, s, sale, gate.Created)
	take(t, s, "held", "a1", "ann", "full", 4)
	for _, order := range []string{"paid 1", "paid 2", "due"} {
		take(t, s, order, "a1", "ben", "full", 1)
	}
	settleTo(t, s, "paid 1", gate.OrderPaid, gate.AttemptPaid)
	settleTo(t, s, "paid 2", gate.OrderPaid, gate.AttemptPaid)
	settleTo(t, s, "due", gate.OrderRefundDue, gate.AttemptRefundDue)
	return gate.Loss{
		Sale: "marathon", Run: 1, Seq: 8, Open: true, Held: 4, Paid: 2, RefundDue: 1,
		Refunds: 1, Entries: 7,
	}
}

// A higher run and a deletion drop nothing that nobody has agreed to, name all of
// it, and change nothing; so does a dry run, and what would be read.
func TestNothingIsDroppedThatNobodyAgreedTo(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		want := soldSale(t, s)
		all := want.Agreement()
		if !all.Held || *all.Paid != 3 || !all.Undelivered {
			t.Fatalf("what must be agreed to is %+v", all)
		}
		refuses := func(what string, drop gate.Drop) {
			t.Helper()
			done, dry := gate.Apply(t.Context(), s,
				gate.Application{Who: "kim", Sale: marathon(2), Drop: drop, DryRun: true})
			_, restart := gate.Apply(t.Context(), s, gate.Application{Who: "kim", Sale: marathon(2), Drop: drop})
			_, told := s.Losses(t.Context(), "marathon", drop)
			for by, err := range map[string]error{
				"restart": restart, "dry run": dry, "losses": told,
				"delete": s.Delete(t.Context(), "kim", "marathon", drop),
			} {
				if got, ok := errors.AsType[*gate.LossError](err); !ok || got.Loss != want {
					t.Errorf("%s by %s: got %v", what, by, err)
				}
			}
			if done.Outcome != gate.Restarted || done.Loss == nil || *done.Loss != want {
				t.Errorf("%s: the dry run tells %+v", what, done)
			}
			if state := read(t, s); state.Seq != want.Seq || state.Run != 1 {
				t.Fatalf("%s: something was changed", what)
			}
		}
		refuses("nothing said", gate.Drop{})
		for what, forget := range map[string]func(*gate.Drop){
			"but held":           func(d *gate.Drop) { d.Held = false },
			"but paid":           func(d *gate.Drop) { d.Paid = nil },
			"one paid too few":   func(d *gate.Drop) { d.Paid = new(int64(2)) },
			"one paid too many":  func(d *gate.Drop) { d.Paid = new(int64(4)) },
			"but undelivered":    func(d *gate.Drop) { d.Undelivered = false },
			"an older archive":   func(d *gate.Drop) { d.Paid, d.Archived = nil, &gate.Archived{Run: 1, Seq: 7} },
			"another run's":      func(d *gate.Drop) { d.Paid, d.Archived = nil, &gate.Archived{Run: 2, Seq: 8} },
			"a number and older": func(d *gate.Drop) { d.Archived = &gate.Archived{Run: 1, Seq: 7} },
		} {
			drop := all
			forget(&drop)
			refuses(what, drop)
		}

		if loss, err := s.Losses(t.Context(), "marathon", all); err != nil || loss != want {
			t.Errorf("agreed to all: %+v, %v", loss, err)
		}
		done, err := gate.Apply(t.Context(), s, gate.Application{Who: "kim", Sale: marathon(2), Drop: all})
		if err != nil || done.Outcome != gate.Restarted {
			t.Fatalf("agreed to all: %+v, %v", done, err)
		}
		if _, err := s.Order(t.Context(), "marathon", "held"); !errors.Is(err, gate.ErrNoOrder) {
			t.Errorf("the old run's order: %v", err)
		}
		if _, err := apply(t, s, marathon(1), true); err == nil {
			t.Error("run 1 came back")
		}
		if err := s.Delete(t.Context(), "kim", "marathon", gate.Drop{}); err != nil {
			t.Errorf("the new run has nothing to lose: %v", err)
		}
	})
}

// What an archive has may go, whoever asks for it.
func TestASaleGoesWithItsArchive(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		loss := soldSale(t, s)
		drop := gate.Drop{Held: true, Undelivered: true, Archived: &gate.Archived{Run: loss.Run, Seq: loss.Seq}}
		if err := s.Delete(t.Context(), "kim", "marathon", drop); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Losses(t.Context(), "marathon", gate.Drop{}); !errors.Is(err, gate.ErrNoSale) {
			t.Errorf("the losses of a tombstone: %v", err)
		}
	})
}

// Once the shop has taken all changes of orders none is left to lose, whatever
// else the ledger tells.
func TestWhatTheShopHasTakenIsNotLost(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		soldSale(t, s)
		f := func(p gate.Progress, entries, listed int64) {
			t.Helper()
			if _, err := s.ClaimDelivery(t.Context(), "marathon", "A", lease); err != nil {
				t.Fatal(err)
			}
			if _, err := s.KeepDelivery(t.Context(), "marathon", "A", 0, p); err != nil {
				t.Fatal(err)
			}
			if loss, _ := s.Losses(t.Context(), "marathon", gate.Drop{}); loss.Entries != entries ||
				loss.Listed != listed {
				t.Errorf("%+v: %d entries and %d orders are undelivered, want %d and %d", p, loss.Entries, loss.Listed,
					entries, listed)
			}
		}
		u := undelivered("due", 8)
		f(gate.Progress{Position: 3}, 5, 0)
		f(gate.Progress{Position: 7, Listed: map[string]*gate.Undelivered{"due": &u}}, 1, 1)
		f(gate.Progress{Position: 8}, 0, 1)
		if _, err := gate.SetPaused(t.Context(), s, "kim", "marathon", true); err != nil {
			t.Fatal(err)
		}
		f(gate.Progress{Position: 8, Listed: map[string]*gate.Undelivered{"due": nil}}, 0, 0)
	})
}

package store

import (
	"testing"

	"github.com/flashgate/flashgate/gate"
)

// A webhook may name no sale: then all are asked, in two round trips.
func TestAnOrderIsHastenedInEachSaleThatHasIt(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate")
		for _, name := range []string{"marathon", "swim", "walk"} {
			sale := marathon(1)
			sale.Name = name
			mustApply(t, s, sale, gate.Created)
		}
		take(t, s, "o1", "a1", "", "full", 1) // in marathon
		f := func(want bool, order string, sales ...string) {
			t.Helper()
			if known, err := s.Hasten(t.Context(), sales, order); known != want || err != nil {
				t.Errorf("%s in %v: known %v, %v", order, sales, known, err)
			}
		}
		f(true, "o1", "marathon", "swim")
		f(true, "o1", "swim", "walk", "marathon")
		f(false, "o1", "swim", "walk")
		f(false, "o2", "marathon", "swim")
		for name, want := range map[string]int{"marathon": 1, "swim": 0, "walk": 0} {
			orders := 0
			err := s.EachLook(t.Context(), name, func(look gate.Look) error {
				if look.Order != "" {
					orders++
				}
				return nil
			})
			if err != nil || orders != want {
				t.Errorf("%s: %d orders are due, %v, want %d", name, orders, err, want)
			}
		}
	})
}

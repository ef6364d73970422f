package shop_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/testkit"
)

// Whichever clock is put ahead or back by an hour, the store's or the gate's own:
// the shop is told of every change, in order, and what it refused is tried again.
func TestClocksThatJumpKeepNothingFromTheShop(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]func(store, own *clock){
		"the store's, ahead":  func(store, _ *clock) { store.put(time.Hour) },
		"the store's, back":   func(store, _ *clock) { store.put(-time.Hour) },
		"the gate's, ahead":   func(_, own *clock) { own.put(time.Hour) },
		"the gate's, back":    func(_, own *clock) { own.put(-time.Hour) },
		"both, ahead":         func(store, own *clock) { store.put(time.Hour); own.put(time.Hour) },
		"apart by two hours":  func(store, own *clock) { store.put(time.Hour); own.put(-time.Hour) },
		"ahead and then back": func(store, _ *clock) { store.put(time.Hour); store.put(-time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			l, own := &ledger{notify: s.url}, &clock{}
			bad := true
			s.refuses = func(e shop.Event) int {
				if bad && e.Order.Order == "o2" {
					return http.StatusServiceUnavailable
				}
				return 0
			}
			l.add("o1 Held 1", "o2 Held 1")
			gateWith(t, l, own.now, secretA)
			awaitPosition(t, l, 1)
			jump(&l.clock, own)
			l.add("o1 Paid 2", "o2 Paid 2", "o3 Held 1")
			testkit.Await(t, "what is new", func() error {
				if len(s.has("o1")) != 2 || len(s.has("o3")) != 1 {
					return fmt.Errorf("the shop has %v and %v", s.has("o1"), s.has("o3"))
				}
				return nil
			})
			s.set(func() { bad = false })
			l.put(2 * time.Hour) // for what was to be tried again by the store's clock
			testkit.Await(t, "what was refused", func() error {
				if got := s.has("o2"); fmt.Sprint(got) != "[2]" {
					return fmt.Errorf("the shop has %v", got)
				}
				return nil
			})
		})
	}
}

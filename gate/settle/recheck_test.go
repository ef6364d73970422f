package settle

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func TestAnOrderIsLookedUpAgainWhateverItsState(t *testing.T) {
	t.Parallel()
	c := openCheckout(t, 1, nil)
	c.settled("paid", "back")
	c.pay("declines", "late")
	c.after(30 * time.Second)
	c.done(c.sim.Cancel("back", "", 0))
	c.done(RecheckOrder(t.Context(), c.store, "race", "back"))
	c.after(0)
	c.wantStates("refunded X", "back")
	c.after(100 * time.Hour) // nobody looks at any of them
	c.after(time.Hour)
	c.done(c.sim.Revive("late"))
	c.done(c.sim.Cancel("paid", "", 300))
	c.after(time.Hour)
	c.wantStates("released F", "late")
	c.counted()
	for _, order := range []string{"late", "paid", "back"} {
		c.done(RecheckOrder(t.Context(), c.store, "race", order))
	}
	c.after(0)
	c.wantStates("paid P", "late")
	c.wantStates("paid P 700", "paid")
	if calls := c.counted(); calls["look"] != 3 {
		t.Errorf("calls: %v", calls)
	}
	if err := RecheckOrder(t.Context(), c.store, "race", "stranger"); !errors.Is(err, gate.ErrNoOrder) {
		t.Errorf("an order that there is not: %v", err)
	}
	if err := RecheckOrder(t.Context(), c.store, "swim", "late"); err == nil {
		t.Error("a sale that there is not has its order looked up")
	}
}

func TestAllOrdersOfASaleAreLookedUpAgain(t *testing.T) {
	t.Parallel()
	eachCheckout(t, nil, func(t *testing.T, c *checkout) {
		names := orders(250)
		c.settled(names...)
		c.pay("declines", "r1")
		c.after(30 * time.Second)
		c.done(c.sim.Cancel(names[0], "", 0))
		c.done(RecheckOrder(t.Context(), c.store, "race", names[0]))
		c.after(0)
		c.after(30 * time.Hour)
		c.after(time.Hour)
		for _, name := range names[1:] {
			c.done(c.sim.Cancel(name, "", 0))
		}
		want := map[string]int64{"paid": 249, "released": 1}
		r, err := RecheckSale(t.Context(), c.store, "race", true)
		if err != nil || r.Orders != 250 || !maps.Equal(r.States, want) || r.Within != "1s" {
			t.Errorf("would look up %+v, %v", r, err)
		}
		c.after(time.Hour)
		c.want(nil, 2751, 0, 249, 0)
		if r, err = RecheckSale(t.Context(), c.store, "race", false); err != nil || r.Orders != 250 {
			t.Errorf("looks up %+v, %v", r, err)
		}
		c.after(0)
		c.want(nil, 2851, 0, 149, 0) // a hundred at a time, in the order of their ids
		c.after(time.Second)
		c.after(time.Second)
		c.want(nil, 3000, 0, 0, 0)
		if r, err = RecheckSale(t.Context(), c.store, "race", true); err != nil || r.Orders != 1 || r.Within != "0s" {
			t.Errorf("would look up %+v, %v", r, err)
		}
	})
}

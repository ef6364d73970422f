package settle

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Orders that a person has looked up again come due in small groups, so that other orders do not
// wait behind them, and all within a bounded time.
const (
	recheckAtOnce  = 100
	recheckEvery   = 500 * time.Millisecond
	longestRecheck = 30 * time.Minute
)

// Rechecked is what RecheckOrder and RecheckSale need of a store.
type Rechecked interface {
	gate.Listing
	// EachOrder calls do for each order, for some more than once. If an order cannot be read, do
	// gets a fault.
	EachOrder(ctx context.Context, sale string, do func(id string, o gate.Order, fault error) error) error
	// Again makes orders due after at most the given time, and returns how many of them exist.
	Again(ctx context.Context, sale string, ids []string, in time.Duration) (known int, err error)
}

// Recheck is the result of RecheckSale.
type Recheck struct {
	Sale   string           `json:"sale"`
	Orders int              `json:"orders"`
	States map[string]int64 `json:"states"` // how many of them are in which state
	Within string           `json:"within"` // how long it is until all of them are due, such as "10s"
}

// RecheckOrder makes an order due for a look-up now, whatever its state. It returns
// gate.ErrNoOrder, and errors as gate.FindSale does.
func RecheckOrder(ctx context.Context, store Rechecked, sale, order string) error {
	if _, err := gate.FindSale(ctx, store, sale); err != nil {
		return err
	}
	known, err := store.Again(ctx, sale, []string{order}, 0)
	if err == nil && known == 0 {
		err = gate.ErrNoOrder
	}
	return err
}

// RecheckSale makes all orders of a sale due soon about which PortOne may have news. With dryRun it
// only counts them. It returns errors as gate.FindSale does.
func RecheckSale(ctx context.Context, store Rechecked, sale string, dryRun bool) (Recheck, error) {
	r := Recheck{Sale: sale, States: map[string]int64{}}
	if _, err := gate.FindSale(ctx, store, sale); err != nil {
		return r, err
	}
	states := map[string]string{} // by order
	err := store.EachOrder(ctx, sale, func(id string, o gate.Order, fault error) error {
		if fault == nil && mayChange(&o) { // the settler sets aside what cannot be read
			states[id] = o.State.String()
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	for _, state := range states {
		r.States[state]++
	}
	ids := slices.Sorted(maps.Keys(states))
	r.Orders = len(ids)
	portions := (len(ids) + recheckAtOnce - 1) / recheckAtOnce
	step := recheckEvery
	if portions > 0 {
		step = min(step, longestRecheck/time.Duration(portions))
	}
	r.Within = (time.Duration(max(0, portions-1)) * step).String()
	if dryRun {
		return r, nil
	}
	in := time.Duration(0)
	for some := range slices.Chunk(ids, recheckAtOnce) {
		if _, err := store.Again(ctx, sale, some, in); err != nil {
			return r, err
		}
		in += step
	}
	return r, nil
}

// mayChange reports whether PortOne may have news of an order: not of an asking order, nor of one
// whose payments were all given back.
func mayChange(o *gate.Order) bool {
	return o.State != gate.OrderAsking &&
		slices.ContainsFunc(o.Attempts, func(a gate.Attempt) bool { return a.State != gate.AttemptRefunded })
}

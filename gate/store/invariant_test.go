package store

import (
	"reflect"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"github.com/flashgate/flashgate/gate"
)

// check compares what Redis holds with the model, with itself and with what its
// ledger tells.
func (x *exercise) check(t *rapid.T) {
	state, err := x.store.Sale(x.ctx, saleName)
	if err != nil {
		t.Fatal(err)
	}
	orders, buyers := x.stored(t)
	same(t, "orders", orders, x.model.orders)
	same(t, "units", state.Units, x.model.units)
	same(t, "run, version and seq", []int64{state.Run, state.Version, state.Seq},
		[]int64{x.model.Run, x.model.version, x.model.seq})
	if !state.Settings.Equal(x.model.Settings) {
		t.Fatalf("settings: got %+v, want %+v", state.Settings, x.model.Settings)
	}
	if seen := x.store.client.HGet(x.ctx, keysOf(saleName).sale,
		"time").Val(); seen != strconv.FormatInt(x.model.latest, 10) {
		t.Fatalf("the latest time is %s, want %d", seen, x.model.latest)
	}
	same(t, "order counts", state.Orders, recount(orders))
	same(t, "buyers", buyers, recountBuyers(orders))
	recountUnits(t, state.Units, orders)

	fold := gate.NewFold(saleName)
	for e, err := range x.store.Ledger(x.ctx, saleName, 0) {
		if err == nil {
			same(t, "extended", e.Extended, extended(ordersOf(t, fold), e))
			err = fold.Apply(e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	same(t, "folded orders", ordersOf(t, fold), orders)
	same(t, "folded buyers", fold.Buyers, buyers)
	if err := fold.Recount(); err != nil {
		t.Fatal(err)
	}
	if !fold.Settings.Equal(state.Settings) {
		t.Fatalf("folded settings: got %+v, want %+v", fold.Settings, state.Settings)
	}
	fold.Now, fold.Settings = state.Now, state.Settings
	same(t, "folded state", fold.State, state)
}

func ordersOf(t *rapid.T, fold *gate.Fold) map[string]gate.Order {
	orders := make(map[string]gate.Order, len(fold.Records))
	for id := range fold.Records {
		o, err := fold.Order(id)
		if err != nil {
			t.Fatal(err)
		}
		orders[id] = o
	}
	return orders
}

// extended returns which changes of an entry only move a deadline, by the orders
// before it.
func extended(before map[string]gate.Order, e *gate.Entry) (places []int) {
	newest := map[string]gate.Order{}
	for i, o := range e.Orders {
		was, again := newest[o.ID]
		if !again {
			was = before[o.ID]
		}
		was.Revision, was.Deadline = o.Revision, o.Deadline
		if reflect.DeepEqual(was, o) {
			places = append(places, i)
		}
		newest[o.ID] = o
	}
	return places
}

// stored reads the orders and buyers that Redis holds.
func (x *exercise) stored(t *rapid.T) (map[string]gate.Order, map[string]int64) {
	k := keysOf(saleName)
	orders, buyers := map[string]gate.Order{}, map[string]int64{}
	for id, record := range x.store.client.HGetAll(x.ctx, k.orders).Val() {
		o, err := gate.ParseRecord(id, record)
		if err != nil {
			t.Fatal(err)
		}
		orders[id] = o
	}
	for buyer, units := range x.store.client.HGetAll(x.ctx, k.buyers).Val() {
		n, err := strconv.ParseInt(units, 10, 64)
		if err != nil || n <= 0 {
			t.Fatalf("buyer %s has %q units", buyer, units)
		}
		buyers[buyer] = n
	}
	return orders, buyers
}

func same(t *rapid.T, what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func recount(orders map[string]gate.Order) (counts gate.OrderCounts) {
	for _, o := range orders {
		counts.Add(o.State, 1)
		for _, a := range o.Attempts {
			switch a.State {
			case gate.AttemptRefundDue:
				counts.Refunds++
			case gate.AttemptRequested:
				counts.Requested++
			}
		}
	}
	return counts
}

func recountBuyers(orders map[string]gate.Order) map[string]int64 {
	buyers := map[string]int64{}
	for _, o := range orders {
		if o.Buyer != "" && o.State.HasUnits() {
			buyers[o.Buyer] += quantity(o.Lines)
		}
	}
	return buyers
}

// recountUnits counts each SKU's units over the orders.
func recountUnits(t *rapid.T, units map[string]gate.Units, orders map[string]gate.Order) {
	for sku, u := range units {
		var held, paid, withheld int64
		for _, o := range orders {
			for _, l := range o.Lines {
				switch {
				case l.SKU != sku:
				case o.State == gate.OrderAsking, o.State == gate.OrderHeld:
					held += l.Quantity
				case o.State == gate.OrderPaid:
					paid += l.Quantity
				case o.State == gate.OrderWithheld:
					withheld += l.Quantity
				}
			}
		}
		if u.Sum() != u.Total || u.Left < 0 {
			t.Fatalf("units of %s do not add up: %+v", sku, u)
		}
		same(t, "recount of "+sku, u,
			gate.Units{Total: u.Total, Left: u.Left, Held: held, Paid: paid, Withheld: withheld})
	}
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

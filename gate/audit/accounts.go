package audit

import (
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// account is what is kept of one order: little, for there may be a million.
type account struct {
	stored, told uint64 // digests of its record, and of the newest record in the ledger; 0 if there is none
	revision     int64  // that the ledger told last; 0 where it counts for what is stored instead
	changed      int64  // the newest ledger entry that changed it
	changedAt    int64  // and when, in milliseconds
	due          int64  // the newest ledger entry in due that changed it

	// What it counts for, as it is stored.
	cart, buyer int32 // in the tables; -1 for no buyer
	state       gate.OrderState
	refunds     uint8 // attempts that are refund due
	requested   uint8 // attempts whose refund is requested
	settled     int64 // when it left Held, in milliseconds

	watched  bool // it is in due by itself
	faulty   bool // its record cannot be read
	lookedUp bool // its payments were compared
}

// mustBeLookedAt reports whether somebody must be to look at an order: as long as its
// units are held, a payment of it is to be given back, or one may still come late.
func (acc *account) mustBeLookedAt(now time.Time) bool {
	switch acc.state {
	case gate.OrderHeld, gate.OrderAsking:
		return true
	case gate.OrderReleased:
		if now.Sub(time.UnixMilli(acc.settled)) < gate.LatePayment-far {
			return true
		}
	}
	return acc.refunds+acc.requested > 0
}

// bought is what is kept of one buyer.
type bought struct {
	stored  int64 // units, as they are stored
	counted int64 // over the orders
	changed int64 // the newest ledger entry that changed an order of the buyer
}

// accounts are all orders and buyers of a sale, with their sums.
type accounts struct {
	seed   maphash.Seed
	orders map[string]int32
	list   []account
	buyers map[string]int32
	has    []bought
	carts  map[string]int32
	lines  [][]gate.Line

	units  map[string]*gate.Units // held, paid and withheld
	counts gate.OrderCounts
}

func newAccounts() *accounts {
	return &accounts{
		seed: maphash.MakeSeed(), orders: map[string]int32{}, buyers: map[string]int32{}, carts: map[string]int32{},
		units: map[string]*gate.Units{},
	}
}

// order returns an order's account, which lasts until the next order is new.
func (a *accounts) order(id string) *account {
	i, ok := a.orders[id]
	if !ok {
		i = int32(len(a.list))
		a.orders[strings.Clone(id)] = i
		a.list = append(a.list, account{buyer: -1})
	}
	return &a.list[i]
}

func (a *accounts) buyer(name string) int32 {
	i, ok := a.buyers[name]
	if !ok {
		i = int32(len(a.has))
		a.buyers[strings.Clone(name)] = i
		a.has = append(a.has, bought{})
	}
	return i
}

func (a *accounts) cart(lines []gate.Line) int32 {
	var key []byte
	for _, l := range lines {
		key = append(append(key, l.SKU...), ':')
		key = append(strconv.AppendInt(key, l.Quantity, 10), ',')
	}
	i, ok := a.carts[string(key)]
	if !ok {
		i = int32(len(a.lines))
		a.carts[string(key)] = i
		a.lines = append(a.lines, lines)
	}
	return i
}

// replace makes an account count for the order o instead of what it counted for; for nothing if o is
// nil.
func (a *accounts) replace(acc *account, o *gate.Order) {
	a.count(acc, -1)
	acc.state, acc.refunds, acc.requested, acc.buyer = 0, 0, 0, -1
	if o == nil {
		return
	}
	acc.state, acc.cart, acc.settled = o.State, a.cart(o.Lines), o.Settled.UnixMilli()
	for _, attempt := range o.Attempts {
		switch attempt.State {
		case gate.AttemptRefundDue:
			acc.refunds++
		case gate.AttemptRequested:
			acc.requested++
		}
	}
	if o.Buyer != "" {
		acc.buyer = a.buyer(o.Buyer)
	}
	a.count(acc, 1)
}

func (a *accounts) count(acc *account, sign int64) {
	if acc.state == 0 {
		return
	}
	a.counts.Add(acc.state, sign)
	a.counts.Refunds += sign * int64(acc.refunds)
	a.counts.Requested += sign * int64(acc.requested)
	for _, l := range a.lines[acc.cart] {
		u := a.units[l.SKU]
		if u == nil {
			u = &gate.Units{}
			a.units[l.SKU] = u
		}
		switch n := sign * l.Quantity; acc.state {
		case gate.OrderAsking, gate.OrderHeld:
			u.Held += n
		case gate.OrderPaid:
			u.Paid += n
		case gate.OrderWithheld:
			u.Withheld += n
		}
		if acc.buyer >= 0 && acc.state.HasUnits() {
			a.has[acc.buyer].counted += sign * l.Quantity
		}
	}
}

// unitsOf returns what orders have of a SKU.
func (a *accounts) unitsOf(sku string) gate.Units {
	if u := a.units[sku]; u != nil {
		return *u
	}
	return gate.Units{}
}

// digest tells two orders apart; it is never 0.
func (a *accounts) digest(o *gate.Order) uint64 {
	var h maphash.Hash
	h.SetSeed(a.seed)
	text := func(s string) { maphash.WriteComparable(&h, s) }
	number := func(n int64) { maphash.WriteComparable(&h, n) }
	number(int64(o.State))
	number(o.Revision)
	text(o.Buyer)
	maphash.WriteComparable(&h, o.Amount)
	maphash.WriteComparable(&h, o.Balance)
	number(o.Taken.UnixMilli())
	number(o.Deadline.UnixMilli())
	number(o.Settled.UnixMilli())
	number(int64(len(o.Lines)))
	for _, l := range o.Lines {
		maphash.WriteComparable(&h, l)
	}
	for _, attempt := range o.Attempts {
		maphash.WriteComparable(&h, attempt)
	}
	return max(h.Sum64(), 1)
}

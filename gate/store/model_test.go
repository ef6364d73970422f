package store

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// model is a sale as the design tells it, kept in plain Go. It knows nothing of
// scripts, records or Redis.
type model struct {
	gate.Sale
	version, seq int64
	now, latest  int64 // milliseconds: the clock, and the latest time that the sale has seen
	units        map[string]gate.Units
	orders       map[string]gate.Order
}

func newModel(sale gate.Sale, now int64) *model {
	m := &model{now: now}
	m.restart(sale)
	return m
}

// restart makes the sale anew, in its first run or a higher one.
func (m *model) restart(sale gate.Sale) {
	m.Sale, m.orders, m.units = sale, map[string]gate.Order{}, map[string]gate.Units{}
	for _, k := range sale.SKUs {
		m.units[k.Name] = gate.Units{Total: k.Stock, Left: k.Stock}
	}
	m.version++
	m.changed()
}

// changed notes that the ledger has one more entry.
func (m *model) changed() {
	m.seq++
	m.latest = m.time()
}

// time does not run back.
func (m *model) time() int64 { return max(m.now, m.latest) }

func (m *model) bought(buyer string) (units int64) {
	for _, o := range m.orders {
		if o.Buyer == buyer && o.State.HasUnits() {
			units += quantity(o.Lines)
		}
	}
	return units
}

func quantity(lines []gate.Line) (units int64) {
	for _, l := range lines {
		units += l.Quantity
	}
	return units
}

// batch decides confirms one after the other.
func (m *model) batch(confirms []*gate.Request) { m.each(confirms, m.confirm) }

// answers makes of asking orders what the shop said, one after the other.
func (m *model) answers(answers []*gate.Request) { m.each(answers, m.answer) }

func (m *model) each(batch []*gate.Request, decide func(r *gate.Request)) {
	before, held := maps.Clone(m.orders), false
	for _, r := range batch {
		decide(r)
		held = held || r.Verdict().Code == gate.Held
	}
	written := !reflect.DeepEqual(before, m.orders)
	switch {
	case written:
		m.changed()
	case held:
		m.latest = m.time()
	}
}

func (m *model) confirm(r *gate.Request) {
	v := m.verdict(r)
	if v.Code == gate.Held {
		if o := m.orders[string(r.Confirm.Order)]; o.State == gate.OrderAsking {
			r.SetAsking(o.Revision)
			return
		}
	}
	if r.Set(v); r.KnownOnly && v.Code != gate.Held {
		r.Set(r.Refusal)
	}
}

// answer makes of one order what the shop said.
func (m *model) answer(r *gate.Request) {
	o := m.orders[string(r.Confirm.Order)]
	asking := o.State == gate.OrderAsking
	r.Set(gate.RefuseFor(gate.ShopLate))
	if !r.Yes {
		if asking && o.Revision == r.Revision {
			m.move(o.Lines, func(u *gate.Units, n int64) { u.Left, u.Held = u.Left+n, u.Held-n })
			o.State, o.Settled = gate.OrderReleased, instant(m.time())
			o.Revision++
			m.orders[o.ID] = o
		}
		return
	}
	at := slices.IndexFunc(o.Attempts, func(a gate.Attempt) bool { return a.ID == string(r.Confirm.Attempt) })
	open := o.Attempts[at].State == gate.AttemptOpen
	switch o.State {
	case gate.OrderReleased:
	case gate.OrderPaid:
		r.Set(gate.Refuse(gate.AlreadyPaid))
		if o.Attempts[at].State == gate.AttemptPaid {
			r.Set(gate.Refuse(gate.Held))
		}
	case gate.OrderRefundDue, gate.OrderRefunded, gate.OrderWithheld:
		r.Set(gate.Refuse(gate.AlreadyPaid))
	default:
		if !open {
			r.Set(gate.Refuse(gate.AttemptEnded))
			return
		}
		r.Set(gate.Refuse(gate.Held))
		if asking {
			o.State, o.Deadline = gate.OrderHeld, m.deadline()
			o.Revision++
			m.orders[o.ID] = o
		}
	}
}

func (m *model) verdict(r *gate.Request) gate.Verdict {
	c := r.Confirm
	o, known := m.orders[string(c.Order)]
	if !known && r.KnownOnly {
		return r.Refusal
	}
	if !known {
		o = gate.Order{ID: string(c.Order), Buyer: string(c.Buyer), Lines: c.Lines}
		return m.hold(o, r)
	}
	changed := o.Buyer != string(c.Buyer) || !slices.Equal(o.Lines, c.Lines) ||
		o.Amount.Known && c.Amount.Known && o.Amount != c.Amount
	if changed {
		return gate.Refuse(gate.OrderChanged)
	}
	at := slices.IndexFunc(o.Attempts, func(a gate.Attempt) bool { return a.ID == string(c.Attempt) })
	switch o.State {
	case gate.OrderPaid:
		if at >= 0 && o.Attempts[at].State == gate.AttemptPaid {
			return gate.Refuse(gate.Held)
		}
		return gate.Refuse(gate.AlreadyPaid)
	case gate.OrderRefundDue, gate.OrderRefunded, gate.OrderWithheld:
		return gate.Refuse(gate.AlreadyPaid)
	}
	if r.KnownOnly && at < 0 {
		return r.Refusal
	}
	switch o.State {
	case gate.OrderReleased:
		if at >= 0 {
			return gate.Refuse(gate.AttemptEnded)
		}
		return m.hold(o, r)
	}
	switch {
	case at >= 0 && o.Attempts[at].State != gate.AttemptOpen && o.Attempts[at].State != gate.AttemptDeposit:
		return gate.Refuse(gate.AttemptEnded)
	case at < 0 && len(o.Attempts) == gate.MaxAttempts:
		return gate.Refuse(gate.AttemptLimit)
	}
	if at >= 0 && (o.Amount.Known || !c.Amount.Known) && (o.State == gate.OrderAsking || m.gain(o) < m.Hold/4) {
		return gate.Refuse(gate.Held) // it is asked again too soon to change anything
	}
	m.write(o, c)
	return gate.Refuse(gate.Held)
}

// deadline is that of a hold that begins now, and gain by how much it is later than
// an order's.
func (m *model) deadline() time.Time             { return instant(m.time()).Add(m.Hold) }
func (m *model) gain(o gate.Order) time.Duration { return m.deadline().Sub(o.Deadline) }

// hold passes an order through all checks and takes its units.
func (m *model) hold(o gate.Order, r *gate.Request) gate.Verdict {
	c := r.Confirm
	switch now := m.time(); {
	case len(o.Attempts) == gate.MaxAttempts:
		return gate.Refuse(gate.AttemptLimit)
	case m.Paused:
		return gate.Refuse(gate.Paused)
	case now < m.OpensAt.UnixMilli():
		return gate.Refuse(gate.NotOpen)
	case now >= m.ClosesAt.UnixMilli():
		return gate.Refuse(gate.Closed)
	}
	for _, l := range c.Lines {
		if _, known := m.units[l.SKU]; !known {
			return gate.Refuse(gate.UnknownSKU)
		}
	}
	switch {
	case m.PerBuyer > 0 && o.Buyer == "":
		return gate.NeedsBuyer()
	case m.PerBuyer > 0 && m.bought(o.Buyer)+quantity(c.Lines) > m.PerBuyer:
		return gate.Refuse(gate.BuyerLimit)
	}
	for _, l := range c.Lines {
		if m.units[l.SKU].Left < l.Quantity {
			return gate.Refuse(gate.SoldOut)
		}
	}
	if r.NoHold != gate.NoCause {
		return gate.RefuseFor(r.NoHold)
	}
	m.move(o.Lines, func(u *gate.Units, n int64) { u.Left, u.Held = u.Left-n, u.Held+n })
	if r.Asks {
		o.State, o.Taken, o.Deadline, o.Settled = gate.OrderAsking, instant(m.time()),
			instant(m.time()).Add(gate.AskingFor), instant(0)
		m.write(o, c)
		return gate.Refuse(gate.Held)
	}
	o.State, o.Taken, o.Deadline, o.Settled = gate.OrderHeld, instant(m.time()), instant(0), instant(0)
	m.write(o, c)
	return gate.Refuse(gate.Held)
}

// write stores a held or asking order with what the confirm adds to it.
func (m *model) write(o gate.Order, c gate.Confirm) {
	if c.Amount.Known {
		o.Amount = c.Amount
	}
	if !slices.ContainsFunc(o.Attempts, func(a gate.Attempt) bool { return a.ID == string(c.Attempt) }) {
		o.Attempts = append(slices.Clip(o.Attempts), gate.Attempt{ID: string(c.Attempt), State: gate.AttemptOpen})
	}
	if m.gain(o) > 0 && o.State == gate.OrderHeld {
		o.Deadline = m.deadline()
	}
	o.Revision++
	m.orders[o.ID] = o
}

func (m *model) move(lines []gate.Line, change func(u *gate.Units, n int64)) {
	for _, l := range lines {
		u := m.units[l.SKU]
		change(&u, l.Quantity)
		m.units[l.SKU] = u
	}
}

// configure replaces the settings, and reports whether they were allowed.
func (m *model) configure(next gate.Settings) bool {
	units := map[string]gate.Units{}
	for _, k := range next.SKUs {
		u := m.units[k.Name]
		u.Left += k.Stock - u.Total
		u.Total = k.Stock
		if u.Left < 0 {
			return false
		}
		units[k.Name] = u
	}
	for sku, u := range m.units {
		if _, kept := units[sku]; !kept && u.Left != u.Total {
			return false
		}
	}
	m.Settings, m.units = next, units
	m.version++
	m.changed()
	return true
}

// hasRoom reports whether every line of an order could be taken, by its buyer too.
func (m *model) hasRoom(o gate.Order) bool {
	if m.PerBuyer > 0 && o.Buyer != "" && m.bought(o.Buyer)+quantity(o.Lines) > m.PerBuyer {
		return false
	}
	return !slices.ContainsFunc(o.Lines, func(l gate.Line) bool {
		u, known := m.units[l.SKU]
		return !known || u.Left < l.Quantity
	})
}

// holds reports whether what was found of an order, when it was as it was read,
// still says something about it: whether only its deadline has moved since, or not
// even that where it rests on the deadline.
func (m *model) holds(read gate.Order, rests bool) bool {
	now := m.orders[read.ID]
	if rests && !now.Deadline.Equal(read.Deadline) {
		return false
	}
	read.Revision, read.Deadline = now.Revision, now.Deadline
	return reflect.DeepEqual(read, now)
}

// settle does what a look-up at PortOne leads to: it moves an order on from
// where it stands. It reports whether there is such a step.
func (m *model) settle(id string, to gate.OrderState) bool {
	o := m.orders[id]
	o.Attempts = slices.Clone(o.Attempts)
	last := &o.Attempts[len(o.Attempts)-1]
	switch {
	case (o.State == gate.OrderHeld || o.State == gate.OrderAsking) && to == gate.OrderReleased:
		m.move(o.Lines, func(u *gate.Units, n int64) { u.Left, u.Held = u.Left+n, u.Held-n })
		last.State = gate.AttemptFailed
	case o.State == gate.OrderHeld && to == gate.OrderPaid:
		m.move(o.Lines, func(u *gate.Units, n int64) { u.Held, u.Paid = u.Held-n, u.Paid+n })
		last.State = gate.AttemptPaid
	case o.State == gate.OrderPaid && to == gate.OrderRefunded:
		m.move(o.Lines, func(u *gate.Units, n int64) { u.Paid, u.Left = u.Paid-n, u.Left+n })
		last.State = gate.AttemptRefunded
	case o.State == gate.OrderPaid && to == gate.OrderWithheld:
		m.move(o.Lines, func(u *gate.Units, n int64) { u.Paid, u.Withheld = u.Paid-n, u.Withheld+n })
		last.State = gate.AttemptRefunded
	case o.State == gate.OrderReleased && to == gate.OrderPaid:
		m.move(o.Lines, func(u *gate.Units, n int64) { u.Left, u.Paid = u.Left-n, u.Paid+n })
		last.State = gate.AttemptPaid
	case o.State == gate.OrderReleased && to == gate.OrderRefundDue:
		last.State = gate.AttemptRefundDue
	case o.State == gate.OrderRefundDue && to == gate.OrderRefunded:
		last.State = gate.AttemptRefunded
	case o.State == gate.OrderRefundDue && to == o.State && last.State == gate.AttemptRefundDue:
		last.State = gate.AttemptRequested
	case o.State == gate.OrderRefundDue && to == o.State:
		last.State, last.Tries = gate.AttemptRefundDue, last.Tries+1
	default:
		return false
	}
	m.changed()
	if to != o.State {
		o.State, o.Settled = to, instant(m.latest)
	}
	o.Revision++
	m.orders[id] = o
	return true
}

// loss is what goes with the sale. Its notify is empty, so nobody is to be told.
func (m *model) loss() gate.Loss {
	now := m.time()
	l := gate.Loss{
		Sale: m.Name, Run: m.Run, Seq: m.seq,
		Open: !m.Paused && now >= m.OpensAt.UnixMilli() && now < m.ClosesAt.UnixMilli(),
	}
	for _, u := range m.units {
		l.Held += u.Held
	}
	for _, o := range m.orders {
		switch o.State {
		case gate.OrderPaid:
			l.Paid++
		case gate.OrderRefundDue:
			l.RefundDue++
		}
		for _, a := range o.Attempts {
			if a.State == gate.AttemptRefundDue || a.State == gate.AttemptRequested {
				l.Refunds++
			}
		}
	}
	return l
}

package mirror_test

import (
	"errors"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/flashgate/flashgate/gate"
)

// confirm sends a confirm to a gate. If its mirror does not refuse it, it waits for the server.
func (w *world) confirm(r *rapid.T) {
	s := w.sites[rapid.IntRange(0, 2).Draw(r, "gate")]
	c := w.tickets[rapid.IntRange(0, len(w.tickets)-1).Draw(r, "ticket")]
	noHold := gate.NoCause
	if rapid.IntRange(0, 3).Draw(r, "shop") == 0 {
		noHold = gate.ShopDown
	}
	soon := rapid.IntRange(0, 3).Draw(r, "soon")
	if w.refused(s, c, noHold) {
		return
	}
	s.waiting = append(s.waiting, waiting{c, noHold})
	if soon > 0 {
		w.decideAll(s)
	}
	if soon > 1 {
		s.answer()
	}
}

// decide has the server decide what waits at a gate.
func (w *world) decide(r *rapid.T) { w.decideAll(w.sites[rapid.IntRange(0, 2).Draw(r, "gate")]) }

// changeHands gives a unit back, and to who waits at a gate, before any follower is told.
func (w *world) changeHands(r *rapid.T) {
	s := w.sites[rapid.IntRange(0, 2).Draw(r, "gate")]
	w.move(r, gate.OrderHeld, gate.OrderReleased)
	w.decideAll(s)
	s.answer()
}

func (w *world) decideAll(s *site) {
	for _, c := range s.waiting {
		sale := w.server.sale
		code, known := decide(sale, c.ticket, c.noHold, time.Now())
		if code != gate.Held {
			continue
		}
		d := decision{sale.Seq, gate.Change{Order: c.id, Record: sale.Records[c.id].Record}}
		if o, err := sale.Order(c.id); !known || err == nil && o.State == gate.OrderReleased {
			d.seq, d.change = w.server.moveLines(c.id, c.buyer, gate.OrderHeld, c.lines)
			w.note()
		}
		s.decided = append(s.decided, d)
	}
	s.waiting = nil
}

// answer has a gate answer what was decided for it.
func (w *world) answer(r *rapid.T) { w.sites[rapid.IntRange(0, 2).Draw(r, "gate")].answer() }

func (s *site) answer() {
	for _, d := range s.decided {
		s.Learn(d.seq, []gate.Change{d.change})
		s.promised[d.change.Order] = true
	}
	s.decided = nil
}

// move moves an order on, as the settler does.
func (w *world) move(r *rapid.T, from, to gate.OrderState) {
	all := shuffled(r, w.tickets)
	if w.server.sale == nil {
		return
	}
	for _, c := range all {
		if o, err := w.server.sale.Order(c.id); err == nil && o.State == from {
			w.server.moveLines(c.id, c.buyer, to, c.lines)
			w.note()
			return
		}
	}
}

func shuffled(r *rapid.T, all []ticket) []ticket {
	first := rapid.IntRange(0, len(all)-1).Draw(r, "first")
	return append(slices.Clone(all[first:]), all[:first]...)
}

// stock raises or lowers the stock of a SKU.
func (w *world) stock(r *rapid.T) {
	sku := rapid.SampledFrom([]string{"unit", "seat"}).Draw(r, "SKU")
	more := rapid.Int64Range(-2, 2).Draw(r, "more")
	if !w.sold() || w.server.sale.Units[sku].Left+more < 0 {
		return
	}
	u := w.server.sale.Units[sku]
	u.Total, u.Left = u.Total+more, u.Left+more
	w.setWith(map[string]gate.Units{sku: u}, func(s *gate.Settings) {
		s.SKUs = slices.Clone(s.SKUs)
		s.SKUs[slices.IndexFunc(s.SKUs, func(k gate.SKU) bool { return k.Name == sku })].Stock = u.Total
	})
}

func (w *world) setWith(counters map[string]gate.Units, change func(*gate.Settings)) {
	if !w.sold() {
		return
	}
	sale := w.server.sale
	settings := sale.Settings
	change(&settings)
	w.server.add(&gate.Entry{
		Kind: "apply", Counters: counters, Counts: sale.Orders,
		Settings: &gate.SettingsEntry{Run: sale.Run, Version: sale.Version + 1, Settings: settings},
	})
	w.note()
}

func (w *world) pause(*rapid.T) {
	w.setWith(nil, func(s *gate.Settings) { s.Paused = !s.Paused })
}

func (w *world) limit(r *rapid.T) {
	limit := rapid.Int64Range(0, 2).Draw(r, "limit")
	w.setWith(nil, func(s *gate.Settings) { s.PerBuyer = limit })
}

func (w *world) window(r *rapid.T) {
	now := time.Now()
	opens := rapid.SampledFrom([]time.Duration{-time.Hour, -time.Hour, time.Second, 4 * time.Second}).Draw(r, "opens")
	closes := rapid.SampledFrom([]time.Duration{-time.Second, time.Second, 4 * time.Second, time.Hour}).
		Draw(r, "closes")
	closes = max(closes, opens+time.Second)
	w.setWith(nil, func(s *gate.Settings) { s.OpensAt, s.ClosesAt = now.Add(opens), now.Add(closes) })
}

// newRun makes the sale, or makes it anew.
func (w *world) newRun(r *rapid.T) {
	w.create(rapid.Int64Range(0, 2).Draw(r, "units"), rapid.Int64Range(0, 2).Draw(r, "seats"))
}

func (w *world) create(unit, seat int64) {
	w.runs++
	w.server.create(w.runs, unit, func(s *gate.Settings) {
		s.SKUs = append(s.SKUs, gate.SKU{Name: "seat", Stock: seat})
	})
	w.note()
}

func (w *world) delete(*rapid.T) {
	if w.sold() {
		w.server.add(&gate.Entry{Seq: w.server.sale.Seq + 1, Kind: "delete"})
		w.note()
	}
}

// trouble does something to what lies between a gate and the server, or ends it.
func (w *world) trouble(r *rapid.T) {
	w.hinder(r, w.sites[rapid.IntRange(0, 2).Draw(r, "gate")].own)
}

func (w *world) allLinks(r *rapid.T) { w.hinder(r, &w.server.link) }

func (w *world) hinder(r *rapid.T, l *link) {
	do := rapid.SampledFrom([]string{"free", "free", "frozen", "down", "cut", "late", "late", "slow"}).
		Draw(r, "trouble")
	late := rapid.SampledFrom([]time.Duration{30, 200, 380, 450, 900}).Draw(r, "late") * time.Millisecond
	w.server.do(func() {
		switch do {
		case "free":
			l.free()
		case "frozen":
			if l.frozen == nil {
				l.frozen = make(chan struct{})
			}
		case "down":
			l.down = errors.New(gone)
			l.cuts++
		case "cut":
			l.cuts++
		case "late":
			l.late = late
		case "slow":
			l.delay = late
		}
	})
}

// free ends all trouble.
func (l *link) free() {
	if l.frozen != nil {
		close(l.frozen)
	}
	*l = link{cuts: l.cuts}
}

// clock has a gate doubt the clock, or no more.
func (w *world) clock(r *rapid.T) {
	s := w.sites[rapid.IntRange(0, 2).Draw(r, "gate")]
	if s.doubt = nil; rapid.Bool().Draw(r, "doubt") {
		s.doubt = &gate.ClockError{}
	}
}

// failOver makes another server of it, which may have forgotten something.
func (w *world) failOver(r *rapid.T) {
	w.rewind(r, func(s *server) { s.id += "+" })
}

// failBack makes a server of it that has the same identity and other data: it was a
// replica for a while.
func (w *world) failBack(r *rapid.T) {
	w.rewind(r, func(s *server) { s.cuts++ })
	time.Sleep(time.Millisecond) // what it does from now on has another time
}

func (w *world) rewind(r *rapid.T, change func(s *server)) {
	back := rapid.IntRange(0, 4).Draw(r, "back")
	m := w.past[max(0, len(w.past)-1-back)]
	w.server.do(func() {
		w.server.sale, w.server.ledger = clone(m.sale), slices.Clone(m.ledger)
		change(w.server)
	})
	w.lost = time.Now()
	w.note()
}

// wipe empties the server, whose connections stay as they are. It may be filled at once, and
// then has less than before when it is next asked: what has as much is no less to a follower.
func (w *world) wipe(r *rapid.T) {
	w.server.do(func() {
		w.server.sale, w.server.ledger = nil, nil
		for _, l := range []*link{&w.server.link, w.sites[0].own, w.sites[1].own, w.sites[2].own} {
			l.late, l.delay = 0, 0
		}
	})
	w.wiped = time.Now()
	w.note()
	if rapid.Bool().Draw(r, "filled") {
		w.newRun(r)
	}
	w.pass(1500 * time.Millisecond)
}

// gap takes the newest entry out of the ledger.
func (w *world) gap(*rapid.T) {
	w.server.do(func() {
		if n := len(w.server.ledger); n > 1 {
			w.server.ledger = slices.Clone(w.server.ledger[:n-1])
		}
	})
	w.note()
}

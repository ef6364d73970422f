package mirror

import (
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Edge is how near to opening or closing Redis is asked: its clock decides.
const Edge = 2 * time.Second

// Refuse returns the refusal of a confirm that cannot be met, and whether there is one.
// Where there is none, Redis decides. noHold is why the confirm may take no new hold,
// gate.NoCause where it may.
func (m *Mirror) Refuse(c *gate.Confirm, noHold gate.Cause) (gate.Verdict, bool) {
	now := m.now()
	p := m.fresh(now)
	if p == nil {
		return gate.Verdict{}, false
	}
	v, refuses := p.against(c, noHold, now.Add(time.Duration(m.offset.Load())))
	if !refuses {
		return gate.Verdict{}, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.picture.Load() != p { // what is known now goes with another one
		return gate.Verdict{}, false
	}
	if _, known := m.find(c.Order); known || m.mayPassLimit(c, p.settings.PerBuyer) {
		return gate.Verdict{}, false
	}
	m.refused.Inc()
	return v, true
}

// Knows reports whether the sale has the confirm's order by its attempt, and whether the copy is
// fresh enough to be sure of it.
func (m *Mirror) Knows(c *gate.Confirm) (known, sure bool) {
	if !m.Fresh() {
		return false, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.ready {
		return false, false
	}
	record, known := m.find(c.Order)
	return known && gate.HasAttempt(record, c), true
}

// against returns what speaks against a new order, in the order in which the script
// confirm looks, and whether anything does that the picture can tell. Now is by Redis'
// clock.
func (p *picture) against(c *gate.Confirm, noHold gate.Cause, now time.Time) (v gate.Verdict, refuses bool) {
	opens, closes := p.settings.OpensAt, p.settings.ClosesAt
	switch {
	case p.settings.Paused:
		return gate.Refuse(gate.Paused), true
	case now.Before(opens.Add(-Edge)):
		return gate.Refuse(gate.NotOpen), true
	case !now.Before(closes.Add(Edge)):
		return gate.Refuse(gate.Closed), true
	case now.Before(opens.Add(Edge)) || !now.Before(closes.Add(-Edge)):
		return gate.Verdict{}, false
	}
	short := false
	for i := range c.Lines {
		left, listed := p.left[c.Lines[i].SKU]
		if !listed {
			return gate.Verdict{}, false
		}
		short = short || left < c.Lines[i].Quantity
	}
	switch {
	case short:
		return gate.Refuse(gate.SoldOut), true
	case noHold != gate.NoCause:
		return gate.RefuseFor(noHold), true
	}
	return gate.Verdict{}, false
}

// mayPassLimit reports whether the buyer may be past the limit of one buyer, which the
// script looks at before the units.
func (m *Mirror) mayPassLimit(c *gate.Confirm, limit int64) bool {
	if limit == 0 {
		return false
	}
	units := m.fold.Buyers[string(c.Buyer)]
	for i := range c.Lines {
		units += c.Lines[i].Quantity
	}
	return len(c.Buyer) == 0 || units > limit || len(m.ahead) > 0
}

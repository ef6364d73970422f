package launch

import (
	"fmt"
	"strconv"
)

// given is what 200s stand for, after the orders behind them were looked up.
type given struct {
	units    map[string]int64 // by SKU, of orders that have them still
	returned map[string]int64 // by SKU, of orders that have them no more
	buyers   map[string]int64 // units by buyer
}

func (r *Run) given(stories []told, states map[int]*orderView) *given {
	g := &given{map[string]int64{}, map[string]int64{}, map[string]int64{}}
	for _, s := range stories {
		if s.accepted == 0 {
			continue
		}
		o := r.Plan.order(s.number)
		for _, l := range o.lines {
			if states[s.number].lost() {
				g.returned[l.SKU] += l.Quantity
				continue
			}
			g.units[l.SKU] += l.Quantity
			g.buyers[o.buyer] += l.Quantity
		}
	}
	return g
}

// checkUnits holds what was given away against the totals, by the gate's
// counters and by a count of our own.
func (g *given) checkUnits(after *SaleView) Check {
	var wrong findings
	var sold, total int64
	for _, u := range after.SKUs {
		units := g.units[u.SKU]
		sold, total = sold+units, total+u.Total
		if units > u.Total {
			wrong.add("%s: 200 was told for %d units of %d", u.SKU, units, u.Total)
		}
		if u.Held+u.Paid > u.Total || u.Left < 0 {
			wrong.add("%s: %d held and %d paid of %d, %d left", u.SKU, u.Held, u.Paid, u.Total, u.Left)
		}
		if u.Left+u.Held+u.Paid+u.Withheld != u.Total {
			wrong.add("%s: %d left, %d held, %d paid and %d withheld are not %d", u.SKU, u.Left, u.Held, u.Paid,
				u.Withheld, u.Total)
		}
		if units > u.Held+u.Paid {
			wrong.add("%s: 200 was told for %d units, and %d are held or paid", u.SKU, units, u.Held+u.Paid)
		}
	}
	if most := after.Settings.PerBuyer; most > 0 {
		for buyer, units := range g.buyers {
			if units > most {
				wrong.add("%s has %d units of at most %d", buyer, units, most)
			}
		}
	}
	return wrong.check("units", "200 stands for %d units of %d, %d counts are wrong", sold, total, wrong.count)
}

// Sold is what a sale has sold, of all its SKUs together.
type Sold struct {
	Units    int64 `json:"units"` // held or paid, or told so
	Of       int64 `json:"of"`
	Oversold int64 `json:"oversold"` // beyond what there is of a SKU
	Returned int64 `json:"returned"` // units of this run's orders that have them no more
	Again    int64 `json:"sold_again"`
	Asking   int64 `json:"asking,omitempty"` // orders among them that the shop has not said yes to
}

// sold takes the counters' word or that of the 200s, whichever sold more: a gate
// that oversells may hide it in its counters. Of the units that were returned
// those are sold again that were taken beyond what was left before the run.
func (g *given) sold(before, after *SaleView) *Sold {
	was := map[string]UnitsView{}
	for _, u := range before.SKUs {
		was[u.SKU] = u
	}
	s := &Sold{Asking: after.Orders["asking"]}
	for _, u := range after.SKUs {
		units := max(u.Held+u.Paid, g.units[u.SKU])
		s.Units, s.Of = s.Units+units, s.Of+u.Total
		s.Oversold += max(0, units-u.Total)
		returned, b := g.returned[u.SKU], was[u.SKU]
		taken := u.Held + u.Paid - b.Held - b.Paid + returned
		s.Returned += returned
		s.Again += min(returned, max(0, taken-b.Left))
	}
	return s
}

// say tells of it in a sentence. Declined says that what was returned was so for
// a card that was declined; noun is what a unit is called, in the plural.
func (s *Sold) say(noun string, declined bool) string {
	said := fmt.Sprintf("%s of %s sold, %s oversold", grouped(s.Units), grouped(s.Of), grouped(s.Oversold))
	why := "returned"
	if declined {
		why = "declined"
	}
	if s.Again > 0 {
		said += fmt.Sprintf(", %s %s %s sold again", grouped(s.Again), why, noun)
	}
	if rest := s.Returned - s.Again; rest > 0 {
		said += fmt.Sprintf(", %s %s %s not sold again", grouped(rest), why, noun)
	}
	if s.Asking > 0 {
		said += fmt.Sprintf(", and the shop has not said yes to %s orders of these", grouped(s.Asking))
	}
	return said
}

// grouped writes a number with commas between its thousands.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(text) - 3; i > first; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

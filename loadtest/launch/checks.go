package launch

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func (r *Run) rules(sale *SaleView) *rules {
	if sale == nil {
		return &rules{}
	}
	return &rules{
		known: true, perBuyer: sale.Settings.PerBuyer, paused: sale.State == "paused", asks: sale.Settings.Ask != "",
		opens: sale.Settings.OpensAt.Sub(r.began), closes: sale.Settings.ClosesAt.Sub(r.began),
	}
}

func (r *Run) checkAnswers(sale *SaleView) Check {
	rules, answered := r.rules(sale), 0
	var wrong findings
	for number := range r.sent {
		request, a := r.Plan.requests[number], &r.answers[number]
		if a.failure != "" {
			continue
		}
		answered++
		if a.problem == "" {
			a.problem = rules.check(request.kind, a)
		}
		if a.problem != "" {
			wrong.add("order %s: %s", r.Plan.opt.orderID(int(request.order)), a.problem)
		}
	}
	if answered == 0 {
		return skipped("answers", "no request was answered")
	}
	return wrong.check("answers", "%d of %d answers are none that may be given", wrong.count, answered)
}

func (r *Run) checkTime(j Judge) Check {
	var late findings
	for number := range r.sent {
		switch a := &r.answers[number]; {
		case a.ours:
		case a.failure != "":
			late.add("%s", a.failure)
		case a.done-a.sent > j.Within:
			late.add("answered after %s", (a.done - a.sent).Round(time.Millisecond))
		}
	}
	c := late.check("in time", "%d of %d requests had no answer within %s", late.count, r.sent, j.Within)
	c.Result = Failed
	if r.sent > 0 && float64(late.count) <= j.Tolerate*float64(r.sent) {
		c.Result = Passed
	}
	return c
}

// checkDuplicates wants 200 for whoever asks again after his 200 has arrived,
// unless his units were released since, or no decision could be made safe.
func checkDuplicates(stories []told, states map[int]*orderView, r *Run) Check {
	var forgotten findings
	repeated := 0
	for _, s := range stories {
		if state := states[s.number]; s.accepted == 0 || state.lost() {
			continue
		}
		for _, a := range s.answers {
			if a.sent <= s.accepted || a.failure != "" {
				continue
			}
			repeated++
			if !a.held() && !unsure(a.code) {
				forgotten.add("order %s was told 200 and then %s", r.Plan.opt.orderID(s.number), a.code)
			}
		}
	}
	if repeated == 0 {
		return skipped("duplicates", "nobody asked again after a 200")
	}
	return forgotten.check("duplicates", "%d of %d sent again after their 200 were refused", forgotten.count, repeated)
}

// checkHolds wants a hold, or what became of it, behind every 200.
func (r *Run) checkHolds(stories []told, states map[int]*orderView) Check {
	var missing findings
	accepted, by := 0, map[string]int{}
	for _, s := range stories {
		if s.accepted == 0 {
			continue
		}
		accepted++
		o, state := r.Plan.order(s.number), states[s.number]
		switch {
		case state == nil:
			missing.add("order %s was told 200 and is not there", o.id)
		case state.State == "asking":
			missing.add("order %s was told 200, and the shop has not said yes", o.id)
		case !slices.Equal(state.Lines, o.lines) || state.Buyer != o.buyer:
			missing.add("order %s is there with other lines or another buyer", o.id)
		default:
			by[state.State]++
		}
	}
	if accepted == 0 {
		return skipped("holds", "nobody was told 200")
	}
	return missing.check("holds", "%d of %d orders with a 200 have nothing behind it (%s)", missing.count,
		accepted, counts(by))
}

// checkRecords wants a new record for each order that had units, because it was
// told 200 or the shop refused it, and beyond these only for such as were left unsure.
func checkRecords(stories []told, before, after *SaleView) Check {
	var accepted, refused, open int64
	for _, s := range stories {
		switch {
		case s.accepted > 0:
			accepted++
		case s.refused:
			refused++
		case s.unsure:
			open++
		}
	}
	added := after.records() - before.records()
	var wrong findings
	switch {
	case after.Run != before.Run:
		wrong.add("the sale was in run %d before and is in run %d now", before.Run, after.Run)
	case added < accepted+refused || added > accepted+refused+open:
		wrong.add("%d orders have come, and %d were told 200, %d refused by the shop, %d more may be held; nobody "+
			"else may buy during a rehearsal", added, accepted, refused, open)
	}
	detail := fmt.Sprintf("%d orders have come; %d were told 200, ", added, accepted)
	if refused > 0 {
		detail += fmt.Sprintf("%d refused by the shop, ", refused)
	}
	return wrong.check("records", "%s%d more could not be told", detail, open)
}

// checkSoldOut wants nobody refused who could have been served: at some moment
// between such a request and its answer less was left than it wanted. Without the
// ledger that is known only where units never became more.
func (r *Run) checkSoldOut(stories []told, before, after *SaleView, stock *Stock) Check {
	if stock.Missing != "" && (after.gone() != before.gone() || after.Version != before.Version) {
		return skipped("sold out", "units came back, or the sale was changed, meanwhile, and what was left at each "+
			"moment is not known: %s", stock.Missing)
	}
	left := map[string]int64{}
	for _, u := range after.SKUs {
		left[u.SKU] = u.Left
	}
	short := func(l gate.Line, a *answer) bool {
		if stock.Missing != "" {
			return left[l.SKU] < l.Quantity
		}
		return stock.short(l, a.sent, a.done)
	}
	var wrong findings
	refused := 0
	for _, s := range stories {
		o := r.Plan.order(s.number)
		for _, a := range s.answers {
			if a.code != "sold_out" {
				continue
			}
			refused++
			if !slices.ContainsFunc(o.lines, func(l gate.Line) bool { return short(l, a) }) {
				wrong.add("order %s was told sold_out, and of %s there was enough left", o.id, o.items())
			}
		}
	}
	if refused == 0 {
		return skipped("sold out", "nobody was told so")
	}
	return wrong.check("sold out", "%d of %d told so could have been served", wrong.count, refused)
}

// checkAudit takes the word of the gate's own audit.
func (r *Run) checkAudit(ctx context.Context, j Judge) (c Check, err error) {
	var view *auditView
	var status int
	err = during(j, "the gate audits the sale", func() (err error) {
		view, status, err = j.Admin.audit(ctx, r.Plan.opt.Sale)
		return err
	})
	if err != nil {
		return Check{}, err
	}
	var wrong findings
	switch {
	case status != http.StatusOK:
		wrong.add("try again, or use flashgate audit")
		return wrong.check("audit", "the gate's own audit answered %d", status), nil
	case view.Differences == 0 && view.Problem == "" && view.Moving > 0:
		return skipped("audit", "%d orders or buyers changed whenever the gate compared them: use flashgate audit "+
			"when less is going on", view.Moving), nil
	}
	c = Check{Name: "audit", Detail: fmt.Sprintf("the gate's own audit found %d differences in %d orders, of which "+
		"it looked %d up at PortOne", view.Differences, view.Orders, view.Payments)}
	if view.Differences == 0 && view.Problem == "" {
		c.Result = Passed
	}
	if view.Problem != "" {
		c.Detail += ", and was not finished: " + view.Problem
	}
	for _, f := range view.Findings[:min(len(view.Findings), maxExamples)] {
		c.Examples = append(c.Examples, f.Text)
	}
	return c, nil
}

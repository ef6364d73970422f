package launch

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flashgate/flashgate/gate"
)

// Check is one thing that must be true after a run.
type Check struct {
	Name     string   `json:"name"`
	OK       bool     `json:"ok"`
	Detail   string   `json:"detail"`             // with its numbers
	Examples []string `json:"examples,omitempty"` // of what is wrong
}

// maxExamples is how many examples a check shows.
const maxExamples = 10

// findings collects what is wrong.
type findings struct {
	count    int
	examples []string
}

func (f *findings) add(format string, values ...any) {
	f.count++
	if len(f.examples) < maxExamples {
		f.examples = append(f.examples, fmt.Sprintf(format, values...))
	}
}

// check is passed where nothing was found.
func (f *findings) check(name, format string, values ...any) Check {
	return Check{name, f.count == 0, fmt.Sprintf(format, values...), f.examples}
}

// Judge is what a verdict goes by.
type Judge struct {
	Admin    *Admin    // nil: by the answers alone
	Before   *SaleView // the sale before the run; nil where Admin is
	Within   time.Duration
	Tolerate float64           // share of requests that may go without an answer in time
	Workers  int               // look-ups at once
	Settle   time.Duration     // how long to wait until no order is held any more; 0: not
	Tell     func(string, int) // progress, about once a second: what, how many are done
}

// told is what an order was told, in the order of the answers.
type told struct {
	number   int // the order's
	answers  []*answer
	accepted time.Duration // when its first 200 was there; 0 for none
	unsure   bool          // one of its answers left open whether it is held
}

// stories groups the answers by order. Hostile requests are nobody's.
func (r *Run) stories() []told {
	stories := make([]told, r.Plan.orders)
	for number := range r.sent {
		request, a := r.Plan.requests[number], &r.answers[number]
		if request.kind.hostile() {
			continue
		}
		s := &stories[request.order]
		s.number = int(request.order)
		s.answers = append(s.answers, a)
		s.unsure = s.unsure || a.failure != "" || unsure(a.code)
		if a.held() && (s.accepted == 0 || a.done < s.accepted) {
			s.accepted = a.done
		}
	}
	return slices.DeleteFunc(stories, func(s told) bool { return len(s.answers) == 0 })
}

// Verdict checks what every order was told, and against it what the admin API
// says. An error says that it could not be looked at.
func (r *Run) Verdict(ctx context.Context, j Judge) ([]Check, *SaleView, error) {
	stories := r.stories()
	checks := []Check{r.checkAnswers(j.Before), r.checkTime(j)}
	if j.Admin == nil {
		return append(checks, checkDuplicates(stories, nil, r)), nil, nil
	}
	if j.Settle > 0 {
		settled, err := r.checkSettled(ctx, j)
		if err != nil {
			return nil, nil, err
		}
		checks = append(checks, settled)
	}
	states, err := r.lookUp(ctx, j, stories)
	if err != nil {
		return nil, nil, err
	}
	after, err := j.Admin.Sale(ctx, r.Plan.opt.Sale)
	if err != nil {
		return nil, nil, err
	}
	if r.Simulator != nil {
		payments, err := r.checkPayments(ctx, stories, states)
		if err != nil {
			return nil, nil, err
		}
		checks = append(checks, payments)
	}
	audit, err := r.checkAudit(ctx, j)
	if err != nil {
		return nil, nil, err
	}
	return append(checks,
		checkDuplicates(stories, states, r), r.checkHolds(stories, states), r.checkUnits(stories, states, after),
		checkRecords(stories, j.Before, after), r.checkSoldOut(stories, j.Before, after), audit,
	), after, nil
}

func (r *Run) rules(sale *SaleView) *rules {
	if sale == nil {
		return &rules{}
	}
	return &rules{
		known: true, perBuyer: sale.Settings.PerBuyer, paused: sale.State == "paused",
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
	c.OK = r.sent > 0 && float64(late.count) <= j.Tolerate*float64(r.sent)
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
	return forgotten.check("duplicates", "%d of %d sent again after their 200 were refused", forgotten.count, repeated)
}

// lookUp reads every order that was told 200. Of an order that is not there it
// returns nil.
func (r *Run) lookUp(ctx context.Context, j Judge, stories []told) (map[int]*orderView, error) {
	accepted := slices.DeleteFunc(slices.Clone(stories), func(s told) bool { return s.accepted == 0 })
	views := make([]*orderView, len(accepted))
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(j.Workers)
	last := time.Now()
	for i, s := range accepted {
		group.Go(func() (err error) {
			views[i], err = j.Admin.order(ctx, r.Plan.opt.Sale, r.Plan.opt.orderID(s.number))
			done.Add(1)
			return err
		})
		if time.Since(last) >= time.Second {
			last = time.Now()
			j.Tell(fmt.Sprintf("orders of %d looked up", len(accepted)), int(done.Load()))
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	states := make(map[int]*orderView, len(views))
	for i, s := range accepted {
		states[s.number] = views[i]
	}
	return states, nil
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
	return missing.check("holds", "%d of %d orders with a 200 have nothing behind it (%s)", missing.count, accepted, counts(by))
}

// checkUnits holds what was given away against the totals, by the gate's
// counters and by a count of our own.
func (r *Run) checkUnits(stories []told, states map[int]*orderView, after *SaleView) Check {
	given, buyers := map[string]int64{}, map[string]int64{}
	for _, s := range stories {
		if state := states[s.number]; s.accepted == 0 || state.lost() {
			continue
		}
		o := r.Plan.order(s.number)
		for _, l := range o.lines {
			given[l.SKU] += l.Quantity
			buyers[o.buyer] += l.Quantity
		}
	}
	var wrong findings
	var sold, total int64
	for _, u := range after.SKUs {
		sold, total = sold+given[u.SKU], total+u.Total
		if given[u.SKU] > u.Total {
			wrong.add("%s: 200 was told for %d units of %d", u.SKU, given[u.SKU], u.Total)
		}
		if u.Held+u.Paid > u.Total || u.Left < 0 {
			wrong.add("%s: %d held and %d paid of %d, %d left", u.SKU, u.Held, u.Paid, u.Total, u.Left)
		}
		if u.Left+u.Held+u.Paid+u.Withheld != u.Total {
			wrong.add("%s: %d left, %d held, %d paid and %d withheld are not %d", u.SKU, u.Left, u.Held, u.Paid, u.Withheld, u.Total)
		}
		if given[u.SKU] > u.Held+u.Paid {
			wrong.add("%s: 200 was told for %d units, and %d are held or paid", u.SKU, given[u.SKU], u.Held+u.Paid)
		}
	}
	if most := after.Settings.PerBuyer; most > 0 {
		for buyer, units := range buyers {
			if units > most {
				wrong.add("%s has %d units of at most %d", buyer, units, most)
			}
		}
	}
	return wrong.check("units", "200 stands for %d units of %d, %d counts are wrong", sold, total, wrong.count)
}

// checkRecords wants a new record for each order that was told 200, and beyond
// these only for such as were left unsure.
func checkRecords(stories []told, before, after *SaleView) Check {
	var accepted, open int64
	for _, s := range stories {
		switch {
		case s.accepted > 0:
			accepted++
		case s.unsure:
			open++
		}
	}
	added := after.records() - before.records()
	var wrong findings
	switch {
	case after.Run != before.Run:
		wrong.add("the sale was in run %d before and is in run %d now", before.Run, after.Run)
	case added < accepted || added > accepted+open:
		wrong.add("%d orders have come, and %d were told 200, %d more may be held; nobody else may buy during a rehearsal", added, accepted, open)
	}
	return wrong.check("records", "%d orders have come; %d were told 200, %d more could not be told", added, accepted, open)
}

// checkSoldOut wants nobody refused who could have been served: units only
// become fewer while nothing is released.
func (r *Run) checkSoldOut(stories []told, before, after *SaleView) Check {
	if after.gone() != before.gone() || after.Version != before.Version {
		return Check{Name: "sold out", OK: true, Detail: "not checked: units came back, or the sale was changed, meanwhile"}
	}
	left := map[string]int64{}
	for _, u := range after.SKUs {
		left[u.SKU] = u.Left
	}
	var wrong findings
	refused := 0
	for _, s := range stories {
		if !slices.ContainsFunc(s.answers, func(a *answer) bool { return a.code == "sold_out" }) {
			continue
		}
		refused++
		o := r.Plan.order(s.number)
		if !slices.ContainsFunc(o.lines, func(l gate.Line) bool { return left[l.SKU] < l.Quantity }) {
			wrong.add("order %s was told sold_out, and of %s there is enough left", o.id, o.items())
		}
	}
	return wrong.check("sold out", "%d of %d told so could have been served", wrong.count, refused)
}

func (r *Run) checkAudit(ctx context.Context, j Judge) (Check, error) {
	view, status, err := j.Admin.audit(ctx, r.Plan.opt.Sale)
	switch {
	case err != nil:
		return Check{}, err
	case status != http.StatusOK:
		return Check{Name: "audit", Detail: fmt.Sprintf("the gate's own audit answered %d: try again, or use flashgate audit", status)}, nil
	}
	c := Check{Name: "audit", OK: view.Differences == 0 && view.Problem == "", Detail: fmt.Sprintf("the gate's own audit found %d differences", view.Differences)}
	if view.Problem != "" {
		c.Detail += ", and was not finished: " + view.Problem
	}
	for _, f := range view.Findings[:min(len(view.Findings), maxExamples)] {
		c.Examples = append(c.Examples, f.Text)
	}
	return c, nil
}

package launch

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Result is what became of a check. Its zero value is a failure.
type Result uint8

// What a check may come to.
const (
	Failed  Result = iota
	Passed         // everything was looked at, and right
	Skipped        // it could not be looked at; Check.Detail says why
)

// String implements fmt.Stringer.
func (r Result) String() string {
	switch r {
	case Passed:
		return "ok"
	case Skipped:
		return "skipped"
	}
	return "FAIL"
}

// MarshalText implements encoding.TextMarshaler.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Result) UnmarshalText(text []byte) error {
	for _, result := range []Result{Failed, Passed, Skipped} {
		if result.String() == string(text) {
			*r = result
			return nil
		}
	}
	return fmt.Errorf("result %.20q: must be %s, %s or %s", text, Passed, Failed, Skipped)
}

// Check is one thing that must be true after a run.
type Check struct {
	Name     string   `json:"name"`
	Result   Result   `json:"result"`
	Detail   string   `json:"detail"`             // with its numbers, or why it was skipped
	Examples []string `json:"examples,omitempty"` // of what is wrong
}

// skipped is a check that could not be made.
func skipped(name, format string, values ...any) Check {
	return Check{Name: name, Result: Skipped, Detail: fmt.Sprintf(format, values...)}
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
	c := Check{name, Failed, fmt.Sprintf(format, values...), f.examples}
	if f.count == 0 {
		c.Result = Passed
	}
	return c
}

// Judge is what a verdict goes by.
type Judge struct {
	Admin    *Admin    // nil: by the answers alone
	Before   *SaleView // the sale before the run; nil where Admin is
	Within   time.Duration
	Tolerate float64                  // share of requests that may go without an answer in time
	Workers  int                      // look-ups at once
	Settle   time.Duration            // how long to wait until no order is held any more; 0: not
	Tell     func(phase, text string) // progress: a phase, and how far it has come, as often as that changes
}

// Judged is what was found after a run.
type Judged struct {
	Checks []Check
	Shop   *ShopSaid // nil where the shop was not looked at
	After  *SaleView // nil where no admin API was asked, as Sold and Stock are
	Sold   *Sold
	Stock  *Stock
}

// told is what an order was told, in the order of the answers.
type told struct {
	number   int // the order's
	answers  []*answer
	accepted time.Duration // when its first 200 was there; 0 for none
	refused  bool          // the shop refused it
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
		s.refused = s.refused || a.code == shopRefused
		s.unsure = s.unsure || a.failure != "" || unsure(a.code)
		if a.held() && (s.accepted == 0 || a.done < s.accepted) {
			s.accepted = a.done
		}
	}
	return slices.DeleteFunc(stories, func(s told) bool { return len(s.answers) == 0 })
}

// Verdict checks what every order was told, and against it what the admin API
// says. An error says that it could not be looked at.
func (r *Run) Verdict(ctx context.Context, j Judge) (*Judged, error) {
	stories := r.stories()
	found := &Judged{Checks: []Check{r.checkAnswers(j.Before), r.checkTime(j)}}
	if err := r.hearShop(ctx, j, stories, found); err != nil {
		return nil, err
	}
	if j.Admin == nil {
		found.Checks = append(found.Checks, checkDuplicates(stories, nil, r))
		for _, name := range []string{"holds", "units", "records", "sold out", "audit"} {
			found.Checks = append(found.Checks, skipped(name, "without --admin nobody looks at what the gate has"))
		}
		return found, nil
	}
	if j.Settle > 0 {
		settled, err := r.checkSettled(ctx, j)
		if err != nil {
			return nil, err
		}
		found.Checks = append(found.Checks, settled)
	}
	states, err := r.lookUp(ctx, j, stories)
	if err != nil {
		return nil, err
	}
	if found.After, err = j.Admin.Sale(ctx, r.Plan.opt.Sale); err != nil {
		return nil, err
	}
	err = during(j, "reading the ledger", func() (err error) {
		found.Stock, err = r.readStock(ctx, j, stories, found.After)
		return err
	})
	if err != nil {
		return nil, err
	}
	if r.Simulator != nil {
		payments, err := r.checkPayments(ctx, j, stories, states)
		if err != nil {
			return nil, err
		}
		found.Checks = append(found.Checks, payments)
	}
	audit, err := r.checkAudit(ctx, j)
	if err != nil {
		return nil, err
	}
	given := r.given(stories, states)
	found.Sold = given.sold(j.Before, found.After)
	found.Checks = append(found.Checks,
		checkDuplicates(stories, states, r), r.checkHolds(stories, states), given.checkUnits(found.After),
		checkRecords(stories, j.Before, found.After), r.checkSoldOut(stories, j.Before, found.After,
			found.Stock), audit,
	)
	return found, nil
}

// during tells of a phase when it begins, and for as long as it lasts.
func during(j Judge, phase string, do func() error) error {
	began, done := time.Now(), make(chan error, 1)
	j.Tell(phase, "")
	go func() { done <- do() }()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
			j.Tell(phase, fmt.Sprintf("for %s", time.Since(began).Round(time.Second)))
		}
	}
}

// lookUp reads every order that was told 200. Of an order that is not there it
// returns nil.
func (r *Run) lookUp(ctx context.Context, j Judge, stories []told) (map[int]*orderView, error) {
	accepted := slices.DeleteFunc(slices.Clone(stories), func(s told) bool { return s.accepted == 0 })
	views := make([]*orderView, len(accepted))
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(j.Workers)
	for i, s := range accepted {
		group.Go(func() (err error) {
			views[i], err = j.Admin.order(ctx, r.Plan.opt.Sale, r.Plan.opt.orderID(s.number))
			done.Add(1)
			return err
		})
		j.Tell("looking orders up", fmt.Sprintf("%s of %s", grouped(done.Load()), grouped(int64(len(accepted)))))
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

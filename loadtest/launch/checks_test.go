package launch

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// facts are what a verdict goes by, after a run of ten orders for a unit of a:
// the first four were told 200, five sold_out, and the last was not answered.
type facts struct {
	run           *Run
	states        map[int]*orderView
	before, after SaleView
}

func playedFacts(t *testing.T) *facts {
	t.Helper()
	f := &facts{run: playedRun(t, func(int) time.Duration { return 0 }), states: map[int]*orderView{}}
	f.run.Plan = newPlan(t, func(o *Options) {
		o.Demand, o.Duration, o.Rate, o.Shape, o.Items = 0, time.Second, 10, "steady", o.Items[:1]
	})
	for i := range 4 {
		f.states[i] = &orderView{"held", f.run.Plan.order(i).buyer, []gate.Line{{SKU: "a", Quantity: 1}}}
	}
	f.before = SaleView{
		Run: 1, Version: 1, SKUs: []UnitsView{{SKU: "a", Total: 4, Left: 4}},
		Orders: map[string]int64{},
	}
	f.after = SaleView{
		Run: 1, Version: 1, SKUs: []UnitsView{{SKU: "a", Total: 4, Held: 4}},
		Orders: map[string]int64{"held": 4},
	}
	f.after.Settings.PerBuyer = 1
	return f
}

// release lets what order i had go.
func (f *facts) release(i int) {
	f.states[i].State = "released"
	f.after.Orders["held"]--
	f.after.Orders["released"]++
	f.after.SKUs[0].Held--
	f.after.SKUs[0].Left++
}

// shopRefused has the shop say no to so many orders.
func (f *facts) shopRefused(orders int) {
	for i := range orders {
		f.run.answers[4+i].code = shopRefused
	}
}

// ask sends order 0 again, which is answered so.
func (f *facts) ask(code string, sent time.Duration) {
	f.run.Plan.requests = append(f.run.Plan.requests, request{0, again})
	f.run.answers = append(f.run.answers, answer{sent: sent, done: sent + time.Millisecond, code: code})
	f.run.sent++
}

func TestTheChecksHoldTheAnswersAgainstTheSale(t *testing.T) {
	t.Parallel()
	f := func(want, name string, change func(f *facts)) {
		t.Helper()
		facts := playedFacts(t)
		change(facts)
		stories := facts.run.stories()
		report := &Report{Checks: []Check{
			checkDuplicates(stories, facts.states, facts.run), facts.run.checkHolds(stories, facts.states),
			facts.run.given(stories, facts.states).checkUnits(&facts.after), checkRecords(stories, &facts.before,
				&facts.after),
			facts.run.checkSoldOut(stories, &facts.before, &facts.after, &Stock{Missing: "no ledger"}),
		}}
		if got := failed(report); got != want {
			t.Errorf("%s: %q failed, want %q\n%s", name, got, want, describe(report))
		}
	}
	f("", "all as told", func(*facts) {})
	f("", "paid meanwhile", func(f *facts) {
		f.states[0].State, f.after.SKUs[0].Held, f.after.SKUs[0].Paid = "paid", 3, 1
		f.after.Orders["held"], f.after.Orders["paid"] = 3, 1
	})
	f("", "the unanswered one is held too", func(f *facts) {
		f.after.SKUs[0].Total, f.after.SKUs[0].Held, f.after.Orders["held"] = 5, 5, 5
	})

	f("holds", "the shop has not said yes", func(f *facts) {
		f.states[0].State, f.after.Orders["held"], f.after.Orders["asking"] = "asking", 3, 1
	})
	f("holds", "for another buyer", func(f *facts) { f.states[0].Buyer = "somebody" })
	f("holds", "for another quantity", func(f *facts) { f.states[0].Lines[0].Quantity = 2 })
	f("holds", "not there", func(f *facts) { f.states[0] = nil })

	f("units", "more 200s than units", func(f *facts) { f.after.SKUs[0].Total, f.after.SKUs[0].Withheld = 3, -1 })
	f("units", "more 200s than held", func(f *facts) { f.after.SKUs[0].Held, f.after.SKUs[0].Withheld = 3, 1 })
	f("units", "a unit is lost", func(f *facts) { f.after.SKUs[0].Total = 5 })
	f("units", "more held than there are", func(f *facts) { f.after.SKUs[0].Held, f.after.SKUs[0].Withheld = 5, -1 })
	f("units", "less than none left", func(f *facts) { f.after.SKUs[0].Left, f.after.SKUs[0].Withheld = -1, 1 })
	f("units", "more than a buyer may have", func(f *facts) { f.run.Plan.opt.Buyers = 1; f.sameBuyer() })

	f("records", "too few", func(f *facts) { f.after.Orders["held"] = 3 })
	f("records", "more than were left unsure", func(f *facts) { f.after.Orders["held"] = 6 })
	f("", "the shop refused two, which had units for a moment",
		func(f *facts) { f.shopRefused(2); f.after.Orders["released"] = 2 })
	f("records", "the shop refused two, and one was never recorded",
		func(f *facts) { f.shopRefused(2); f.after.Orders["released"] = 1 })
	f("records", "more than the shop refused", func(f *facts) { f.shopRefused(2); f.after.Orders["released"] = 4 })
	f("records", "of another run", func(f *facts) { f.after.Run = 2 })

	f("sold out", "with one left", func(f *facts) { f.after.SKUs[0].Total, f.after.SKUs[0].Left = 5, 1 })
	f("", "with one left that was released", func(f *facts) { f.release(0) })
	f("", "with one left that was added", func(f *facts) {
		f.after.SKUs[0].Total, f.after.SKUs[0].Left, f.after.Version = 5, 1, 2
	})

	f("duplicates", "refused after its 200", func(f *facts) { f.ask("sold_out", time.Minute) })
	f("", "held after its 200", func(f *facts) { f.ask("held", time.Minute) })
	f("", "unsure after its 200", func(f *facts) { f.ask("unavailable", time.Minute) })
	f("", "refused before its 200", func(f *facts) { f.ask("sold_out", 0) })
	f("", "refused after its release", func(f *facts) { f.release(0); f.ask("attempt_ended", time.Minute) })
}

// A check that had nothing to look at, or could not look, has passed nothing.
func TestWhatCouldNotBeCheckedIsSkipped(t *testing.T) {
	t.Parallel()
	ledger := &Stock{bySKU: map[string][]level{"a": {{0, 4}, {100 * time.Millisecond, 0}, {time.Hour, 1}}}}
	f := func(name string, want Result, why string, check func(f *facts) Check, change func(f *facts)) {
		t.Helper()
		facts := playedFacts(t)
		change(facts)
		if c := check(facts); c.Result != want || !strings.Contains(c.Detail, why) {
			t.Errorf("%s: %+v, want %s, %q", name, c, want, why)
		}
	}
	tell := func(code string) func(f *facts) {
		return func(f *facts) {
			for i := range f.run.answers {
				f.run.answers[i].code = code
			}
		}
	}
	released := func(f *facts) { f.release(0) }
	answers := func(f *facts) Check { return f.run.checkAnswers(nil) }
	duplicates := func(f *facts) Check { return checkDuplicates(f.run.stories(), f.states, f.run) }
	holds := func(f *facts) Check { return f.run.checkHolds(f.run.stories(), f.states) }
	soldOut := func(stock *Stock) func(f *facts) Check {
		return func(f *facts) Check { return f.run.checkSoldOut(f.run.stories(), &f.before, &f.after, stock) }
	}
	f("no answer", Skipped, "no request was answered", answers, func(f *facts) {
		for i := range f.run.answers {
			f.run.answers[i] = answer{failure: "timed out"}
		}
	})
	f("no repeat", Skipped, "nobody asked again", duplicates, func(*facts) {})
	f("a repeat", Passed, "0 of 1", duplicates, func(f *facts) { f.ask("held", time.Minute) })
	f("no 200", Skipped, "nobody was told 200", holds, tell("sold_out"))
	f("a 200", Passed, "0 of 4", holds, func(*facts) {})
	f("not sold out", Skipped, "nobody was told so", soldOut(ledger), tell("held"))
	f("units came back, and there is no ledger", Skipped, "not known: it is gone",
		soldOut(&Stock{Missing: "it is gone"}), released)
	f("units came back, by the ledger", Passed, "0 of 5", soldOut(ledger), released)
	ledger = &Stock{bySKU: map[string][]level{"a": {{0, 4}, {time.Hour, 0}}}}
	f("told too early, by the ledger", Failed, "5 of 5", soldOut(ledger), released)
}

// sameBuyer makes all orders one buyer's.
func (f *facts) sameBuyer() {
	for i, state := range f.states {
		state.Buyer = f.run.Plan.order(i).buyer
	}
}

func TestOnlyTheGateIsBlamedForItsTime(t *testing.T) {
	t.Parallel()
	f := func(ok bool, change func(a *answer)) {
		t.Helper()
		run := playedRun(t, func(int) time.Duration { return time.Minute }) // sent late, answered at once
		change(&run.answers[9])
		if c := run.checkTime(Judge{Within: time.Second}); (c.Result == Passed) != ok {
			t.Errorf("%+v", c)
		}
	}
	f(true, func(*answer) {}) // its failure is this machine's
	f(false, func(a *answer) { a.ours = false })
	f(false, func(a *answer) { a.ours, a.failure, a.done = false, "", a.sent+2*time.Second })
}

func TestTheGatesOwnAuditIsHeard(t *testing.T) {
	t.Parallel()
	f := func(status int, body string, result Result, want string) {
		t.Helper()
		mux := http.NewServeMux()
		mux.HandleFunc("GET /v1/sales/race/audit", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body)) // to a test that sees what is missing
		})
		run := playedRun(t, func(int) time.Duration { return 0 })
		c, err := run.checkAudit(t.Context(),
			Judge{Admin: &Admin{URL: serve(t, mux), Client: http.DefaultClient}, Tell: quietly})
		if err != nil || c.Result != result || !strings.Contains(c.Detail, want) {
			t.Errorf("%d %s: %+v, %v", status, body, c, err)
		}
	}
	f(200, `{"differences": 0, "orders": 7, "payments": 5}`, Passed,
		"0 differences in 7 orders, of which it looked 5 up at PortOne")
	f(200, `{"differences": 0, "moving": 3}`, Skipped, "3 orders or buyers changed")
	f(200, `{"differences": 1, "moving": 3}`, Failed, "1 differences")
	f(200, `{"differences": 2, "findings": [{"text": "x"}]}`, Failed, "2 differences")
	f(200, `{"differences": 0, "problem": "no credentials"}`, Failed, "no credentials")
	f(404, ``, Failed, "404")
	f(503, ``, Failed, "503")
}

func TestWhatFailsIsKeptByItsCause(t *testing.T) {
	t.Parallel()
	p := newPlan(t, func(o *Options) { o.Targets, o.Demand = []string{"http://127.0.0.1:1"}, 3 })
	run := Run{Plan: p, Timeout: 5 * time.Second, MaxWorkers: 3}
	if err := run.Attack(t.Context(), func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	for _, a := range run.answers {
		if a.failure != "connection refused" || a.ours {
			t.Errorf("%+v", a)
		}
	}
}

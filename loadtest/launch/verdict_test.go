package launch

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheVerdictFitsTheGate(t *testing.T) {
	t.Parallel()
	// Checks besides those that must fail may fail too, by how requests overtake each other.
	f := func(name string, wrong faults, want string, may ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newFakeGate(t, 20, wrong)
			report := rehearse(t, g, fakeOptions(g))
			got := failed(report)
			if got != want && !slices.Contains(may, got) || report.Pass != (want == "") {
				t.Errorf("%q failed, want %q\n%s", got, want, describe(report))
			}
		})
	}
	f("sound", faults{}, "")
	f("sound, and unsure of some", faults{unsureSometimes: true}, "")
	f("sound, and some payments fail at once", faults{releasesAfter200: true}, "")
	f("sound, and shows no ledger", faults{noLedger: true}, "")
	f("says sold out too early, and shows no ledger", faults{refusesEarly: true, noLedger: true}, "sold out")
	f("says sold out too early, and payments fail", faults{refusesEarly: true, releasesAfter200: true}, "sold out")
	f("oversells and hides it", faults{oversells: true}, "units")
	f("oversells and counts it", faults{overcounts: true}, "units")
	f("forgets that an order was accepted", faults{forgetsRepeats: true}, "duplicates")
	f("says 200 without a hold", faults{losesHolds: true}, "holds, records", "duplicates, holds, records")
	f("holds another cart", faults{losesLines: true}, "holds")
	f("forgets the buyers' limit", faults{overLimit: true}, "units")
	f("says sold out too early", faults{refusesEarly: true}, "sold out")
	f("loses a unit", faults{countsWrongly: true}, "units")
	f("holds for those it refused", faults{recordsMore: true}, "records")
	f("words a refusal as a 200", faults{wrongStatus: true}, "answers")
	f("refuses without a sentence", faults{saysNothing: true}, "answers")
	f("says not open in the window", faults{notOpen: true}, "answers")
	f("answers after the time", faults{hangs: true}, "in time")
	f("breaks connections off", faults{breaksOff: true}, "in time")
	f("fails its own audit", faults{auditFails: true}, "audit")
	f("does not answer for an audit", faults{noAudit: true}, "audit")
}

func TestAGateThatTakesAnythingFails(t *testing.T) {
	t.Parallel()
	g := newFakeGate(t, 20, faults{takesAnything: true})
	if report := rehearse(t, g, fakeOptions(g)); !strings.HasPrefix(failed(report), "answers, holds, units") {
		t.Error(describe(report))
	}
}

func TestWithoutAnAdminAPITheAnswersAreJudged(t *testing.T) {
	t.Parallel()
	f := func(wrong faults, want string) {
		g := newFakeGate(t, 20, wrong)
		run := attack(t, g, fakeOptions(g))
		found, err := run.Verdict(t.Context(), Judge{Within: 10 * time.Second})
		if err != nil || found.After != nil {
			t.Fatal(found, err)
		}
		report := run.Report(found)
		if failed(report) != want || report.Audited || !strings.Contains(describe(report), "--admin") {
			t.Errorf("%q failed, want %q\n%s", failed(report), want, describe(report))
		}
	}
	f(faults{}, "")
	f(faults{forgetsRepeats: true}, "duplicates")
	f(faults{takesAnything: true}, "answers")
}

func TestSomeRequestsMayGoWithoutAnAnswerWhereThatIsTolerated(t *testing.T) {
	t.Parallel()
	g := newFakeGate(t, 20, faults{breaksOff: true})
	run := attack(t, g, fakeOptions(g))
	f := func(tolerate float64, ok bool) {
		if c := run.checkTime(Judge{Within: 10 * time.Second, Tolerate: tolerate}); (c.Result == Passed) != ok {
			t.Errorf("tolerating %v: %+v", tolerate, c)
		}
	}
	f(0, false)
	f(.5, true)
}

func TestAnAdminAPIThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	g := newFakeGate(t, 20, faults{})
	run := attack(t, g, fakeOptions(g))
	f := func(admin *Admin, want string) {
		_, err := run.Verdict(t.Context(),
			Judge{Admin: admin, Before: &SaleView{}, Within: time.Second, Workers: 4, Tell: quietly})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f(&Admin{URL: "http://127.0.0.1:1", Client: http.DefaultClient}, "admin API")
	refusing := http.NewServeMux()
	refusing.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	f(&Admin{URL: serve(t, refusing), Client: http.DefaultClient}, "token")
}

func TestARunThatIsCutShortIsJudgedByWhatWasSent(t *testing.T) {
	t.Parallel()
	g := newFakeGate(t, 20, faults{})
	opt := fakeOptions(g)
	opt.Rate, opt.Demand = 50, 10_000
	plan, err := NewPlan(nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	run := Run{Plan: plan, Timeout: 10 * time.Second, MaxWorkers: 100}
	if err := run.Attack(ctx, func(Progress) { cancel(errors.New("enough")) }); err != nil {
		t.Fatal(err)
	}
	found, err := run.Verdict(t.Context(), Judge{Within: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	report := run.Report(found)
	if !report.Pass || !report.CutShort || report.Requests == 0 || report.Requests >= plan.Requests() ||
		!strings.Contains(describe(report), "cut short") {
		t.Error(describe(report))
	}
}

func TestARunThatIsEndedBeforeItsFirstRequestIsAnError(t *testing.T) {
	t.Parallel()
	opt := fakeOptions(newFakeGate(t, 20, faults{}))
	plan, err := NewPlan(nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	run := Run{Plan: plan, Timeout: time.Second, MaxWorkers: 1}
	if err := run.Attack(ctx, func(Progress) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%d sent, %v", run.sent, err)
	}
}

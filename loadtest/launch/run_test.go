package launch

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestProgressNamesWhatItCounts(t *testing.T) {
	t.Parallel()
	f := func(p Progress, want string) {
		t.Helper()
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(Progress{Requests: 20_000, Sent: 12_300, Orders: 500, Refused: 11_700, Waiting: 100, Left: 3 * time.Second},
		"12,300 of 20,000 requests · 500 orders told 200 · 11,700 answers refused · 100 under way · 3s left")
	f(Progress{Requests: 20, Sent: 20, Orders: 5, Refused: 13, Failed: 2},
		"20 of 20 requests · 5 orders told 200 · 13 answers refused · 2 requests without an answer")
}

func TestProgressCountsAnOrderOnce(t *testing.T) {
	t.Parallel()
	g := newFakeGate(t, 20, faults{})
	plan, err := NewPlan(nil, fakeOptions(g))
	if err != nil {
		t.Fatal(err)
	}
	run := &Run{Plan: plan, Timeout: 10 * time.Second, MaxWorkers: 32}
	var last Progress
	if err := run.Attack(t.Context(), func(p Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	told := 0
	for i := range run.answers {
		if run.answers[i].held() {
			told++
		}
	}
	if last.Orders != len(g.orders) || told <= last.Orders || last.Sent != plan.Requests() || last.Waiting != 0 ||
		last.Left != 0 {
		t.Errorf("%+v, with %d orders and %d answers of 200", last, len(g.orders), told)
	}
}

func TestEachPhaseOfTheVerdictIsTold(t *testing.T) {
	t.Parallel()
	g := newFakeGate(t, 20, faults{})
	run := attack(t, g, fakeOptions(g))
	run.Simulator = newFakeSimulator(t).Simulator
	admin := &Admin{URL: g.url, Client: http.DefaultClient}
	var phases []string
	_, err := run.Verdict(t.Context(), Judge{
		Admin: admin, Before: &SaleView{Run: 1, Version: 1}, Within: time.Second, Workers: 2, Settle: 2 * settleEvery,
		Tell: func(phase, text string) {
			if len(phases) == 0 || phases[len(phases)-1] != phase {
				phases = append(phases, phase)
			}
			if phase == "settling" && !strings.Contains(text, "orders held · for ") {
				t.Errorf("settling is told as %q", text)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(phases, ", "); got != "settling, looking orders up, reading the ledger, reading the "+
		"payments, the gate audits the sale" {
		t.Errorf("told of %s", got)
	}
}

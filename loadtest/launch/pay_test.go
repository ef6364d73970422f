package launch

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// fakeSimulator notes what it is told, and has payments.
type fakeSimulator struct {
	*Simulator
	mu       sync.Mutex
	calls    []confirmed
	payments []payment
	status   int
}

func newFakeSimulator(t *testing.T) *fakeSimulator {
	t.Helper()
	s := &fakeSimulator{status: http.StatusOK}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sim/confirmed", func(w http.ResponseWriter, r *http.Request) {
		var calls []confirmed
		if err := json.NewDecoder(r.Body).Decode(&calls); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls = append(s.calls, calls...)
		w.WriteHeader(s.status)
		_, _ = w.Write([]byte("{}")) // to a test that sees what is missing
	})
	mux.HandleFunc("GET /sim/payments",
		func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(s.payments) })
	s.Simulator = &Simulator{URL: serve(t, mux), Client: http.DefaultClient}
	return s
}

func TestTheSimulatorGoesOnFromEachAcceptedOrUnsureAnswer(t *testing.T) {
	t.Parallel()
	g, s := newFakeGate(t, 20, faults{unsureSometimes: true}), newFakeSimulator(t)
	plan, err := NewPlan(nil, fakeOptions(g))
	if err != nil {
		t.Fatal(err)
	}
	run := &Run{Plan: plan, Timeout: 10 * time.Second, MaxWorkers: 32, Simulator: s.Simulator}
	if err := run.Attack(t.Context(), func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	told := map[int]int{}
	for _, c := range s.calls {
		told[c.Status]++
		number := slices.IndexFunc(plan.requests, func(r request) bool { return plan.order(int(r.order)).id == c.ID })
		o := plan.order(int(plan.requests[number].order))
		if c.Attempt != o.attempt() || c.Amount != o.amount || c.Body != o.body ||
			c.NoticeURL != g.url+"/webhook/race" {
			t.Errorf("told %+v of %+v", c, o)
		}
	}
	held, open := 0, 0
	for i := range run.answers {
		if plan.requests[i].kind.hostile() {
			continue
		}
		if a := &run.answers[i]; a.held() {
			held++
		} else if unsure(a.code) {
			open++
		}
	}
	if held == 0 || open == 0 || told[200] != held || told[503] != open || len(told) != 2 {
		t.Errorf("told of %v, want %d accepted and %d unsure", told, held, open)
	}
}

func TestASimulatorThatFailsEndsTheRun(t *testing.T) {
	t.Parallel()
	g, s := newFakeGate(t, 20, faults{}), newFakeSimulator(t)
	s.status = http.StatusInternalServerError
	plan, err := NewPlan(nil, fakeOptions(g))
	if err != nil {
		t.Fatal(err)
	}
	run := &Run{Plan: plan, Timeout: 10 * time.Second, MaxWorkers: 32, Simulator: s.Simulator}
	if err := run.Attack(t.Context(), func(Progress) {}); err == nil || !strings.Contains(err.Error(), "status 500") {
		t.Errorf("the run ended with %v", err)
	}
}

func TestOrdersAreHeldAgainstThePayments(t *testing.T) {
	t.Parallel()
	f := func(want int, change func(f *facts, s *fakeSimulator)) {
		t.Helper()
		facts, s := playedFacts(t), newFakeSimulator(t)
		facts.run.Simulator = s.Simulator
		for i := range 4 {
			o := facts.run.Plan.order(i)
			facts.states[i] = &orderView{"paid", o.buyer, []gate.Line{{SKU: "a", Quantity: 1}}}
			s.payments = append(s.payments, payment{Order: o.id, Amount: o.amount, Paid: true})
		}
		change(facts, s)
		c, err := facts.run.checkPayments(t.Context(), Judge{Tell: quietly}, facts.run.stories(), facts.states)
		if err != nil || len(c.Examples) != want || (c.Result == Passed) != (want == 0) {
			t.Errorf("%+v, %v; want %d findings", c, err, want)
		}
	}
	f(0, func(*facts, *fakeSimulator) {})
	f(1, func(f *facts, _ *fakeSimulator) { f.states[0].State = "released" })
	f(1, func(_ *facts, s *fakeSimulator) { s.payments[1].Paid = false })
	f(1, func(_ *facts, s *fakeSimulator) { s.payments[1].Cancelled = s.payments[1].Amount })
	f(1, func(_ *facts, s *fakeSimulator) { s.payments = append(s.payments, s.payments[2]) })
	f(0, func(f *facts, s *fakeSimulator) { // refunded
		f.states[3].State, s.payments[3].Cancelled = "refunded", s.payments[3].Amount
	})
	f(1, func(f *facts, s *fakeSimulator) { // of an order that was refused
		s.payments = append(s.payments, payment{Order: f.run.Plan.order(6).id, Amount: 1000, Paid: true})
	})
}

func TestWhereNobodyTriesToPayNothingIsChecked(t *testing.T) {
	t.Parallel()
	facts, s := playedFacts(t), newFakeSimulator(t)
	facts.run.Simulator = s.Simulator
	c, err := facts.run.checkPayments(t.Context(), Judge{Tell: quietly}, facts.run.stories(), facts.states)
	if err != nil || c.Result != Skipped {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTheVerdictWaitsUntilNothingIsHeld(t *testing.T) {
	t.Parallel()
	held := 2
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/sales/race", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(SaleView{Orders: map[string]int64{"held": int64(held)}})
		held = max(0, held-1)
	})
	run := playedRun(t, func(int) time.Duration { return 0 })
	judge := Judge{Admin: &Admin{URL: serve(t, mux), Client: http.DefaultClient}, Tell: quietly}
	if c, err := run.checkSettled(t.Context(), judge); err != nil || c.Result != Failed ||
		!strings.HasPrefix(c.Detail, "2 orders are still held") {
		t.Errorf("without waiting: %+v, %v", c, err)
	}
	judge.Settle = time.Minute
	if c, err := run.checkSettled(t.Context(), judge); err != nil || c.Result != Passed {
		t.Errorf("%+v, %v", c, err)
	}
}

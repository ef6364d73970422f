package settle

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
)

// disputed has PortOne say that there is this against a payment.
func (sc *scene) disputed(attempt string, all ...gate.Dispute) {
	sc.bank.mu.Lock()
	defer sc.bank.mu.Unlock()
	p := sc.bank.payments[attempt]
	if p.Disputes = nil; len(all) > 0 {
		p.Disputes = &gate.Disputes{All: all}
	}
	sc.bank.payments[attempt] = p
}

// hook has an order looked at as a webhook does.
func (sc *scene) hook(order string) {
	sc.t.Helper()
	if _, err := sc.store.Hasten(sc.t.Context(), []string{"race"}, order); err != nil {
		sc.t.Fatal(err)
	}
	sc.after(time.Minute)
}

func TestDisputesAreListedAndChangeNothing(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	for _, order := range []string{"o1", "o2"} {
		sc.confirm(order, "a"+order[1:])
		sc.bank.set(order, "a"+order[1:], gate.PaymentPaid)
	}
	sc.after(time.Minute)
	paid := map[string]string{"o1": "paid P a1", "o2": "paid P a2"}
	begun := sc.time().UTC().Truncate(time.Second)
	complaint := gate.Dispute{Attempt: "a1", Kind: gate.Disputed, Reason: "not me", ID: "d1", At: begun}
	taken := gate.Dispute{Attempt: "a2", Kind: gate.ChargedBack, Reason: "lost", ID: "c1", Amount: 1000, At: begun}
	want := func(what string, counted [2]float64, disputes ...gate.DisputeView) {
		t.Helper()
		sc.want(paid, 8, 0, 2, 0)
		reports, err := gate.DisputeViews(t.Context(), sc.store, "race")
		if err != nil || !slices.EqualFunc(reports, disputes, func(a, b gate.DisputeView) bool {
			return a.Order == b.Order && slices.EqualFunc(a.Disputes, b.Disputes, sameDispute)
		}) {
			t.Errorf("%s: listed %+v, %v, want %+v", what, reports, err, disputes)
		}
		for i, kind := range []string{gate.Disputed, gate.ChargedBack} {
			if n := testutil.ToFloat64(sc.metrics.disputes.WithLabelValues("race", kind)); n != counted[i] {
				t.Errorf("%s: %v of kind %s are counted, want %v", what, n, kind, counted[i])
			}
		}
	}
	of := func(order string, all ...gate.Dispute) gate.DisputeView {
		return gate.DisputeView{Order: order, Disputes: all}
	}
	want("nothing", [2]float64{})
	sc.disputed("a1", complaint)
	sc.hook("o1")
	want("a dispute", [2]float64{1, 0}, of("o1", complaint))
	sc.bank.set("o2", "a2", gate.PaymentChargedBack)
	sc.disputed("a2", taken)
	sc.hook("o2")
	want("and a chargeback", [2]float64{1, 1}, of("o1", complaint), of("o2", taken))
	sc.days(2)
	want("two days later", [2]float64{1, 1}, of("o1", complaint), of("o2", taken))

	second := gate.Dispute{Attempt: "a1", Kind: gate.Disputed, ID: "d2", At: begun.Add(time.Hour)}
	sc.disputed("a1", complaint, second)
	sc.hook("o1")
	want("a second dispute of one payment", [2]float64{2, 1}, of("o1", complaint, second), of("o2", taken))
	sc.disputed("a1", complaint)
	sc.hook("o1")

	sc.bank.down = true // what is known stays
	sc.hook("o1")
	want("PortOne is away", [2]float64{2, 1}, of("o1", complaint), of("o2", taken))
	sc.bank.down = false
	sc.disputed("a1")
	sc.days(1) // and no webhook tells
	want("resolved", [2]float64{2, 1}, of("o2", taken))
	if at, err := sc.store.LookTimes(t.Context(), "race", []string{"o1", "o2"}); err != nil || !at[0].IsZero() ||
		!at[1].IsZero() {
		t.Errorf("they are looked at again: %v, %v", at, err)
	}
	loss, _ := sc.store.Losses(t.Context(), "race", gate.Drop{})
	if err := sc.store.Delete(t.Context(), "kim", "race", loss.Agreement()); err != nil {
		t.Fatal(err)
	}
	if all, err := sc.store.Disputes(t.Context(), "race"); err != nil || len(all) > 0 {
		t.Errorf("after the sale is deleted: %+v, %v", all, err)
	}
}

// What was read before the look is what it rests on: a newer look stands.
func TestAnOlderLookAtADisputeOverwritesNoNewerOne(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.after(time.Minute)
	older, newer := gate.Dispute{Attempt: "a1", Kind: gate.Disputed, ID: "d1"},
		gate.Dispute{Attempt: "a1", Kind: gate.Disputed, ID: "d2"}
	sc.disputed("a1", older)
	sc.bank.onLookup = func() { // another gate, while this one looks
		if err := sc.store.NoteDisputes(t.Context(), "race", "o1", nil, []gate.Dispute{newer}); err != nil {
			t.Error(err)
		}
	}
	sc.hook("o1")
	if all, err := sc.store.Disputes(t.Context(), "race"); err != nil || len(all["o1"]) != 1 ||
		all["o1"][0].ID != "d2" {
		t.Errorf("it is %+v, %v", all, err)
	}
	if n := testutil.ToFloat64(sc.metrics.disputes.WithLabelValues("race", gate.Disputed)); n != 0 {
		t.Errorf("%v are counted that were not written", n)
	}
}

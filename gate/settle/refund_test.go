package settle

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// paidTwice is a sale whose only order was paid by two attempts, a1 and a2: the second
// is refund due, and the gates cancel it.
func paidTwice(t *testing.T) *scene {
	t.Helper()
	sc := openScene(t, func(s *gate.Settings) { s.AutoRefund = true })
	sc.confirm("o1", "a1")
	sc.confirm("o1", "a2")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.bank.set("o1", "a2", gate.PaymentPaid)
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "paid P a1, D a2"}, 9, 0, 1, 1)
	return sc
}

// requested returns how many payments the sale counts as asked back and not given back.
func (sc *scene) requested() int64 {
	sc.t.Helper()
	state, err := sc.store.Sale(sc.t.Context(), "race")
	if err != nil {
		sc.t.Fatal(err)
	}
	return state.Orders.Requested
}

// A cancellation that PortOne has taken on may take days. It was sent again every two
// seconds, as often as the payment was looked at and found to be charged.
func TestACancellationThatIsRequestedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	sc := paidTwice(t)
	sc.bank.says = portone.CancelRequested
	for range 60 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "paid P a1, Q a2"}, 9, 0, 1, 0)
	if n := sc.requested(); n != 1 {
		t.Errorf("%d refunds are counted as requested", n)
	}
	if n := testutil.ToFloat64(sc.metrics.refunds.WithLabelValues("race", "requested")); n != 1 ||
		len(sc.bank.cancelled) != 1 {
		t.Errorf("%v are counted, sent: %v", n, sc.bank.cancelled)
	}
	due, err := sc.store.RefundsDue(t.Context(), "race")
	if err != nil || len(due) != 1 || due[0].ID != "o1" {
		t.Errorf("listed: %+v, %v", due, err)
	}
	sc.bank.set("o1", "a2", gate.PaymentCancelled)
	sc.after(time.Hour)
	sc.want(map[string]string{"o1": "paid P a1, X a2"}, 9, 0, 1, 0)
	if n := sc.requested(); n != 0 {
		t.Errorf("%d refunds are counted as requested when it is done", n)
	}
}

// The same where the shop has asked for it in PortOne's console: the gate sends nothing.
func TestACancellationThatSomebodyElseRequestedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	sc := paidTwice(t)
	p := sc.bank.payments["a2"]
	p.Requested = p.Balance
	sc.bank.payments["a2"] = p
	for range 20 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "paid P a1, Q a2"}, 9, 0, 1, 0)
	if len(sc.bank.cancelled) > 0 {
		t.Errorf("sent: %v", sc.bank.cancelled)
	}
}

func TestARequestedCancellationThatFailsIsRefundDueAgainAndSentWithANewKey(t *testing.T) {
	t.Parallel()
	sc := paidTwice(t)
	sc.bank.says = portone.CancelRequested
	sc.afterRefunds(time.Minute)
	sc.want(map[string]string{"o1": "paid P a1, Q a2"}, 9, 0, 1, 0)
	sc.bank.set("o1", "a2", gate.PaymentPaid) // and nothing is asked for any more
	sc.bank.says = portone.CancelDone
	for range 10 {
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "paid P a1, X a2 tried 1"}, 9, 0, 1, 0)
	keys := slices.Compact(slices.Clone(sc.bank.cancelled))
	if len(sc.bank.cancelled) != 2 || len(keys) != 2 {
		t.Errorf("sent: %v", sc.bank.cancelled)
	}
	if n := testutil.ToFloat64(sc.metrics.refunds.WithLabelValues("race", "failed")); n != 1 {
		t.Errorf("%v failures are counted", n)
	}
}

// V2 keeps its answer under the key of a cancellation: what has failed for sure must
// be tried with another key, the same at each gate, and what may have been done with
// the same.
func TestTheKeyOfACancellationChangesOnlyAfterACertainFailure(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		says     portone.Cancelled
		distinct bool
	}{{portone.CancelFailed, true}, {portone.CancelUnknown, false}, {portone.CancelUnsent, false}} {
		sc := paidTwice(t)
		sc.bank.says = test.says
		for range 30 {
			sc.after(time.Minute)
		}
		keys := slices.Compact(slices.Sorted(slices.Values(sc.bank.cancelled)))
		if sent := len(sc.bank.cancelled); sent < 3 || test.distinct != (len(keys) == sent) || !test.distinct &&
			len(keys) != 1 {
			t.Errorf("outcome %d: %d keys in %d calls", test.says, len(keys), sent)
		}
	}
}

func TestACancellationThatFailsIsTriedAfterPausesThatGrowToAnHour(t *testing.T) {
	if testing.Short() {
		t.Skip("it looks 576 times")
	}
	t.Parallel()
	sc := paidTwice(t)
	for _, says := range []portone.Cancelled{portone.CancelFailed, portone.CancelUnknown} {
		sc.bank.cancelled, sc.bank.says = nil, says
		for range 24 * 12 {
			sc.after(5 * time.Minute)
		}
		if sent := len(sc.bank.cancelled); sent < 20 || sent > 40 {
			t.Errorf("outcome %d: sent %d times in a day", says, sent)
		}
	}
	sc.bank.says = portone.CancelDone
	sc.after(time.Hour)
	sc.after(time.Minute)
	if n := testutil.ToFloat64(sc.metrics.refunds.WithLabelValues("race", "sent")); n != 1 {
		t.Errorf("%v cancellations are counted as sent", n)
	}
}

// Anybody may send a webhook of V1's that names an order: it is looked at, and a cancellation
// that has failed rests all the same, until a person says to try it again.
func TestWebhooksDoNotShortenThePausesOfACancellationThatFails(t *testing.T) {
	t.Parallel()
	for _, says := range []portone.Cancelled{portone.CancelFailed, portone.CancelUnknown, portone.CancelUnsent} {
		sc := paidTwice(t)
		sc.bank.says = says
		hastened := func() {
			if _, err := sc.store.Hasten(t.Context(), []string{"race"}, "o1"); err != nil {
				t.Fatal(err)
			}
			sc.afterRefunds(5 * time.Second)
		}
		for range 40 {
			hastened()
		}
		if sent := len(sc.bank.cancelled); sent < 3 || sent > 8 {
			t.Errorf("outcome %d: with 40 webhooks, one every five seconds, it was sent %d times", says, sent)
		}
		sent := len(sc.bank.cancelled)
		if err := GiveBack(t.Context(), sc.store, "race", "o1", nil); err != nil {
			t.Fatal(err)
		}
		if sc.afterRefunds(5 * time.Second); len(sc.bank.cancelled) != sent+1 {
			t.Errorf("outcome %d: a person has it tried, and it was sent %d times", says, len(sc.bank.cancelled)-sent)
		}
	}
}

// V1 tells of a test payment only where its order is looked up alone.
func TestARefundIsTriedAtAPersonsWordThoughALookAtManyOrdersSaysNothingOfIt(t *testing.T) {
	t.Parallel()
	sc := paidTwice(t)
	sc.bank.says = portone.CancelFinal
	sc.afterRefunds(time.Minute)
	sc.bank.apart = "a2"
	sc.after(10 * time.Hour)
	sc.after(time.Minute)
	if sent := len(sc.bank.cancelled); sent != 1 {
		t.Fatalf("sent %d times", sent)
	}
	sc.bank.says = portone.CancelUnknown
	if err := GiveBack(t.Context(), sc.store, "race", "o1", nil); err != nil {
		t.Fatal(err)
	}
	if sc.afterRefunds(5 * time.Second); len(sc.bank.cancelled) != 2 {
		t.Errorf("a person has it tried, and it was sent %d times", len(sc.bank.cancelled)-1)
	}
	for range 20 { // and a webhook still has nothing sent that rests
		if _, err := sc.store.Hasten(t.Context(), []string{"race"}, "o1"); err != nil {
			t.Fatal(err)
		}
		sc.afterRefunds(5 * time.Second)
	}
	if len(sc.bank.cancelled) != 2 {
		t.Errorf("with a webhook every five seconds it was sent %d times more", len(sc.bank.cancelled)-2)
	}
}

func TestTheSalesOwnWordsGoWithItsCancellations(t *testing.T) {
	t.Parallel()
	sc := paidTwice(t)
	sc.settler.deps.Sales()["race"].Messages = map[string]string{"refund_paid_twice": "중복"}
	sc.settler.deps.Reason = func(why gate.RefundReason,
		messages map[string]string,
	) string {
		return messages[why.Message()]
	}
	sc.afterRefunds(time.Minute)
	if !slices.Equal(sc.bank.reasons, []string{"중복"}) {
		t.Errorf("told: %q", sc.bank.reasons)
	}
}

func TestACancellationSaysWhatIsFreeOfTax(t *testing.T) {
	t.Parallel()
	sc := paidTwice(t)
	p := sc.bank.payments["a2"]
	p.TaxFree = 300
	sc.bank.payments["a2"] = p
	sc.afterRefunds(time.Minute)
	if sc.bank.taxFree != 300 {
		t.Errorf("%d of the cancellation are free of tax", sc.bank.taxFree)
	}
}

// Anybody may name orders whose refunds wait for somebody, as often as they like: these take
// no place among the refunds that are sent, of which there are a few in a second.
func TestARefundThatWaitsTakesNoPlaceAmongThoseThatAreSent(t *testing.T) {
	t.Parallel()
	for _, apart := range []string{"", "a2"} {
		sc := paidTwice(t)
		named := func(what string) {
			t.Helper()
			for range 5 {
				sc.pass(5 * time.Second)
				if _, err := sc.store.Hasten(t.Context(), []string{"race"}, "o1"); err != nil {
					t.Fatal(err)
				}
				sc.after(0)
				sc.pass(10 * time.Millisecond)
				due, err := sc.store.Claim(t.Context(), "race", everything(), time.Millisecond)
				if err != nil {
					t.Fatal(err)
				}
				if len(due.Orders[gate.QueueRefunds]) > 0 {
					t.Fatalf("told of apart: %q; a refund that %s is in the line of those that are sent", apart, what)
				}
			}
		}
		sent := func(want int) {
			t.Helper()
			if n := len(sc.bank.cancelled); n != want {
				t.Fatalf("told of apart: %q; sent %d times, want %d", apart, n, want)
			}
		}
		sc.bank.says = portone.CancelFinal
		sc.afterRefunds(time.Minute)
		sent(1)
		sc.bank.apart = apart
		named("waits for a change")
		sc.bank.says = portone.CancelUnknown
		if err := GiveBack(t.Context(), sc.store, "race", "o1", nil); err != nil {
			t.Fatal(err)
		}
		sc.afterRefunds(5 * time.Second)
		sent(2)
		named("rests")
		sent(2)
	}
}

// A look at many orders need not tell of all their payments. Whoever names many orders has
// none looked at alone for that, but where a refund was tried before, or a person has ordered it.
func TestARefundThatWasNeverTriedIsNotLookedAtAloneBecauseAWebhookNamesIt(t *testing.T) {
	t.Parallel()
	sc := openScene(t, func(s *gate.Settings) { s.AutoRefund = true })
	sc.confirm("o1", "a1")
	sc.confirm("o1", "a2")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.bank.set("o1", "a2", gate.PaymentPaid)
	sc.after(20 * time.Second) // from here on it is refund due
	sc.bank.apart = "a2"
	if _, err := sc.store.Hasten(t.Context(), []string{"race"}, "o1"); err != nil {
		t.Fatal(err)
	}
	if sc.afterRefunds(time.Millisecond); len(sc.bank.cancelled) > 0 {
		t.Errorf("it was sent: %v", sc.bank.cancelled)
	}
	sc.after(time.Minute)
	if sc.afterRefunds(time.Minute); len(sc.bank.cancelled) != 1 {
		t.Errorf("at its own time it was sent %d times", len(sc.bank.cancelled))
	}
}

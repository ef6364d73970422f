package settle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flashgate/flashgate/gate"
)

var at = time.UnixMilli(1_800_000_000_000)

// orderOf is an order of 1000 won for two units that were taken at the instant
// at, with attempts such as "O a1": a state and an id.
func orderOf(state gate.OrderState, attempts ...string) gate.Order {
	o := gate.Order{
		ID: "o1", State: state, Revision: 3, Buyer: "ann", Lines: []gate.Line{{SKU: "full", Quantity: 2}},
		Amount: gate.Amount{Value: 1000, Known: true}, Taken: at, Deadline: at.Add(5 * time.Minute),
	}
	for _, text := range attempts {
		o.Attempts = append(o.Attempts, gate.Attempt{ID: text[2:], State: gate.AttemptState(text[0]), Version: 1})
	}
	if !state.HasUnits() || state == gate.OrderPaid {
		o.Settled = at
	}
	return o
}

// found is what a look-up brings: "a1 paid", a payment of 1000 won by a live
// channel for the order o1, each of which a later word may change.
func found(texts ...string) finding {
	states := map[string]gate.PaymentState{}
	for s := gate.PaymentReady; s <= gate.PaymentFailed; s++ {
		states[s.String()] = s
	}
	f := finding{asked: true}
	for _, text := range texts {
		if text == "error" {
			f.unsure = true
			continue
		}
		words := strings.Fields(text)
		p := gate.Payment{
			Order: "o1", Attempt: words[0], Version: 1, State: states[words[1]], Amount: 1000,
			Balance: 1000, Currency: "KRW", Live: true,
		}
		for _, word := range words[2:] {
			switch word {
			case "dollars":
				p.Currency = "USD"
			case "test":
				p.Live = false
			case "999":
				p.Amount = 999
			case "others":
				p.Order = "o2"
			case "cents":
				p.AmountCents, p.BalanceCents = 50, 50
			case "half":
				p.Balance = 500
			case "requested":
				p.Requested = p.Balance
			case "v2":
				p.Version = 2
			case "tomorrow":
				p.DepositBy = at.Add(24 * time.Hour)
			default:
				panic(word)
			}
		}
		f.payments = append(f.payments, p)
	}
	return f
}

func attempts(o *gate.Order) string {
	var words []string
	for _, a := range o.Attempts {
		text := string([]byte{byte(a.State)}) + " " + a.ID
		if a.Tries > 0 {
			text += fmt.Sprintf(" tried %d", a.Tries)
		}
		words = append(words, text)
	}
	return strings.Join(words, ", ")
}

// won is the policy of a sale that says nothing of its own.
func won(change ...func(*gate.Settings)) policy {
	s := &gate.Settings{}
	for _, c := range change {
		c(s)
	}
	return policy{settings: s, currency: "KRW", grace: grace, minLook: minLook}
}

const (
	grace   = time.Minute
	minLook = 10 * time.Second

	early = time.Minute
	late  = 5*time.Minute + grace + time.Second
)

// Every row of the table of an order's life that a look-up leads to. What rests
// on the order's deadline says by when, counted from the hold.
func TestALookUpMovesAnOrderOn(t *testing.T) {
	t.Parallel()
	withhold := won(func(s *gate.Settings) { s.Withhold = true })
	refuse := won(func(s *gate.Settings) { s.RefuseDeposits = true })
	test := won()
	test.test = true
	f := func(what string, p policy, o gate.Order, found finding, after time.Duration, want string) {
		t.Helper()
		m := p.judge(o, found, at.Add(after))
		got := "unchanged"
		if m.After != nil {
			got = fmt.Sprintf("%s: %s", m.After.State, attempts(m.After))
			if m.After.Revision != o.Revision+1 {
				t.Errorf("%s: revision %d", what, m.After.Revision)
			}
			if !m.After.Deadline.IsZero() {
				got += " by " + m.After.Deadline.Sub(at).String()
			}
		}
		if m.Otherwise != nil {
			got += fmt.Sprintf("; else %s: %s", m.Otherwise.State, attempts(m.Otherwise))
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
		if attempts(&m.Before) != attempts(&o) {
			t.Errorf("%s: the order before was changed to %q", what, attempts(&m.Before))
		}
	}
	held := orderOf(gate.OrderHeld, "O a1")
	two := orderOf(gate.OrderHeld, "O a1", "O a2")
	f("paid", won(), held, found("a1 paid"), early, "paid: P a1")
	f("paid in time, seen late", won(), held, found("a1 paid"), late, "paid: P a1")
	f("failed", won(), held, found("a1 failed"), early, "released: F a1")
	f("cancelled before it was seen paid", won(), held, found("a1 cancelled"), early, "released: C a1")
	f("one failed, the other is open", won(), two, found("a1 failed", "a2 ready"), early, "held: F a1, O a2")
	f("both failed", won(), two, found("a1 failed", "a2 failed"), early, "released: F a1, F a2")
	f("the other failed before", won(), orderOf(gate.OrderHeld, "F a1", "O a2"), found("a2 failed"), early,
		"released: F a1, F a2")
	f("ready", won(), held, found("a1 ready"), early, "unchanged")
	f("ready past the deadline", won(), held, found("a1 ready"), late, "released: O a1 by 5m0s")
	f("unknown to PortOne", won(), held, found(), early, "unchanged")
	f("unknown to PortOne past the deadline", won(), held, found(), late, "released: O a1 by 5m0s")
	f("not looked up past the deadline", won(), held, found("error"), late, "unchanged")
	f("one failed, the other not looked up", won(), two, found("a1 failed", "error"), late, "held: F a1, O a2")
	f("one paid, the other not looked up", won(), two, found("a1 paid", "error"), early, "paid: P a1, O a2")
	f("pending past the deadline", won(), held, found("a1 pending"), late, "unchanged")
	f("asking, in its time", won(), orderOf(gate.OrderAsking, "O a1"), finding{}, early, "unchanged")
	f("asking, past its time: nobody was told yes, so there is no look-up and no grace", won(),
		orderOf(gate.OrderAsking, "O a1"), finding{}, 5*time.Minute, "released: O a1 by 5m0s")

	f("no credentials past the deadline", won(), held, finding{}, late, "unchanged")
	f("no credentials, by time", won(func(s *gate.Settings) { s.ReleaseUnproven = true }), held, finding{}, late,
		"released: O a1 by 5m0s")
	f("no credentials, too early", won(func(s *gate.Settings) { s.ReleaseUnproven = true }), held, finding{},
		early, "unchanged")

	f("another amount", won(), held, found("a1 paid 999"), early, "held: D a1")
	f("a part of a unit more", won(), held, found("a1 paid cents"), early, "held: D a1")
	f("another currency", won(), held, found("a1 paid dollars"), early, "held: D a1")
	f("a test channel", won(), held, found("a1 paid test"), early, "held: D a1")
	f("a test channel in a rehearsal", test, held, found("a1 paid test"), early, "paid: P a1")
	f("a payment of another order", won(), held, found("a1 paid others"), early, "unchanged")
	f("a payment of another version", won(), held, found("a1 paid v2"), early, "unchanged")
	f("refund due past the deadline", won(), orderOf(gate.OrderHeld, "D a1"), found("a1 paid 999"), late,
		"released: D a1 by 5m0s")
	f("refund due, another open", won(), orderOf(gate.OrderHeld, "D a1", "O a2"), found("a2 failed"), early,
		"held: D a1, F a2")
	f("refunded, the other failed", won(), orderOf(gate.OrderHeld, "D a1", "F a2"), found("a1 cancelled"), early,
		"released: X a1, F a2")

	f("a deposit", won(), held, found("a1 deposit tomorrow"), early, "held: V a1 by 24h0m0s")
	f("a deposit that is refused", refuse, held, found("a1 deposit tomorrow"), early, "released: V a1")
	f("a deposit without a date", won(), held, found("a1 deposit"), early, "held: V a1 by 72h0m0s")
	day := won(func(s *gate.Settings) { s.DepositLimit = 12 * time.Hour })
	f("one that is due after the limit", day, held, found("a1 deposit tomorrow"), early, "held: V a1 by 12h0m0s")
	ages := orderOf(gate.OrderHeld, "V a1")
	ages.Deadline = at.AddDate(7000, 0, 0)
	f("one that an earlier version waits for", won(), ages, found("a1 deposit"), late, "held: V a1 by 72h0m0s")
	f("one that is over by now", day, ages, found("a1 deposit"), 13*time.Hour, "held: V a1 by 13h0m0s")
	f("a deposit that came", won(), orderOf(gate.OrderHeld, "V a1"), found("a1 paid"), early, "paid: P a1")
	f("a deposit that never came", won(), orderOf(gate.OrderHeld, "V a1"), found("a1 cancelled"), late,
		"released: C a1")

	released := orderOf(gate.OrderReleased, "F a1", "O a2")
	f("released, nothing new", won(), released, found("a1 failed", "a2 ready"), early, "unchanged")
	f("released, and paid after all", won(), released, found("a2 paid"), early,
		"paid: F a1, P a2; else refund_due: F a1, D a2")
	f("released, and a failed one was paid after all", won(), released, found("a1 paid"), early,
		"paid: P a1, O a2; else refund_due: D a1, O a2")
	f("released, and another amount was paid", won(), released, found("a2 paid 999"), early, "released: F a1, D a2")

	paid := orderOf(gate.OrderPaid, "P a1")
	f("paid, nothing new", won(), paid, found("a1 paid"), early, "unchanged")
	f("paid twice", won(), two, found("a1 paid", "a2 paid"), early, "paid: P a1, D a2")
	f("paid, and another attempt too", won(), orderOf(gate.OrderPaid, "O a1", "P a2"), found("a1 paid", "a2 paid"),
		early, "paid: D a1, P a2")
	f("paid, cancelled in part", won(), paid, found("a1 part_cancelled half"), early, "paid: P a1")
	f("paid, cancelled in full", won(), paid, found("a1 cancelled"), early, "refunded: X a1")
	f("paid, cancelled in full, withheld", withhold, paid, found("a1 cancelled"), early, "refunded: X a1")
	f("paid, and said to have failed", won(), paid, found("a1 failed"), early, "unchanged")
	f("paid, refund due of another", won(), orderOf(gate.OrderPaid, "P a1", "D a2"), found("a1 paid", "a2 cancelled"),
		early, "paid: P a1, X a2")

	// Cancelled is not given back: until the buyer has the money, or the shop has, nothing is certain but
	// that nothing is to be sent.
	f("paid, and its money is on the way back", won(), paid, found("a1 refunding"), early, "paid: Q a1")
	f("paid, and its money did not arrive", won(), paid, found("a1 stranded"), early, "paid: D a1")
	back, stranded := orderOf(gate.OrderPaid, "Q a1"), orderOf(gate.OrderPaid, "D a1")
	f("on the way back", won(), back, found("a1 refunding"), early, "unchanged")
	f("on the way back, and it arrived", won(), back, found("a1 cancelled"), early, "refunded: X a1")
	f("on the way back, and it did not arrive", won(), back, found("a1 stranded"), early, "paid: D a1 tried 1")
	f("on the way back, and not looked up", won(), back, found("error"), early, "unchanged")
	f("it did not arrive", won(), stranded, found("a1 stranded"), early, "unchanged")
	f("it did not arrive, and is sent once more", won(), stranded, found("a1 refunding"), early, "paid: Q a1")
	f("it did not arrive, and arrived after all", withhold, stranded, found("a1 cancelled"), early, "refunded: X a1")
	f("another was given back before it arrived", won(), orderOf(gate.OrderPaid, "Q a1", "D a2"),
		found("a1 refunding", "a2 cancelled"), early, "paid: Q a1, X a2")
	f("another was given back, and it was not looked up", won(), orderOf(gate.OrderPaid, "Q a1", "D a2"),
		found("a2 cancelled", "error"), early, "paid: Q a1, X a2")
	f("another is still to be given back", won(), orderOf(gate.OrderPaid, "Q a1", "D a2"),
		found("a1 cancelled", "a2 paid"), early, "refunded: X a1, D a2")
	f("another was paid", won(), orderOf(gate.OrderPaid, "Q a1", "F a2"), found("a1 refunding", "a2 paid"), early,
		"paid: Q a1, P a2")
	f("held, and its money is on the way back", won(), held, found("a1 refunding"), early, "held: Q a1")
	f("held, on the way back, past the deadline", won(), orderOf(gate.OrderHeld, "Q a1"), found("a1 refunding"), late,
		"released: Q a1 by 5m0s")
	f("refund due, and its money is on the way back", won(), orderOf(gate.OrderRefundDue, "D a1"),
		found("a1 refunding"), early, "refund_due: Q a1")
	f("refunded is refunded", won(), orderOf(gate.OrderRefunded, "X a1"), found("a1 stranded"), early, "unchanged")

	// The card company has taken the money back, and not the shop.
	f("paid, and charged back", won(), paid, found("a1 charged_back"), early, "unchanged")
	f("charged back, and another was paid", won(), orderOf(gate.OrderPaid, "P a1", "O a2"),
		found("a1 charged_back", "a2 paid"), early, "paid: P a1, D a2")
	f("refund due, and charged back", won(), orderOf(gate.OrderRefundDue, "D a1"), found("a1 charged_back"), early,
		"refunded: X a1")
	f("on the way back, and charged back", won(), back, found("a1 charged_back"), early, "refunded: X a1")
	f("held, and charged back before it was seen paid", won(), held, found("a1 charged_back"), early, "released: C a1")

	due := orderOf(gate.OrderRefundDue, "D a1")
	f("refund due, not yet done", won(), due, found("a1 paid"), early, "unchanged")
	f("refund due, done", won(), due, found("a1 cancelled"), early, "refunded: X a1")
	requested := orderOf(gate.OrderRefundDue, "Q a1")
	f("refund due, and asked for", won(), due, found("a1 paid requested"), early, "refund_due: Q a1")
	f("asked for, not yet done", won(), requested, found("a1 paid requested"), early, "unchanged")
	f("asked for, a part is done", won(), requested, found("a1 part_cancelled half requested"), early, "unchanged")
	f("asked for, done", won(), requested, found("a1 cancelled"), early, "refunded: X a1")
	f("asked for, and it has failed", won(), requested, found("a1 paid"), early, "refund_due: D a1 tried 1")
	f("asked for, and not looked up", won(), requested, found("error"), early, "unchanged")
	f("asked for, and said to have failed", won(), requested, found("a1 failed"), early, "unchanged")
	f("held, and another amount is asked for", won(), held, found("a1 paid 999 requested"), early, "held: Q a1")
	f("held, asked for, past the deadline", won(), orderOf(gate.OrderHeld, "Q a1"), found("a1 paid 999 requested"),
		late, "released: Q a1 by 5m0s")
	f("paid, another is asked for", won(), orderOf(gate.OrderPaid, "P a1", "Q a2"),
		found("a1 paid", "a2 paid requested"), early, "unchanged")
	f("paid, asked for by the shop", won(), orderOf(gate.OrderPaid, "P a1"), found("a1 paid requested"),
		early, "unchanged")
	f("refunded, and another attempt was paid", won(), orderOf(gate.OrderRefunded, "X a1", "O a2"), found("a2 paid"),
		early, "refunded: X a1, D a2")
	f("withheld, nothing new", won(), orderOf(gate.OrderWithheld, "X a1"), found("a1 cancelled"), early, "unchanged")

	m := won().judge(paid, found("a1 part_cancelled half"), at)
	if m.After.Balance != (gate.Amount{Value: 500, Known: true}) {
		t.Errorf("cancelled in part: %+v", m.After)
	}
	if m := withhold.judge(paid, found("a1 cancelled"), at); m.After.State != gate.OrderWithheld {
		t.Errorf("withheld: %+v", m.After)
	}
	unknown := held
	unknown.Amount = gate.Amount{}
	if m := won().judge(unknown, found("a1 paid 999"), at); m.After.State != gate.OrderPaid ||
		m.After.Amount.Value != 999 {
		t.Errorf("an unknown amount: %+v", m.After)
	}
	if m := won().judge(held, found("a1 deposit tomorrow"), at); !m.After.Deadline.Equal(at.Add(24 * time.Hour)) {
		t.Errorf("a deposit's deadline: %+v", m.After)
	}
}

func TestAnOrderIsLookedAtForAsLongAsItMayChange(t *testing.T) {
	t.Parallel()
	f := func(what string, o gate.Order, after, want time.Duration) {
		t.Helper()
		if got := won().look(&o, at.Add(after)); got != want {
			t.Errorf("%s after %v: got %v, want %v", what, after, got, want)
		}
	}
	// so that it is noted why
	if m := won().judge(orderOf(gate.OrderPaid, "P a1"), found("a1 stranded"), at.Add(time.Hour)); m.Look != soon {
		t.Errorf("money that did not arrive: looked at again after %v", m.Look)
	}
	held := orderOf(gate.OrderHeld, "O a1")
	f("held", held, 5*time.Second, minLook)
	f("held", held, time.Minute, 30*time.Second)
	f("held", held, 5*time.Minute+30*time.Second, 31*time.Second) // not before the grace has passed
	f("held", held, 6*time.Minute, time.Second)                   // the grace ends now, and the next look is after it
	f("held", held, 10*time.Minute, 5*time.Minute)
	f("held for long", held, 10*time.Hour, gate.LongestLook)
	f("released", orderOf(gate.OrderReleased, "F a1"), time.Minute, 30*time.Second)
	f("released", orderOf(gate.OrderReleased, "F a1"), 25*time.Hour, 0)
	f("paid", orderOf(gate.OrderPaid, "P a1"), time.Minute, 0)
	f("paid, another open", orderOf(gate.OrderPaid, "P a1", "O a2"), time.Minute, 30*time.Second)
	f("paid, another open", orderOf(gate.OrderPaid, "P a1", "O a2"), 25*time.Hour, 0)
	f("paid, another due", orderOf(gate.OrderPaid, "P a1", "D a2"), 250*time.Hour, gate.LongestLook)
	f("refund due", orderOf(gate.OrderRefundDue, "D a1"), 250*time.Hour, gate.LongestLook)
	f("paid, another asked for", orderOf(gate.OrderPaid, "P a1", "Q a2"), 250*time.Hour, gate.LongestLook)
	f("refund asked for", orderOf(gate.OrderRefundDue, "Q a1"), time.Minute, 30*time.Second)
	f("refund asked for", orderOf(gate.OrderRefundDue, "Q a1"), 250*time.Hour, gate.LongestLook)
	m := won().judge(orderOf(gate.OrderPaid, "P a1"), found("a1 paid requested"), at.Add(time.Hour))
	if m.Look != 30*time.Minute {
		t.Errorf("paid, and the shop has asked for it back: looked at again in %v", m.Look)
	}
	f("refunded", orderOf(gate.OrderRefunded, "X a1"), time.Minute, 0)
	f("withheld", orderOf(gate.OrderWithheld, "X a1"), time.Minute, 0)
}

// Whatever PortOne says, in whatever order and how often: no attempt that was
// paid or refunded becomes something cheaper, an order never has two payments
// that count, nothing is released that is not proven, and what was said twice
// moves nothing twice. What becomes refund due may be cancelled, unless it is for
// its currency.
func TestWhateverALookUpBrings(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := policy{settings: &gate.Settings{
			Withhold: rapid.Bool().Draw(t, "withhold"), RefuseDeposits: rapid.Bool().Draw(t, "refuse"),
			ReleaseUnproven: rapid.Bool().Draw(t, "unproven"),
		}, currency: "KRW", grace: grace, minLook: minLook}
		o := orderOf(gate.OrderHeld, "O a1", "O a2", "O a3")
		now := at
		for range rapid.IntRange(1, 12).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "later")) * time.Second)
			f := finding{asked: rapid.Bool().Draw(t, "asked")}
			if f.asked {
				f = drawFinding(t)
			}
			m := p.judge(o, f, now)
			if m.After == nil {
				if !o.Settled.IsZero() || m.Look > 0 {
					continue
				}
				t.Fatalf("nobody will look at %+v again", o)
			}
			unproven := o.State == gate.OrderHeld && m.After.State == gate.OrderReleased && !p.ended(m.After)
			if rests := !m.After.Deadline.IsZero(); rests != (unproven ||
				rests && !m.After.Deadline.Equal(o.Deadline)) {
				t.Fatalf("from %+v to %+v: rests on the deadline: %v", o, *m.After, rests)
			}
			next := *m.After
			if m.Otherwise != nil && rapid.Bool().Draw(t, "no stock") {
				next = *m.Otherwise
			}
			if next.Deadline.IsZero() {
				next.Deadline = o.Deadline
			}
			checkStep(t, p, &o, &next, f, now)
			if next.State != o.State {
				next.Settled = now
			}
			if again := p.judge(next, f, now); again.After != nil && again.After.State != next.State &&
				next.State != gate.OrderHeld {
				t.Fatalf("the same look moves %+v on to %+v", next, *again.After)
			}
			o = next
		}
	})
}

func drawFinding(t *rapid.T) finding {
	var texts []string
	for _, id := range []string{"a1", "a2", "a3"} {
		state := rapid.SampledFrom([]string{
			"", "ready", "deposit tomorrow", "deposit", "pending", "paid",
			"paid requested", "paid 999", "paid 999 requested", "paid test", "paid dollars", "paid others",
			"part_cancelled half", "cancelled", "refunding", "stranded", "charged_back", "failed",
		}).Draw(t, id)
		if state != "" {
			texts = append(texts, id+" "+state)
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "error") == 0 {
		texts = append(texts, "error")
	}
	return found(texts...)
}

func checkStep(t *rapid.T, p policy, o, next *gate.Order, f finding, now time.Time) {
	paid := 0
	for i, a := range next.Attempts {
		was := o.Attempts[i].State
		if a.State == gate.AttemptPaid {
			paid++
		}
		money := was == gate.AttemptPaid || was == gate.AttemptRefundDue || was == gate.AttemptRequested ||
			was == gate.AttemptRefunded
		cheaper := a.State == gate.AttemptOpen || a.State == gate.AttemptDeposit || a.State == gate.AttemptFailed ||
			a.State == gate.AttemptCancelled
		if money && cheaper || was == gate.AttemptRefunded && a.State != was {
			t.Fatalf("attempt %s went from %s to %s", a.ID, was, a.State)
		}
		failed := was == gate.AttemptRequested && a.State == gate.AttemptRefundDue
		if failed != (a.Tries > o.Attempts[i].Tries) {
			t.Fatalf("attempt %s went from %s to %s with %d tries", a.ID, was, a.State, a.Tries)
		}
		if a.State == gate.AttemptRefundDue && was != a.State && was != gate.AttemptRequested {
			payment := paymentOf(f.payments, next, &a)
			if payment != nil && payment.State == gate.PaymentStranded {
				continue
			}
			if payment == nil || p.why(next, payment).ByGate() != (payment.Currency == p.currency) {
				t.Fatalf("%s of %s became refund due for %+v, and that is handled wrongly", attempts(next),
					next.State, payment)
			}
		}
	}
	if returning := paid == 0 && next.State == gate.OrderPaid && next.OwesRefund(); !returning &&
		(paid > 1 || paid == 1 != (next.State == gate.OrderPaid)) {
		t.Fatalf("%s with attempts %s", next.State, attempts(next))
	}
	if o.State == gate.OrderHeld && next.State == gate.OrderReleased && f.unsure {
		t.Fatal("released although a look-up failed")
	}
	if o.State == gate.OrderHeld && next.State == gate.OrderReleased && !f.asked && !p.settings.ReleaseUnproven {
		t.Fatal("released although nothing was looked up")
	}
	if next.OwesRefund() && p.look(next, now) == 0 {
		t.Fatalf("nobody looks whether %s was refunded", attempts(next))
	}
}

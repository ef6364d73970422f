package audit_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/audit"
	"github.com/flashgate/flashgate/gate/portone"
)

// payments is PortOne with the payments that it was told of, by order.
type payments map[string][]gate.Payment

func (p payments) Lookup(_ context.Context, queries []portone.Query) []portone.Finding {
	findings := make([]portone.Finding, len(queries))
	for i, q := range queries {
		findings[i] = p.find(q)
	}
	return findings
}

func (p payments) EachCharged(_ context.Context, _, _ time.Time, do func(gate.Payment, error) error) error {
	for _, order := range slices.Sorted(maps.Keys(p)) {
		for _, payment := range p[order] {
			if payment.State != gate.PaymentPaid && payment.State != gate.PaymentPartCancelled {
				continue
			}
			if err := do(payment, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// find accounts for each of a query's attempts, as PortOne's client does.
func (p payments) find(q portone.Query) portone.Finding {
	f := portone.Finding{Order: q.Order, Payments: p[q.Order]}
	for _, attempt := range q.Attempts {
		if !slices.ContainsFunc(f.Payments, func(p gate.Payment) bool { return p.Attempt == attempt }) {
			f.Missing = append(f.Missing, attempt)
		}
	}
	return f
}

// counted looks payments up one by one, and counts how often each order is asked for.
func (p payments) counted(asked map[string]int) asking {
	return func(q portone.Query) portone.Finding {
		asked[q.Order]++
		return p.find(q)
	}
}

// charged is a payment of 1000 won by the attempt a1.
func charged(order string, change ...func(*gate.Payment)) gate.Payment {
	p := gate.Payment{
		Order: order, Attempt: "a1", Version: 1, State: gate.PaymentPaid, Amount: 1000, Balance: 1000,
		Currency: "KRW", Live: true,
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func state(s gate.PaymentState) func(*gate.Payment) {
	return func(p *gate.Payment) {
		p.State = s
		if s != gate.PaymentPaid && s != gate.PaymentPartCancelled {
			p.Balance = 0
		}
	}
}

// asOrdered is PortOne as the orders of a scene say that it is.
func asOrdered() payments {
	return payments{
		"o1": {charged("o1", state(gate.PaymentReady))}, "o2": {charged("o2")},
		"o3": {charged("o3", state(gate.PaymentFailed))},
		"o4": {charged("o4")}, "o5": {charged("o5", state(gate.PaymentCancelled))},
	}
}

func TestOrdersAreComparedWithTheirPayments(t *testing.T) {
	t.Parallel()
	sc := open(t)
	later := func(by time.Duration) *scene {
		return &scene{
			Server: sc.Server, t: t,
			s: openStore(t, sc.Server, func() time.Time { return time.Now().Add(by) }),
		}
	}
	soon, late := later(time.Minute), later(2*time.Hour)
	f := func(what string, at *scene, want string, change func(payments)) {
		t.Helper()
		there := asOrdered()
		change(there)
		r := at.audit(there)
		if got := kinds(r); got != want {
			t.Errorf("%s: found %q, want %q", what, got, want)
		}
		if r.Payments != 6 || r.NotLookedUp != 0 {
			t.Errorf("%s: looked at %+v", what, r)
		}
	}
	f("as ordered", soon, "", func(payments) {})
	f("as ordered, late", late, "", func(payments) {})
	f("paid here, failed there", soon, "paid_here_only o2",
		func(p payments) { p["o2"] = []gate.Payment{charged("o2", state(gate.PaymentFailed))} })
	f("paid here, unknown there", soon, "paid_here_only o2", func(p payments) { delete(p, "o2") })
	f("paid here by another order's payment", soon, "paid_here_only o2",
		func(p payments) { p["o2"] = []gate.Payment{charged("o1")} })
	f("paid here, given back there", late, "refunded_there o2",
		func(p payments) { p["o2"] = []gate.Payment{charged("o2", state(gate.PaymentCancelled))} })
	f("given back there, not looked at yet", soon, "",
		func(p payments) { p["o2"] = []gate.Payment{charged("o2", state(gate.PaymentCancelled))} })
	f("held here, paid there", late, "paid_there_only o1", func(p payments) { p["o1"] = []gate.Payment{charged("o1")} })
	f("held here, paid there, not looked at yet", soon, "",
		func(p payments) { p["o1"] = []gate.Payment{charged("o1")} })
	f("held with an hour to the next look, paid there", soon, "",
		func(p payments) { p["o6"] = []gate.Payment{charged("o6")} })
	f("released here, paid there", late, "paid_there_only o3",
		func(p payments) { p["o3"] = []gate.Payment{charged("o3")} })
	f("released here, in part cancelled there", late, "paid_there_only o3",
		func(p payments) { p["o3"] = []gate.Payment{charged("o3", state(gate.PaymentPartCancelled))} })
	f("another amount", late, "amount o2",
		func(p payments) { p["o2"] = []gate.Payment{charged("o2", func(p *gate.Payment) { p.Amount = 900 })} })
	f("another balance", late, "amount o2", func(p payments) {
		p["o2"] = []gate.Payment{charged("o2", state(gate.PaymentPartCancelled),
			func(p *gate.Payment) { p.Balance = 400 })}
	})
	f("refund due here, given back there", late, "",
		func(p payments) { p["o4"] = []gate.Payment{charged("o4", state(gate.PaymentCancelled))} })
	f("paid here, charged back there", late, "",
		func(p payments) { p["o2"] = []gate.Payment{charged("o2", state(gate.PaymentChargedBack))} })
	for _, s := range []gate.PaymentState{gate.PaymentRefunding, gate.PaymentStranded} {
		f("paid here, "+s.String()+" there", late, "refunded_there o2",
			func(p payments) { p["o2"] = []gate.Payment{charged("o2", state(s))} })
		f("paid here, not looked at yet, "+s.String()+" there", soon, "",
			func(p payments) { p["o2"] = []gate.Payment{charged("o2", state(s))} })
		f("refunded here, "+s.String()+" there", soon, "refunded_here o5",
			func(p payments) { p["o5"] = []gate.Payment{charged("o5", state(s))} })
	}
	f("refunded here, charged there", soon, "refunded_here o5",
		func(p payments) { p["o5"] = []gate.Payment{charged("o5")} })
	f("an attempt that was never confirmed", late, "paid_there_only o2", func(p payments) {
		p["o2"] = append(p["o2"], charged("o2", func(p *gate.Payment) { p.Attempt = "a9" }))
	})
	f("one that was never confirmed, given back", late, "", func(p payments) {
		p["o2"] = append(p["o2"],
			charged("o2", state(gate.PaymentCancelled), func(p *gate.Payment) { p.Attempt = "a9" }))
	})
	f("all at once", late, "paid_here_only o2, paid_there_only o1, paid_there_only o3, paid_there_only o6, "+
		"refunded_here o5", func(p payments) {
		delete(p, "o2")
		for _, id := range []string{"o1", "o3", "o5", "o6"} {
			p[id] = []gate.Payment{charged(id)}
		}
	})
}

func TestOrdersAreComparedWithBothVersions(t *testing.T) {
	t.Parallel()
	sc := open(t)
	next := gate.Attempt{ID: "t2", State: gate.AttemptPaid, Version: 2}
	sc.settle("o2", gate.OrderPaid, gate.AttemptFailed, func(o *gate.Order) { o.Attempts = append(o.Attempts, next) })
	there := versions{
		1: asOrdered(),
		2: {"o2": {charged("o2", func(p *gate.Payment) { p.Attempt, p.Version = "t2", 2 })}},
	}
	there[1]["o2"] = []gate.Payment{charged("o2", state(gate.PaymentFailed))}
	if r := sc.audit(there); kinds(r) != "" {
		t.Errorf("as ordered: %+v", r)
	}
	delete(there[2], "o2")
	if r := sc.audit(there); kinds(r) != "paid_here_only o2" {
		t.Errorf("unknown there: %+v", r)
	}
}

// versions is PortOne with payments in both of its versions.
type versions map[gate.Version]payments

func (v versions) Lookup(ctx context.Context, queries []portone.Query) []portone.Finding {
	findings := make([]portone.Finding, len(queries))
	for i, q := range queries {
		findings[i] = v[q.Version].Lookup(ctx, []portone.Query{q})[0]
	}
	return findings
}

func (versions) EachCharged(ctx context.Context, from, to time.Time, do func(gate.Payment, error) error) error {
	return nothingElse{}.EachCharged(ctx, from, to, do)
}

// What could not be looked up is neither a difference nor as it should be.
func TestWhatCannotBeLookedUpIsCounted(t *testing.T) {
	t.Parallel()
	r := open(t).audit(asking(func(q portone.Query) portone.Finding {
		if q.Order == "o2" || q.Order == "o3" {
			return portone.Finding{Order: q.Order, Err: errors.New("PortOne is away")}
		}
		return asOrdered().find(q)
	}))
	if r.NotLookedUp != 2 || r.Problem != "PortOne is away" || r.Differences != 0 || r.Payments != 6 {
		t.Errorf("got %+v", r)
	}
}

// Silence is not a word: an empty finding agrees with nothing.
func TestALookUpThatSaysNothingIsNoAgreement(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]audit.Payments{
		"empty findings": asking(func(portone.Query) portone.Finding { return portone.Finding{} }),
		"no findings":    silence{},
		"another attempt": asking(func(q portone.Query) portone.Finding {
			return portone.Finding{
				Order:   q.Order,
				Missing: []string{"a9"},
			}
		}),
	} {
		r := open(t).audit(silent)
		if r.NotLookedUp == 0 || r.NotLookedUp != r.Payments || r.Differences != 0 {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

type silence struct{ nothingElse }

func (silence) Lookup(context.Context, []portone.Query) []portone.Finding { return nil }

// An order that changes between its look-up and the comparison is looked up again.
func TestAnOrderThatIsPaidDuringItsLookUpIsNoDifference(t *testing.T) {
	t.Parallel()
	sc, looks := open(t), 0
	r := sc.audit(asking(func(q portone.Query) portone.Finding {
		if q.Order != "o2" {
			return asOrdered().find(q)
		}
		if looks++; looks == 2 { // the second look is the one that would count
			sc.settle("o2", gate.OrderRefunded, gate.AttemptRefunded)
		}
		return portone.Finding{Order: "o2", Payments: []gate.Payment{charged("o2", state(gate.PaymentFailed))}}
	}))
	if r.Differences != 0 || r.Moving != 0 || looks != 3 {
		t.Errorf("after %d looks: %+v", looks, r)
	}
}

// What PortOne lists may be seconds old, so that what differs is asked for alone.
func TestAStaleAnswerIsAskedForAgain(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	r := open(t).audit(asking(func(q portone.Query) portone.Finding {
		if asked[q.Order]++; q.Order == "o2" && asked["o2"] == 1 {
			return portone.Finding{Order: "o2", Payments: []gate.Payment{charged("o2", state(gate.PaymentReady))}}
		}
		return asOrdered().find(q)
	}))
	if r.Differences != 0 || fmt.Sprint(asked) != "map[o1:1 o2:2 o3:1 o4:1 o5:1 o6:1]" {
		t.Errorf("asked %v: %+v", asked, r)
	}
}

// asking is PortOne as a function, called for one query after the other.
type asking func(portone.Query) portone.Finding

func (a asking) Lookup(_ context.Context, queries []portone.Query) []portone.Finding {
	findings := make([]portone.Finding, len(queries))
	for i, q := range queries {
		findings[i] = a(q)
	}
	return findings
}

// nothingElse lists no payments.
type nothingElse struct{}

func (nothingElse) EachCharged(context.Context, time.Time, time.Time, func(gate.Payment, error) error) error {
	return nil
}

func (asking) EachCharged(ctx context.Context, from, to time.Time, do func(gate.Payment, error) error) error {
	return nothingElse{}.EachCharged(ctx, from, to, do)
}

func TestAnAuditOfNoSale(t *testing.T) {
	t.Parallel()
	sc := open(t)
	deps := audit.Deps{Store: sc.s}
	if _, err := audit.Run(t.Context(), deps, "swim", audit.Options{}); !errors.Is(err, gate.ErrNoSale) {
		t.Errorf("of a sale that never was: %v", err)
	}
	if err := sc.s.Delete(t.Context(), "kim", "race", sc.everything()); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Run(t.Context(), deps, "race", audit.Options{}); !errors.Is(err, gate.ErrNoSale) {
		t.Errorf("of a tombstone: %v", err)
	}
}

// A sale that is deleted or starts afresh while it is audited has no report.
func TestAnAuditEndsWithTheRun(t *testing.T) {
	t.Parallel()
	f := func(what string, change func(sc *scene)) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			sc, once := open(t), false
			_, err := audit.Run(t.Context(), audit.Deps{
				Store: sc.s, Progress: func(read string, _ int64) {
					if read == "orders" && !once {
						once = true
						change(sc)
					}
				},
			}, "race", audit.Options{})
			if !errors.Is(err, audit.ErrRestarted) || !strings.Contains(err.Error(), "audit it again") {
				t.Errorf("got %v", err)
			}
		})
	}
	remove := func(sc *scene) {
		if err := sc.s.Delete(sc.t.Context(), "kim", "race", sc.everything()); err != nil {
			sc.t.Error(err)
		}
	}
	f("deleted", remove)
	f("afresh", func(sc *scene) {
		state, err := sc.s.Sale(sc.t.Context(), "race")
		if err != nil {
			sc.t.Error(err)
		}
		state.Run++
		if err := sc.s.Create(sc.t.Context(),
			gate.Creation{Who: "kim", Sale: state.Sale, Drop: sc.everything()}); err != nil {
			sc.t.Error(err)
		}
	})
}

package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/audit"
)

// charges is PortOne as the orders say, and the payments besides that it lists.
type charges struct {
	payments
	listed   []gate.Payment
	fault    error // of one more
	err      error // of the list
	from, to time.Time
}

func (c *charges) EachCharged(ctx context.Context, from, to time.Time, do func(gate.Payment, error) error) error {
	c.from, c.to = from, to
	for _, p := range c.listed {
		if err := do(p, nil); err != nil {
			return err
		}
	}
	if c.fault != nil {
		if err := do(gate.Payment{}, c.fault); err != nil {
			return err
		}
	}
	if c.err != nil {
		return c.err
	}
	return c.payments.EachCharged(ctx, from, to, do)
}

func TestAPaymentWhoseOrderIsForgottenIsFound(t *testing.T) {
	t.Parallel()
	sc := open(t)
	other := gate.Sale{Name: "swim", Run: 1, Settings: gate.Settings{
		OpensAt: time.Now().Add(-time.Hour), ClosesAt: time.Now().Add(time.Hour), Hold: time.Minute,
		SKUs: []gate.SKU{{Name: "full", Stock: 9}},
	}}
	if err := sc.s.Create(t.Context(), gate.Creation{Who: "kim", Sale: other, OpenNow: true}); err != nil {
		t.Fatal(err)
	}
	d := sc.s.Decider("swim")
	defer d.Close()
	r := &gate.Request{Confirm: gate.Confirm{
		Order: []byte("s1"), Attempt: []byte("a1"), Version: 1,
		Lines: []gate.Line{{SKU: "full", Quantity: 1}},
	}}
	if err := d.Decide(t.Context(), []*gate.Request{r}); err != nil {
		t.Fatal(err)
	}
	f := func(what, want string, opt audit.Options, listed ...gate.Payment) {
		t.Helper()
		there := &charges{payments: asOrdered(), listed: listed}
		report, err := audit.Run(t.Context(), audit.Deps{Store: sc.s, Payments: there}, "race", opt)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := kinds(report); got != want || report.Charged != int64(len(listed))+2 {
			t.Errorf("%s: found %q of %d that are charged, want %q", what, got, report.Charged, want)
		}
		opens := time.Now().Add(-time.Hour - 15*time.Minute)
		if there.from.Sub(opens).Abs() > time.Minute || time.Since(there.to).Abs() > time.Minute {
			t.Errorf("%s: listed from %s to %s", what, there.from, there.to)
		}
	}
	f("of orders that are known", "", audit.Options{})
	f("of an order of another sale", "", audit.Options{}, charged("s1"))
	f("of an order that nobody knows", "forgotten x1", audit.Options{}, charged("x1"))
	f("of two", "forgotten x1, forgotten x2", audit.Options{}, charged("x1"), charged("s1"),
		charged("x2", state(gate.PaymentPartCancelled)))
	f("of a test channel", "", audit.Options{}, charged("x1", func(p *gate.Payment) { p.Live = false }))
	f("of an order as sales have them", "forgotten r-1", audit.Options{Prefix: "r-"}, charged("r-1"), charged("x1"))
	f("of a shop that sells other things", "", audit.Options{Known: true}, charged("x1"))
	attempt := func(p *gate.Payment) { p.Attempt = "a9" }
	f("of a released order that was never confirmed", "paid_there_only o3", audit.Options{}, charged("o3", attempt))
	f("of a paid one", "paid_there_only o2", audit.Options{Known: true}, charged("o2", attempt))
	f("by another version", "paid_there_only o2", audit.Options{},
		charged("o2", func(p *gate.Payment) { p.Version = 2 }))
}

// A payment that is both looked up and listed is found once.
func TestWhatIsFoundTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	there := &charges{payments: asOrdered()}
	there.payments["o3"] = append(there.payments["o3"], charged("o3", func(p *gate.Payment) { p.Attempt = "a9" }))
	sc := open(t)
	later := &scene{
		Server: sc.Server, t: t,
		s: openStore(t, sc.Server, func() time.Time { return time.Now().Add(2 * time.Hour) }),
	}
	if r := later.audit(there); kinds(r) != "paid_there_only o3" || r.Differences != 1 {
		t.Errorf("found %s", kinds(r))
	}
}

func TestAListThatIsNotWholeIsNoAudit(t *testing.T) {
	t.Parallel()
	sc := open(t)
	r := sc.audit(&charges{payments: asOrdered(), fault: errors.New("payment 7 cannot be read")})
	if r.NotLookedUp != 1 || !strings.Contains(r.Problem, "payment 7") {
		t.Errorf("one that cannot be read: %+v", r)
	}
	var many []gate.Payment
	for i := range 1100 {
		many = append(many, charged(fmt.Sprintf("x%04d", i)))
	}
	if r := sc.audit(&charges{payments: asOrdered(), listed: many}); r.Differences != 1100 {
		t.Errorf("%d of 1100 found", r.Differences)
	}
	broken := errors.New("PortOne is away")
	r = sc.audit(&charges{payments: asOrdered(), err: broken})
	if r.NotLookedUp != 1 || !strings.Contains(r.Problem, "PortOne is away") {
		t.Errorf("a list that breaks off: %+v", r)
	}
}

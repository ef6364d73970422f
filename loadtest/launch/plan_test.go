package launch

import (
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const testKeys = "k1:YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMDE="

func planOptions() Options {
	return Options{
		Targets: []string{"http://gate.example.com"}, Sale: "race",
		Items: []Item{{SKU: "a", Weight: 3, Price: 100}, {SKU: "b", Weight: 1, Price: 7}},
		Shape: "launch", Rate: 1000, Demand: 5000, Bodies: []string{"v1"}, Seed: 1, Prefix: "T",
	}
}

func newPlan(t *testing.T, change func(*Options)) *Plan {
	t.Helper()
	return newSignedPlan(t, nil, change)
}

func newSignedPlan(t *testing.T, keys *gate.Keys, change func(*Options)) *Plan {
	t.Helper()
	opt := planOptions()
	change(&opt)
	p, err := NewPlan(keys, opt)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Plan) share(is func(request) bool) float64 {
	n := 0
	for _, r := range p.requests {
		if is(r) {
			n++
		}
	}
	return float64(n) / float64(len(p.requests))
}

func near(got, want float64) bool { return math.Abs(got-want) < 0.03 }

func TestAPlanSendsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	p := newPlan(t, func(o *Options) { o.Duplicates, o.Hostile = .5, .2 })
	if p.Orders() != 5000 || p.Shape().Requests() != p.Requests() {
		t.Errorf("%d orders in %d requests, of which %d are due", p.Orders(), p.Requests(), p.Shape().Requests())
	}
	if got := p.share(func(r request) bool { return r.kind.hostile() }); !near(got, .2) {
		t.Errorf("a share of %v is hostile", got)
	}
	repeats, atOnce, seen := 0, 0, map[int32]int{}
	for i, r := range p.requests {
		switch r.kind {
		case first:
			if int(r.order) != len(seen) {
				t.Fatalf("request %d is the first of order %d, after %d others", i, r.order, len(seen))
			}
			seen[r.order] = i
		case again:
			at, known := seen[r.order]
			if !known {
				t.Fatalf("request %d sends order %d again before its first", i, r.order)
			}
			repeats++
			if i-at <= 3 {
				atOnce++
			}
		}
	}
	if !near(float64(repeats)/5000, .5) || !near(float64(atOnce)/float64(repeats), .5) {
		t.Errorf("%d orders are sent again, %d of them at once", repeats, atOnce)
	}
}

func TestAPlanOfADurationFillsIt(t *testing.T) {
	t.Parallel()
	p := newPlan(t, func(o *Options) { o.Demand, o.Duration, o.Shape = 0, 2*time.Second, "steady" })
	if p.Requests() != 2000 || p.Shape().Duration() != 2*time.Second {
		t.Errorf("%d requests in %s", p.Requests(), p.Shape().Duration())
	}
}

func TestTheSameSeedDrawsTheSamePlan(t *testing.T) {
	t.Parallel()
	change := func(seed uint64) func(*Options) {
		return func(o *Options) { o.Seed, o.Duplicates, o.Carts, o.Buyers = seed, .3, .3, 100 }
	}
	one, same, other := newPlan(t, change(1)), newPlan(t, change(1)), newPlan(t, change(2))
	if !slices.Equal(one.requests, same.requests) || slices.Equal(one.requests, other.requests) {
		t.Error("the requests do not go by the seed")
	}
	differs := false
	for i := range 100 {
		a, b, c := one.order(i), same.order(i), other.order(i)
		if a.items() != b.items() || a.buyer != b.buyer {
			t.Fatalf("order %d is %+v and %+v", i, a, b)
		}
		differs = differs || a.items() != c.items() || a.buyer != c.buyer
	}
	if !differs {
		t.Error("another seed draws the same orders")
	}
}

func TestBuyersWantWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	p := newPlan(t, func(o *Options) { o.Carts, o.Buyers = .4, 50 })
	carts, a, buyers := 0, 0, map[string]bool{}
	for i := range p.Orders() {
		o := p.order(i)
		buyers[o.buyer] = true
		switch o.items() {
		case "a,b":
			carts++
			if o.amount != 107 {
				t.Fatalf("the cart costs %d", o.amount)
			}
		case "a":
			a++
		}
	}
	singles := float64(p.Orders() - carts)
	if !near(float64(carts)/5000, .4) || !near(float64(a)/singles, .75) || len(buyers) != 50 {
		t.Errorf("%d carts, %d of %v single orders are for a, %d buyers", carts, a, singles, len(buyers))
	}
	one := newPlan(t, func(o *Options) { o.Carts, o.Items = 1, o.Items[:1] })
	if o := one.order(0); o.items() != "a:2" || o.amount != 200 {
		t.Errorf("with one SKU a cart is %s for %d", o.items(), o.amount)
	}
}

func TestRequestsAreAsPortOneSendsThem(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	f := func(body, contentType, want string) {
		p := newPlan(t, func(o *Options) {
			o.Bodies, o.Demand, o.Items = []string{body}, 1, o.Items[:1]
			o.WebhookSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
		})
		target, err := p.Target(0, now)
		if err != nil {
			t.Fatal(err)
		}
		if string(target.Body) != want || target.Header.Get("Content-Type") != contentType || target.Method != "POST" {
			t.Errorf("%s: %s %s %s, want %s", body, target.Method, target.Header, target.Body, want)
		}
		if signed := target.Header.Get("webhook-signature") != ""; signed != strings.HasPrefix(body, "v2") {
			t.Errorf("%s: signed is %v", body, signed)
		}
	}
	f("v1", "application/json", `{"amount":100,"imp_uid":"imp_T0000000","merchant_uid":"T0000000"}`)
	f("v1-form", "application/x-www-form-urlencoded", `amount=100&imp_uid=imp_T0000000&merchant_uid=T0000000`)
	f("v2-2024-01-01", "application/json", `{"payment_id":"T0000000","total_amount":100,"tx_id":"imp_T0000000"}`)
	f("v2-2024-04-25", "application/json",
		`{"data":{"paymentId":"T0000000","totalAmount":100,"transactionId":"imp_T0000000"},"timestamp":"2026-12-01T10:00:00.000Z","type":"Transaction.Confirm"}`)
}

func TestLinksAreSignedWhereThereAreKeys(t *testing.T) {
	t.Parallel()
	keys, err := gate.ParseKeys(testKeys)
	if err != nil {
		t.Fatal(err)
	}
	p := newSignedPlan(t, keys, func(o *Options) { o.Expires, o.Hostile, o.Demand = time.Minute, .5, 300 })
	now, seen := time.Unix(1_800_000_000, 0), map[kind]bool{}
	for i, r := range p.requests {
		target, err := p.Target(i, now)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(target.URL)
		if err != nil {
			t.Fatal(err)
		}
		seen[r.kind] = true
		o := p.order(int(r.order))
		genuine, err := keys.URL(p.opt.Targets[0], gate.Offer{
			Sale: "race", Items: o.items(), Buyer: o.buyer, Order: o.id,
			Amount: gate.Amount{Value: o.amount, Known: true}, Expires: now.Add(time.Minute),
		})
		if err != nil {
			t.Fatal(err)
		}
		same, own := target.URL == genuine, strings.Contains(string(target.Body), `"`+o.id+`"`)
		want := map[kind][2]bool{
			first: {true, true}, again: {true, true}, stolen: {true, false}, forged: {false, true},
			unknownSale: {false, true}, unknownSKU: {false, true},
		}
		if w, ok := want[r.kind]; ok && w != [2]bool{same, own} || u.Query().Get("sig") == "" {
			t.Errorf("%s: %s %s", r.kind, target.URL, target.Body)
		}
	}
	if len(seen) != 6 {
		t.Errorf("of all kinds there are %v", seen)
	}
}

func TestTheRequestsGoToTheTargetsInTurn(t *testing.T) {
	t.Parallel()
	p := newPlan(t, func(o *Options) { o.Targets = []string{"http://a", "http://b/", "http://c"} })
	for i := range 6 {
		target, err := p.Target(i, time.Now())
		if want := "http://" + string("abc"[i%3]) + "/confirm/"; err != nil || !strings.HasPrefix(target.URL, want) {
			t.Errorf("request %d goes to %s, %v", i, target.URL, err)
		}
	}
}

func TestAPlanThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	f := func(want string, change func(*Options)) {
		t.Helper()
		opt := planOptions()
		change(&opt)
		if _, err := NewPlan(nil, opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f("base URL", func(o *Options) { o.Targets = []string{"http://gate.example.com", "gate.example.com"} })
	f("one target", func(o *Options) { o.Targets = nil })
	f("sale", func(o *Options) { o.Sale = "a/b" })
	f("carts", func(o *Options) { o.Carts = 1.1 })
	f("duplicates", func(o *Options) { o.Duplicates = math.NaN() })
	f("hostile", func(o *Options) { o.Hostile = 1 })
	f("not both", func(o *Options) { o.Duration = time.Second })
	f("not both", func(o *Options) { o.Demand = 0 })
	f("demand", func(o *Options) { o.Demand = math.MaxInt32 })
	f("buyers", func(o *Options) { o.Buyers = -1 })
	f("nothing to buy", func(o *Options) { o.Items = nil })
	f("items", func(o *Options) { o.Items[0].Weight = 0 })
	f("items", func(o *Options) { o.Items[1].SKU = "a" })
	f("prefix", func(o *Options) { o.Prefix = strings.Repeat("x", 60) })
	f("body", func(o *Options) { o.Bodies = nil })
	f("body", func(o *Options) { o.Bodies = []string{"v3"} })
	f("webhook secret", func(o *Options) { o.WebhookSecret = "whsec_?" })
	f("shape", func(o *Options) { o.Shape = "square" })
	f("rate", func(o *Options) { o.Rate = -1 })
	f("no order", func(o *Options) { o.Demand, o.Duration, o.Rate = 0, time.Second, 0.1 })
}

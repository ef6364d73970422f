package gate

import (
	"slices"
	"testing"
	"time"
)

// Whatever was forgotten, left out or not yet said must not let a payment through.
func TestTheZeroOfWhatDecidesIsARefusal(t *testing.T) {
	t.Parallel()
	var (
		v       Verdict
		c       Code
		r       Request
		keys    *Keys
		order   OrderState
		payment Payment
		moved   Moved
	)
	for name, code := range map[string]Code{"a verdict": v.Code, "a code": c, "a request": r.Verdict().Code} {
		if code != Undecided || code == Held {
			t.Errorf("%s is %s, want undecided", name, code)
		}
	}
	if _, ok := keys.Verify("race", []byte("ORD1"), &Link{}, time.Now()); ok {
		t.Error("keys that are none take a link")
	}
	if order.HasUnits() || order.String() != "unknown" {
		t.Errorf("an order's state is %s, and has units: %t", order, order.HasUnits())
	}
	if payment.State == PaymentPaid || payment.State.String() != "unknown" || payment.Live {
		t.Errorf("a payment is %s, live: %t", payment.State, payment.Live)
	}
	if slices.Contains([]Moved{MovedOn, MovedOtherwise, MovedNot, MovedNothing}, moved) {
		t.Error("an order has moved")
	}
	if phase := new(State).Phase(time.Now()); phase == "open" {
		t.Errorf("a sale is %s", phase)
	}
}

func TestEveryCodeButHeldIsARefusal(t *testing.T) {
	t.Parallel()
	all := append(Refusals(), Held)
	slices.Sort(all)
	if !slices.Equal(all, Codes()) {
		t.Errorf("the refusals are %v", Refusals())
	}
	for _, c := range Codes() {
		if read, ok := ParseCode(c.String()); !ok || read != c {
			t.Errorf("%q is read as %s", c, read)
		}
	}
}

func TestEveryCauseBelongsToARefusalAndSaysWhatItMeans(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"": true}
	for _, c := range Causes() {
		if seen[c.String()] || c.Means() == "" || c.Code() == Held || c.Code() == Undecided {
			t.Errorf("cause %d is %q of %s and means %q", c, c, c.Code(), c.Means())
		}
		seen[c.String()] = true
		if v := RefuseFor(c); v.Code != c.Code() || v.Cause != c {
			t.Errorf("%s: refused with %+v", c, v)
		}
	}
	if NoCause.String() != "" || slices.Contains(Causes(), NoCause) {
		t.Error("no cause counts as one")
	}
}

// The code of a wrong link is the same whatever is wrong with it; its cause tells
// what can be told of it.
func TestAWrongLinksCauseIsTold(t *testing.T) {
	t.Parallel()
	mine := "k1:" + testKey + ",k2:" + otherKey
	f := func(what string, k *Keys, change func(l *Link), order string, want Cause) {
		t.Helper()
		link := signedLink(t, testKeys(t, mine), testOffer())
		change(link)
		if v, ok := k.Verify("race", []byte(order), link, signTime); ok || v.Code != BadSignature || v.Cause != want {
			t.Errorf("%s: got %s %s, want %s", what, v.Code, v.Cause, want)
		}
	}
	asSigned := func(*Link) {}
	order := testOffer().Order
	k := testKeys(t, mine)
	f("unsigned", k, func(l *Link) { l.Signature = nil }, order, LinkUnsigned)
	f("nothing but items", k, func(l *Link) { *l = Link{Items: l.Items} }, order, LinkUnsigned)
	f("another version", k, func(l *Link) { l.Version = []byte("2") }, order, LinkVersion)
	f("no version", k, func(l *Link) { l.Version = nil }, order, LinkVersion)
	f("no kid", k, func(l *Link) { l.KeyID = nil }, order, KeyUnknown)
	f("an unknown kid", k, func(l *Link) { l.KeyID = []byte("k3") }, order, KeyUnknown)
	f("half a signature", k, func(l *Link) { l.Signature = l.Signature[:20] }, order, SignatureMalformed)
	f("a hexadecimal signature", k, func(l *Link) {
		l.Signature = []byte("3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed")
	}, order, SignatureMalformed)
	f("base64 of the other alphabet", k, func(l *Link) { l.Signature[3] = '+' }, order, SignatureMalformed)
	f("the other key's kid", k, func(l *Link) { l.KeyID = []byte("k2") }, order, KeyMixedUp)

	// Whether the shop has another key, or this link is wrong, shows once a link was right.
	f("another key of the same id", testKeys(t, "k1:"+otherKey), asSigned, order, KeyUnproven)
	f("another order, before any link was right", k, asSigned, "ORD2", KeyUnproven)
	if v, ok := k.Verify("race", []byte(order), signedLink(t, k, testOffer()), signTime); !ok {
		t.Fatalf("the right link: %s %s", v.Code, v.Cause)
	}
	f("another order", k, asSigned, "ORD2", LinkAltered)
	f("other items", k, func(l *Link) { l.Items = []byte("full:2") }, order, LinkAltered)
	other := testKeys(t, "k2:"+testKey)
	other.current().byID["k1"] = k.current().byID["k1"]
	f("a key that is not proven beside one that is", other,
		func(l *Link) { l.KeyID, l.Items = []byte("k2"), []byte("full:2") }, order, KeyUnproven)
}

// Telling the cause must not make a flood of wrong links dear.
func TestRefusingALinkAllocatesNothing(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector empties pools at random")
	}
	k, link := testKeys(t, "k1:"+testKey+",k2:"+otherKey), signedLink(t, testKeys(t, "k1:"+testKey), testOffer())
	order := []byte("ORD2")
	if n := testing.AllocsPerRun(100, func() { k.Verify("race", order, link, signTime) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func outcome(v Verdict, passes bool) Verdict {
	if passes {
		return Refuse(Held)
	}
	return v
}

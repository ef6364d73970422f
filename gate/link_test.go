package gate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Keys that nobody uses.
var (
	testKey  = base64.StdEncoding.EncodeToString([]byte("not-a-secret-only-for-these-tests"))
	otherKey = base64.StdEncoding.EncodeToString([]byte("nor-is-this-one-only-for-the-test"))
)

func testKeys(t testing.TB, text string) *Keys {
	t.Helper()
	k, err := ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signTime is when the links of these tests are looked at.
var signTime = time.Unix(1796119200, 0)

func testOffer() Offer {
	return Offer{
		Sale: "race", Items: "full:1,half:1", Buyer: "김 a+b", Order: "ORD20261201000137",
		Amount: Amount{Value: 140000, Known: true}, Expires: signTime.Add(30 * time.Minute),
	}
}

// signedLink returns the offer's link as a gate reads it.
func signedLink(t testing.TB, k *Keys, o Offer) *Link {
	t.Helper()
	text, err := k.URL("https://gate.example.com", o)
	if err != nil {
		t.Fatal(err)
	}
	sale, l := readLink(t, text)
	if sale != o.Sale {
		t.Fatalf("%s is a link of sale %q", text, sale)
	}
	return l
}

func readLink(t testing.TB, text string) (sale string, _ *Link) {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) []byte { return []byte(q.Get(name)) }
	return path.Base(u.Path), &Link{
		Items: value("items"), Buyer: value("buyer"), Amount: value("amount"), Expires: value("exp"),
		Version: value("v"), KeyID: value("kid"), Signature: value("sig"),
	}
}

func TestLinksAreAsTheVectorsSay(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/links.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Kid, Key, Base, Sale, Items, Buyer, Order string
		Amount                                          *int64
		Expires                                         int64
		Link                                            string
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			k := testKeys(t, v.Kid+":"+v.Key)
			o := Offer{Sale: v.Sale, Items: v.Items, Buyer: v.Buyer, Order: v.Order, Expires: time.Unix(v.Expires, 0)}
			if v.Amount != nil {
				o.Amount = Amount{Value: *v.Amount, Known: true}
			}
			link, err := k.URL(v.Base, o)
			if err != nil || link != v.Link {
				t.Errorf("got  %s (%v)\nwant %s", link, err, v.Link)
			}
			sale, l := readLink(t, v.Link)
			if got := outcome(k.Verify(sale, []byte(v.Order), l, o.Expires.Add(-time.Second))); got.Code != Held {
				t.Errorf("refused: %s", got.Code)
			}
		})
	}
}

// alterations returns every text that differs from s in one character: another
// in its place, one more, one fewer.
func alterations(s []byte) [][]byte {
	others := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=:,.% \x00\n\r\x80"
	var all [][]byte
	for i := range len(s) + 1 {
		if i < len(s) {
			all = append(all, slices.Concat(s[:i], s[i+1:]))
		}
		for _, c := range []byte(others) {
			all = append(all, slices.Concat(s[:i], []byte{c}, s[i:]))
			if i < len(s) {
				all = append(all, slices.Concat(s[:i], []byte{c}, s[i+1:]))
			}
		}
	}
	return slices.DeleteFunc(all, func(b []byte) bool { return string(b) == string(s) })
}

func TestALinkAlteredInAnyOneCharacterIsRefused(t *testing.T) {
	t.Parallel()
	k, o := testKeys(t, "k1:"+testKey+",k2:"+otherKey), testOffer()
	link, order, sale := signedLink(t, k, o), []byte(o.Order), []byte(o.Sale)
	for name, field := range map[string]*[]byte{
		"items": &link.Items, "buyer": &link.Buyer, "amount": &link.Amount, "exp": &link.Expires, "v": &link.Version,
		"kid": &link.KeyID, "sig": &link.Signature, "order": &order, "sale": &sale,
	} {
		honest := *field
		for _, altered := range append(alterations(honest), nil) {
			*field = altered
			if v := outcome(k.Verify(string(sale), order, link, signTime)); v.Code != BadSignature {
				t.Errorf("%s %q for %q: got %s, want bad_signature", name, altered, honest, v.Code)
			}
		}
		*field = honest
	}
	if v := outcome(k.Verify(string(sale), order, link, signTime)); v.Code != Held {
		t.Errorf("the link as it was signed: %s", v.Code)
	}
}

// Base64 decoders skip line breaks, so one could stand in for a zero byte at the end.
func TestASignatureHasOneSpelling(t *testing.T) {
	t.Parallel()
	k, o := testKeys(t, "k1:"+testKey), testOffer()
	for i := range 10_000 {
		o.Order = strconv.Itoa(i)
		l := signedLink(t, k, o)
		cut, endsInZero := strings.CutSuffix(string(l.Signature), "A")
		if raw, _ := base64.RawURLEncoding.DecodeString(string(l.Signature)); !endsInZero || raw[len(raw)-1] != 0 {
			continue
		}
		for _, altered := range []string{cut + "\n", cut + "\r", "\n" + cut, cut[:20] + "\r" + cut[20:]} {
			l.Signature = []byte(altered)
			if v := outcome(k.Verify(o.Sale, []byte(o.Order), l, signTime)); v.Code != BadSignature {
				t.Errorf("order %s, signature %q: got %s, want bad_signature", o.Order, altered, v.Code)
			}
		}
		return
	}
	t.Fatal("no signature ends in a zero byte")
}

func TestALinkServesItsOwnOrderAndSaleAlone(t *testing.T) {
	t.Parallel()
	k, o := testKeys(t, "k1:"+testKey), testOffer()
	link := signedLink(t, k, o)
	f := func(sale, order string) {
		t.Helper()
		if v := outcome(k.Verify(sale, []byte(order), link, signTime)); v.Code != BadSignature {
			t.Errorf("sale %s, order %q: got %s, want bad_signature", sale, order, v.Code)
		}
	}
	f(o.Sale, "ORD20261201000138")
	f(o.Sale, strings.ToLower(o.Order))
	f(o.Sale, "")
	f("concert", o.Order)
}

func TestNothingMovesAcrossTheBordersOfALink(t *testing.T) {
	t.Parallel()
	k, o := testKeys(t, "k1:"+testKey), testOffer()
	f := func(what string, move func(l *Link, order *string)) {
		t.Helper()
		link, order := signedLink(t, k, o), o.Order
		move(link, &order)
		if v := outcome(k.Verify(o.Sale, []byte(order), link, signTime)); v.Code != BadSignature {
			t.Errorf("%s: got %s, want bad_signature", what, v.Code)
		}
	}
	b := func(s string) []byte { return []byte(s) }
	f("items' last character to the buyer",
		func(l *Link, _ *string) { l.Items, l.Buyer = b("full:1,half:"), b("1"+o.Buyer) })
	f("the buyer's first to items", func(l *Link, _ *string) { l.Items, l.Buyer = b(o.Items+"김"), b(" a+b") })
	f("the buyer's last to the order", func(l *Link, order *string) { l.Buyer, *order = b("김 a+"), "b"+o.Order })
	f("the order's last to the amount", func(l *Link, order *string) { *order, l.Amount = o.Order[:16], b("7140000") })
	f("the amount's last to the expiry",
		func(l *Link, _ *string) { l.Amount, l.Expires = b("14000"), append(b("0"), l.Expires...) })
	f("the buyer into items, with the line break",
		func(l *Link, _ *string) { l.Items, l.Buyer = b(o.Items+"\n"+o.Buyer), nil })
	f("items and buyer exchanged", func(l *Link, _ *string) { l.Items, l.Buyer = l.Buyer, l.Items })
	f("the amount as the buyer", func(l *Link, _ *string) { l.Buyer, l.Amount = l.Amount, nil })
}

func TestALinkExpires(t *testing.T) {
	t.Parallel()
	k, o := testKeys(t, "k1:"+testKey), testOffer()
	link := signedLink(t, k, o)
	f := func(now time.Time, want Code) {
		t.Helper()
		if v := outcome(k.Verify(o.Sale, []byte(o.Order), link, now)); v.Code != want {
			t.Errorf("%s to its expiry: got %s, want %s", o.Expires.Sub(now), v.Code, want)
		}
	}
	f(signTime, Held)
	f(o.Expires.Add(-time.Nanosecond), Held)
	f(o.Expires, ExpiredLink)
	f(o.Expires.Add(time.Hour), ExpiredLink)
}

func TestAnExpiryThatCannotBeReadIsNamedOnlyIfItWasSigned(t *testing.T) {
	t.Parallel()
	k, o := testKeys(t, "k1:"+testKey), testOffer()
	for _, exp := range []string{
		"", "soon", "-1", "+1796119300", "1796119300.5", "01796119300",
		"17961193000000", "1e10",
	} {
		link := signedLink(t, k, o)
		link.Expires = []byte(exp)
		if v := outcome(k.Verify(o.Sale, []byte(o.Order), link, signTime)); v.Code != BadSignature {
			t.Errorf("%q, not signed: got %s, want bad_signature", exp, v.Code)
		}
		link.Signature = k.current().first.sign(nil, o.Sale, []byte(o.Order), link)
		if v := outcome(k.Verify(o.Sale, []byte(o.Order), link, signTime)); v.Code != BadRequest || v.Field != "exp" {
			t.Errorf("%q, signed: got %s %s, want bad_request exp", exp, v.Code, v.Field)
		}
	}
}

func TestALinkOfAnotherVersionIsRefusedThoughItIsSigned(t *testing.T) {
	t.Parallel()
	k, o := testKeys(t, "k1:"+testKey), testOffer()
	link := signedLink(t, k, o)
	for _, version := range []string{"", "0", "2", "01"} {
		link.Version = []byte(version)
		link.Signature = k.current().first.sign(nil, o.Sale, []byte(o.Order), link)
		if v := outcome(k.Verify(o.Sale, []byte(o.Order), link, signTime)); v.Code != BadSignature {
			t.Errorf("version %q: got %s, want bad_signature", version, v.Code)
		}
	}
}

func TestKeysChangeWithoutRefusingAnybody(t *testing.T) {
	t.Parallel()
	before, after := testKeys(t, "old:"+testKey), testKeys(t, " new:"+otherKey+", old:"+testKey+"\n")
	o := testOffer()
	f := func(k, by *Keys, want Code) {
		t.Helper()
		link := signedLink(t, by, o)
		if v := outcome(k.Verify(o.Sale, []byte(o.Order), link, signTime)); v.Code != want {
			t.Errorf("a link by %s: got %s, want %s", link.KeyID, v.Code, want)
		}
	}
	f(before, before, Held)
	f(after, before, Held)
	f(after, after, Held)
	f(before, after, BadSignature)
	f(testKeys(t, "old:"+otherKey), before, BadSignature)
	if id := signedLink(t, after, o).KeyID; string(id) != "new" {
		t.Errorf("%s signs, want the first key", id)
	}
}

func TestKeysThatCannotBeReadAreNotShown(t *testing.T) {
	t.Parallel()
	short := base64.StdEncoding.EncodeToString([]byte("not-a-secret-and-31-bytes-long!"))
	f := func(text, want string, secrets ...string) {
		t.Helper()
		_, err := ParseKeys(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %q", text, err, want)
			return
		}
		for _, secret := range append(secrets, "not-a-secret") {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q shows the key %s", err, secret)
			}
		}
	}
	f("k1:"+short, "k1 has 31 bytes", short)
	f("k1:", "k1 has 0 bytes")
	f("k1:"+testKey[1:], "k1: what follows its id is not base64", testKey[1:])
	f("k1:"+testKey+"=", "not base64", testKey)
	f("k1:%"+testKey, "not base64", testKey)
	f("k1:"+testKey+",k1:"+otherKey, "k1 is given twice", testKey, otherKey)
	f("k1:"+testKey+",", "signing key 2", testKey)
	f("", "signing key 1")
	f(testKey, "signing key 1", testKey)
	f(testKey+":k1", "signing key 1", testKey)
	f(":"+testKey, "signing key 1", testKey)
	f("k 1:"+testKey, "signing key 1", testKey)
	f("k&sig:"+testKey, "signing key 1", testKey)
	f("sixteen-and-one--:"+testKey, "signing key 1", testKey)
}

func TestOnlyAGateThatWasToldSoTakesUnsignedLinks(t *testing.T) {
	t.Parallel()
	unsigned := &Link{Items: []byte("full"), Buyer: []byte("alice")}
	signed := signedLink(t, testKeys(t, "k1:"+testKey), testOffer())
	f := func(what string, keys *Keys, link *Link, want Code, cause Cause) {
		t.Helper()
		v := outcome(keys.Verify("seoul-marathon", []byte(testOffer().Order), link, signTime))
		if v.Code != want || v.Cause != cause {
			t.Errorf("%s: got %s %s, want %s %s", what, v.Code, v.Cause, want, cause)
		}
	}
	f("told so, an unsigned link", Unsigned(), unsigned, Held, NoCause)
	f("told so, a link that somebody signed", Unsigned(), signed, Held, NoCause)
	f("a key, an unsigned link", testKeys(t, "k1:"+testKey), unsigned, BadSignature, LinkUnsigned)
	f("nothing said, an unsigned link", nil, unsigned, BadSignature, LinkUnsigned)
	f("nothing said, a signed link", nil, signed, BadSignature, KeyUnknown)
	f("no key, a signed link", &Keys{}, signed, BadSignature, KeyUnknown)

	if link, err := Unsigned().URL("https://gate.example.com", testOffer()); err == nil {
		t.Errorf("signed without a key: %s", link)
	}
}

func TestWhatNoGateWouldTakeIsNotSigned(t *testing.T) {
	t.Parallel()
	k := testKeys(t, "k1:"+testKey)
	f := func(base, want string, change func(*Offer)) {
		t.Helper()
		o := testOffer()
		change(&o)
		if link, err := k.URL(base, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, %v, want an error with %q", link, err, want)
		}
	}
	const base = "https://gate.example.com"
	asItIs := func(*Offer) {}
	for _, bad := range []string{
		"", "gate.example.com", "ftp://gate.example.com", "https://", "https://a?b=c",
		"https://a#b", "https://a b",
	} {
		f(bad, "base URL", asItIs)
	}
	f(base, "sale name", func(o *Offer) { o.Sale = "a/b" })
	f(base, "order", func(o *Offer) { o.Order = "" })
	f(base, "order", func(o *Offer) { o.Order = "a\nb" })
	f(base, "buyer", func(o *Offer) { o.Buyer = "a\nb" })
	f(base, "buyer", func(o *Offer) { o.Buyer = strings.Repeat("x", 65) })
	f(base, "amount", func(o *Offer) { o.Amount.Value = -1 })
	f(base, "amount", func(o *Offer) { o.Amount.Value = MaxAmount + 1 })
	f(base, "expires", func(o *Offer) { o.Expires = time.Time{} })
	many := "a0"
	for i := range MaxLines {
		many += fmt.Sprint(",a", i+1)
	}
	for _, items := range []string{"", "full:0", "full,full", "full\nhalf", "full&buyer=a", "풀", "a:1:2", many} {
		f(base, "items", func(o *Offer) { o.Items = items })
	}
}

func TestLinksOfOrdinaryCartsAreShort(t *testing.T) {
	t.Parallel()
	link, err := testKeys(t, "k1:"+testKey).URL("https://gate.example.com", Offer{
		Sale: "seoul-marathon", Items: "full-course:2,half-course:10,t-shirt-xl:1", Buyer: "user-471100000000001",
		Order: "ORD2026120100013", Amount: Amount{Value: 1_140_000, Known: true}, Expires: signTime,
	})
	if err != nil || len(link) > MaxLink {
		t.Errorf("%d characters, want at most %d: %s (%v)", len(link), MaxLink, link, err)
	}
}

// raceEnabled reports whether the race detector watches.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func TestVerifyingAllocatesNothing(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector empties pools at random")
	}
	k, o := testKeys(t, "k1:"+testKey), testOffer()
	link, order := signedLink(t, k, o), []byte(o.Order)
	if n := testing.AllocsPerRun(100, func() { k.Verify(o.Sale, order, link, signTime) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzLink(f *testing.F) {
	k, o := testKeys(f, "k1:"+testKey+",k2:"+otherKey), testOffer()
	skus := NewSKUIndex(testSale().SKUs)
	signed := signedLink(f, k, o)
	add := func(l *Link, order string) {
		f.Add(l.Items, l.Buyer, []byte(order), l.Amount, l.Expires, l.Version, l.KeyID, l.Signature)
	}
	add(signed, o.Order)
	add(signed, "ORD2")
	add(&Link{}, "")
	add(&Link{Items: []byte("full\nalice"), KeyID: []byte("k2"), Version: []byte("1"), Signature: signed.Signature},
		o.Order)
	add(&Link{Items: []byte("full:99999999999999999999"), Amount: []byte("1e400"), Expires: []byte("-1")}, "\x00")

	text := func(l *Link, order []byte) string { return fmt.Sprintf("%q %q", *l, order) }
	honest := text(signed, []byte(o.Order))
	f.Fuzz(func(t *testing.T, items, buyer, order, amount, exp, version, kid, sig []byte) {
		l := &Link{
			Items: items, Buyer: buyer, Amount: amount, Expires: exp, Version: version, KeyID: kid,
			Signature: sig,
		}
		v := outcome(k.Verify(o.Sale, order, l, signTime))
		if same := text(l, order) == honest; same != (v.Code == Held) {
			t.Errorf("%s: got %s", text(l, order), v.Code)
		}
		if lines, _, ok := skus.ParseItems(nil, items); ok {
			skus.Cost(lines)
		}
	})
}

func BenchmarkVerifyLink(b *testing.B) {
	k, o := testKeys(b, "k1:"+testKey), testOffer()
	link, order := signedLink(b, k, o), []byte(o.Order)
	b.ReportAllocs()
	for b.Loop() {
		if v := outcome(k.Verify(o.Sale, order, link, signTime)); v.Code != Held {
			b.Fatal(v.Code)
		}
	}
}

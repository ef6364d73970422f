package gate

import (
	"strings"
	"testing"
	"time"
)

func TestASaleMayReachItsBounds(t *testing.T) {
	t.Parallel()
	f := func(want string, change func(*Sale)) {
		t.Helper()
		s := testSale()
		change(&s)
		err := s.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want an error about %q", err, want)
		}
	}
	f("", func(s *Sale) { s.Run = MaxRun })
	f("run 1000000001", func(s *Sale) { s.Run = MaxRun + 1 })
	f("", func(s *Sale) { s.Hold = MinHold })
	f("", func(s *Sale) { s.Hold = MaxHold })
	f("", func(s *Sale) { s.PerBuyer = MaxUnits })
	f("per_buyer 1000000001", func(s *Sale) { s.PerBuyer = MaxUnits + 1 })
	f("", func(s *Sale) { s.SKUs[0].Stock = MaxUnits })
	f("", func(s *Sale) { s.SKUs[0].Stock = 0 })
	f("", func(s *Sale) { s.SKUs[0].Price = new(int64(0)) })
	f("", func(s *Sale) { s.SKUs[0].Price = new(int64(MaxAmount)) })
	f("price 1000000000001", func(s *Sale) { s.SKUs[0].Price = new(int64(MaxAmount + 1)) })
	f("", func(s *Sale) { s.Messages = map[string]string{"sold_out": strings.Repeat("x", MaxMessage)} })
	f("printable", func(s *Sale) { s.Messages = map[string]string{"sold_out": strings.Repeat("x", MaxMessage+1)} })
}

func TestALinkMayReachItsBounds(t *testing.T) {
	t.Parallel()
	k := testKeys(t, "sixteen-and-no-1:"+testKey)
	f := func(want string, change func(*Offer)) {
		t.Helper()
		o := testOffer()
		change(&o)
		link, err := k.URL("http://gate.example.com/", o)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %q, %v, want an error with %q", link, err, want)
			}
			return
		}
		if err != nil {
			t.Errorf("%+v: %v", o, err)
			return
		}
		_, l := readLink(t, link)
		if v := outcome(k.Verify(o.Sale, []byte(o.Order), l, signTime)); v.Code != Held {
			t.Errorf("%s: refused with %s", link, v.Code)
		}
		if !o.Amount.Known && len(l.Amount) > 0 {
			t.Errorf("%s has an amount, which is not known", link)
		}
	}
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	f("", func(o *Offer) { o.Expires = at(9_999_999_999_999) })
	f("expires", func(o *Offer) { o.Expires = at(10_000_000_000_000) })
	f("", func(o *Offer) { o.Amount.Value = MaxAmount })
	f("", func(o *Offer) { o.Amount.Value = 0 })
	f("", func(o *Offer) { o.Amount = Amount{Value: -1} })
	f("", func(o *Offer) { o.Buyer = "" })
	f("", func(o *Offer) { o.Items = "full:1000000000" })
	f("items", func(o *Offer) { o.Items = "full:1000000001" })
}

func TestASecretInPlaceOfAKeyIsNotShownAsItsID(t *testing.T) {
	t.Parallel()
	if _, err := ParseKeys("hunter2"); err == nil || !strings.Contains(err.Error(),
		"signing key 1: write it as ID:BASE64") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestTheReplacementCharacterIsACharacter(t *testing.T) {
	t.Parallel()
	if !ValidID("a\ufffd") || ValidID("a\xef\xbf") {
		t.Error("U+FFFD is taken for what cannot be decoded, or the other way round")
	}
}

func TestASKUOfAnotherNameIsAnother(t *testing.T) {
	t.Parallel()
	a, b := testSale().Settings, testSale().Settings
	b.OpensAt, b.ClosesAt = a.OpensAt, a.ClosesAt
	if !a.Equal(b) {
		t.Fatal("the same sale is not equal")
	}
	if b.SKUs[0].Name = "fuller"; a.Equal(b) {
		t.Error("a SKU's name does not count")
	}
}

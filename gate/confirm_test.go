package gate

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func testCatalogue(change ...func(*Sale)) *catalogue {
	sale := testSale()
	for _, c := range change {
		c(&sale)
	}
	return newCatalogue(&State{Sale: sale, Version: 1})
}

// outcome is what a check makes of a confirm: Held where it passes.
func outcome(v Verdict, passes bool) Verdict {
	if passes {
		return Refuse(Held)
	}
	return v
}

func TestItemsAreReadIntoSortedLines(t *testing.T) {
	t.Parallel()
	f := func(items string, want ...Line) {
		t.Helper()
		lines, v, ok := testCatalogue().parseItems(nil, []byte(items))
		if !ok || !reflect.DeepEqual(lines, want) {
			t.Errorf("%s: got %v (%s), want %v", items, lines, v.Code, want)
		}
	}
	f("full", Line{"full", 1})
	f("full:3", Line{"full", 3})
	f("half:2,full", Line{"full", 1}, Line{"half", 2})
	f("full:1000000000", Line{"full", MaxUnits})
}

func TestItemsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	f := func(items string, want Code) {
		t.Helper()
		if lines, v, ok := testCatalogue().parseItems(nil, []byte(items)); ok || v.Code != want || want == BadRequest && v.Field != "items" {
			t.Errorf("%s: got %v (%s %s), want %s", items, lines, v.Code, v.Field, want)
		}
	}
	for _, items := range []string{
		"", ",", "full,", ",full", "full:", "full:0", "full:-1", "full:01", "full:+1", "full:1.0", "full:1e3", "full: 1",
		"full:1000000001", "full:99999999999999999999", "full:1:2", "full,full", "full:1,half,full:2", "fu ll", "full;half",
		"full\x00", "{full}", strings.Repeat("f", 65), "풀", strings.Repeat("full:1,", MaxLines) + "half",
	} {
		f(items, BadRequest)
	}
	f("other", UnknownSKU)
	f("full,other:2", UnknownSKU)
}

func TestACartHasAtMostTwentyLines(t *testing.T) {
	t.Parallel()
	c := testCatalogue(func(s *Sale) {
		s.SKUs = nil
		for i := range 30 {
			s.SKUs = append(s.SKUs, SKU{Name: fmt.Sprintf("sku%02d", i), Stock: 1})
		}
	})
	cart := func(n int) []byte {
		var names []string
		for _, k := range c.sale.SKUs[:n] {
			names = append(names, k.Name)
		}
		return []byte(strings.Join(names, ","))
	}
	if lines, v, ok := c.parseItems(nil, cart(MaxLines)); !ok || len(lines) != MaxLines {
		t.Errorf("%d lines: %s", MaxLines, v.Code)
	}
	if _, v, ok := c.parseItems(nil, cart(MaxLines+1)); ok || v.Code != BadRequest {
		t.Errorf("%d lines: got %s, want bad_request", MaxLines+1, v.Code)
	}
}

func TestWhatNeedsNoStoreIsRefusedHere(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := func(want Code, field string, amount Amount, link Link, change ...func(*Sale)) {
		t.Helper()
		confirm := Confirm{Amount: amount}
		if v := outcome(testCatalogue(change...).check(&confirm, &link, now)); v.Code != want || v.Field != field {
			t.Errorf("got %s %s, want %s %s", v.Code, v.Field, want, field)
		}
	}
	limited := func(s *Sale) { s.PerBuyer = 2 }
	noAmount := func(s *Sale) { s.AmountOptional = true }
	opens := func(in time.Duration) func(*Sale) { return func(s *Sale) { s.OpensAt = now.Add(in) } }
	items := func(s string) Link { return Link{Items: []byte(s)} }
	known := func(n int64) Amount { return Amount{Value: n, Known: true} }

	f(Held, "", known(5), items("free"))
	f(BadRequest, "amount", Amount{}, items("free"))
	f(Held, "", Amount{}, items("free"), noAmount)
	f(BadRequest, "amount", Amount{}, items("full"), noAmount) // what it must cost is known
	f(Held, "", known(5), Link{Items: []byte("free"), Buyer: []byte("김철수 1")})
	f(BadRequest, "buyer", Amount{}, Link{Items: []byte("free"), Buyer: []byte("a\x1fb")})
	f(BadRequest, "buyer", Amount{}, Link{Items: []byte("free"), Buyer: []byte(strings.Repeat("b", 65))})
	f(BadRequest, "buyer", Amount{}, items("free"), limited)
	f(Held, "", known(5), Link{Items: []byte("free"), Buyer: []byte("a")}, limited)

	// The store's clock decides about the last two seconds before opening.
	f(NotOpen, "", Amount{}, items("free"), opens(2*time.Second+time.Millisecond))
	f(Held, "", known(5), items("free"), opens(2*time.Second))

	// An amount is compared where it and every price are known.
	f(Held, "", known(140000), items("full,half"))
	f(AmountMismatch, "", known(140001), items("full,half"))
	f(AmountMismatch, "", known(0), items("full"))
	f(BadRequest, "amount", Amount{}, items("full"))
	f(Held, "", known(0), items("free"), func(s *Sale) { s.SKUs[2].Price = price(0) })
	f(AmountMismatch, "", known(MaxAmount), items("full:1000000000"), func(s *Sale) { s.SKUs[0].Price = price(MaxAmount) })
}

func TestIDsArePrintable(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", "ORD-1_2.3", "주문 1", "{a}:b,c;d=e&f", strings.Repeat("x", 64), "🎫", "...", ".a", "a."} {
		if !ValidID(id) || !ValidID([]byte(id)) {
			t.Errorf("%q is refused", id)
		}
	}
	for _, id := range []string{"", ".", "..", strings.Repeat("x", 65), "a\x1fb", "a\x1eb", "a\nb", "a\x00", "\x7f", "a\xff", "\xed\xa0\x80", "a\u200bb", "a\u2028b", "\u00a0"} {
		if ValidID(id) || ValidID([]byte(id)) {
			t.Errorf("%q is taken", id)
		}
	}
}

func TestCheckingAllocatesNothing(t *testing.T) {
	c, now := testCatalogue(), time.Now()
	var confirm Confirm
	link := Link{Items: []byte("half:2,full"), Buyer: []byte("alice")}
	if n := testing.AllocsPerRun(100, func() { c.check(&confirm, &link, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package lane

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func testCatalogue(change ...func(*gate.Sale)) *catalogue {
	sale := testSale()
	for _, c := range change {
		c(&sale)
	}
	return newCatalogue(&gate.State{Sale: sale, Version: 1})
}

// resolve has a catalogue look at a confirm, and returns what it has against it, also what only
// doubts it.
func resolve(c *catalogue, confirm *gate.Confirm, link *gate.Link, now time.Time) (gate.Verdict, bool) {
	r := gate.Request{Confirm: *confirm}
	v, ok := c.resolve(&r, link, now)
	if *confirm = r.Confirm; ok && r.KnownOnly {
		return r.Refusal, false
	}
	return v, ok
}

// outcome is what a check makes of a confirm: Held where it passes.
func TestItemsAreReadIntoSortedLines(t *testing.T) {
	t.Parallel()
	f := func(items string, want ...gate.Line) {
		t.Helper()
		lines, v, ok := testCatalogue().skus.ParseItems(nil, []byte(items))
		if !ok || !reflect.DeepEqual(lines, want) {
			t.Errorf("%s: got %v (%s), want %v", items, lines, v.Code, want)
		}
	}
	f("full", gate.Line{SKU: "full", Quantity: 1})
	f("full:3", gate.Line{SKU: "full", Quantity: 3})
	f("half:2,full", gate.Line{SKU: "full", Quantity: 1}, gate.Line{SKU: "half", Quantity: 2})
	f("full:1000000000", gate.Line{SKU: "full", Quantity: gate.MaxUnits})
}

func TestItemsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	f := func(items string, want gate.Code) {
		t.Helper()
		if lines, v, ok := testCatalogue().skus.ParseItems(nil, []byte(items)); ok || v.Code != want ||
			want == gate.BadRequest && v.Field != "items" {
			t.Errorf("%s: got %v (%s %s), want %s", items, lines, v.Code, v.Field, want)
		}
	}
	for _, items := range []string{
		"", ",", "full,", ",full", "full:", "full:0", "full:-1", "full:01", "full:+1", "full:1.0",
		"full:1e3", "full: 1",
		"full:1000000001", "full:99999999999999999999", "full:1:2", "full,full", "full:1,half,full:2",
		"fu ll", "full;half",
		"full\x00", "{full}", strings.Repeat("f", 65), "풀", strings.Repeat("full:1,", gate.MaxLines) + "half",
	} {
		f(items, gate.BadRequest)
	}
	f("other", gate.UnknownSKU)
	f("full,other:2", gate.UnknownSKU)
}

func TestACartHasAtMostTwentyLines(t *testing.T) {
	t.Parallel()
	c := testCatalogue(func(s *gate.Sale) {
		s.SKUs = nil
		for i := range 30 {
			s.SKUs = append(s.SKUs, gate.SKU{Name: fmt.Sprintf("sku%02d", i), Stock: 1})
		}
	})
	cart := func(n int) []byte {
		var names []string
		for _, k := range c.sale.SKUs[:n] {
			names = append(names, k.Name)
		}
		return []byte(strings.Join(names, ","))
	}
	if lines, v, ok := c.skus.ParseItems(nil, cart(gate.MaxLines)); !ok || len(lines) != gate.MaxLines {
		t.Errorf("%d lines: %s", gate.MaxLines, v.Code)
	}
	if _, v, ok := c.skus.ParseItems(nil, cart(gate.MaxLines+1)); ok || v.Code != gate.BadRequest {
		t.Errorf("%d lines: got %s, want bad_request", gate.MaxLines+1, v.Code)
	}
}

func TestWhatNeedsNoStoreIsRefusedHere(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := func(want gate.Code, field string, amount gate.Amount, link gate.Link, change ...func(*gate.Sale)) {
		t.Helper()
		confirm := gate.Confirm{Amount: amount}
		if v := outcome(resolve(testCatalogue(change...), &confirm, &link, now)); v.Code != want || v.Field != field {
			t.Errorf("got %s %s, want %s %s", v.Code, v.Field, want, field)
		}
	}
	limited := func(s *gate.Sale) { s.PerBuyer = 2 }
	noAmount := func(s *gate.Sale) { s.AmountOptional = true }
	opens := func(in time.Duration) func(*gate.Sale) { return func(s *gate.Sale) { s.OpensAt = now.Add(in) } }
	items := func(s string) gate.Link { return gate.Link{Items: []byte(s)} }
	known := func(n int64) gate.Amount { return gate.Amount{Value: n, Known: true} }

	f(gate.Held, "", known(5), items("free"))
	f(gate.BadRequest, "amount", gate.Amount{}, items("free"))
	f(gate.Held, "", gate.Amount{}, items("free"), noAmount)
	f(gate.BadRequest, "amount", gate.Amount{}, items("full"), noAmount) // what it must cost is known
	f(gate.Held, "", known(5), gate.Link{Items: []byte("free"), Buyer: []byte("김철수 1")})
	f(gate.BadRequest, "buyer", gate.Amount{}, gate.Link{Items: []byte("free"), Buyer: []byte("a\x1fb")})
	f(gate.BadRequest, "buyer", gate.Amount{}, gate.Link{Items: []byte("free"), Buyer: []byte(strings.Repeat("b", 65))})
	f(gate.BadRequest, "buyer", gate.Amount{}, items("free"), limited)
	f(gate.Held, "", known(5), gate.Link{Items: []byte("free"), Buyer: []byte("a")}, limited)

	// The store's clock decides about the last two seconds before opening.
	f(gate.NotOpen, "", gate.Amount{}, items("free"), opens(2*time.Second+time.Millisecond))
	f(gate.Held, "", known(5), items("free"), opens(2*time.Second))

	// An amount is compared where it and every price are known.
	f(gate.Held, "", known(140000), items("full,half"))
	f(gate.AmountMismatch, "", known(140001), items("full,half"))
	f(gate.AmountMismatch, "", known(0), items("full"))
	f(gate.BadRequest, "amount", gate.Amount{}, items("full"))
	f(gate.Held, "", known(0), items("free"), func(s *gate.Sale) { s.SKUs[2].Price = new(int64(0)) })
	f(gate.AmountMismatch, "", known(gate.MaxAmount), items("full:1000000000"),
		func(s *gate.Sale) { s.SKUs[0].Price = new(int64(gate.MaxAmount)) })
}

func TestCheckingAllocatesNothing(t *testing.T) {
	c, now := testCatalogue(), time.Now()
	r := gate.NewRequest()
	link := gate.Link{Items: []byte("half:2,full"), Buyer: []byte("alice")}
	if n := testing.AllocsPerRun(100, func() { c.resolve(r, &link, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package gate

import (
	"testing"
	"time"
)

// In the sale of these tests "full" costs 80000 and "half" 60000; "free" has no
// price, so it may cost anything.

func TestWhatThePricedLinesCostIsTheLeastThatTheAmountMayBe(t *testing.T) {
	t.Parallel()
	f := func(items string, amount int64, want Code, cause Cause, expected int64) {
		t.Helper()
		confirm := Confirm{Amount: Amount{Value: amount, Known: true}}
		v := outcome(testCatalogue().check(&confirm, &Link{Items: []byte(items)}, time.Now()))
		if v.Code != want || v.Cause != cause || v.Expected != expected {
			t.Errorf("%s for %d: got %s %s, expected %d; want %s %s, %d", items, amount, v.Code, v.Cause, v.Expected, want, cause, expected)
		}
	}
	f("full,free", 80000, Held, NoCause, 0)
	f("full,free", 80001, Held, NoCause, 0)
	f("full,free", MaxAmount, Held, NoCause, 0)
	f("full,free", 79999, AmountMismatch, AmountBelowPrice, 80000)
	f("full,free", 1, AmountMismatch, AmountBelowPrice, 80000)
	f("full,free", 0, AmountMismatch, AmountBelowPrice, 80000)
	f("free:1000000000,full:2,half", 220000, Held, NoCause, 0)
	f("free:1000000000,full:2,half", 219999, AmountMismatch, AmountBelowPrice, 220000)

	// With a price on every line it is exactly that, and with none it is anything.
	f("full,half", 140000, Held, NoCause, 0)
	f("full,half", 140001, AmountMismatch, AmountNotPrice, 140000)
	f("full,half", 139999, AmountMismatch, AmountNotPrice, 140000)
	f("free", 0, Held, NoCause, 0)
	f("free:7", MaxAmount, Held, NoCause, 0)
}

func TestAPriceOfNothingIsAPrice(t *testing.T) {
	t.Parallel()
	given := func(s *Sale) { s.SKUs[1].Price, s.AmountOptional = price(0), true } // half
	f := func(items string, amount Amount, want Code) {
		t.Helper()
		confirm := Confirm{Amount: amount}
		if v := outcome(testCatalogue(given).check(&confirm, &Link{Items: []byte(items)}, time.Now())); v.Code != want {
			t.Errorf("%s for %v: got %s, want %s", items, amount, v.Code, want)
		}
	}
	known := func(n int64) Amount { return Amount{Value: n, Known: true} }
	f("half:3", known(0), Held)
	f("half:3", known(1), AmountMismatch)
	f("half,free", known(0), Held)
	f("half,free", known(1), Held)
	f("half,full", known(80000), Held)
	f("half,full,free", known(79999), AmountMismatch)
	f("half,free", Amount{}, BadRequest) // what a price speaks of is never unknown
	f("free", Amount{}, Held)
}

// Where any line has a price an amount is needed, whatever the sale says of it:
// from the call or from the signed link, which is held against the prices too.
func TestACartWithAPricedLineNeedsAnAmount(t *testing.T) {
	t.Parallel()
	optional := func(s *Sale) { s.AmountOptional = true }
	f := func(items, linkAmount string, amount Amount, want Verdict) {
		t.Helper()
		for _, change := range []func(*Sale){func(*Sale) {}, optional} {
			confirm := Confirm{Amount: amount}
			v := outcome(testCatalogue(change).check(&confirm, &Link{Items: []byte(items), Amount: []byte(linkAmount)}, time.Now()))
			if v != want {
				t.Errorf("%s, link %q, call %v: got %+v, want %+v", items, linkAmount, amount, v, want)
			}
		}
	}
	known := func(n int64) Amount { return Amount{Value: n, Known: true} }
	f("full,free", "", Amount{}, NeedsAmount())
	f("free,full", "", Amount{}, NeedsAmount())
	f("full", "", Amount{}, NeedsAmount())
	f("full,free", "80000", Amount{}, Refuse(Held))
	f("full,free", "99000", Amount{}, Refuse(Held))
	f("full,free", "1", Amount{}, wrongAmount(AmountBelowPrice, 80000))
	f("full,free", "1", known(1), wrongAmount(AmountBelowPrice, 80000))
	f("full,free", "90000", known(80000), wrongAmount(AmountNotLinks, 90000))
	f("full", "79999", known(79999), wrongAmount(AmountNotPrice, 80000))
}

// What costs more than any amount may be is refused, on whichever line it shows.
func TestACartThatCostsMoreThanAnyAmountIsRefused(t *testing.T) {
	t.Parallel()
	dear := func(s *Sale) { s.SKUs[0].Price, s.SKUs[1].Price = price(MaxAmount), price(1) }
	f := func(items string, want Code) {
		t.Helper()
		confirm := Confirm{Amount: Amount{Value: MaxAmount, Known: true}}
		if v := outcome(testCatalogue(dear).check(&confirm, &Link{Items: []byte(items)}, time.Now())); v.Code != want {
			t.Errorf("%s: got %s, want %s", items, v.Code, want)
		}
	}
	f("full", Held)
	f("full,free", Held)
	f("full,half", AmountMismatch)
	f("full,half,free", AmountMismatch)
	f("free,full:2,half", AmountMismatch) // lines are sorted: what comes after the overflow must not undo it
	f("full:1000000000,half:1000000000,free", AmountMismatch)
}

// The admin API signs no link that the gate would refuse.
func TestNoLinkIsSignedForLessThanThePricedLinesCost(t *testing.T) {
	t.Parallel()
	g, _ := startGate(t, &fakeStore{decide: accept}, Options{})
	lane, _ := g.Lane([]byte("race"))
	f := func(items string, amount Amount, want Code) {
		t.Helper()
		if v := verdictOn(lane.CheckOffer(&Offer{Sale: "race", Items: items, Order: "ORD1", Amount: amount})); v.Code != want {
			t.Errorf("%s for %v: got %s, want %s", items, amount, v.Code, want)
		}
	}
	f("full,free", Amount{Value: 80000, Known: true}, Held)
	f("full,free", Amount{Value: 79999, Known: true}, AmountMismatch)
	f("full,free", Amount{}, BadRequest)
}

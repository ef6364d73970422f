package lane

import (
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// In the sale of these tests "full" costs 80000 and "half" 60000; "free" has no
// price, so it may cost anything.

func TestWhatThePricedLinesCostIsTheLeastThatTheAmountMayBe(t *testing.T) {
	t.Parallel()
	f := func(items string, amount int64, want gate.Code, cause gate.Cause, expected int64) {
		t.Helper()
		confirm := gate.Confirm{Amount: gate.Amount{Value: amount, Known: true}}
		v := outcome(resolve(testCatalogue(), &confirm, &gate.Link{Items: []byte(items)}, time.Now()))
		if v.Code != want || v.Cause != cause || v.Expected != expected {
			t.Errorf("%s for %d: got %s %s, expected %d; want %s %s, %d", items, amount, v.Code, v.Cause, v.Expected,
				want, cause, expected)
		}
	}
	f("full,free", 80000, gate.Held, gate.NoCause, 0)
	f("full,free", 80001, gate.Held, gate.NoCause, 0)
	f("full,free", gate.MaxAmount, gate.Held, gate.NoCause, 0)
	f("full,free", 79999, gate.AmountMismatch, gate.AmountBelowPrice, 80000)
	f("full,free", 1, gate.AmountMismatch, gate.AmountBelowPrice, 80000)
	f("full,free", 0, gate.AmountMismatch, gate.AmountBelowPrice, 80000)
	f("free:1000000000,full:2,half", 220000, gate.Held, gate.NoCause, 0)
	f("free:1000000000,full:2,half", 219999, gate.AmountMismatch, gate.AmountBelowPrice, 220000)

	// With a price on every line it is exactly that, and with none it is anything.
	f("full,half", 140000, gate.Held, gate.NoCause, 0)
	f("full,half", 140001, gate.AmountMismatch, gate.AmountNotPrice, 140000)
	f("full,half", 139999, gate.AmountMismatch, gate.AmountNotPrice, 140000)
	f("free", 0, gate.Held, gate.NoCause, 0)
	f("free:7", gate.MaxAmount, gate.Held, gate.NoCause, 0)
}

func TestAPriceOfNothingIsAPrice(t *testing.T) {
	t.Parallel()
	given := func(s *gate.Sale) { s.SKUs[1].Price, s.AmountOptional = new(int64(0)), true } // half
	f := func(items string, amount gate.Amount, want gate.Code) {
		t.Helper()
		confirm := gate.Confirm{Amount: amount}
		if v := outcome(resolve(testCatalogue(given), &confirm, &gate.Link{Items: []byte(items)},
			time.Now())); v.Code != want {
			t.Errorf("%s for %v: got %s, want %s", items, amount, v.Code, want)
		}
	}
	known := func(n int64) gate.Amount { return gate.Amount{Value: n, Known: true} }
	f("half:3", known(0), gate.Held)
	f("half:3", known(1), gate.AmountMismatch)
	f("half,free", known(0), gate.Held)
	f("half,free", known(1), gate.Held)
	f("half,full", known(80000), gate.Held)
	f("half,full,free", known(79999), gate.AmountMismatch)
	f("half,free", gate.Amount{}, gate.BadRequest) // what a price speaks of is never unknown
	f("free", gate.Amount{}, gate.Held)
}

// Where any line has a price an amount is needed, whatever the sale says of it:
// from the call or from the signed link, which is held against the prices too.
func TestACartWithAPricedLineNeedsAnAmount(t *testing.T) {
	t.Parallel()
	optional := func(s *gate.Sale) { s.AmountOptional = true }
	f := func(items, linkAmount string, amount gate.Amount, want gate.Verdict) {
		t.Helper()
		for _, change := range []func(*gate.Sale){func(*gate.Sale) {}, optional} {
			confirm := gate.Confirm{Amount: amount}
			v := outcome(resolve(testCatalogue(change), &confirm,
				&gate.Link{Items: []byte(items), Amount: []byte(linkAmount)}, time.Now()))
			if v != want {
				t.Errorf("%s, link %q, call %v: got %+v, want %+v", items, linkAmount, amount, v, want)
			}
		}
	}
	known := func(n int64) gate.Amount { return gate.Amount{Value: n, Known: true} }
	f("full,free", "", gate.Amount{}, gate.NeedsAmount())
	f("free,full", "", gate.Amount{}, gate.NeedsAmount())
	f("full", "", gate.Amount{}, gate.NeedsAmount())
	f("full,free", "80000", gate.Amount{}, gate.Refuse(gate.Held))
	f("full,free", "99000", gate.Amount{}, gate.Refuse(gate.Held))
	f("full,free", "1", gate.Amount{}, gate.WrongAmount(gate.AmountBelowPrice, 80000))
	f("full,free", "1", known(1), gate.WrongAmount(gate.AmountBelowPrice, 80000))
	f("full,free", "90000", known(80000), gate.WrongAmount(gate.AmountNotLinks, 90000))
	f("full", "79999", known(79999), gate.WrongAmount(gate.AmountNotPrice, 80000))
}

// What costs more than any amount may be is refused, on whichever line it shows.
func TestACartThatCostsMoreThanAnyAmountIsRefused(t *testing.T) {
	t.Parallel()
	dear := func(s *gate.Sale) { s.SKUs[0].Price, s.SKUs[1].Price = new(int64(gate.MaxAmount)), new(int64(1)) }
	f := func(items string, want gate.Code) {
		t.Helper()
		confirm := gate.Confirm{Amount: gate.Amount{Value: gate.MaxAmount, Known: true}}
		if v := outcome(resolve(testCatalogue(dear), &confirm, &gate.Link{Items: []byte(items)},
			time.Now())); v.Code != want {
			t.Errorf("%s: got %s, want %s", items, v.Code, want)
		}
	}
	f("full", gate.Held)
	f("full,free", gate.Held)
	f("full,half", gate.AmountMismatch)
	f("full,half,free", gate.AmountMismatch)
	f("free,full:2,half", gate.AmountMismatch) // lines are sorted: what comes after the overflow must not undo it
	f("full:1000000000,half:1000000000,free", gate.AmountMismatch)
}

// The admin API signs no link that the gate would refuse.
func TestNoLinkIsSignedForLessThanThePricedLinesCost(t *testing.T) {
	t.Parallel()
	g, _ := startGate(t, &fakeStore{decide: accept}, Options{})
	lane, _ := g.Lane([]byte("race"))
	f := func(items string, amount gate.Amount, want gate.Code) {
		t.Helper()
		if v := verdictOn(lane.CheckOffer(&gate.Offer{
			Sale: "race", Items: items, Order: "ORD1",
			Amount: amount,
		})); v.Code != want {
			t.Errorf("%s for %v: got %s, want %s", items, amount, v.Code, want)
		}
	}
	f("full,free", gate.Amount{Value: 80000, Known: true}, gate.Held)
	f("full,free", gate.Amount{Value: 79999, Known: true}, gate.AmountMismatch)
	f("full,free", gate.Amount{}, gate.BadRequest)
}

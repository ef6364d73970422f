package lane

import (
	"strconv"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func outcome(v gate.Verdict, passes bool) gate.Verdict {
	if passes {
		return gate.Refuse(gate.Held)
	}
	return v
}

func TestASignedAmountMustBePortOnes(t *testing.T) {
	t.Parallel()
	known := func(n int64) gate.Amount { return gate.Amount{Value: n, Known: true} }
	f := func(items string, signed, body gate.Amount, want gate.Code, after gate.Amount) {
		t.Helper()
		link := &gate.Link{Items: []byte(items)}
		if signed.Known {
			link.Amount = strconv.AppendInt(nil, signed.Value, 10)
		}
		confirm := gate.Confirm{Order: []byte("ORD1"), Amount: body}
		v := outcome(resolve(testCatalogue(), &confirm, link, time.Now()))
		if v.Code != want || v.Code == gate.Held && confirm.Amount != after {
			t.Errorf("%s, signed %v, body %v: got %s %v, want %s %v", items, signed, body, v.Code,
				confirm.Amount, want, after)
		}
	}
	f("full", known(80000), known(80000), gate.Held, known(80000))
	f("full", known(80000), known(79999), gate.AmountMismatch, gate.Amount{})
	f("full", gate.Amount{}, known(80000), gate.Held, known(80000))
	f("full", gate.Amount{}, gate.Amount{}, gate.BadRequest, gate.Amount{})

	// A body without an amount takes the link's, and that is held against the prices.
	f("full", known(80000), gate.Amount{}, gate.Held, known(80000))
	f("full", known(79999), gate.Amount{}, gate.AmountMismatch, gate.Amount{})
	f("full", known(79999), known(79999), gate.AmountMismatch, gate.Amount{})

	// "free" has no price: the signature alone says what it costs.
	f("free", known(0), gate.Amount{}, gate.Held, known(0))
	f("free", known(5), known(5), gate.Held, known(5))
	f("free", known(5), known(0), gate.AmountMismatch, gate.Amount{})
}

func TestTheAmountOfAnUnsignedLinkIsHeldAgainstThePricesToo(t *testing.T) {
	t.Parallel()
	f := func(items, amount string, want gate.Code) {
		t.Helper()
		confirm := gate.Confirm{Order: []byte("ORD1")}
		if v := outcome(resolve(testCatalogue(), &confirm, &gate.Link{Items: []byte(items), Amount: []byte(amount)},
			time.Now())); v.Code != want {
			t.Errorf("%s %s: got %s, want %s", items, amount, v.Code, want)
		}
	}
	f("full", "80000", gate.Held)
	f("full", "79999", gate.AmountMismatch)
	f("free", "1000000000001", gate.BadRequest)
	f("free", "-5", gate.BadRequest)
}

func TestAnAmountThatOverflowMadeRightIsRefused(t *testing.T) {
	t.Parallel()
	dear := func(s *gate.Sale) { s.SKUs[0].Price = new(int64(1 << 39)) }
	f := func(items string, amount int64, want gate.Code) {
		t.Helper()
		confirm := gate.Confirm{Amount: gate.Amount{Value: amount, Known: true}}
		if v := outcome(resolve(testCatalogue(dear), &confirm, &gate.Link{Items: []byte(items)},
			time.Now())); v.Code != want {
			t.Errorf("%s for %d: got %s, want %s", items, amount, v.Code, want)
		}
	}
	f("full:1", 1<<39, gate.Held)
	f("full:33554433", 1<<39, gate.AmountMismatch) // 2^25 + 1 units cost 2^64 + 2^39
	f("full:33554432,half", 60000, gate.AmountMismatch)
}

func FuzzResolve(f *testing.F) {
	c := testCatalogue()
	f.Add([]byte("full:99999999999999999999"), []byte("alice"), []byte("1e400"), int64(-1))
	f.Add([]byte("full:2,free"), []byte("김 a+b"), []byte("160000"), int64(160000))
	f.Fuzz(func(t *testing.T, items, buyer, amount []byte, paid int64) {
		confirm := gate.Confirm{Order: []byte("ORD1"), Amount: gate.Amount{Value: paid, Known: true}}
		v := outcome(resolve(c, &confirm, &gate.Link{Items: items, Buyer: buyer, Amount: amount}, time.Now()))
		if cost, priced := c.skus.Cost(confirm.Lines); v.Code == gate.Held &&
			(paid < cost || priced == len(confirm.Lines) && paid != cost) {
			t.Errorf("%q for %d, which cost %d, pass", items, paid, cost)
		}
	})
}

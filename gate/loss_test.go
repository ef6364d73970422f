package gate

import "testing"

// Whoever would lose something reads what, what to do first, what was said wrongly, and
// which words agree to the rest. Nothing else is asked for.
func TestALossIsToldWithTheWordsThatAgreeToIt(t *testing.T) {
	t.Parallel()
	f := func(what string, loss Loss, drop Drop, want string) {
		t.Helper()
		loss.Sale, loss.Run, loss.Seq = "race", 2, 9
		if got := (&LossError{loss, drop}).Error(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
		}
	}
	const (
		of          = "with run 2 of sale race would be lost: "
		held        = "4 units held by orders that are being paid"
		soon        = "; what is held is soon settled: wait for that"
		undelivered = "7 ledger entries that the shop was not told of"
		instead     = "; to drop it all the same add "
		dropHeld    = "--drop-held (a payment that is approved afterwards has no unit)"
		dropPaid    = "--drop-paid 3 or --archived FILE (an archive of it as it is)"
		dropTold    = "--drop-undelivered (flashgate undelivered race lists it)"
	)
	f("units", Loss{Held: 4}, Drop{}, of+held+soon+instead+dropHeld)
	f("units, agreed to", Loss{Held: 4, Entries: 7}, Drop{Held: true}, of+held+", "+undelivered+instead+dropTold)
	f("orders", Loss{Paid: 2, RefundDue: 1}, Drop{}, of+"2 orders paid and 1 refund due"+instead+dropPaid)
	f("orders, of another number", Loss{Paid: 2, RefundDue: 1}, Drop{Paid: new(int64(2))},
		of+"2 orders paid and 1 refund due; 3 orders are paid or refund due, not 2")
	f("orders, and units that nobody agreed to", Loss{Held: 4, Paid: 2, RefundDue: 1}, Drop{Paid: new(int64(3))},
		of+held+", 2 orders paid and 1 refund due"+soon+instead+dropHeld)
	f("orders, of an older archive", Loss{Paid: 2, RefundDue: 1}, Drop{Archived: &Archived{2, 8}},
		of+"2 orders paid and 1 refund due; the archive has run 2 up to ledger entry 8, and the sale is in run 2 at "+
			"entry 9: archive it again")
	f("units, of an archive as it is", Loss{Held: 4, Paid: 2, RefundDue: 1}, Drop{Archived: &Archived{2, 9}},
		of+held+", 2 orders paid and 1 refund due"+soon+instead+dropHeld)
	f("refunds of orders that are released", Loss{Refunds: 1}, Drop{},
		of+"1 payments to be refunded"+instead+"--drop-paid 0 or --archived FILE (an archive of it as it is)")
	f("changes", Loss{Listed: 5}, Drop{}, of+"changes of 5 orders that the shop did not take"+instead+dropTold)
	f("changes, agreed to", Loss{Held: 4, Listed: 5}, Drop{Undelivered: true},
		of+held+", changes of 5 orders that the shop did not take"+soon+instead+dropHeld)
	f("all of it while it sells",
		Loss{Open: true, Held: 4, Paid: 2, RefundDue: 1, Refunds: 1, Entries: 7, Listed: 5}, Drop{},
		"with run 2 of sale race, which is open, would be lost: "+held+", 2 orders paid and 1 refund due, 1 payments "+
			"to be refunded, "+undelivered+
			", changes of 5 orders that the shop did not take; pause it first, for the numbers move while it sells: "+
			"flashgate pause race"+
			instead+dropHeld+", "+dropPaid+", "+dropTold)
	f("a number of a sale that has nothing", Loss{}, Drop{Paid: new(int64(1))},
		of+"nothing held, paid, refund due or undelivered; 0 orders are paid or refund due, not 1")
}

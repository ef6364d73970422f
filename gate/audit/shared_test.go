package audit_test

import (
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/audit"
)

// One payment is signed into two sales, and each takes it for its own: o2 is paid
// here and there. Of the others none is paid in both by the same attempt.
func TestAPaymentThatWasSignedIntoTwoSalesIsFound(t *testing.T) {
	t.Parallel()
	sc := open(t)
	if r := sc.audit(nil); r.Differences != 0 {
		t.Fatalf("of one sale: %+v", r)
	}
	sc.Do(t, "COPY", "fg:{race}:orders", "fg:{drop}:orders")
	sc.Do(t, "SADD", "fg:sales", "drop", "gone")
	sc.take("o7", "eve")
	sc.settle("o7", 'P', 'P')
	paid, _ := sc.Do(t, "HGET", "fg:{race}:orders", "o7").(string)
	sc.Do(t, "HSET", "fg:{drop}:orders", "o7", strings.Replace(paid, "P1a1", "P1a2", 1), "o1", paid, "o8", paid)

	r := sc.audit(nil)
	want := audit.Finding{
		Kind: audit.PaidElsewhere, Order: "o2", Sale: "drop",
		Text: "order o2 is paid here by attempt a1, which pays order o2 of sale drop too",
	}
	if r.Differences != 1 || r.Findings[0] != want {
		t.Errorf("got  %+v\nwant %+v", r.Findings, want)
	}

	sc.Do(t, "HSET", "fg:{drop}:orders", "o2", strings.Replace(paid, "\x1f", "", 1)) // which cannot be read
	if r := sc.audit(nil); r.Differences != 0 {
		t.Errorf("an order there that cannot be read: %+v", r.Findings)
	}
}

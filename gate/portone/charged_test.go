package portone_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// chargedAt lists the orders that were begun in the ten minutes from at on and are charged,
// sorted, and what is wrong with those that cannot be read.
func chargedAt(t *testing.T, c *portone.Client, at time.Time) (orders, faults []string) {
	t.Helper()
	err := c.EachCharged(t.Context(), at, at.Add(10*time.Minute), func(p gate.Payment, fault error) error {
		if fault != nil {
			faults = append(faults, fault.Error())
		} else {
			orders = append(orders, p.Order)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(orders)
	return orders, faults
}

// paidV1 is a payment that was begun and paid so many seconds after a time.
func paidV1(id string, at time.Time, begun, paid int, more ...object) object {
	times := object{"started_at": int(at.Unix()) + begun, "paid_at": int(at.Unix()) + paid}
	return v1Payment("imp_"+id, id, "paid", append([]object{times}, more...)...)
}

func TestWhatIsChargedAtV1IsListed(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-200 * 24 * time.Hour).Truncate(time.Second)
	fake := newFakeV1(
		paidV1("early", at, -1, 5),
		paidV1("first", at, 0, 3),
		paidV1("part", at, 5, 9, object{"cancel_amount": 10000}),
		paidV1("back", at, 6, 9, object{"status": "cancelled", "cancel_amount": 110000}),
		paidV1("deposit", at, 20, 100*24*3600),
		paidV1("last", at, 600, 700),
		paidV1("late", at, 601, 700),
		paidV1("test", at, 30, 40, object{"sandbox": true}),
		paidV1("strange", at, 30, 41, object{"cancel_amount": 120000}),
		v1Payment("imp_open", "open", "ready", object{"started_at": int(at.Unix())}),
	)
	orders, faults := chargedAt(t, serve(t, fake, nil), at)
	if got := strings.Join(orders, " "); got != "deposit first last part" {
		t.Errorf("listed %s", got)
	}
	if len(faults) != 1 || !strings.Contains(faults[0], "imp_strange") {
		t.Errorf("faults: %q", faults)
	}
}

// One that is cancelled while pages are read hides no other, and none comes twice.
func TestALongListOfV1IsWholeThoughItShrinks(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	fake := newFakeV1()
	want := 0
	for i := range 4200 {
		second := i / 50
		if i >= 1000 && i < 3500 {
			second = 20 // more than two pages within a second
		}
		fake.add(paidV1(fmt.Sprintf("o%04d", i), at, 1, second))
		want++
	}
	fake.afterList = func() { // those of the page that was given, which is what hurts
		for i := range 30 {
			if p := fake.byID[fmt.Sprintf("imp_o%04d", fake.lists*900+i)]; p != nil && fake.lists != 2 {
				p["status"], p["cancel_amount"] = "cancelled", 110000
			}
		}
	}
	orders, faults := chargedAt(t, serve(t, fake, nil), at)
	if unique := slices.Compact(slices.Clone(orders)); len(unique) != len(orders) || len(faults) != 0 {
		t.Errorf("%d of %d are there twice; faults %q", len(orders)-len(unique), len(orders), faults)
	}
	for i := range 4200 {
		id := fmt.Sprintf("o%04d", i)
		if _, listed := slices.BinarySearch(orders, id); !listed && fake.byID["imp_"+id]["status"] == "paid" {
			t.Fatalf("%s is paid and not listed; %d are, by %d lists", id, len(orders), fake.lists)
		}
	}
	if fake.lists < 5 || fake.lists > 9 {
		t.Errorf("it took %d lists", fake.lists)
	}
}

func TestWhatIsChargedAtV2IsListed(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	begun := func(seconds int) object {
		return object{"requestedAt": at.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339)}
	}
	fake := newFakeV2(
		v2Payment("early", "t0", "PAID", begun(-1)),
		v2Payment("first", "t1", "PAID", begun(0)),
		v2Payment("part", "t2", "PARTIAL_CANCELLED", begun(1),
			object{"amount": object{"total": 110000, "cancelled": 10000}}),
		v2Payment("back", "t3", "CANCELLED", begun(1), object{"amount": object{"total": 110000, "cancelled": 110000}}),
		v2Payment("open", "t4", "READY", begun(1)),
		v2Payment("strange", "t5", "PAID IN SHELLS", begun(2)),
		v2Payment("last", "t6", "PAID", begun(600)),
		v2Payment("late", "t7", "PAID", begun(601)),
		v2Payment("later", "t8", "PAID", begun(700)),
	)
	fake.maxPage = 2
	orders, faults := chargedAt(t, serve(t, nil, fake), at)
	if got := strings.Join(orders, " "); got != "first last part" {
		t.Errorf("listed %s", got)
	}
	if len(faults) != 1 || !strings.Contains(faults[0], "strange") {
		t.Errorf("faults: %q", faults)
	}
}

// What goes wrong is told: a list that broke off says nothing of what is missing.
func TestAListThatBreaksOffIsAnError(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-time.Hour)
	stop := errors.New("enough")
	one := newFakeV1(paidV1("a", at, 1, 2), paidV1("b", at, 1, 3))
	two := newFakeV2(v2Payment("a", "t", "PAID", object{"requestedAt": at.Add(time.Second).UTC().Format(time.RFC3339)}))
	for _, c := range []*portone.Client{serve(t, one, nil), serve(t, nil, two)} {
		err := c.EachCharged(t.Context(), at, time.Now(), func(gate.Payment, error) error { return stop })
		if !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
	}
	refused := http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request,
	) {
		http.Error(w, "no", http.StatusForbidden)
	})
	for _, c := range []*portone.Client{serve(t, refused, nil), serve(t, nil, refused)} {
		if err := c.EachCharged(t.Context(), at, time.Now(),
			func(gate.Payment, error) error { return nil }); err == nil {
			t.Error("a list that is refused is no error")
		}
	}
}

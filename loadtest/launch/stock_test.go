package launch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// book is a sale's ledger behind an admin API, from an entry on.
type book struct {
	first   int64
	entries []entryView
}

// add notes units that were left, by SKU, so long after the run began, and the
// orders that the entry is the first of.
func (b *book) add(at time.Duration, left map[string]int64, orders ...string) *entryView {
	e := entryView{
		Seq: b.first + int64(len(b.entries)), Time: time.Unix(0, 0).Add(at), Kind: "confirm",
		Units: map[string]UnitsView{},
	}
	for sku, n := range left {
		e.Units[sku] = UnitsView{Left: n}
	}
	for _, id := range orders {
		e.Orders = append(e.Orders, changedView{id, 1})
	}
	b.entries = append(b.entries, e)
	return &b.entries[len(b.entries)-1]
}

// admin shows the ledger, two entries at a time.
func (b *book) admin(t *testing.T) *Admin {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/sales/race/ledger", func(w http.ResponseWriter, r *http.Request) {
		since, err := strconv.ParseInt(r.FormValue("since"), 10, 64)
		if err != nil {
			t.Error(err)
		}
		page := []entryView{}
		for _, e := range b.entries {
			if e.Seq > since && len(page) < 2 {
				page = append(page, e)
			}
		}
		_ = json.NewEncoder(w).Encode(page) // to a test that sees what is missing
	})
	return &Admin{URL: serve(t, mux), Client: http.DefaultClient}
}

// left are the levels of a run, from its start with 3 of a and 2 of b to the
// ledger's entry with the given seq.
func left(t *testing.T, b *book, seq int64) *Stock {
	t.Helper()
	run := playedRun(t, func(int) time.Duration { return 0 })
	before := &SaleView{Seq: 7, SKUs: []UnitsView{{SKU: "a", Left: 3}, {SKU: "b", Left: 2}}}
	stock, err := run.readStock(t.Context(), Judge{Admin: b.admin(t), Before: before}, run.stories(),
		&SaleView{Seq: seq})
	if err != nil {
		t.Fatal(err)
	}
	return stock
}

// Four orders are told 200 and take five units; two of them are declined, and one
// of these is sold again. What was told 200 in all would be more than there was.
func TestUnitsLeftAreWhatTheLedgerHas(t *testing.T) {
	t.Parallel()
	b := &book{first: 8}
	b.add(100*time.Millisecond, map[string]int64{"a": 1})
	b.add(200*time.Millisecond, map[string]int64{"a": 0, "b": 0})
	b.add(200*time.Millisecond, nil) // moves a deadline
	b.add(1500*time.Millisecond, map[string]int64{"a": 2})
	b.add(1600*time.Millisecond, map[string]int64{"a": 1})
	stock := left(t, b, 12)
	want := []Level{{0, 5}, {.1, 3}, {.2, 0}, {1.5, 2}, {1.6, 1}}
	if got := stock.Levels(); stock.Missing != "" || !reflect.DeepEqual(got, want) {
		t.Errorf("%q, %v, want %v", stock.Missing, got, want)
	}
	run := playedRun(t, func(int) time.Duration { return 0 })
	run.Plan.requests = append(run.Plan.requests, request{0, again}) // nothing is taken by a repeat
	run.answers = append(run.answers, answer{sent: time.Second, done: time.Second, code: "held"})
	run.sent++
	if got := run.Report(&Judged{After: &SaleView{}, Stock: stock}).Left; !reflect.DeepEqual(got, want) {
		t.Errorf("the report has %v, want %v", got, want)
	}
	_, page := pageOf(t, &Judged{After: &SaleView{}, Stock: stock})
	if want := "left in Redis: 5 at first, 0 at the lowest, 1 at the end"; !strings.Contains(page, want) {
		t.Errorf("the page does not say %q", want)
	}
}

func TestUnitsLeftFollowWhatBecomesOfTheSale(t *testing.T) {
	t.Parallel()
	b := &book{first: 8}
	b.add(time.Second, map[string]int64{"a": 9}).Settings = &settingsView{[]skuView{{"a"}}} // b is on sale no more
	b.add(2*time.Second, nil).Kind = "delete"
	e := b.add(3*time.Second, map[string]int64{"a": 4})
	e.Kind, e.Seq = "create", 20
	want := []Level{{0, 5}, {1, 9}, {2, 0}, {3, 4}}
	if stock := left(t, b, 20); stock.Missing != "" || !reflect.DeepEqual(stock.Levels(), want) {
		t.Errorf("%q, %v, want %v", stock.Missing, stock.Levels(), want)
	}
}

func TestUnitsThatNobodyKnowsOfAreNotDrawn(t *testing.T) {
	t.Parallel()
	f := func(b *book, seq int64, want string) {
		t.Helper()
		stock := left(t, b, seq)
		report := playedRun(t, func(int) time.Duration { return 0 }).Report(&Judged{After: &SaleView{}, Stock: stock})
		if !strings.Contains(stock.Missing, want) || report.NoLeft != stock.Missing || len(report.Left) > 0 {
			t.Errorf("%q, %v; want %q", report.NoLeft, report.Left, want)
		}
	}
	short := &book{first: 8}
	short.add(0, nil)
	f(short, 10, "ends with entry 8, and the sale has come to 10")
	gap := &book{first: 10}
	gap.add(0, nil)
	f(gap, 10, "entry 10 of the ledger follows entry 7")

	run := playedRun(t, func(int) time.Duration { return 0 })
	older := &Admin{URL: serve(t, http.NewServeMux()), Client: http.DefaultClient}
	stock, err := run.readStock(t.Context(), Judge{Admin: older, Before: &SaleView{}}, nil, &SaleView{})
	if err != nil || !strings.Contains(stock.Missing, "answered 404 when asked for the ledger") {
		t.Errorf("%+v, %v", stock, err)
	}
	if report := run.Report(&Judged{}); !strings.Contains(report.NoLeft, "--admin") {
		t.Errorf("without an admin API: %q", report.NoLeft)
	}
}

// Redis' clock may differ from the client's. That an order is taken after it was
// sent and before it was told 200 tells by how much.
func TestAnotherClockMovesNoUnits(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		b := &book{first: 8}
		for i := range 4 { // the answers of a played run come 5 ms after their requests
			at := time.Duration(i)*100*time.Millisecond + 3*time.Millisecond
			b.add(at+ahead, map[string]int64{"a": int64(2 - i)}, fmt.Sprintf("T%07d", i))
		}
		levels := left(t, b, 11).Levels()
		if len(levels) != 5 {
			t.Fatalf("%s ahead: %v", ahead, levels)
		}
		for i, v := range levels[1:] {
			if late := v.At - float64(i)*.1; v.Left != int64(4-i) || late < -.002 || late > .006 {
				t.Errorf("%s ahead: %v", ahead, levels)
			}
		}
	}
}

func TestTooLittleIsLeftOnlyWhileItIs(t *testing.T) {
	t.Parallel()
	stock := &Stock{bySKU: map[string][]level{"a": {{0, 2}, {time.Second, 0}, {2 * time.Second, 1}}}}
	f := func(want bool, quantity int64, from, to time.Duration) {
		t.Helper()
		if got := stock.short(gate.Line{SKU: "a", Quantity: quantity}, from, to); got != want {
			t.Errorf("%d from %s to %s: %v", quantity, from, to, got)
		}
	}
	f(false, 1, 100*time.Millisecond, 900*time.Millisecond)
	f(true, 3, 100*time.Millisecond, 900*time.Millisecond)
	f(true, 1, 100*time.Millisecond, 1100*time.Millisecond)
	f(true, 1, 1200*time.Millisecond, 1300*time.Millisecond)
	f(true, 1, 1900*time.Millisecond, 5*time.Second)
	f(false, 1, 3*time.Second, 5*time.Second)
	f(true, 2, 3*time.Second, 5*time.Second)
	if !stock.short(gate.Line{SKU: "b", Quantity: 1}, 0, 0) {
		t.Error("of a SKU that was never on sale there is enough")
	}
}

func TestALongLedgerIsDrawnWithItsLowsAndItsEnd(t *testing.T) {
	t.Parallel()
	stock := &Stock{}
	for i := range 100_000 {
		v := level{time.Duration(i) * time.Millisecond, int64(100_000 - i)}
		if i == 77_777 {
			v.left = -5
		}
		stock.all = append(stock.all, v)
	}
	levels := stock.Levels()
	lowest := levels[0]
	for _, v := range levels {
		if v.Left < lowest.Left {
			lowest = v
		}
	}
	if last := levels[len(levels)-1]; len(levels) > 2*maxLevels+1 || lowest.Left != -5 || last.Left != 1 {
		t.Errorf("%d levels, the lowest %v, the last %v", len(levels), lowest, last)
	}
}

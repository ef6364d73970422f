package store

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flashgate/flashgate/gate"
)

// readable lets a test write ␟ and ␞ for the separators of a record.
func readable(record string) string {
	return strings.NewReplacer("␟", fieldSep, "␞", attemptSep, "␝", triesSep).Replace(record)
}

func TestTheRecordOfAFirstHold(t *testing.T) {
	t.Parallel()
	c := gate.Confirm{Order: []byte("o1"), Attempt: []byte("a1"), Lines: []gate.Line{{SKU: "full", Quantity: 1}}}
	if got, want := string(appendHold(nil, &gate.Request{Confirm: c})), readable("1H␟1␟␟full:1␟␟␟O0a1␟"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.Buyer = []byte("ann")
	c.Lines = append(c.Lines, gate.Line{SKU: "half", Quantity: 20})
	c.Amount = gate.Amount{Value: 0, Known: true}
	if got, want := string(appendHold([]byte("x"), &gate.Request{Confirm: c})),
		readable("x1H␟1␟ann␟full:1,half:20␟0␟␟O0a1␟"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestARecordIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	got, err := parseRecord("o1", readable("1P␟7␟ann␟full:1,half:20␟3000␟1000␟F1a1␞P2a2␟1500␟500␟2001"))
	if err != nil {
		t.Fatal(err)
	}
	want := gate.Order{
		ID: "o1", State: gate.OrderPaid, Revision: 7, Buyer: "ann",
		Lines:  []gate.Line{{SKU: "full", Quantity: 1}, {SKU: "half", Quantity: 20}},
		Amount: gate.Amount{Value: 3000, Known: true}, Balance: gate.Amount{Value: 1000, Known: true},
		Attempts: []gate.Attempt{
			{ID: "a1", State: gate.AttemptFailed, Version: 1},
			{ID: "a2", State: gate.AttemptPaid, Version: 2},
		},
		Taken: time.UnixMilli(1500), Deadline: time.UnixMilli(2000), Settled: time.UnixMilli(2001),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got, err = parseRecord("o2", readable("1D␟1␟␟full:1␟␟␟␟␟␟"))
	if err != nil {
		t.Fatal(err)
	}
	want = gate.Order{ID: "o2", State: gate.OrderRefundDue, Revision: 1, Lines: []gate.Line{{SKU: "full", Quantity: 1}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got, err = parseRecord("o3", readable("1D␟1␟␟full:1␟␟␟D1a1␝12␞Q2a2␟␟␟"))
	if err != nil {
		t.Fatal(err)
	}
	want.ID, want.Attempts = "o3", []gate.Attempt{
		{ID: "a1", State: gate.AttemptRefundDue, Version: 1, Tries: 12},
		{ID: "a2", State: gate.AttemptRequested, Version: 2},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The scripts of earlier versions wrote times of fifteen digits so.
func TestARecordWithAnApproximateTimeIsRead(t *testing.T) {
	t.Parallel()
	got, err := parseRecord("o1", readable("1H␟1␟1e+5␟full:1␟␟␟V1a1␟2000␟2.5160638605858e+14␟"))
	if err != nil || got.Buyer != "1e+5" || !got.Deadline.Equal(time.UnixMilli(2000+251606386058580)) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, wrong := range []string{"2.5", "1e3", "2.5160638605858e+24", "Inf", "e+", "1e+400"} {
		if got, err := parseRecord("o1", readable("1H␟1␟␟full:1␟␟␟V1a1␟2000␟"+wrong+"␟")); err == nil {
			t.Errorf("%s is read as %v", wrong, got.Deadline)
		}
	}
}

func TestAnyRecordIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	id := rapid.StringOfN(rapid.SampledFrom([]rune("aZ09:,;= \"~가")), 1, 16, 64)
	amount := rapid.Custom(func(t *rapid.T) gate.Amount {
		if rapid.Bool().Draw(t, "known") {
			return gate.Amount{Value: rapid.Int64Range(0, gate.MaxAmount).Draw(t, "amount"), Known: true}
		}
		return gate.Amount{}
	})
	attempts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) gate.Attempt {
		return gate.Attempt{
			ID: id.Draw(t, "attempt"), Version: gate.Version(rapid.Uint8Range(0, 9).Draw(t, "version")),
			State: rapid.SampledFrom([]gate.AttemptState("OVPFCDQX")).Draw(t, "state"), Tries: rapid.Int64Range(0,
				1<<40).Draw(t, "tries"),
		}
	}), 1, gate.MaxAttempts)
	lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) gate.Line {
		return gate.Line{
			SKU:      rapid.StringMatching(`[A-Za-z0-9_.-]{1,8}`).Draw(t, "sku"),
			Quantity: rapid.Int64Range(1, gate.MaxUnits).Draw(t, "quantity"),
		}
	}), 1, gate.MaxLines)
	at := rapid.Custom(func(t *rapid.T) time.Time { return time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "ms")) })
	hold := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, 1<<42).Draw(t, "hold")) * time.Millisecond
	})
	rapid.Check(t, func(t *rapid.T) {
		taken := at.Draw(t, "taken")
		want := gate.Order{
			ID: id.Draw(t, "id"), State: rapid.SampledFrom([]gate.OrderState("AHPRDFW")).Draw(t, "state"),
			Revision: rapid.Int64Range(1, 1<<40).Draw(t, "revision"), Buyer: id.Draw(t,
				"buyer"), Lines: lines.Draw(t, "lines"),
			Amount: amount.Draw(t, "amount"), Balance: amount.Draw(t,
				"balance"), Attempts: attempts.Draw(t, "attempts"),
			Taken: taken, Deadline: taken.Add(hold.Draw(t, "hold")), Settled: at.Draw(t, "settled"),
		}
		got, err := parseRecord(want.ID, spell(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v, %v\nwant %+v", got, err, want)
		}
	})
}

func TestAConfirmIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	c := gate.Confirm{
		Order: []byte("o1"), Attempt: []byte("a:1"), Buyer: []byte("ann,b"),
		Amount: gate.Amount{Value: 3000, Known: true},
		Lines:  []gate.Line{{SKU: "full", Quantity: 1}, {SKU: "half", Quantity: 2}},
	}
	got, err := parseRecord("o1", string(appendHold(nil, &gate.Request{Confirm: c}))+readable("2000␟500␟"))
	if err != nil {
		t.Fatal(err)
	}
	want := gate.Order{
		ID: "o1", State: gate.OrderHeld, Revision: 1, Buyer: "ann,b", Lines: c.Lines, Amount: c.Amount,
		Attempts: []gate.Attempt{{ID: "a:1", State: gate.AttemptOpen}}, Taken: time.UnixMilli(2000),
		Deadline: time.UnixMilli(2500),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestRecordsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, record := range []string{
		"", "x", "1H", "␟␟␟␟␟␟␟␟␟",
		"2H␟1␟ann␟full:1␟␟␟O1a1␟2000␟2500␟",
		"1␟1␟ann␟full:1␟␟␟O1a1␟2000␟2500␟",
		"1HH␟1␟ann␟full:1␟␟␟O1a1␟2000␟2500␟",
		"1H␟x␟ann␟full:1␟␟␟O1a1␟2000␟2500␟",
		"1H␟␟ann␟full:1␟␟␟O1a1␟2000␟2500␟",
		"1H␟1␟ann␟␟␟␟O1a1␟2000␟2500␟",
		"1H␟1␟ann␟full␟␟␟O1a1␟2000␟2500␟",
		"1H␟1␟ann␟full:x␟␟␟O1a1␟2000␟2500␟",
		"1H␟1␟ann␟full:1,␟␟␟O1a1␟2000␟2500␟",
		"1H␟1␟ann␟full:1␟x␟␟O1a1␟2000␟2500␟",
		"1H␟1␟ann␟full:1␟␟x␟O1a1␟2000␟2500␟",
		"1H␟1␟ann␟full:1␟␟␟O1a1␟x␟2500␟",
		"1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟x␟",
		"1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟-1␟",
		"1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟9223372036854775807␟",
		"1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟2500␟x",
		"1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟2500",
		"1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟2500␟␟",
		"1H␟1␟ann␟full:1␟␟␟Oa1␟2000␟2500␟",
		"1H␟1␟ann␟full:1␟␟␟O1␟2000␟2500␟",
		"1H␟1␟ann␟full:1␟␟␟␟D1␝1␟2000␟500␟",
		"1H␟1␟ann␟full:1␟␟␟␟D1a1␝x␟2000␟500␟",
		"1H␟1␟ann␟full:1␟␟␟␟D1a1␝␟2000␟500␟",
	} {
		if o, err := parseRecord("o1", readable(record)); err == nil {
			t.Errorf("%q is read as %+v", record, o)
		} else if !strings.Contains(err.Error(), `order "o1"`) {
			t.Errorf("%q: %v does not name the order", record, err)
		}
	}
}

func TestALedgerEntryIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	got, err := parseEntry("12-0", []string{
		"e", readable("1␟3␟2000␟confirm␟gate-1␟0,1"), "c", "full:10,9,1,0,0;half:5,-1,3,2,1", "o",
		"1,2,3,4,5,6,7", "s", "",
		"e", readable("1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟500␟"), "o2", readable("1D␟2␟␟half:1␟␟␟␟␟␟"),
	})
	if err != nil {
		t.Fatal(err)
	}
	line := func(sku string) []gate.Line { return []gate.Line{{SKU: sku, Quantity: 1}} }
	want := &gate.Entry{
		Seq: 12, Term: 3, Time: time.UnixMilli(2000), Kind: "confirm", Who: "gate-1",
		Counters: map[string]gate.Units{
			"full": {Total: 10, Left: 9, Held: 1}, "half": {Total: 5, Left: -1, Held: 3, Paid: 2, Withheld: 1},
		},
		Counts: gate.OrderCounts{Asking: 1, Held: 2, Paid: 3, Released: 4, RefundDue: 5, Refunded: 6, Refunds: 7},
		Orders: []gate.Order{
			{
				ID: "e", State: gate.OrderHeld, Revision: 1, Buyer: "ann", Lines: line("full"),
				Taken:    time.UnixMilli(2000),
				Deadline: time.UnixMilli(2500), Attempts: []gate.Attempt{{
					ID:    "a1",
					State: gate.AttemptOpen, Version: 1,
				}},
			},
			{ID: "o2", State: gate.OrderRefundDue, Revision: 2, Lines: line("half")},
		},
		Extended: []int{0, 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTheSettingsInALedgerEntryAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	price := int64(80000)
	want := gate.Settings{
		OpensAt: time.UnixMilli(1796083200000), ClosesAt: time.UnixMilli(1796119200001),
		Hold:     5*time.Minute + time.Millisecond,
		PerBuyer: 2, Paused: true, Messages: map[string]string{"sold_out": "마감 <b>\"&\u2028"},
		SKUs: []gate.SKU{{Name: "full", Stock: 15000, Price: &price}, {Name: "half"}},
	}
	args, err := settingsArgs(&want)
	if err != nil {
		t.Fatal(err)
	}
	e, err := parseEntry("1-0", []string{
		"e", readable("1␟1␟2000␟create␟kim"), "c", "", "o", "0,0,0,0,0,0,0", "s",
		readable("3␟2␟") + string(args[6].([]byte)) + readable(`␟{"per_buyer":7}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Settings; got.Run != 3 || got.Version != 2 || !got.Settings.Equal(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if e.Before == nil || e.Before.PerBuyer != 7 {
		t.Errorf("the settings before are %+v", e.Before)
	}
	if got, want := fmt.Sprint(args[:6], args[7:]),
		"[1796083200000 1796119200001 300001 2 1 0] [full 15000 half 0]"; got != want {
		t.Errorf("scripts are told %s, want %s", got, want)
	}
}

func TestLedgerEntriesThatAreRefused(t *testing.T) {
	t.Parallel()
	good := []string{
		"e", readable("1␟3␟2000␟confirm␟gate-1"), "c", "full:10,9,1,0,0", "o", "1,2,3,4,5,6,7", "s",
		readable("1␟1␟{}␟{}"),
	}
	if _, err := parseEntry("1-0", good); err != nil {
		t.Fatal(err)
	}
	with := append([]string(nil), good...)
	with[5] = "1,2,3,4,5,6,7,8"
	if e, err := parseEntry("1-0", with); err != nil || e.Counts.Refunds != 7 || e.Counts.Requested != 8 {
		t.Errorf("with requested refunds: %+v, %v", e, err)
	}
	for i, bad := range map[int][]string{
		0: {"", "x"}, 1: {
			"", "2␟3␟2000␟confirm␟gate-1", "1␟3␟2000␟confirm", "1␟x␟2000␟confirm␟g", "1␟3␟x␟confirm␟g",
			"1␟3␟2000␟confirm␟g␟0", "1␟3␟2000␟confirm␟g␟", "1␟3␟2000␟confirm␟g␟0␟0",
		},
		2: {"", "x"}, 3: {"x", "full", "full:1,2,3,4", "full:1,2,3,4,x", "full:1,2,3,4,5;"},
		4: {"", "x"}, 5: {"", "1,2,3,4,5,6", "1,2,3,4,5,6,x", "1,2,3,4,5,6,7,x", "1,2,3,4,5,6,7,8,9"}, 6: {
			"",
			"x",
		}, 7: {"x", "1␟1␟{}", "x␟1␟{}␟", "1␟x␟{}␟", "1␟1␟{␟", "1␟1␟␟{", "1␟1␟{}␟␟"},
	} {
		for _, text := range bad {
			fields := append([]string(nil), good...)
			fields[i] = readable(text)
			if e, err := parseEntry("1-0", fields); err == nil {
				t.Errorf("field %d %q is read as %+v", i, text, e)
			}
		}
	}
	for _, places := range []string{"1", "-1", "x", "0,1", "0,"} {
		fields := append(append([]string(nil), good...), "o1", readable("1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟500␟"))
		fields[1] += fieldSep + places
		if e, err := parseEntry("1-0", fields); err == nil {
			t.Errorf("that %s are extended is read as %v", places, e.Extended)
		}
	}
	for _, fields := range [][]string{nil, good[:7], append(good[:8:8], "o1"), append(good[:8:8], "o1", "x")} {
		if e, err := parseEntry("1-0", fields); err == nil {
			t.Errorf("%q is read as %+v", fields, e)
		}
	}
	if _, err := parseEntry("x-0", good); err == nil {
		t.Error("an entry's id need not be a number")
	}
	if _, err := parseEntry("1-0", good[:2]); !errors.Is(err, errEntry) {
		t.Errorf("got %v, want %v", err, errEntry)
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(readable("1H␟1␟ann␟full:1,half:2␟3000␟␟O1a1␞P2a2␟2000␟500␟"))
	f.Add(readable("1R␟2␟␟full:1␟␟5␟␟␟␟2001"))
	f.Fuzz(func(t *testing.T, record string) {
		o, err := parseRecord("o1", record)
		if err != nil {
			return
		}
		again, err := parseRecord("o1", spell(o))
		if err != nil || !reflect.DeepEqual(o, again) {
			t.Errorf("%q is read as %+v, and that as %+v, %v", record, o, again, err)
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	f.Add("12-0", "e", "1␟3␟2000␟confirm␟g", "c", "full:10,9,1,0,0;half:1,1,0,0,0", "o", "1,2,3,4,5,6,7", "s", "", "o1",
		"1H␟1␟ann␟full:1␟␟␟O1a1␟2␟3␟")
	f.Add("1-0", "e", "1␟3␟2000␟apply␟g", "c", "", "o", "0,0,0,0,0,0,0", "s",
		`1␟1␟{"skus":[{"name":"full"}]}␟{}`, "", "")
	f.Fuzz(func(t *testing.T, id, e, head, c, counters, o, counts, s, settings, order, record string) {
		fields := []string{e, readable(head), c, counters, o, counts, s, readable(settings), order, readable(record)}
		for n := range len(fields) + 1 {
			if entry, err := parseEntry(id, fields[:n]); err == nil && (entry == nil || n < 8) {
				t.Errorf("%q is read as %+v", fields[:n], entry)
			}
		}
	})
}

func spell(o gate.Order) string { return string(appendRecord(nil, &o)) }

package store

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// readable lets a test write ␟, ␞ and ␝ for the separators of a record.
func readable(record string) string {
	return strings.NewReplacer("␟", gate.FieldSep, "␞", gate.AttemptSep, "␝", gate.TriesSep).Replace(record)
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
		Changes: []gate.Change{
			{Order: "e", Record: readable("1H␟1␟ann␟full:1␟␟␟O1a1␟2000␟500␟")},
			{Order: "o2", Record: readable("1D␟2␟␟half:1␟␟␟␟␟␟")},
		},
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
		fields[1] += gate.FieldSep + places
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

package gate

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// readable lets a test write ␟, ␞ and ␝ for the separators of a record.
func readable(record string) string {
	return strings.NewReplacer("␟", FieldSep, "␞", AttemptSep, "␝", TriesSep).Replace(record)
}

func spell(o Order) string { return string(AppendRecord(nil, &o)) }

func TestTheRecordOfAFirstHold(t *testing.T) {
	t.Parallel()
	c := Confirm{Order: []byte("o1"), Attempt: []byte("a1"), Lines: []Line{{SKU: "full", Quantity: 1}}}
	if got, want := string(AppendHold(nil, &Request{Confirm: c})), readable("1H␟1␟␟full:1␟␟␟O0a1␟"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.Buyer = []byte("ann")
	c.Lines = append(c.Lines, Line{SKU: "half", Quantity: 20})
	c.Amount = Amount{Value: 0, Known: true}
	if got, want := string(AppendHold([]byte("x"), &Request{Confirm: c})),
		readable("x1H␟1␟ann␟full:1,half:20␟0␟␟O0a1␟"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestARecordIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	got, err := ParseRecord("o1", readable("1P␟7␟ann␟full:1,half:20␟3000␟1000␟F1a1␞P2a2␟1500␟500␟2001"))
	if err != nil {
		t.Fatal(err)
	}
	want := Order{
		ID: "o1", State: OrderPaid, Revision: 7, Buyer: "ann",
		Lines:  []Line{{SKU: "full", Quantity: 1}, {SKU: "half", Quantity: 20}},
		Amount: Amount{Value: 3000, Known: true}, Balance: Amount{Value: 1000, Known: true},
		Attempts: []Attempt{
			{ID: "a1", State: AttemptFailed, Version: 1},
			{ID: "a2", State: AttemptPaid, Version: 2},
		},
		Taken: time.UnixMilli(1500), Deadline: time.UnixMilli(2000), Settled: time.UnixMilli(2001),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got, err = ParseRecord("o2", readable("1D␟1␟␟full:1␟␟␟␟␟␟"))
	if err != nil {
		t.Fatal(err)
	}
	want = Order{ID: "o2", State: OrderRefundDue, Revision: 1, Lines: []Line{{SKU: "full", Quantity: 1}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got, err = ParseRecord("o3", readable("1D␟1␟␟full:1␟␟␟D1a1␝12␞Q2a2␟␟␟"))
	if err != nil {
		t.Fatal(err)
	}
	want.ID, want.Attempts = "o3", []Attempt{
		{ID: "a1", State: AttemptRefundDue, Version: 1, Tries: 12},
		{ID: "a2", State: AttemptRequested, Version: 2},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The scripts of earlier versions wrote times of fifteen digits so.
func TestARecordWithAnApproximateTimeIsRead(t *testing.T) {
	t.Parallel()
	got, err := ParseRecord("o1", readable("1H␟1␟1e+5␟full:1␟␟␟V1a1␟2000␟2.5160638605858e+14␟"))
	if err != nil || got.Buyer != "1e+5" || !got.Deadline.Equal(time.UnixMilli(2000+251606386058580)) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, wrong := range []string{"2.5", "1e3", "2.5160638605858e+24", "Inf", "e+", "1e+400"} {
		if got, err := ParseRecord("o1", readable("1H␟1␟␟full:1␟␟␟V1a1␟2000␟"+wrong+"␟")); err == nil {
			t.Errorf("%s is read as %v", wrong, got.Deadline)
		}
	}
}

func TestAnyRecordIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	id := rapid.StringOfN(rapid.SampledFrom([]rune("aZ09:,;= \"~가")), 1, 16, 64)
	amount := rapid.Custom(func(t *rapid.T) Amount {
		if rapid.Bool().Draw(t, "known") {
			return Amount{Value: rapid.Int64Range(0, MaxAmount).Draw(t, "amount"), Known: true}
		}
		return Amount{}
	})
	attempts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Attempt {
		return Attempt{
			ID: id.Draw(t, "attempt"), Version: Version(rapid.Uint8Range(0, 9).Draw(t, "version")),
			State: rapid.SampledFrom([]AttemptState("OVPFCDQX")).Draw(t, "state"), Tries: rapid.Int64Range(0,
				1<<40).Draw(t, "tries"),
		}
	}), 1, MaxAttempts)
	lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Line {
		return Line{
			SKU:      rapid.StringMatching(`[A-Za-z0-9_.-]{1,8}`).Draw(t, "sku"),
			Quantity: rapid.Int64Range(1, MaxUnits).Draw(t, "quantity"),
		}
	}), 1, MaxLines)
	at := rapid.Custom(func(t *rapid.T) time.Time { return time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "ms")) })
	hold := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, 1<<42).Draw(t, "hold")) * time.Millisecond
	})
	rapid.Check(t, func(t *rapid.T) {
		taken := at.Draw(t, "taken")
		want := Order{
			ID: id.Draw(t, "id"), State: rapid.SampledFrom([]OrderState("AHPRDFW")).Draw(t, "state"),
			Revision: rapid.Int64Range(1, 1<<40).Draw(t, "revision"), Buyer: id.Draw(t,
				"buyer"), Lines: lines.Draw(t, "lines"),
			Amount: amount.Draw(t, "amount"), Balance: amount.Draw(t,
				"balance"), Attempts: attempts.Draw(t, "attempts"),
			Taken: taken, Deadline: taken.Add(hold.Draw(t, "hold")), Settled: at.Draw(t, "settled"),
		}
		got, err := ParseRecord(want.ID, spell(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v, %v\nwant %+v", got, err, want)
		}
	})
}

func TestAConfirmIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	c := Confirm{
		Order: []byte("o1"), Attempt: []byte("a:1"), Buyer: []byte("ann,b"),
		Amount: Amount{Value: 3000, Known: true},
		Lines:  []Line{{SKU: "full", Quantity: 1}, {SKU: "half", Quantity: 2}},
	}
	got, err := ParseRecord("o1", string(AppendHold(nil, &Request{Confirm: c}))+readable("2000␟500␟"))
	if err != nil {
		t.Fatal(err)
	}
	want := Order{
		ID: "o1", State: OrderHeld, Revision: 1, Buyer: "ann,b", Lines: c.Lines, Amount: c.Amount,
		Attempts: []Attempt{{ID: "a:1", State: AttemptOpen}}, Taken: time.UnixMilli(2000),
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
		if o, err := ParseRecord("o1", readable(record)); err == nil {
			t.Errorf("%q is read as %+v", record, o)
		} else if !strings.Contains(err.Error(), `order "o1"`) {
			t.Errorf("%q: %v does not name the order", record, err)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(readable("1H␟1␟ann␟full:1,half:2␟3000␟␟O1a1␞P2a2␟2000␟500␟"))
	f.Add(readable("1R␟2␟␟full:1␟␟5␟␟␟␟2001"))
	f.Fuzz(func(t *testing.T, record string) {
		o, err := ParseRecord("o1", record)
		if err != nil {
			return
		}
		again, err := ParseRecord("o1", spell(o))
		if err != nil || !reflect.DeepEqual(o, again) {
			t.Errorf("%q is read as %+v, and that as %+v, %v", record, o, again, err)
		}
	})
}

package store

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/luascripts"
)

// prelude is what stands before every script: all of the shortest up to its own head.
func prelude(t *testing.T) string {
	t.Helper()
	text, _, found := strings.Cut(luascripts.Touch.Source, "\n-- touch:")
	if !found {
		t.Fatal("the script touch does not begin as its file does")
	}
	return text
}

// The scripts read a record by patterns in the prelude, Go by gate.ParseRecord.
func TestScriptsReadARecordAsGoWritesIt(t *testing.T) {
	t.Parallel()
	options, err := redis.ParseURL(redistest.Start(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	read := func(pattern, record string) []any {
		t.Helper()
		fields, err := client.Eval(t.Context(), prelude(t)+"\nreturn {string.match(ARGV[1], "+pattern+")}", nil,
			record).Slice()
		if err != nil {
			t.Fatal(err)
		}
		return fields
	}
	attempts := []gate.Attempt{
		{ID: "a1", State: gate.AttemptFailed, Version: 1},
		{ID: "주문", State: gate.AttemptRefundDue, Version: 2, Tries: 12},
	}
	full := gate.Order{
		Revision: 7, Buyer: "김 a+b", Lines: []gate.Line{{SKU: "full", Quantity: 1}, {SKU: "half", Quantity: 20}},
		Amount: gate.Amount{Value: 3000, Known: true}, Balance: gate.Amount{
			Value: 1000,
			Known: true,
		}, Attempts: attempts,
		Taken: time.UnixMilli(1500), Deadline: time.UnixMilli(2000), Settled: time.UnixMilli(2001),
	}
	bare := gate.Order{Revision: 1, Lines: []gate.Line{{SKU: "full", Quantity: 1}}}
	states := []gate.OrderState{
		gate.OrderAsking, gate.OrderHeld, gate.OrderPaid, gate.OrderReleased, gate.OrderRefundDue, gate.OrderRefunded,
		gate.OrderWithheld,
	}
	for _, state := range states {
		full.State, bare.State = state, state
		want := []any{
			string(rune(state)), "7", "김 a+b", "full:1,half:20", "3000", "1000", readable("F1a1␞D2주문␝12"),
			"1500", "500", "2001",
		}
		if got := read("RECORD", string(gate.AppendRecord(nil, &full))); !reflect.DeepEqual(got, want) {
			t.Errorf("RECORD reads %q, want %q", got, want)
		}
		want = []any{string(rune(state)), "1", "", "full:1", "", "", "", "", "", ""}
		if got := read("RECORD", string(gate.AppendRecord(nil, &bare))); !reflect.DeepEqual(got, want) {
			t.Errorf("RECORD reads %q, want %q", got, want)
		}
		want = []any{
			"1" + string(rune(state)), "7", readable("␟김 a+b␟full:1,half:20␟3000␟1000␟F1a1␞D2주문␝12␟1500␟"),
			"500", "2001",
		}
		if got := read("PARTS", string(gate.AppendRecord(nil, &full))); !reflect.DeepEqual(got, want) {
			t.Errorf("PARTS reads %q, want %q", got, want)
		}
	}
	for i, a := range attempts {
		record := string(gate.AppendRecord(nil, &gate.Order{State: gate.OrderHeld, Attempts: attempts[i : i+1]}))
		want := []any{string(rune(a.State)), fmt.Sprint(int(a.Version)) + a.ID}
		if got := read("ATTEMPT", strings.Split(record, gate.FieldSep)[6]); !reflect.DeepEqual(got, want) {
			t.Errorf("ATTEMPT reads %q, want %q", got, want)
		}
	}
	// What no version has written is read by neither.
	for _, wrong := range []string{
		"", "1", "2H␟1␟␟full:1␟␟␟␟␟␟", "1X␟1␟␟full:1␟␟␟␟␟␟", "1H␟1␟␟full:1␟␟␟␟␟",
		"1H␟1␟␟full:1␟␟␟␟␟␟␟",
	} {
		_, err := gate.ParseRecord("o", readable(wrong))
		known := err == nil && slices.Contains(states, gate.OrderState(wrong[1]))
		if got := read("RECORD", readable(wrong)); len(got) > 0 && got[0] != nil || known {
			t.Errorf("%s: the scripts read %q, Go %v", wrong, got, err)
		}
	}
}

package settle

import (
	"context"
	"errors"
	"testing"

	"github.com/flashgate/flashgate/gate"
)

// counter is a store with one order, that answers a report as a test wants it.
type counter struct {
	order gate.Order
	moved gate.Moved
	err   error
	asked gate.Move
}

func (d *counter) Orders(context.Context, string, []string) ([]gate.Order, []error, error) {
	return []gate.Order{d.order}, nil, nil
}

func (d *counter) Report(_ context.Context, _, _ string, m gate.Move) (gate.Moved, error) {
	d.asked = m
	return d.moved, d.err
}

// A report is told with what became of it: made, made but not secured, overtaken or
// not made. One of what is so already makes sure of that, and changes nothing.
func TestAReportTellsWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	open, away := &gate.UnsecuredError{Sale: "race", Wanted: 1}, errors.New("Redis is away")
	f := func(what string, state gate.OrderState, moved gate.Moved, err error, want error, told, changes bool) {
		t.Helper()
		d := &counter{moved: moved, err: err, order: gate.Order{
			ID: "o1", State: state, Revision: 1, Attempts: []gate.Attempt{{ID: "a1", State: gate.AttemptOpen}},
		}}
		if state == gate.OrderPaid {
			d.order.Attempts[0].State = gate.AttemptPaid
		}
		o, got := Tell(t.Context(), d, "kim", "race", Report{Order: "o1", Paid: true})
		if !errors.Is(got, want) || (o.State == gate.OrderPaid) != told || (d.asked.After != nil) != changes {
			t.Errorf("%s: got %q, %v with the move %+v", what, o.State, got, d.asked)
		}
	}
	f("made", gate.OrderHeld, gate.MovedOn, nil, nil, true, true)
	f("not secured", gate.OrderHeld, gate.MovedOn, open, open, true, true)
	f("overtaken", gate.OrderHeld, gate.MovedLate, nil, gate.ErrChanged, false, true)
	f("overtaken, and not secured", gate.OrderHeld, gate.MovedLate, open, gate.ErrChanged, false, true)
	f("not made", gate.OrderHeld, 0, away, away, false, true)
	f("so already", gate.OrderPaid, gate.MovedNothing, nil, nil, true, false)
	f("so already, and not secured", gate.OrderPaid, gate.MovedNothing, open, open, true, false)
	f("so no more", gate.OrderPaid, gate.MovedLate, nil, gate.ErrChanged, false, false)
}

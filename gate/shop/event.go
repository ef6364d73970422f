package shop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Event is a change of an order, as it is sent to the shop. Shops rely on its JSON.
type Event struct {
	ID        string         `json:"id"`        // the same if the same change is sent again
	Type      string         `json:"type"`      // "order." and the order's new state
	Timestamp time.Time      `json:"timestamp"` // of the change
	Sale      string         `json:"sale"`
	Run       int64          `json:"run"`
	Seq       int64          `json:"seq"` // of the ledger entry with the change
	Order     gate.OrderView `json:"order"`
}

// eventsOf returns the changes of orders in a ledger entry, in sequence; if order is not empty, of
// that order alone. A change of the deadline alone is left out.
func eventsOf(sale string, run int64, e *gate.Entry, order string) []Event {
	var events []Event
	for i := range e.Orders {
		o := e.Orders[i]
		if order != "" && o.ID != order || slices.Contains(e.Extended, i) {
			continue
		}
		o.Taken, o.Deadline, o.Settled = o.Taken.UTC(), o.Deadline.UTC(), o.Settled.UTC()
		events = append(events, Event{
			ID: eventID(sale, run, e, &o), Type: "order." + o.State.String(), Timestamp: e.Time.UTC(),
			Sale: sale, Run: run, Seq: e.Seq, Order: o.View(),
		})
	}
	return events
}

// eventID is the same for the same change, at every gate and each time it is sent. It contains the
// time, because after a failover another change may get the number of a lost one.
func eventID(sale string, run int64, e *gate.Entry, o *gate.Order) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d\n%d\n%s\n%d", sale, run, e.Seq, e.Time.UnixMilli(),
		o.ID, o.Revision))
	return "evt_" + hex.EncodeToString(sum[:16])
}

// deliver sends an event to the shop. It returns an error unless the shop answers with a 2xx; then
// the event is to be sent again.
func (p *poster) deliver(ctx context.Context, to string, e *Event) error {
	switch status, _, err := p.post(ctx, to, e.ID, e); {
	case err != nil:
		return fmt.Errorf("tell the shop: %w", err)
	case !taken(status):
		return fmt.Errorf("the shop answered %d", status)
	}
	return nil
}

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

// Event is a change of an order, as the shop is told of it. Its JSON is part of
// what is promised to shops.
type Event struct {
	ID        string         `json:"id"`        // the same whenever the same change is told again
	Type      string         `json:"type"`      // "order." and the state that the order is in since then
	Timestamp time.Time      `json:"timestamp"` // of the change
	Sale      string         `json:"sale"`
	Run       int64          `json:"run"`
	Seq       int64          `json:"seq"` // of the ledger entry with the change
	Order     gate.OrderView `json:"order"`
}

// eventsOf returns the changes of orders that a ledger entry has, of one order
// alone if it is named, in their order. A deadline alone is nothing to tell.
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

// eventID is the same for the same change, whichever gate tells of it and how
// often. It has the time in it, because a number that a failover has lost is
// given to another change.
func eventID(sale string, run int64, e *gate.Entry, o *gate.Order) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d\n%d\n%s\n%d", sale, run, e.Seq, e.Time.UnixMilli(),
		o.ID, o.Revision))
	return "evt_" + hex.EncodeToString(sum[:16])
}

// deliver tells the shop of an event. It returns an error where the shop does not
// answer with a 2xx: then it is to be told again.
func (p *poster) deliver(ctx context.Context, to string, e *Event) error {
	switch status, _, err := p.post(ctx, to, e.ID, e); {
	case err != nil:
		return fmt.Errorf("tell the shop: %w", err)
	case !taken(status):
		return fmt.Errorf("the shop answered %d", status)
	}
	return nil
}

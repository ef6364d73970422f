package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flashgate/flashgate/gate"
)

// parser reads what scripts write, and keeps the first error.
type parser struct{ gate.FieldReader }

// units reads "total,left,held,paid,withheld".
func (p *parser) units(s string) gate.Units {
	f := strings.Split(s, ",")
	if len(f) != 5 {
		p.Fail("counters %q are not five numbers", s)
		return gate.Units{}
	}
	return gate.Units{
		Total: p.Int(f[0]), Left: p.Int(f[1]), Held: p.Int(f[2]), Paid: p.Int(f[3]),
		Withheld: p.Int(f[4]),
	}
}

// counts reads "asking,held,paid,released,refund_due,refunded,refunds", and after them "requested"
// if it is not 0.
func (p *parser) counts(s string) gate.OrderCounts {
	f := strings.Split(s, ",")
	if len(f) == 7 {
		f = append(f, "0")
	}
	if len(f) != 8 {
		p.Fail("order counts %q are not seven or eight numbers", s)
		return gate.OrderCounts{}
	}
	return gate.OrderCounts{
		Asking: p.Int(f[0]), Held: p.Int(f[1]), Paid: p.Int(f[2]), Released: p.Int(f[3]),
		RefundDue: p.Int(f[4]), Refunded: p.Int(f[5]), Refunds: p.Int(f[6]), Requested: p.Int(f[7]),
	}
}

// places reads indexes into n changes, from 0.
func (p *parser) places(s string, n int) (places []int) {
	for text := range strings.SplitSeq(s, ",") {
		at := p.Int(text)
		if at < 0 || at >= int64(n) {
			p.Fail("there is no change %q", text)
		}
		places = append(places, int(at))
	}
	return places
}

var errEntry = errors.New("the entry is not of a version that this program knows")

// parseEntry reads a ledger entry with its orders.
func parseEntry(id string, f []string) (*gate.Entry, error) {
	e, err := parseChanges(id, f)
	if err != nil {
		return nil, err
	}
	if err := e.ReadOrders(); err != nil {
		return nil, entryError(id, err)
	}
	return e, nil
}

func entryError(id string, err error) error { return fmt.Errorf("ledger entry %s: %w", id, err) }

// parseChanges reads a ledger entry: its id "SEQ-0" and its flat list of fields.
// The first four are e (version, term, time, kind, who, and which changes only moved a
// deadline if any did), c (counters), o (order counts) and s (run, version, settings
// after and before, or empty); the others are order and record.
func parseChanges(id string, f []string) (*gate.Entry, error) {
	if len(f) < 8 || len(f)%2 != 0 || f[0] != "e" || f[2] != "c" || f[4] != "o" || f[6] != "s" {
		return nil, entryError(id, errEntry)
	}
	head := strings.Split(f[1], gate.FieldSep)
	if len(head) < 5 || len(head) > 6 || head[0] != string(gate.RecordVersion) {
		return nil, entryError(id, errEntry)
	}
	var p parser
	seq, _, _ := strings.Cut(id, "-")
	e := &gate.Entry{
		Seq: p.Int(seq), Term: p.Int(head[1]), Time: p.Time(head[2]), Kind: head[3], Who: head[4],
		Counters: map[string]gate.Units{}, Counts: p.counts(f[5]),
	}
	if f[3] != "" {
		for c := range strings.SplitSeq(f[3], ";") {
			sku, units, _ := strings.Cut(c, ":")
			e.Counters[sku] = p.units(units)
		}
	}
	if f[7] != "" {
		e.Settings, e.Before = p.settingsEntry(f[7])
	}
	if p.Err != nil {
		return nil, entryError(id, p.Err)
	}
	for i := 8; i < len(f); i += 2 {
		e.Changes = append(e.Changes, gate.Change{Order: f[i], Record: f[i+1]})
	}
	if len(head) == 6 {
		e.Extended = p.places(head[5], len(e.Changes))
	}
	if p.Err != nil {
		return nil, entryError(id, p.Err)
	}
	return e, nil
}

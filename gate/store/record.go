package store

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// A record is a version byte and the order's state, then fields in fixed order with fieldSep
// between them: revision, buyer, lines, amount, balance, attempts, taken, deadline, settled. An
// attempt is its state, the version of PortOne's interface, its id and, if cancellations of it have
// failed, triesSep and their number. Ids are printable, so no separator can occur in one. An empty
// field is unknown. Times are milliseconds since 1970, but the deadline counts from when the units
// were taken, because that is shorter.
const (
	recordVersion = '1'
	fieldSep      = "\x1f"
	attemptSep    = "\x1e"
	triesSep      = "\x1d"
	recordFields  = 10
)

// appendHold appends the record of a new hold, also of one that waits for the shop's yes, without
// its times: the script adds them.
func appendHold(b []byte, r *gate.Request) []byte {
	c, state := &r.Confirm, gate.OrderHeld
	if r.Asks {
		state = gate.OrderAsking
	}
	b = append(b, recordVersion, byte(state))
	b = append(b, fieldSep+"1"+fieldSep...)
	b = append(b, c.Buyer...)
	b = append(b, fieldSep...)
	b = appendLines(b, c.Lines)
	b = append(b, fieldSep...)
	if c.Amount.Known {
		b = strconv.AppendInt(b, c.Amount.Value, 10)
	}
	b = append(b, fieldSep+fieldSep...)
	b = append(b, byte(gate.AttemptOpen))
	b = appendAttempt(b, c)
	return append(b, fieldSep...)
}

// appendAttempt appends a confirm's attempt without its state.
func appendAttempt(b []byte, c *gate.Confirm) []byte {
	return append(append(b, '0'+byte(c.Version)), c.Attempt...)
}

// appendRecord appends a whole record, spelled as the scripts spell it.
func appendRecord(b []byte, o *gate.Order) []byte {
	amount := func(a gate.Amount) {
		if a.Known {
			b = strconv.AppendInt(b, a.Value, 10)
		}
		b = append(b, fieldSep...)
	}
	instant := func(t time.Time) {
		if !t.IsZero() {
			b = strconv.AppendInt(b, t.UnixMilli(), 10)
		}
	}
	b = append(b, recordVersion, byte(o.State))
	b = append(b, fieldSep...)
	b = strconv.AppendInt(b, o.Revision, 10)
	b = append(append(b, fieldSep...), o.Buyer...)
	b = append(b, fieldSep...)
	b = append(appendLines(b, o.Lines), fieldSep...)
	amount(o.Amount)
	amount(o.Balance)
	for i, a := range o.Attempts {
		if i > 0 {
			b = append(b, attemptSep...)
		}
		b = append(b, byte(a.State), '0'+byte(a.Version))
		b = append(b, a.ID...)
		if a.Tries > 0 {
			b = strconv.AppendInt(append(b, triesSep...), a.Tries, 10)
		}
	}
	b = append(b, fieldSep...)
	instant(o.Taken)
	b = append(b, fieldSep...)
	if !o.Deadline.IsZero() {
		b = strconv.AppendInt(b, max(0, o.Deadline.UnixMilli()-start(o)), 10)
	}
	b = append(b, fieldSep...)
	instant(o.Settled)
	return b
}

// start is the time that an order's deadline counts from: when its units were taken, or 1970 if
// they never were.
func start(o *gate.Order) int64 { return max(0, o.Taken.UnixMilli()) }

func appendLines(b []byte, lines []gate.Line) []byte {
	for i, l := range lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, l.SKU...)
		b = append(b, ':')
		b = strconv.AppendInt(b, l.Quantity, 10)
	}
	return b
}

// parseRecord reads an order's record.
func parseRecord(id, record string) (gate.Order, error) {
	o := gate.Order{ID: id}
	f := strings.Split(record, fieldSep)
	if len(f) != recordFields || len(f[0]) != 2 || f[0][0] != recordVersion {
		return o, fmt.Errorf("the record of order %q is not of a version that this program knows: %q", id, record)
	}
	var p parser
	o.State = gate.OrderState(f[0][1])
	o.Revision = p.int(f[1])
	o.Buyer = f[2]
	o.Lines = p.lines(f[3])
	o.Amount = p.amount(f[4])
	o.Balance = p.amount(f[5])
	for a := range strings.SplitSeq(f[6], attemptSep) {
		if a != "" {
			o.Attempts = append(o.Attempts, p.attempt(a))
		}
	}
	o.Taken, o.Settled = p.time(f[7]), p.time(f[9])
	if f[8] != "" {
		from := start(&o)
		deadline := from + p.int(f[8])
		if deadline < from {
			p.fail("deadline %q is before the units were taken", f[8])
		}
		o.Deadline = time.UnixMilli(deadline)
	}
	if p.err != nil {
		return o, fmt.Errorf("read the record of order %q: %w", id, p.err)
	}
	return o, nil
}

// parser reads fields and keeps the first error.
type parser struct{ err error }

func (p *parser) int(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return n
	}
	f, unread := strconv.ParseFloat(s, 64)
	if unread != nil || !strings.Contains(s, "e+") || math.Abs(f) >= 1<<53 {
		p.fail("%w", err)
		return 0
	}
	return int64(f) // the scripts of earlier versions wrote a time past 10^14 as 2.5160638605858e+14
}

func (p *parser) amount(s string) gate.Amount {
	if s == "" {
		return gate.Amount{}
	}
	return gate.Amount{Value: p.int(s), Known: true}
}

func (p *parser) attempt(s string) (a gate.Attempt) {
	name, tries, tried := strings.Cut(s, triesSep)
	if len(name) < 3 || name[1] < '0' || name[1] > '9' {
		p.fail("attempt %q is not a state, a version and an id", s)
		return a
	}
	a = gate.Attempt{State: gate.AttemptState(name[0]), Version: gate.Version(name[1] - '0'), ID: name[2:]}
	if tried {
		a.Tries = p.int(tries)
	}
	return a
}

func (p *parser) time(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	return time.UnixMilli(p.int(s))
}

func (p *parser) lines(s string) []gate.Line {
	var lines []gate.Line
	for line := range strings.SplitSeq(s, ",") {
		sku, quantity, found := strings.Cut(line, ":")
		if !found {
			p.fail("line %q has no quantity", line)
		}
		lines = append(lines, gate.Line{SKU: sku, Quantity: p.int(quantity)})
	}
	return lines
}

// units reads "total,left,held,paid,withheld".
func (p *parser) units(s string) gate.Units {
	f := strings.Split(s, ",")
	if len(f) != 5 {
		p.fail("counters %q are not five numbers", s)
		return gate.Units{}
	}
	return gate.Units{
		Total: p.int(f[0]), Left: p.int(f[1]), Held: p.int(f[2]), Paid: p.int(f[3]),
		Withheld: p.int(f[4]),
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
		p.fail("order counts %q are not seven or eight numbers", s)
		return gate.OrderCounts{}
	}
	return gate.OrderCounts{
		Asking: p.int(f[0]), Held: p.int(f[1]), Paid: p.int(f[2]), Released: p.int(f[3]),
		RefundDue: p.int(f[4]), Refunded: p.int(f[5]), Refunds: p.int(f[6]), Requested: p.int(f[7]),
	}
}

// places reads indexes into n changes, from 0.
func (p *parser) places(s string, n int) (places []int) {
	for text := range strings.SplitSeq(s, ",") {
		at := p.int(text)
		if at < 0 || at >= int64(n) {
			p.fail("there is no change %q", text)
		}
		places = append(places, int(at))
	}
	return places
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

var errEntry = errors.New("the entry is not of a version that this program knows")

// parseEntry reads a ledger entry: its id "SEQ-0" and its flat list of fields.
// The first four are e (version, term, time, kind, who, and which changes only moved a
// deadline if any did), c (counters), o (order counts) and s (run, version, settings
// after and before, or empty); the others are order and record.
func parseEntry(id string, f []string) (*gate.Entry, error) {
	if len(f) < 8 || len(f)%2 != 0 || f[0] != "e" || f[2] != "c" || f[4] != "o" || f[6] != "s" {
		return nil, fmt.Errorf("ledger entry %s: %w", id, errEntry)
	}
	head := strings.Split(f[1], fieldSep)
	if len(head) < 5 || len(head) > 6 || head[0] != string(recordVersion) {
		return nil, fmt.Errorf("ledger entry %s: %w", id, errEntry)
	}
	var p parser
	seq, _, _ := strings.Cut(id, "-")
	e := &gate.Entry{
		Seq: p.int(seq), Term: p.int(head[1]), Time: p.time(head[2]), Kind: head[3], Who: head[4],
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
	if p.err != nil {
		return nil, fmt.Errorf("ledger entry %s: %w", id, p.err)
	}
	for i := 8; i < len(f); i += 2 {
		o, err := parseRecord(f[i], f[i+1])
		if err != nil {
			return nil, fmt.Errorf("ledger entry %s: %w", id, err)
		}
		e.Orders = append(e.Orders, o)
	}
	if len(head) == 6 {
		e.Extended = p.places(head[5], len(e.Orders))
	}
	if p.err != nil {
		return nil, fmt.Errorf("ledger entry %s: %w", id, p.err)
	}
	return e, nil
}

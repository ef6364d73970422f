package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A record is a version byte and the order's state, then fields in fixed order with FieldSep
// between them: revision, buyer, lines, amount, balance, attempts, taken, deadline, settled. An
// attempt is its state, the version of PortOne's interface, its id and, if cancellations of it have
// failed, TriesSep and their number. Ids are printable, so no separator can occur in one. An empty
// field is unknown. Times are milliseconds since 1970, but the deadline counts from when the units
// were taken, because that is shorter.
const (
	RecordVersion = '1'    // of records and ledger entries
	FieldSep      = "\x1f" // between the fields of a record, and of the head of a ledger entry
	AttemptSep    = "\x1e" // between attempts
	TriesSep      = "\x1d" // between an attempt and how many cancellations of it have failed
	recordFields  = 10
)

// AppendRecord appends a whole record, spelled as the scripts spell it.
func AppendRecord(b []byte, o *Order) []byte {
	amount := func(a Amount) {
		if a.Known {
			b = strconv.AppendInt(b, a.Value, 10)
		}
		b = append(b, FieldSep...)
	}
	instant := func(t time.Time) {
		if !t.IsZero() {
			b = strconv.AppendInt(b, t.UnixMilli(), 10)
		}
	}
	b = append(b, RecordVersion, byte(o.State))
	b = append(b, FieldSep...)
	b = strconv.AppendInt(b, o.Revision, 10)
	b = append(append(b, FieldSep...), o.Buyer...)
	b = append(b, FieldSep...)
	b = append(AppendLines(b, o.Lines), FieldSep...)
	amount(o.Amount)
	amount(o.Balance)
	for i, a := range o.Attempts {
		if i > 0 {
			b = append(b, AttemptSep...)
		}
		b = append(b, byte(a.State), '0'+byte(a.Version))
		b = append(b, a.ID...)
		if a.Tries > 0 {
			b = strconv.AppendInt(append(b, TriesSep...), a.Tries, 10)
		}
	}
	b = append(b, FieldSep...)
	instant(o.Taken)
	b = append(b, FieldSep...)
	if !o.Deadline.IsZero() {
		b = strconv.AppendInt(b, max(0, o.Deadline.UnixMilli()-start(o)), 10)
	}
	b = append(b, FieldSep...)
	instant(o.Settled)
	return b
}

// start is the time that an order's deadline counts from: when its units were taken, or 1970 if
// they never were.
func start(o *Order) int64 { return max(0, o.Taken.UnixMilli()) }

// AppendLines appends lines as SKU:QUANTITY, with commas between.
func AppendLines(b []byte, lines []Line) []byte {
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

// ParseRecord reads an order's record.
func ParseRecord(id, record string) (Order, error) {
	o := Order{ID: id}
	f := strings.Split(record, FieldSep)
	if len(f) != recordFields || len(f[0]) != 2 || f[0][0] != RecordVersion {
		return o, fmt.Errorf("the record of order %q is not of a version that this program knows: %q", id, record)
	}
	var p FieldReader
	o.State = OrderState(f[0][1])
	o.Revision = p.Int(f[1])
	o.Buyer = f[2]
	o.Lines = p.Lines(f[3])
	o.Amount = p.Amount(f[4])
	o.Balance = p.Amount(f[5])
	for a := range strings.SplitSeq(f[6], AttemptSep) {
		if a != "" {
			o.Attempts = append(o.Attempts, p.attempt(a))
		}
	}
	o.Taken, o.Settled = p.Time(f[7]), p.Time(f[9])
	if f[8] != "" {
		from := start(&o)
		deadline := from + p.Int(f[8])
		if deadline < from {
			p.Fail("deadline %q is before the units were taken", f[8])
		}
		o.Deadline = time.UnixMilli(deadline)
	}
	if p.Err != nil {
		return o, fmt.Errorf("read the record of order %q: %w", id, p.Err)
	}
	return o, nil
}

// parts returns the buyer, the lines and the attempts of a record, without reading the
// rest.
func parts(record string) (buyer, lines, attempts string) {
	at := 0
	for rest := record; ; at++ {
		field, after, more := strings.Cut(rest, FieldSep)
		switch at {
		case 2:
			buyer = field
		case 3:
			lines = field
		case 6:
			return buyer, lines, field
		}
		if !more {
			return buyer, lines, ""
		}
		rest = after
	}
}

// HasAttempt reports whether a record has the confirm's attempt.
func HasAttempt(record string, c *Confirm) bool {
	_, _, attempts := parts(record)
	for a := range strings.SplitSeq(attempts, AttemptSep) {
		name, _, _ := strings.Cut(a, TriesSep)
		if len(name) > 2 && name[1] == '0'+byte(c.Version) && name[2:] == string(c.Attempt) {
			return true
		}
	}
	return false
}

// FieldReader reads the fields of what the store has written, and keeps the first error.
type FieldReader struct{ Err error }

// Int reads a whole number.
func (p *FieldReader) Int(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return n
	}
	f, unread := strconv.ParseFloat(s, 64)
	if unread != nil || !strings.Contains(s, "e+") || math.Abs(f) >= 1<<53 {
		p.Fail("%w", err)
		return 0
	}
	return int64(f) // the scripts of earlier versions wrote a time past 10^14 as 2.5160638605858e+14
}

// Amount reads a sum of money; empty is unknown.
func (p *FieldReader) Amount(s string) Amount {
	if s == "" {
		return Amount{}
	}
	return Amount{Value: p.Int(s), Known: true}
}

func (p *FieldReader) attempt(s string) (a Attempt) {
	name, tries, tried := strings.Cut(s, TriesSep)
	if len(name) < 3 || name[1] < '0' || name[1] > '9' {
		p.Fail("attempt %q is not a state, a version and an id", s)
		return a
	}
	a = Attempt{State: AttemptState(name[0]), Version: Version(name[1] - '0'), ID: name[2:]}
	if tried {
		a.Tries = p.Int(tries)
	}
	return a
}

// Time reads milliseconds since 1970; empty is the zero time.
func (p *FieldReader) Time(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	return time.UnixMilli(p.Int(s))
}

// Lines reads what AppendLines appends.
func (p *FieldReader) Lines(s string) []Line {
	var lines []Line
	for line := range strings.SplitSeq(s, ",") {
		sku, quantity, found := strings.Cut(line, ":")
		if !found {
			p.Fail("line %q has no quantity", line)
		}
		lines = append(lines, Line{SKU: sku, Quantity: p.Int(quantity)})
	}
	return lines
}

// Fail notes what cannot be read, unless something was noted before.
func (p *FieldReader) Fail(format string, args ...any) {
	if p.Err == nil {
		p.Err = fmt.Errorf(format, args...)
	}
}

// AppendHold appends the record of a new hold, also of one that waits for the shop's yes, without
// its times: the script adds them.
func AppendHold(b []byte, r *Request) []byte {
	c, state := &r.Confirm, OrderHeld
	if r.Asks {
		state = OrderAsking
	}
	b = append(b, RecordVersion, byte(state))
	b = append(b, FieldSep+"1"+FieldSep...)
	b = append(b, c.Buyer...)
	b = append(b, FieldSep...)
	b = AppendLines(b, c.Lines)
	b = append(b, FieldSep...)
	if c.Amount.Known {
		b = strconv.AppendInt(b, c.Amount.Value, 10)
	}
	b = append(b, FieldSep+FieldSep...)
	b = append(b, byte(AttemptOpen))
	b = AppendAttempt(b, c)
	return append(b, FieldSep...)
}

// AppendAttempt appends a confirm's attempt without its state.
func AppendAttempt(b []byte, c *Confirm) []byte {
	return append(append(b, '0'+byte(c.Version)), c.Attempt...)
}

// Package portone knows all of PortOne's field names. It decodes confirm calls and writes the answers
// to them, decodes webhooks, and looks payments up and cancels them by the REST APIs of V1 and V2.
//
// A scanner of its own (json.go) reads the bodies of calls, because what is bought depends on them. It
// accepts RFC 8259 to the letter, refuses members that occur twice, never rounds a number, bounds
// nesting, and allocates nothing, not even to refuse.
package portone

import (
	"bytes"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	contentTypeWant = "must be application/json or application/x-www-form-urlencoded"
	bodyWant        = "must be a confirm call of PortOne, V1 or V2"
	jsonWant        = "must be one JSON object"
	nestingWant     = "must not be nested more than 100 deep"
	mixedWant       = "must not mix the fields of two PortOne versions"
	onceWant        = "must be given once"
	typeWant        = "must be Transaction.Confirm"
	timestampWant   = "must be a time as in RFC 3339"
)

// shape is where one kind of confirm call keeps what it is about. A body is of
// the shape that any of its fields belongs to.
type shape struct {
	version                gate.Version
	order, attempt, amount field
	amountOptional         bool  // older V1 calls have a status instead
	kind, timestamp, store field // unknown if the shape has no such field
}

var shapes = [...]shape{
	{version: gate.V1, order: merchantUID, attempt: impUID, amount: amount, amountOptional: true},
	{version: gate.V2, order: paymentID, attempt: txID, amount: totalAmount},
	{
		version: gate.V2, order: dataPaymentID, attempt: dataTransactionID, amount: dataTotalAmount, kind: kind,
		timestamp: timestamp, store: dataStoreID,
	},
}

// Decode reads the body of a confirm call into c's Order, Attempt and Amount,
// and leaves the rest of c alone. Every byte kept is copied into c's own slices.
//
// It takes V1 and V2's 2024-01-01 as JSON or as a form, and V2's 2024-04-25 as
// JSON. Unknown fields are ignored. Only what was decoded has a version; without
// one the verdict is a BadRequest that names what could not be read, and c keeps
// what was read before that. An amount that V1 does not send is left unknown. A call
// of another store than the given one is refused too, once all of it was read.
func Decode(c *gate.Confirm, contentType, body []byte, store Store) (gate.Version, gate.Verdict) {
	c.Order, c.Attempt, c.Amount = c.Order[:0], c.Attempt[:0], gate.Amount{}
	var m message
	if v, ok := m.read(contentType, body, inObject, inForm); !ok {
		return gate.NoVersion, v
	}
	return m.decode(c, store)
}

// read takes a body apart by its content type. It reports whether that could be
// done; the verdict says why not.
func (m *message) read(contentType, body []byte, object, form scope) (gate.Verdict, bool) {
	mediaType, _, _ := bytes.Cut(contentType, []byte(";"))
	mediaType = bytes.TrimSpace(mediaType)
	switch {
	case bytes.EqualFold(mediaType, []byte("application/json")):
		if want := m.readJSON(body, object); want != "" {
			return gate.Malformed("body", want), false
		}
	case bytes.EqualFold(mediaType, []byte("application/x-www-form-urlencoded")):
		m.readForm(body, form)
	default:
		return gate.Malformed("Content-Type", contentTypeWant), false
	}
	if m.repeated != unknown {
		return gate.Malformed(m.repeated.String(), onceWant), false
	}
	return gate.Verdict{}, true
}

func (m *message) decode(c *gate.Confirm, store Store) (gate.Version, gate.Verdict) {
	var found *shape
	for i := range shapes {
		if !m.touches(&shapes[i]) {
			continue
		}
		if found != nil {
			return gate.NoVersion, gate.Malformed("body", mixedWant)
		}
		found = &shapes[i]
	}
	switch {
	case found != nil:
	case m.has(kind):
		found = &shapes[len(shapes)-1]
	default:
		return gate.NoVersion, gate.Malformed("body", bodyWant)
	}
	version, v := found.decode(c, m)
	if version == gate.NoVersion {
		return version, v
	}
	if v, ok := store.takes(m.values[found.store]); !ok {
		return gate.NoVersion, v
	}
	return version, v
}

// touches reports whether the shape's own fields are there. A type or a
// timestamp says little: it may be an unknown field of another version.
func (m *message) touches(s *shape) bool {
	return m.has(s.order) || m.has(s.attempt) || m.has(s.amount)
}

func (s *shape) decode(c *gate.Confirm, m *message) (gate.Version, gate.Verdict) {
	if s.kind != unknown && !m.values[s.kind].is("Transaction.Confirm") {
		return gate.NoVersion, gate.Malformed(s.kind.String(), typeWant)
	}
	if s.timestamp != unknown && !m.values[s.timestamp].isTime() {
		return gate.NoVersion, gate.Malformed(s.timestamp.String(), timestampWant)
	}
	var ok bool
	if c.Order, ok = m.values[s.order].appendID(c.Order); !ok {
		return gate.NoVersion, gate.Malformed(s.order.String(), gate.WantID)
	}
	if c.Attempt, ok = m.values[s.attempt].appendID(c.Attempt); !ok {
		return gate.NoVersion, gate.Malformed(s.attempt.String(), gate.WantID)
	}
	if s.amountOptional && !m.has(s.amount) {
		return s.version, gate.Verdict{}
	}
	if c.Amount.Value, c.Amount.Known = m.values[s.amount].amount(); !c.Amount.Known {
		return gate.NoVersion, gate.Malformed(s.amount.String(), gate.WantAmount)
	}
	return s.version, gate.Verdict{}
}

// appendID returns the id in v, in the memory of dst. If v is no id, it returns dst emptied, and false.
func (v value) appendID(dst []byte) ([]byte, bool) {
	id, ok := v.appendText(dst[:0], gate.MaxID)
	if !ok || !gate.ValidID(id) {
		return id[:0], false
	}
	return id, true
}

func (v value) is(want string) bool {
	var scratch [maxText]byte
	text, ok := v.appendText(scratch[:0], len(want))
	return ok && string(text) == want
}

func (v value) isTime() bool {
	var scratch [maxText]byte
	var t time.Time
	text, ok := v.appendText(scratch[:0], len("2006-01-02T15:04:05.000000000+09:00"))
	return ok && t.UnmarshalText(text) == nil
}

// amount returns the amount in v: a JSON number, or a form's text that is one.
func (v value) amount() (int64, bool) {
	if v.syntax == jsonNumber {
		return parseAmount(v.raw)
	}
	var scratch [maxText]byte
	text, ok := v.appendText(scratch[:0], gate.MaxID)
	if v.syntax != formText || !ok || len(text) == 0 || numberLen(text) != len(text) {
		return 0, false
	}
	return parseAmount(text)
}

// parseAmount returns the value of a JSON number if it is a whole one from 0 to
// gate.MaxAmount. Senders that keep amounts as doubles write 110000.0 or 1.1E7,
// so these are read too, exactly; a number whose exponent makes it less, such as
// 10e-1, is not.
func parseAmount(number []byte) (int64, bool) { return parseDecimal(number, 0) }

// parseDecimal returns the value of a JSON number in units of 10^-places, if it is a whole number of
// them and lies between 0 and gate.MaxAmount.
func parseDecimal(number []byte, places int) (int64, bool) {
	most, zeros := int64(gate.MaxAmount), int64(0)
	for range places {
		most *= 10
	}
	if e := bytes.IndexAny(number, "eE"); e >= 0 {
		var ok bool
		if zeros, ok = parseDigits(0, bytes.TrimPrefix(number[e+1:], []byte("+")), most); !ok {
			return 0, false
		}
		number = number[:e]
	}
	whole, fraction, _ := bytes.Cut(number, []byte("."))
	fraction = bytes.TrimRight(fraction, "0")
	zeros += int64(places - len(fraction))
	n, ok := parseDigits(0, whole, most)
	if ok {
		n, ok = parseDigits(n, fraction, most)
	}
	if !ok || zeros < 0 || zeros > int64(12+places) {
		return 0, false
	}
	for range zeros {
		n *= 10
		if n > most {
			return 0, false
		}
	}
	return n, true
}

// parseDigits reads digits that continue the number n. It fails at anything
// else, such as a sign, and where the number would pass the most that it may be.
func parseDigits(n int64, digits []byte, most int64) (int64, bool) {
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int64(c-'0'); n > most {
			return 0, false
		}
	}
	return n, true
}

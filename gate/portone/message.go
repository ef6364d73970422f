package portone

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/flashgate/flashgate/gate"
)

// field is a field of a confirm call or a webhook that matters.
type field uint8

const (
	unknown field = iota // any other field; ignored
	merchantUID
	impUID
	amount
	paymentID
	txID
	totalAmount
	kind
	timestamp
	data
	dataPaymentID
	dataTransactionID
	dataTotalAmount
	dataStoreID
	status // of webhooks only
	fields // how many there are
)

var fieldNames = [fields]string{
	merchantUID: "merchant_uid", impUID: "imp_uid", amount: "amount",
	paymentID: "payment_id", txID: "tx_id", totalAmount: "total_amount",
	kind: "type", timestamp: "timestamp", data: "data",
	dataPaymentID: "data.paymentId", dataTransactionID: "data.transactionId", dataTotalAmount: "data.totalAmount",
	dataStoreID: "data.storeId",
	status:      "status",
}

// String returns the field's name as PortOne spells it.
func (f field) String() string { return fieldNames[f] }

// scope is where in a body a name stands; it decides which names are known.
type scope uint8

const (
	anywhere scope = iota // where no name is known
	inForm
	inObject
	inData
	inWebhookForm
	inWebhook
)

// find returns the field that has the given name in the scope.
func (s scope) find(name value) field {
	if s == anywhere {
		return unknown
	}
	const longest = len("transactionId")
	var scratch [escaped * longest]byte
	text, ok := name.appendText(scratch[:0], longest)
	if !ok {
		return unknown
	}
	if s == inData {
		switch string(text) {
		case "paymentId":
			return dataPaymentID
		case "transactionId":
			return dataTransactionID
		case "totalAmount":
			return dataTotalAmount
		case "storeId":
			return dataStoreID
		}
		return unknown
	}
	switch string(text) {
	case "merchant_uid":
		return merchantUID
	case "imp_uid":
		return impUID
	case "amount":
		return amount
	case "payment_id":
		return paymentID
	case "tx_id":
		return txID
	case "total_amount":
		return totalAmount
	}
	if s >= inWebhookForm && string(text) == "status" {
		return status
	}
	if s == inForm || s == inWebhookForm {
		return unknown
	}
	switch string(text) {
	case "type":
		return kind
	case "timestamp":
		return timestamp
	case "data":
		return data
	}
	return unknown
}

// message is a body taken apart: its fields as they were written.
type message struct {
	values   [fields]value
	repeated field // the first field that was given twice
}

func (m *message) has(f field) bool { return m.values[f].syntax != absent }

func (m *message) note(f field, v value) {
	switch {
	case f == unknown:
	case !m.has(f):
		m.values[f] = v
	case m.repeated == unknown:
		m.repeated = f
	}
}

// syntax is how a value is written in its body.
type syntax uint8

const (
	absent syntax = iota
	jsonText
	jsonNumber
	jsonOther // an object, an array, true, false or null
	formText
)

// value is one value, still escaped. Its bytes are the body's.
type value struct {
	syntax syntax
	raw    []byte
}

// escaped is how many bytes one may take up while it is escaped, as in \u0061.
const escaped = 6

// maxText is the room that the longest text that matters may take up.
const maxText = escaped * gate.MaxID

// appendText appends v's text to dst. It fails if v is not a text, if the text cannot fit into
// limit bytes, and if it has an escape of an unprintable character.
func (v value) appendText(dst []byte, limit int) ([]byte, bool) {
	switch {
	case len(v.raw) > escaped*limit:
		return dst, false
	case v.syntax == jsonText:
		return appendJSONText(dst, v.raw)
	case v.syntax == formText:
		return appendFormText(dst, v.raw)
	}
	return dst, false
}

// appendJSONText appends what stands between a JSON string's quotes. The
// escapes are known to be well-formed.
func appendJSONText(dst, raw []byte) ([]byte, bool) {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...), true
		}
		dst = append(dst, raw[:i]...)
		raw = raw[i+1:]
		switch raw[0] {
		case '"', '\\', '/':
			dst, raw = append(dst, raw[0]), raw[1:]
		case 'u':
			r := unhexRune(raw[1:5])
			raw = raw[5:]
			if utf16.IsSurrogate(r) {
				if !bytes.HasPrefix(raw, []byte(`\u`)) {
					return dst, false
				}
				if r = utf16.DecodeRune(r, unhexRune(raw[2:6])); r == utf8.RuneError {
					return dst, false
				}
				raw = raw[6:]
			}
			dst = utf8.AppendRune(dst, r)
		default: // \b \f \n \r \t
			return dst, false
		}
	}
}

func unhexRune(digits []byte) rune {
	var r rune
	for _, c := range digits {
		r = r<<4 | rune(unhex(c))
	}
	return r
}

// notHex is more than the value of any hexadecimal digit.
const notHex = 16

// unhex returns the value of a hexadecimal digit, or notHex.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return notHex
}

// readForm takes apart a body of application/x-www-form-urlencoded whose names
// are known in the scope.
func (m *message) readForm(body []byte, in scope) {
	for more := true; more; {
		var pair []byte
		pair, body, more = bytes.Cut(body, []byte("&"))
		name, raw, _ := bytes.Cut(pair, []byte("="))
		m.note(in.find(value{formText, name}), value{formText, raw})
	}
}

func appendFormText(dst, raw []byte) ([]byte, bool) {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case '+':
			dst = append(dst, ' ')
		case '%':
			if i+2 >= len(raw) {
				return dst, false
			}
			high, low := unhex(raw[i+1]), unhex(raw[i+2])
			if max(high, low) == notHex {
				return dst, false
			}
			dst = append(dst, high<<4|low)
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst, true
}

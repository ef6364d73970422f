package portone

import "bytes"

// maxDepth bounds how deep a body may be nested, and so what a hostile one costs.
const maxDepth = 100

// scanner reads a JSON document from front to back. At a syntax error it moves to the end, so that
// every loop over it ends too.
type scanner struct {
	b    []byte
	at   int
	want string // what is wrong with the document; empty while nothing is
}

// readJSON takes apart a body of application/json whose outermost names are known
// in the scope. It returns what the body must be, or nothing where it is that.
func (m *message) readJSON(body []byte, in scope) string {
	s := scanner{b: body}
	if s.peek() != '{' {
		return jsonWant
	}
	s.object(m, in, 1)
	if s.peek(); s.at < len(s.b) {
		s.fail(jsonWant)
	}
	return s.want
}

// object reads an object, and notes in m those of its members that are known
// in the scope.
func (s *scanner) object(m *message, in scope, depth int) {
	s.at++
	for first := true; s.more('}', first); first = false {
		name := in.find(value{jsonText, s.text()})
		if !s.accept(':') {
			s.fail(jsonWant)
		}
		inner := anywhere
		if name == data {
			inner = inData
		}
		m.note(name, s.value(m, inner, depth))
	}
}

func (s *scanner) array(m *message, depth int) {
	s.at++
	for first := true; s.more(']', first); first = false {
		s.value(m, anywhere, depth)
	}
}

// value reads any value. in is the scope of its names, if it is an object.
func (s *scanner) value(m *message, in scope, depth int) value {
	switch c := s.peek(); c {
	case '"':
		return value{jsonText, s.text()}
	case '{', '[':
		switch {
		case depth == maxDepth:
			s.fail(nestingWant)
		case c == '{':
			s.object(m, in, depth+1)
		default:
			s.array(m, depth+1)
		}
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		return value{jsonNumber, s.number()}
	}
	return value{syntax: jsonOther}
}

// more steps to the next item of an object or an array, or past its end.
func (s *scanner) more(end byte, first bool) bool {
	if s.accept(end) {
		return false
	}
	if !first && !s.accept(',') {
		s.fail(jsonWant)
	}
	return s.want == ""
}

// text reads a string and returns what stands between its quotes, its escapes
// checked but still there.
func (s *scanner) text() []byte {
	if !s.accept('"') {
		s.fail(jsonWant)
		return nil
	}
	start := s.at
	for s.at < len(s.b) {
		switch c := s.b[s.at]; {
		case c == '"':
			s.at++
			return s.b[start : s.at-1]
		case c == '\\':
			s.escape()
		case c < ' ':
			s.fail(jsonWant)
		default:
			s.at++
		}
	}
	s.fail(jsonWant)
	return nil
}

// escape steps over an escape in a string.
func (s *scanner) escape() {
	rest := s.b[s.at+1:]
	if len(rest) > 0 && bytes.IndexByte([]byte(`"\/bfnrt`), rest[0]) >= 0 {
		s.at += 2
		return
	}
	if len(rest) < 5 || rest[0] != 'u' {
		s.fail(jsonWant)
		return
	}
	for _, c := range rest[1:5] {
		if unhex(c) == notHex {
			s.fail(jsonWant)
			return
		}
	}
	s.at += 6
}

func (s *scanner) number() []byte {
	start := s.at
	n := numberLen(s.b[start:])
	if n == 0 {
		s.fail(jsonWant)
		return nil
	}
	s.at += n
	return s.b[start:s.at]
}

// numberLen returns the length of the JSON number that b starts with, or 0.
func numberLen(b []byte) int {
	i := 0
	if i < len(b) && b[i] == '-' {
		i++
	}
	n := digitsLen(b[i:])
	if n == 0 {
		return 0
	}
	if b[i] == '0' {
		n = 1
	}
	i += n
	if i < len(b) && b[i] == '.' {
		if n = digitsLen(b[i+1:]); n == 0 {
			return 0
		}
		i += 1 + n
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if n = digitsLen(b[i:]); n == 0 {
			return 0
		}
		i += n
	}
	return i
}

func digitsLen(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
}

func (s *scanner) literal(word string) {
	if !bytes.HasPrefix(s.b[s.at:], []byte(word)) {
		s.fail(jsonWant)
		return
	}
	s.at += len(word)
}

// peek skips white space and returns the byte behind it, or 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.b); s.at++ {
		switch c := s.b[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) fail(want string) {
	if s.want == "" {
		s.want = want
	}
	s.at = len(s.b)
}

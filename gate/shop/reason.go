package shop

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flashgate/flashgate/gate"
)

// reasonIn returns what the body of a no wants the buyer to read, as it may be
// shown; empty where there is no such thing. A body that was cut off, or is in
// another encoding than UTF-8, says nothing.
func reasonIn(body []byte) string {
	var said struct {
		Reason string `json:"reason"`
	}
	if !utf8.Valid(body) || json.Unmarshal(body, &said) != nil {
		return ""
	}
	text := strings.Join(strings.Fields(strings.Map(shown, said.Reason)), " ")
	if len(text) > gate.MaxMessage {
		text = strings.TrimSpace(strings.ToValidUTF8(text[:gate.MaxMessage], ""))
	}
	return text
}

// shown is the character as a buyer sees it: white space is a space, and what
// cannot be seen, or turns the text around, is dropped.
func shown(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case r == utf8.RuneError || !unicode.IsPrint(r): // the first stands for half a surrogate pair
		return -1
	}
	return r
}

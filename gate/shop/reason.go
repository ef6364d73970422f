package shop

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flashgate/flashgate/gate"
)

// reasonIn returns the sentence for the buyer in the body of a no, fit to be shown; empty if the body has no such
// sentence, was cut off, or is not UTF-8.
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

// shown is a character as a buyer sees it: white space becomes a space, and characters that are
// invisible or change the direction of text are dropped.
func shown(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case r == utf8.RuneError || !unicode.IsPrint(r): // the first stands for half a surrogate pair
		return -1
	}
	return r
}

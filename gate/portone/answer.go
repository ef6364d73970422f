package portone

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/flashgate/flashgate/gate"
)

// Answers words the bodies of answers in one language. It never changes, so it
// may be used by any number of goroutines at once.
type Answers struct {
	words  wording
	bodies [][]byte // by code
	causes [][]byte // by cause: that of its code, or one of its own
}

// NewAnswers returns the answers in the given language, "ko" or "en".
func NewAnswers(language string) (*Answers, error) {
	switch language {
	case "ko":
		return newAnswers(korean()), nil
	case "en":
		return newAnswers(english()), nil
	}
	return nil, fmt.Errorf("no sentences in language %q: use ko or en", language)
}

func newAnswers(words wording) *Answers {
	a := &Answers{words: words, bodies: make([][]byte, len(gate.Codes())), causes: make([][]byte, len(gate.Causes())+1)}
	for _, code := range gate.Codes() {
		a.bodies[code] = refusal(code, words.codes[code])
	}
	a.bodies[gate.Held] = []byte(`{"code":"held"}`)
	for _, cause := range gate.Causes() {
		a.causes[cause] = a.bodies[cause.Code()]
		if sentence, ok := words.causes[cause]; ok {
			a.causes[cause] = refusal(cause.Code(), sentence)
		}
	}
	return a
}

// With returns the answers with some of their sentences replaced, by the names
// of their codes; what replaces a code's stands for all its causes. A name that is
// no refusal's changes nothing: gate.Sale's Validate has refused it where it was
// written.
func (a *Answers) With(messages map[string]string) *Answers {
	words := a.words
	words.codes, words.causes = maps.Clone(words.codes), maps.Clone(words.causes)
	for name, text := range messages {
		if code, ok := gate.ParseCode(name); ok {
			words.codes[code] = text
			maps.DeleteFunc(words.causes, func(cause gate.Cause, _ string) bool { return cause.Code() == code })
		}
	}
	return newAnswers(words)
}

// Refund returns what PortOne is told with a cancellation for the given reason: the
// sentence of a sale with these messages.
func (a *Answers) Refund(reason gate.RefundReason, messages map[string]string) string {
	if text, ok := messages[reason.Message()]; ok {
		return text
	}
	return a.words.refunds[reason]
}

// Body returns the JSON body that answers v. It is shared: nobody may write to
// it. Two kinds of verdict get a new one: a ShopRefused with the shop's reason, and a
// BadRequest that names a field, whose sentence tells whoever sets the shop up what the
// field must be. A BadRequest with a cause names no field: its sender could not mend it.
func (a *Answers) Body(v gate.Verdict) []byte {
	switch {
	case v.Code == gate.ShopRefused && v.Reason != "":
		return refusal(v.Code, v.Reason)
	case v.Cause != gate.NoCause:
		return a.causes[v.Cause]
	case v.Code == gate.BadRequest && v.Field != "":
		return refusal(v.Code, a.words.codes[v.Code]+" ("+v.Field+" "+v.Want+")")
	}
	return a.bodies[v.Code]
}

// refusal returns a refusal's body: V1 of PortOne reads reason, V2 errorMessage.
// The sentence ends up in the buyer's page, so <, > and & are escaped.
func refusal(code gate.Code, sentence string) []byte {
	return marshal(struct {
		Code         string `json:"code"`
		Reason       string `json:"reason"`
		ErrorMessage string `json:"errorMessage"`
	}{code.String(), sentence, sentence})
}

// marshal returns the JSON of texts and whole numbers, which always have one.
func marshal(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}

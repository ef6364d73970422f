package portone

import (
	"encoding/json"
	"fmt"

	"github.com/flashgate/flashgate/gate"
)

// Answers words the bodies of answers in one language. It never changes, so it
// may be used by any number of goroutines at once.
type Answers struct {
	sentences []string // by code; empty for gate.Held
	bodies    [][]byte // by code
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

func newAnswers(sentences map[gate.Code]string) *Answers {
	codes := gate.Codes()
	a := &Answers{sentences: make([]string, len(codes)), bodies: make([][]byte, len(codes))}
	for _, code := range codes {
		a.sentences[code] = sentences[code]
		a.bodies[code] = refusal(code, sentences[code])
	}
	a.bodies[gate.Held] = []byte(`{"code":"held"}`)
	return a
}

// With returns the answers with some of their sentences replaced, by the names
// of their codes. A name that is no refusal's changes nothing: gate.Sale's
// Validate has refused it where it was written.
func (a *Answers) With(messages map[string]string) *Answers {
	sentences := make(map[gate.Code]string, len(a.sentences))
	for _, code := range gate.Codes() {
		sentences[code] = a.sentences[code]
		if text, ok := messages[code.String()]; ok {
			sentences[code] = text
		}
	}
	return newAnswers(sentences)
}

// Body returns the JSON body that answers v. It is shared: nobody may write to
// it. Only a BadRequest that names a field of the request makes a new one, and says
// in it, for whoever sets the shop up, what the field must be. What has a cause is
// nothing that whoever sent it could change.
func (a *Answers) Body(v gate.Verdict) []byte {
	if v.Code != gate.BadRequest || v.Field == "" || v.Cause != gate.NoCause {
		return a.bodies[v.Code]
	}
	return refusal(v.Code, a.sentences[v.Code]+" ("+v.Field+" "+v.Want+")")
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

package portone

import "github.com/flashgate/flashgate/gate"

const webhookWant = "must be a webhook of PortOne, V1 or V2"

// Webhook is what PortOne says has happened to a payment. Nothing of it is to be
// believed before the payment was looked up: V1 signs nothing.
type Webhook struct {
	Version gate.Version
	Order   string // empty where the webhook is about something else, such as a billing key
	Attempt string // empty where it is not given
	Kind    string // PortOne's own word, such as "paid" or "Transaction.Paid"; empty if it has none
	Store   string // of V2's; empty where it is not given
}

// webhookShape is where one kind of webhook keeps what it is about.
type webhookShape struct {
	version              gate.Version
	order, attempt, kind field
	store                field // unknown if the shape has no such field
	anything             bool  // it may be about other things than payments
}

var webhookShapes = [...]webhookShape{
	{version: gate.V1, order: merchantUID, attempt: impUID, kind: status},
	{version: gate.V2, order: paymentID, attempt: txID, kind: status},
	{
		version: gate.V2, order: dataPaymentID, attempt: dataTransactionID, kind: kind, store: dataStoreID,
		anything: true,
	},
}

// DecodeWebhook reads the body of a webhook: V1 and V2's 2024-01-01 as JSON or as
// a form, V2's 2024-04-25 as JSON. Unknown kinds and fields are no reason to
// refuse it. Only what was decoded has a version; without one the verdict is a
// BadRequest that names what could not be read.
func DecodeWebhook(contentType, body []byte) (Webhook, gate.Verdict) {
	var m message
	if v, ok := m.read(contentType, body, inWebhook, inWebhookForm); !ok {
		return Webhook{}, v
	}
	var found *webhookShape
	for i := range webhookShapes {
		s := &webhookShapes[i]
		if !m.has(s.order) && !m.has(s.attempt) {
			continue
		}
		if found != nil {
			return Webhook{}, gate.Malformed("body", mixedWant)
		}
		found = s
	}
	switch {
	case found != nil:
	case m.has(kind):
		found = &webhookShapes[len(webhookShapes)-1]
	default:
		return Webhook{}, gate.Malformed("body", webhookWant)
	}
	return found.decode(&m)
}

func (s *webhookShape) decode(m *message) (Webhook, gate.Verdict) {
	w := Webhook{Version: s.version}
	for _, part := range []struct {
		field  field
		needed bool
		text   *string
	}{
		{s.order, !s.anything, &w.Order},
		{s.attempt, !s.anything, &w.Attempt},
		{s.kind, s.anything, &w.Kind},
		{s.store, false, &w.Store},
	} {
		if !part.needed && !m.has(part.field) {
			continue
		}
		text, ok := m.values[part.field].appendID(nil)
		if !ok {
			return Webhook{}, gate.Malformed(part.field.String(), gate.WantID)
		}
		*part.text = string(text)
	}
	return w, gate.Verdict{}
}

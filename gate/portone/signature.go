package portone

import (
	"errors"
	"fmt"
	"net/http"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate"
)

// Secrets verify what V2 signs by Standard Webhooks: its confirm calls and its
// webhooks. A nil *Secrets takes none of them; Unverified takes all.
type Secrets struct{ set gate.Replaceable[secretSet] }

// secretSet is the current set of secrets. The zero value takes no call.
type secretSet struct {
	hooks []*standardwebhooks.Webhook
	open  bool // calls are not verified
}

func newSecrets(set secretSet) *Secrets {
	s := &Secrets{}
	s.set.Set(set)
	return s
}

// Replace puts the other secrets in the place of s's.
func (s *Secrets) Replace(other *Secrets) { s.set.Replace(&other.set) }

func (s *Secrets) current() (set secretSet) {
	if s != nil {
		set = s.set.Now()
	}
	return set
}

// Unverified returns secrets that verify nothing and take every call.
func Unverified() *Secrets { return newSecrets(secretSet{open: true}) }

// ParseSecrets reads secrets as PortOne's console shows them, "whsec_BASE64",
// with commas between: while one is being replaced both are valid. Its errors
// never show a secret.
func ParseSecrets(text string) (*Secrets, error) {
	keys, err := gate.WebhookSecrets(text, "webhook", "copy it from PortOne's console")
	if err != nil {
		return nil, err
	}
	s := secretSet{}
	for _, key := range keys {
		hook, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return nil, fmt.Errorf("use a webhook secret: %w", err)
		}
		s.hooks = append(s.hooks, hook)
	}
	return newSecrets(s), nil
}

// Verify reports whether a secret has signed a body, by the three headers that
// Standard Webhooks has: webhook-id, webhook-timestamp, webhook-signature. The
// verdict says why not.
func (s *Secrets) Verify(body []byte, id, timestamp, signature string) (gate.Verdict, bool) {
	set := s.current()
	if set.open {
		return gate.Verdict{}, true
	}
	headers := http.Header{}
	headers.Set(standardwebhooks.HeaderWebhookID, id)
	headers.Set(standardwebhooks.HeaderWebhookTimestamp, timestamp)
	headers.Set(standardwebhooks.HeaderWebhookSignature, signature)
	var err error
	for _, hook := range set.hooks {
		if err = hook.Verify(body, headers); err == nil {
			return gate.Verdict{}, true
		}
	}
	return gate.RefuseFor(causeOf(err)), false
}

func causeOf(err error) gate.Cause {
	switch {
	case errors.Is(err, standardwebhooks.ErrRequiredHeaders):
		return gate.CallUnsigned
	case errors.Is(err, standardwebhooks.ErrMessageTooOld), errors.Is(err, standardwebhooks.ErrMessageTooNew):
		return gate.CallStale
	}
	return gate.CallMismatch
}

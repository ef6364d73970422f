package portone

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Secrets verify what V2 signs by Standard Webhooks: its confirm calls and its
// webhooks. A nil *Secrets verifies nothing.
type Secrets struct{ hooks []*standardwebhooks.Webhook }

// minSecret is how long a secret must be, in bytes, so that a part of one that
// was pasted by mistake does not pass. PortOne's have 32.
const minSecret = 16

// ParseSecrets reads secrets as PortOne's console shows them, "whsec_BASE64",
// with commas between: while one is being replaced both are valid. Its errors
// never show a secret.
func ParseSecrets(text string) (*Secrets, error) {
	s := &Secrets{}
	for i, secret := range strings.Split(strings.TrimSpace(text), ",") {
		encoded, found := strings.CutPrefix(strings.TrimSpace(secret), "whsec_")
		hook, err := standardwebhooks.NewWebhook(encoded)
		if !found || err != nil || len(encoded) < minSecret*4/3 {
			return nil, fmt.Errorf("webhook secret %d is not whsec_ and base64 of at least %d bytes: copy it from PortOne's console", i+1, minSecret)
		}
		s.hooks = append(s.hooks, hook)
	}
	return s, nil
}

// ErrUnsigned says that a call of V2 does not have the signature of any secret,
// or that it is more than five minutes old.
var ErrUnsigned = errors.New("no secret has signed this call, or it is too old")

// Verify checks the signature of a body by the three headers that Standard
// Webhooks has: webhook-id, webhook-timestamp, webhook-signature.
func (s *Secrets) Verify(body []byte, id, timestamp, signature string) error {
	if s == nil {
		return nil
	}
	headers := http.Header{}
	headers.Set(standardwebhooks.HeaderWebhookID, id)
	headers.Set(standardwebhooks.HeaderWebhookTimestamp, timestamp)
	headers.Set(standardwebhooks.HeaderWebhookSignature, signature)
	for _, hook := range s.hooks {
		if hook.Verify(body, headers) == nil {
			return nil
		}
	}
	return ErrUnsigned
}

// Takes reports whether a sale that accepts the named versions takes a call of
// version v. One that names none takes both, but where V2's calls are verified
// nothing of V1, which signs nothing: else leaving the signature out would be as
// easy as writing the older body.
func (s *Secrets) Takes(v Version, accept []string) bool {
	if len(accept) == 0 {
		return s == nil || v == V2
	}
	return slices.Contains(accept, v.String())
}

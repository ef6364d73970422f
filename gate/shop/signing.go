package shop

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate"
)

// Secrets sign messages to the shop by Standard Webhooks. Without any secret nothing is sent.
type Secrets struct {
	hooks gate.Replaceable[[]*standardwebhooks.Webhook]
}

// Replace puts the other secrets in the place of s's.
func (s *Secrets) Replace(other *Secrets) { s.hooks.Replace(&other.hooks) }

// ParseSecrets reads secrets, "whsec_BASE64" with commas between. Messages are signed with all of
// them, so that one can be replaced. Its errors never show a secret.
func ParseSecrets(text string) (*Secrets, error) {
	keys, err := gate.WebhookSecrets(text, "notify", "make one with (printf whsec_; openssl rand -base64 32)")
	if err != nil {
		return nil, err
	}
	var hooks []*standardwebhooks.Webhook
	for _, key := range keys {
		hook, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return nil, fmt.Errorf("use a notify secret: %w", err)
		}
		hooks = append(hooks, hook)
	}
	s := &Secrets{}
	s.hooks.Set(hooks)
	return s, nil
}

// given reports whether there is a secret to sign with.
func (s *Secrets) given() bool { return s != nil && len(s.hooks.Now()) > 0 }

// sign sets the headers that prove to the shop that the message is the gate's.
func (s *Secrets) sign(h http.Header, id string, at time.Time, body []byte) error {
	hooks := s.hooks.Now()
	if len(hooks) == 0 {
		return errors.New("there is no secret to sign a message to the shop with: set FLASHGATE_NOTIFY_SECRET " +
			"(whsec_…) or --notify-secret-file")
	}
	var signatures []string
	for _, hook := range hooks {
		signature, err := hook.Sign(id, at, body)
		if err != nil {
			return fmt.Errorf("sign a message to the shop: %w", err)
		}
		signatures = append(signatures, signature)
	}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}

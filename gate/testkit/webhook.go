package testkit

import (
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Webhook returns what signs and verifies messages as Standard Webhooks does, with a
// secret written as whsec_BASE64. A secret that cannot be read ends the test.
func Webhook(t testing.TB, secret string) *standardwebhooks.Webhook {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatalf("a secret of Standard Webhooks: %v", err)
	}
	return hook
}

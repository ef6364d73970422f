package cli

import (
	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/shop"
)

// keysFlag is how commands get the keys that links are signed with.
type keysFlag struct {
	SigningKey     *string             `hidden:"" secret:"value"`
	SigningKeyFile *cmdline.SecretFile `placeholder:"FILE" help:"File with the keys that confirm links are signed with, ID:BASE64 with commas between: the first signs, all verify. Or the keys themselves in FLASHGATE_SIGNING_KEY."`
}

func (f *keysFlag) given() bool { return f.SigningKey != nil || f.SigningKeyFile != nil }

// keys returns nil if none are given.
func (f *keysFlag) keys() (*gate.Keys, error) {
	return cmdline.Secret("signing-key", f.SigningKey, f.SigningKeyFile, gate.ParseKeys)
}

// webhookFlag is how commands get the secrets that V2 signs with.
type webhookFlag struct {
	WebhookSecret     *string             `hidden:"" secret:"value"`
	WebhookSecretFile *cmdline.SecretFile `placeholder:"FILE" help:"File with the secrets of PortOne V2, from its console (whsec_…); with them V2's confirm calls must be signed. V1's are never signed: a sale then takes them only if its accept names v1. Or the secrets themselves in FLASHGATE_WEBHOOK_SECRET."`
}

func (f *webhookFlag) given() bool { return f.WebhookSecret != nil || f.WebhookSecretFile != nil }

// secrets returns the secrets that are given. Without any, unsigned calls are taken.
func (f *webhookFlag) secrets() (*portone.Secrets, error) {
	if !f.given() {
		return portone.Unverified(), nil
	}
	return cmdline.Secret("webhook-secret", f.WebhookSecret, f.WebhookSecretFile, portone.ParseSecrets)
}

// notifyFlag is how serve gets the secrets that it signs with what it tells shops.
type notifyFlag struct {
	NotifySecret     *string             `hidden:"" secret:"value"`
	NotifySecretFile *cmdline.SecretFile `placeholder:"FILE" help:"File with the secrets that sign messages and questions to the shop (notify and ask in a sale) by Standard Webhooks: whsec_ and base64; two with a comma between while one is replaced. Or the secrets themselves in FLASHGATE_NOTIFY_SECRET."`
}

// notifySecrets returns nil if none are given.
func (f *notifyFlag) notifySecrets() (*shop.Secrets, error) {
	return cmdline.Secret("notify-secret", f.NotifySecret, f.NotifySecretFile, shop.ParseSecrets)
}

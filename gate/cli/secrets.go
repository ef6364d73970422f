package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/shop"
)

// keysFlag is how commands get the keys that links are signed with.
type keysFlag struct {
	SigningKey     *string `placeholder:"ID:BASE64,…" help:"Keys that confirm links are signed with: the first signs, all verify. Better in FLASHGATE_SIGNING_KEY or a file than here, where the process list shows it."`
	SigningKeyFile *string `placeholder:"FILE" help:"File with the keys, in the same form."`
}

func (f *keysFlag) given() bool { return f.SigningKey != nil || f.SigningKeyFile != nil }

// keys returns nil where none are given.
func (f *keysFlag) keys() (*gate.Keys, error) {
	return secret("signing-key", f.SigningKey, f.SigningKeyFile, gate.ParseKeys)
}

// webhookFlag is how commands get the secrets that V2 signs with.
type webhookFlag struct {
	WebhookSecret     *string `placeholder:"whsec_…" help:"Secrets of PortOne V2, from its console; with them V2's confirm calls must be signed, and V1's, which are not, need accept: [v1] in the sale. Better in FLASHGATE_WEBHOOK_SECRET or a file than here."`
	WebhookSecretFile *string `placeholder:"FILE" help:"File with the secrets."`
}

func (f *webhookFlag) given() bool { return f.WebhookSecret != nil || f.WebhookSecretFile != nil }

// secrets returns those that are given. To give none is to take what nobody signed.
func (f *webhookFlag) secrets() (*portone.Secrets, error) {
	if !f.given() {
		return portone.Unverified(), nil
	}
	return secret("webhook-secret", f.WebhookSecret, f.WebhookSecretFile, portone.ParseSecrets)
}

// notifyFlag is how serve gets the secrets that it signs with what it tells shops.
type notifyFlag struct {
	NotifySecret     *string `placeholder:"whsec_…" help:"Secrets that sign what the shop is told of a sale with notify, and asked in one with ask, by Standard Webhooks: whsec_ and base64; two with a comma between while one is replaced. Better in FLASHGATE_NOTIFY_SECRET or a file than here."`
	NotifySecretFile *string `placeholder:"FILE" help:"File with the secrets."`
}

// notifySecrets returns nil where none are given.
func (f *notifyFlag) notifySecrets() (*shop.Secrets, error) {
	return secret("notify-secret", f.NotifySecret, f.NotifySecretFile, shop.ParseSecrets)
}

// secret reads what is given as a flag or in a file, but not in both. It returns
// nil where it is in neither; a file that is empty is an error, for it must not
// leave the gate open.
func secret[T any](flag string, value, file *string, parse func(string) (*T, error)) (*T, error) {
	name, text := "--"+flag, ""
	switch {
	case value != nil && file != nil:
		return nil, fmt.Errorf("--%s and --%s-file: give one of them", flag, flag)
	case value != nil:
		text = *value
	case file != nil:
		name += "-file " + *file
		read, err := os.ReadFile(*file)
		if err != nil {
			return nil, fmt.Errorf("--%s-file: %w", flag, err)
		}
		text = string(read)
	default:
		return nil, nil
	}
	if text = strings.TrimSpace(text); text == "" {
		return nil, fmt.Errorf("%s: there is nothing in it", name)
	}
	parsed, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parsed, nil
}

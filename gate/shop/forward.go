// Package shop talks to the shop's own server.
package shop

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
)

// forwards is how many connections to the shop are kept for webhooks.
const forwards = 16

// Forwarder passes PortOne's webhooks on to the shop, because a notice_url in a
// payment takes the place of the webhook URL in PortOne's console.
type Forwarder struct {
	url    string
	client *http.Client
}

// NewForwarder returns a forwarder to the given URL.
func NewForwarder(url string) *Forwarder {
	return &Forwarder{url, newClient(forwards)}
}

// Forward posts a webhook as it came. It returns an error where the shop does
// not answer with a 2xx: then PortOne should send it again.
func (f *Forwarder) Forward(ctx context.Context, headers map[string]string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("pass a webhook on to the shop: %w", withoutURL(err))
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	switch status, err := send(f.client, request); {
	case err != nil:
		return fmt.Errorf("pass a webhook on to the shop: %w", err)
	case !taken(status):
		return fmt.Errorf("pass a webhook on to the shop: it answered %d", status)
	}
	return nil
}

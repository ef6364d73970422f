// Package shop talks to the shop's own server.
package shop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// forwardTimeout bounds one webhook that is passed on. PortOne waits 30 s.
const forwardTimeout = 10 * time.Second

// Forwarder passes PortOne's webhooks on to the shop, because a notice_url in a
// payment takes the place of the webhook URL in PortOne's console.
type Forwarder struct {
	url    string
	client *http.Client
}

// NewForwarder returns a forwarder to the given URL.
func NewForwarder(url string) *Forwarder {
	return &Forwarder{url, &http.Client{
		Timeout:       forwardTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Forward posts a webhook as it came. It returns an error where the shop does
// not answer with a 2xx: then PortOne should send it again.
func (f *Forwarder) Forward(ctx context.Context, headers map[string]string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("pass a webhook on to the shop: %w", err)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	answer, err := f.client.Do(request)
	if err != nil {
		return fmt.Errorf("pass a webhook on to the shop: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be kept
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("pass a webhook on to the shop: it answered %d", answer.StatusCode)
	}
	return nil
}

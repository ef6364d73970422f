package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// poster posts messages to shops, each of them signed.
type poster struct {
	client  *http.Client
	secrets *Secrets
	now     func() time.Time
}

// post posts a message to the shop, and returns the status and the body of the answer. If the shop
// closes a kept connection without an answer, the message is sent once more, so its id must be
// unique.
func (p *poster) post(ctx context.Context, to, id string, message any) (status int, body []byte, err error) {
	text, err := json.Marshal(message)
	if err != nil {
		return 0, nil, fmt.Errorf("encode a message to the shop: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(text))
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	if err := p.secrets.sign(request.Header, id, p.now(), text); err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", agent)
	onceMore(request)
	return send(p.client, request)
}

var errHungUp = errors.New("the connection was closed without an answer, twice")

// onceMore lets the client send a request once more. By itself the client would try every kept
// connection, and a shop that died has closed them all.
func onceMore(request *http.Request) {
	request.Header["Idempotency-Key"] = []string{} // an empty one is not sent
	again, whole := false, request.GetBody
	request.GetBody = func() (io.ReadCloser, error) {
		if again {
			return nil, errHungUp
		}
		again = true
		return whole()
	}
}

// close closes idle connections.
func (p *poster) close() { p.client.CloseIdleConnections() }

package shop

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// postTimeout bounds one call of the shop. PortOne waits 30 s for the answer to a
// webhook that is passed on.
const postTimeout = 10 * time.Second

// newClient returns a client that keeps as many connections to a shop open, and
// follows no redirect: what is sent is for the URL that was given.
func newClient(connections int) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = connections
	return &http.Client{
		Transport: transport, Timeout: postTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send sends a request and returns the status of the answer. Its errors never
// show the shop's URL, which may have a secret in it.
func send(client *http.Client, request *http.Request) (status int, err error) {
	answer, err := client.Do(request)
	if err != nil {
		return 0, withoutURL(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be kept
	return answer.StatusCode, nil
}

// taken reports whether a status says that the shop has taken what was sent.
func taken(status int) bool { return status >= 200 && status <= 299 }

// withoutURL is an error of the client without the shop's URL.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

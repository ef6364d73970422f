package shop

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// postTimeout bounds one call to the shop that no buyer waits for. PortOne waits 30 s for the
	// answer to a webhook that is passed on.
	postTimeout = 10 * time.Second
	// maxBody is how much of an answer's body is kept, in bytes. maxDropped more are read and
	// dropped, so that the connection can be kept.
	maxBody, maxDropped = 8 << 10, 64 << 10
	// maxHeader bounds the header of an answer, in bytes.
	maxHeader = 64 << 10
	// An HTTP/2 connection outlives its calls, so only a ping without an answer shows that it is
	// dead.
	pingAfter, pingTimeout = 2 * time.Second, time.Second

	agent = "flashgate"
)

// dialer opens connections to shops; nil stands for the network.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newClient returns a client that keeps the given number of connections to a shop open. It follows
// no redirect, because messages are for the given URL alone. patience bounds a call, and also its
// dial, which may outlive the call.
func newClient(connections int, patience time.Duration, dial dialer) *http.Client {
	if dial == nil {
		dial = (&net.Dialer{Timeout: patience}).DialContext
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext, transport.TLSHandshakeTimeout = dial, patience
	transport.MaxIdleConnsPerHost = connections
	transport.MaxIdleConns = max(transport.MaxIdleConns, connections)
	transport.MaxResponseHeaderBytes = maxHeader
	transport.DisableCompression = true // a body is bounded as it comes
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
	return &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send sends a request, and returns the status of the answer and the beginning of its body. Its
// errors never show the shop's URL, which may contain a secret.
func send(client *http.Client, request *http.Request) (status int, body []byte, err error) {
	answer, err := client.Do(request)
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusSwitchingProtocols { // its body is the connection, which does not end
		return answer.StatusCode, nil, nil
	}
	body, _ = io.ReadAll(io.LimitReader(answer.Body, maxBody))
	_, _ = io.CopyN(io.Discard, answer.Body, maxDropped)
	return answer.StatusCode, body, nil
}

// taken reports whether a status says that the shop has taken the message.
func taken(status int) bool { return status >= 200 && status <= 299 }

// withoutURL is an error of the client without the shop's URL.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

package shop

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/flashgate/flashgate/gate"
)

// Origin returns the scheme and the host of a URL of the shop: the part to connect to, which
// contains no secret. It is empty for a text that is not a URL.
func Origin(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Reach connects to the server of an origin as messages would, over TLS if it is https, and sends
// nothing. If a proxy is set, it connects only to the proxy. Its errors say what to do.
func Reach(ctx context.Context, origin string) error {
	return reach(ctx, http.DefaultTransport.(*http.Transport), origin)
}

func reach(ctx context.Context, way *http.Transport, origin string) error {
	request, err := http.NewRequest(http.MethodPost, origin, nil)
	if err != nil {
		return errors.New("the URL has no host that can be called: correct it")
	}
	to := request.URL
	if way.Proxy != nil {
		proxy, err := way.Proxy(request)
		switch {
		case err != nil:
			return errors.New("the proxy in the environment is none: correct HTTPS_PROXY or HTTP_PROXY")
		case proxy != nil && proxy.Scheme != "http" && proxy.Scheme != "https":
			return &gate.UnknownError{Reason: "the way to it is by a proxy of SOCKS, which is not tried"}
		case proxy != nil:
			if err := connect(ctx, way, proxy); err != nil {
				return fmt.Errorf("the proxy to it, %s, cannot be reached (%s): correct HTTPS_PROXY, or NO_PROXY",
					proxy.Host, gate.Unreachable(err))
			}
			return nil
		}
	}
	if err := connect(ctx, way, to); err != nil {
		return fmt.Errorf("it cannot be reached from this gate (%s): start the shop's server, correct the URL, or "+
			"open the way to it", gate.Unreachable(err))
	}
	return nil
}

// connect makes a connection as the transport would, and closes it.
func connect(ctx context.Context, way *http.Transport, to *url.URL) error {
	port := to.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[to.Scheme]
	}
	conn, err := way.DialContext(ctx, "tcp", net.JoinHostPort(to.Hostname(), port))
	if err != nil {
		return err
	}
	defer conn.Close() // nothing was sent, so nothing is lost
	if to.Scheme != "https" {
		return nil
	}
	config := &tls.Config{}
	if way.TLSClientConfig != nil {
		config = way.TLSClientConfig.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = to.Hostname()
	}
	return tls.Client(conn, config).HandshakeContext(ctx)
}

package shop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func TestAnOriginHasNoSecretOfItsURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://shop.example.com/changes?token=secret": "https://shop.example.com",
		"http://shop.example.com:8080/secret/path":      "http://shop.example.com:8080",
		"https://user:secret@shop.example.com/":         "https://shop.example.com",
		"https://[::1]:8443/x":                          "https://[::1]:8443",
		"":                                              "", "/only/a/path": "", "http://[::1": "",
	} {
		if got := Origin(text); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// counted is a server that counts the requests that it gets.
func counted(t *testing.T, start func(*httptest.Server)) (s *httptest.Server, requests chan string) {
	t.Helper()
	requests = make(chan string, 10)
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request,
	) {
		requests <- r.Method
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	start(s)
	t.Cleanup(s.Close)
	return s, requests
}

func TestTheShopIsConnectedToAndSentNothing(t *testing.T) {
	t.Parallel()
	plain, asked := counted(t, (*httptest.Server).Start)
	secure, askedToo := counted(t, (*httptest.Server).StartTLS)
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	f := func(what, origin string, roots *x509.CertPool, want string) {
		t.Helper()
		way := &http.Transport{DialContext: (&net.Dialer{}).DialContext, TLSClientConfig: &tls.Config{RootCAs: roots}}
		err := reach(t.Context(), way, origin)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
	}
	f("plain", plain.URL, nil, "")
	f("secure", secure.URL, trusted, "")
	f("a certificate of nobody", secure.URL, x509.NewCertPool(),
		"certificate signed by unknown authority): start the shop's server, correct the URL")
	f("another name", strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), trusted, "not localhost")
	f("no TLS", strings.Replace(plain.URL, "http", "https", 1), trusted, "it cannot be reached from this gate")
	plain.Close()
	secure.Close()
	f("gone", plain.URL, nil, "(connect: connection refused)")
	if len(asked)+len(askedToo) > 0 {
		t.Errorf("requests were sent: %d and %d", len(asked), len(askedToo))
	}
}

func TestAShopThatIsSilentInTLSIsGivenUp(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() // nobody accepts
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := Reach(ctx, "https://"+ln.Addr().String()); err == nil ||
		!strings.Contains(err.Error(), "it did not answer in time") {
		t.Errorf("got %v", err)
	}
}

// Where messages go by a proxy, the shop may be one that only the proxy reaches.
func TestAProxyIsConnectedToInThePlaceOfTheShop(t *testing.T) {
	t.Parallel()
	proxy, asked := counted(t, (*httptest.Server).Start)
	f := func(proxy string, want string) error {
		t.Helper()
		u, err := url.Parse(proxy)
		if err != nil {
			t.Fatal(err)
		}
		way := &http.Transport{
			Proxy: http.ProxyURL(u),
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr != u.Host {
					t.Errorf("%s was dialled", addr)
				}
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			},
		}
		err = reach(t.Context(), way, "https://shop.example.com")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) ||
			err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", proxy, err, want)
		}
		return err
	}
	at := strings.TrimPrefix(proxy.URL, "http://")
	f("http://user:secret@"+at, "")
	if err := f("socks5://"+at, "SOCKS"); !errors.As(err, new(*gate.UnknownError)) {
		t.Errorf("got %v, want that it is not known", err)
	}
	proxy.Close()
	f("http://user:secret@"+at, "the proxy to it, "+at+", cannot be reached (connect: connection refused)")
	if len(asked) > 0 {
		t.Error("the proxy was asked for something")
	}
	if err := reach(t.Context(), &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, io.EOF }},
		"https://shop.example.com"); err == nil {
		t.Error("a proxy that is none passes")
	}
}

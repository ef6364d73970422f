package shop

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
)

// wire is a way to a server that can be cut without anybody being told.
type wire struct {
	net.Conn
	cut atomic.Bool
}

func (w *wire) Write(b []byte) (int, error) {
	if w.cut.Load() {
		return len(b), nil
	}
	return w.Conn.Write(b)
}

func (w *wire) Read(b []byte) (int, error) {
	for {
		if n, err := w.Conn.Read(b); err != nil || !w.cut.Load() {
			return n, err
		}
	}
}

// One connection of HTTP/2 carries every order, and a call that is given up does not
// close it. One that is dead must not take the next orders with it.
func TestADeadConnectionOfHTTP2IsGivenUp(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	secrets, err := ParseSecrets("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if err != nil {
		t.Fatal(err)
	}
	wires := make(chan *wire, 10)
	a := newAsker(&LastWordDeps{
		Secrets: secrets, Metrics: NewMetrics(prometheus.NewRegistry()), Now: time.Now,
		Log: slog.New(slog.DiscardHandler),
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			w := &wire{Conn: conn}
			wires <- w
			return w, err
		},
	})
	t.Cleanup(a.poster.close)
	a.poster.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{
		RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
	}
	ask := func(patience time.Duration) gate.Answer {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return a.ask(ctx, &gate.Question{
			URL: server.URL, Sale: "race", Run: 1,
			Confirm: &gate.Confirm{Order: []byte("o")},
		})
	}
	for range 3 {
		if got := ask(10 * time.Second); got.Word != gate.Yes {
			t.Fatalf("%+v", got)
		}
	}
	if len(wires) != 1 {
		t.Errorf("%d connections", len(wires))
	}
	(<-wires).cut.Store(true)
	began := time.Now()
	for ask(100*time.Millisecond).Word != gate.Yes {
		if time.Since(began) > 20*time.Second {
			t.Fatal("the dead connection is still used")
		}
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("the dead connection was used for %v", took)
	}
}

package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// trusting are the options of a gate that trusts the authority, and has a
// certificate of it.
func trusting(t *testing.T, a *redistest.Authority) Options {
	t.Helper()
	ca, err := os.ReadFile(a.CA)
	if err != nil {
		t.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(a.Cert, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Credentials: Credentials{CA: x509.NewCertPool(), Certificate: &own}}
	o.CA.AppendCertsFromPEM(ca)
	return o
}

// A gate sells over TLS wherever Redis is, and trusts nobody whom it was not
// told to, nor Redis it.
func TestSellingOverTLS(t *testing.T) {
	t.Parallel()
	for topology, start := range map[string]func(*testing.T, *redistest.Authority) string{
		"single": func(t *testing.T, a *redistest.Authority) string { return redistest.StartTLS(t, a).URL() },
		"sentinel": func(t *testing.T, a *redistest.Authority) string {
			primary := redistest.StartTLS(t, a)
			redistest.StartReplica(t, primary)
			return redistest.StartSentinel(t, primary, 2, 3).URL()
		},
		"cluster": func(t *testing.T,
			a *redistest.Authority,
		) string {
			return redistest.StartClusterTLS(t, a, 3).URL()
		},
	} {
		t.Run(topology, func(t *testing.T) {
			t.Parallel()
			authority := redistest.NewAuthority(t)
			trusted := trusting(t, authority)
			url := start(t, authority)
			l := openLane(t, url, trusted)
			mustApply(t, l.store, marathon(1), gate.Created)
			l.wants("held held", "a", "b")

			f := func(url string, opt Options, why string) {
				t.Helper()
				other := openLane(t, url, opt)
				other.fails(why, "c")
				if err := other.store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), why) {
					t.Errorf("Check says %v, want %q", err, why)
				}
			}
			stranger := trusting(t, redistest.NewAuthority(t))
			f(url, Options{Credentials: Credentials{CA: trusted.CA}},
				"takes only clients with a certificate, and this one has none")
			f(url, Options{Credentials: Credentials{CA: trusted.CA, Certificate: stranger.Certificate}},
				"does not accept the client certificate")
			f(url, Options{Credentials: Credentials{CA: stranger.CA, Certificate: trusted.Certificate}},
				"unknown authority")
			f(url, Options{Credentials: Credentials{Certificate: trusted.Certificate}}, "unknown authority")
			f(strings.ReplaceAll(url, "127.0.0.1", "localhost"), trusted, "localhost")
			l.holds(2)
		})
	}
}

func TestCertificatesAreShownWithTheirEnd(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	server := redistest.StartTLS(t, authority)
	trusted := trusting(t, authority)
	metrics := NewMetrics(prometheus.NewRegistry())
	l := openCountedLane(t, server.URL(), metrics, trusted)
	mustApply(t, l.store, marathon(1), gate.Created)

	ends := trusted.Certificate.Leaf.NotAfter // the server's was made at the same time, a moment before
	for _, certificate := range []string{"client", server.Addr()} {
		shown := time.Unix(int64(testutil.ToFloat64(metrics.expiry.WithLabelValues(certificate))), 0)
		if shown.After(ends) || shown.Before(ends.Add(-time.Minute)) {
			t.Errorf("the certificate %q is shown to end at %v, want about %v", certificate, shown, ends)
		}
	}
}

func TestAServerThatAsksForACertificateMayDoWithoutOne(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	server := redistest.StartTLS(t, authority, "--tls-auth-clients", "optional")
	l := openLane(t, server.URL(), Options{Credentials: Credentials{CA: trusting(t, authority).CA}})
	mustApply(t, l.store, marathon(1), gate.Created)
	l.wants("held", "a")
}

func TestACertificateNeedsAnAddressWithTLS(t *testing.T) {
	t.Parallel()
	for _, opt := range []Options{
		{Credentials: Credentials{CA: x509.NewCertPool()}},
		{Credentials: Credentials{Certificate: &tls.Certificate{}}},
	} {
		for _, address := range []string{"redis://h", "redis+sentinel://h/m", "redis+cluster://h"} {
			if _, err := Open(address, Deps{}, opt); err == nil || !strings.Contains(err.Error(), "without TLS") {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}

// A server that takes a connection and says nothing keeps nobody longer than
// the call's own time, whatever the bound of dialling.
func TestASilentServerWithTLSIsWaitedForNoLongerThanTheCallsTime(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	server := redistest.StartTLS(t, authority)
	opt := trusting(t, authority)
	opt.Timeout = 20 * time.Second
	s, err := Open(server.URL(), Deps{Log: slog.New(slog.DiscardHandler)}, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := s.Sales(ctx); err == nil {
		t.Error("a silent server answered")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// What is said of a connection is about the certificate that it was made with, also
// where another one was given meanwhile.
func TestAConnectionIsJudgedByItsOwnCertificate(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	trusted := trusting(t, authority)
	server, err := tls.LoadX509KeyPair(authority.ServerCert, authority.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0",
		&tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s, err := Open("rediss://"+ln.Addr().String(), Deps{Log: slog.New(slog.DiscardHandler)}, Options{
		Credentials: Credentials{CA: trusted.CA}, Timeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := conn.Read(make([]byte, 100)); err != nil { // the client has dialled, and asks
			t.Error(err)
		}
		s.Renew(trusted.Credentials)
	}()
	if _, err := s.dialer.dialTLS(t.Context(), "tcp", ln.Addr().String()); err == nil ||
		!strings.Contains(err.Error(), "this one has none") {
		t.Errorf("it says %v", err)
	}
	<-served
}

// A server that reads nothing any more is left at once, also where the send
// buffer is full: a TLS connection would wait 5 s for its goodbye to be read.
func TestASilentServerWithTLSIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	server := redistest.StartTLS(t, authority)
	opt := trusting(t, authority)
	opt.Timeout = 10 * time.Second
	s, err := Open(server.URL(), Deps{}, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := s.dialer.dialTLS(t.Context(), "tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	below := conn.(interface{ NetConn() net.Conn }).NetConn()
	for _, size := range []int{1 << 20, 1} { // the last byte that fits must be in
		for err = nil; err == nil; _, err = below.Write(make([]byte, size)) {
			_ = below.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		}
	}
	start := time.Now()
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("closing took %s", took)
	}
}

// Certificates are replaced while a gate sells; new connections use them.
func TestRenewedCertificatesAreUsed(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	server := redistest.StartTLS(t, authority)
	right, wrong := trusting(t, authority), trusting(t, redistest.NewAuthority(t))
	l := openLane(t, server.URL(), Options{Credentials: Credentials{CA: right.CA}})
	l.fails("takes only clients with a certificate", "a")
	l.store.Renew(right.Credentials)
	mustApply(t, l.store, marathon(1), gate.Created)
	l.wants("held", "a")
	l.store.Renew(Credentials{CA: right.CA, Certificate: wrong.Certificate})
	l.wants("held", "a") // on the connection that is open
	if err := openLane(t, server.URL(), right).store.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

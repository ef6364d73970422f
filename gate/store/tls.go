package store

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// dialer has what all connections of a store are made with.
type dialer struct {
	timeout      time.Duration
	withPassword bool                          // Options has one
	credentials  gate.Replaceable[Credentials] // those of Options, or what Renew has put in their place
	metrics      *Metrics
}

// dialTLS connects to a Redis server. It verifies the name of the host that it dials, also if a
// Sentinel or a Cluster named it.
func (d *dialer) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	asked := false
	given := d.credentials.Now()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: host,
		RootCAs:    given.CA,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return cmp.Or(given.Certificate, &tls.Certificate{}), nil
		},
	})
	if err := greet(ctx, conn); err != nil {
		_ = raw.Close() // it is of no use, whatever this says
		return nil, err
	}
	d.metrics.expires(addr, conn.ConnectionState().PeerCertificates[0])
	quick := quickConn{conn}
	if !asked {
		return quick, nil
	}
	if err := welcome(ctx, quick, given.Certificate != nil); err != nil {
		_ = quick.Close() // it is of no use, whatever this says
		return nil, err
	}
	return quick, nil
}

// greetTimeout bounds the TLS handshake. A server without TLS takes the handshake for the start of
// a command, waits for the rest and never answers.
const greetTimeout = 2 * time.Second

func greet(ctx context.Context, conn *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	err := conn.HandshakeContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(tls.RecordHeaderError)) {
		return fmt.Errorf("the server took the connection and does not greet as TLS does (%w): if its port is one "+
			"without TLS, write redis instead of rediss", err)
	}
	return err
}

// quickConn closes without TLS' closing message: if the peer does not read, sending it waits 5 s,
// which a batch does not have. Every reply of Redis says where it ends, so nothing is lost.
type quickConn struct{ *tls.Conn }

// Close implements net.Conn.
func (c quickConn) Close() error { return c.NetConn().Close() }

// Credentials are how a new connection and Redis prove to each other who they are.
type Credentials struct {
	CA          *x509.CertPool   // authorities for the certificates of Redis' servers; nil for the system's
	Certificate *tls.Certificate // this client's; nil for none
	Password    string           // of the address's user, where the address has none; Sentinels have their own
}

// Renew makes new connections use other credentials. Open connections stay open.
func (s *Store) Renew(c Credentials) {
	s.dialer.credentials.Set(c)
	if c.Certificate != nil {
		s.deps.Metrics.expires("client", c.Certificate.Leaf)
	}
}

// welcome finds out whether the server accepts this client's certificate. In TLS 1.3 the server
// says so only after the handshake, and may just close the connection. So welcome sends a command
// to which any reply will do.
func welcome(ctx context.Context, conn net.Conn, certified bool) error {
	deadline, _ := ctx.Deadline()
	err := conn.SetDeadline(deadline)
	if err == nil {
		_, err = conn.Write([]byte("PING\r\n"))
	}
	if err == nil {
		_, err = bufio.NewReader(conn).ReadString('\n')
	}
	switch {
	case err == nil:
		return conn.SetDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case !certified:
		return fmt.Errorf("the server takes only clients with a certificate, and this one has none: %w", err)
	}
	return fmt.Errorf("the server does not accept the client certificate: %w", err)
}

package gate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// Each is told twice, as by two tries: what differs between them must not be said,
// or it would be logged as news.
func TestWhatCannotBeReachedIsToldInWordsThatStay(t *testing.T) {
	t.Parallel()
	end := func(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
	f := func(want string, at func(try int) error) {
		t.Helper()
		for try := range 2 {
			if got := Unreachable(fmt.Errorf("token of PortOne v1: %w", at(try))); got != want {
				t.Errorf("try %d: got %q, want %q", try, got, want)
			}
		}
	}
	f("connect: connection refused", func(try int) error {
		return &net.OpError{
			Op: "dial", Net: "tcp", Addr: end(try),
			Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
		}
	})
	f("read: connection reset by peer", func(try int) error {
		return &net.OpError{
			Op: "read", Net: "tcp", Source: end(try), Addr: end(443),
			Err: os.NewSyscallError("read", syscall.ECONNRESET),
		}
	})
	f("there is no host shop.example.com", func(try int) error {
		return &net.OpError{Op: "dial", Err: &net.DNSError{
			Name: "shop.example.com", Err: "no such host",
			Server: end(try).String(), IsNotFound: true,
		}}
	})
	f("the name server does not say where shop.example.com is", func(try int) error {
		return &net.DNSError{
			Name: "shop.example.com", Err: fmt.Sprintf("read udp %s: i/o timeout", end(try)),
			IsTimeout: true,
		}
	})
	f("it did not answer in time", func(int) error { return context.DeadlineExceeded })
	f("it did not answer in time",
		func(try int) error { return &net.OpError{Op: "read", Source: end(try), Err: os.ErrDeadlineExceeded} })
	f("it hung up without an answer", func(int) error { return io.EOF })
	f("its certificate is good from 2025-01-01T00:00:00Z to 2026-01-01T00:00:00Z, and not now", func(try int) error {
		from := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
		return &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{
			Cert: &x509.Certificate{NotBefore: from, NotAfter: from.AddDate(1, 0, 0)}, Reason: x509.Expired,
			Detail: fmt.Sprint("try ", try),
		}}
	})
	plain := errors.New("anything else")
	if got := Unreachable(plain); got != plain.Error() {
		t.Errorf("got %q", got)
	}
}

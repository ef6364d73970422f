package web

import (
	"net"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// limited is a listener that closes a connection at once when its address has
// too many open already.
type limited struct {
	net.Listener
	most    int
	exempt  func(netip.Addr) bool
	refused prometheus.Counter

	mu   sync.Mutex
	open map[netip.Prefix]int
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr := peerOf(c.RemoteAddr())
		if l.exempt(addr) {
			return c, nil
		}
		from := subscriber(addr)
		if l.enter(from) {
			return &limitedConn{c, sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		l.refused.Inc()
		_ = c.Close() // its error does not matter: it was never used
	}
}

func (l *limited) enter(from netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from] == l.most {
		return false
	}
	l.open[from]++
	return true
}

func (l *limited) leave(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from]--; l.open[from] == 0 {
		delete(l.open, from)
	}
}

// subscriber returns the network that counts as one address: a /64 of IPv6, because one subscriber
// has that many.
func subscriber(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

// limitedConn gives its place back when it is closed, once.
type limitedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

package web

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// arrivals is a listener at which connections arrive as the test says.
type arrivals chan net.Conn

func (a arrivals) Accept() (net.Conn, error) {
	c, ok := <-a
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (arrivals) Close() error   { return nil }
func (arrivals) Addr() net.Addr { return nil }

// visitor is a connection from an address, that is open until either side closes it.
type visitor struct {
	net.Conn
	from net.Addr
}

func (v visitor) RemoteAddr() net.Addr { return v.from }

func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	metrics := newMetrics()
	known := Sources{Proxies: networks("10.0.0.0/8"), Allowed: networks(portoneAddr + "/32")}
	queue := make(arrivals)
	l := &limited{Listener: queue, most: 2, exempt: known.known, refused: metrics.crowded, open: map[netip.Prefix]int{}}
	taken := make(chan net.Conn)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		defer close(taken)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken <- c
		}
	})
	// arrive returns the gate's side of a connection that it takes, nil of one that it closes.
	arrive := func(from string) net.Conn {
		t.Helper()
		client, server := net.Pipe()
		t.Cleanup(func() { client.Close() })
		queue <- visitor{server, tcp(from)}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, _ = io.Copy(io.Discard, client)
		}()
		select {
		case c := <-taken:
			return c
		case <-gone:
			return nil
		}
	}
	f := func(from string, want bool) net.Conn {
		t.Helper()
		c := arrive(from)
		if (c != nil) != want {
			t.Errorf("a connection from %s: taken %v, want %v", from, c != nil, want)
		}
		return c
	}
	first := f(otherAddr, true)
	f("::ffff:"+otherAddr, true)
	f(otherAddr, false)
	f("192.0.2.1", true) // others have their own
	for range 5 {
		f("10.0.0.1", true)
		f(portoneAddr, true)
	}
	f("2001:db8:0:1::1", true)
	f("2001:db8:0:1::2", true)
	f("2001:db8:0:1:ffff::3", false)
	f("2001:db8:0:2::1", true)

	for range 2 { // the server closes some twice
		_ = first.Close()
	}
	f(otherAddr, true)
	f(otherAddr, false)
	if n := testutil.ToFloat64(metrics.crowded); n != 3 {
		t.Errorf("%v connections are counted as refused, want 3", n)
	}
	close(queue)
	accepting.Wait()
}

func TestAnAddressWithoutConnectionsIsForgotten(t *testing.T) {
	t.Parallel()
	l := &limited{most: 2, open: map[netip.Prefix]int{}}
	for i := range 1000 {
		from := subscriber(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}))
		l.enter(from)
		l.leave(from)
	}
	if len(l.open) != 0 {
		t.Errorf("%d addresses are remembered", len(l.open))
	}
}

package web

import (
	"errors"
	"net"
	"sync"
	"time"
)

// After an error of accept the next try waits, twice as long each time.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// Patient returns a listener whose Accept fails only after Close. All other errors pass: no
// descriptor is free, the kernel lacks memory, or a client left before it was accepted. After each
// of them it calls failed, which may be nil, and tries again.
func Patient(ln net.Listener, failed func(error)) net.Listener {
	closed := make(chan struct{})
	return &patient{ln, failed, closed, sync.OnceValue(func() error {
		close(closed)
		return ln.Close()
	})}
}

type patient struct {
	net.Listener
	failed func(error)
	closed chan struct{}
	close  func() error
}

// Accept implements net.Listener.
func (l *patient) Accept() (net.Conn, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		c, err := l.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return c, err
		}
		select {
		case <-l.closed: // an error after Close is no fault
			return nil, net.ErrClosed
		default:
		}
		if l.failed != nil {
			l.failed(err)
		}
		select {
		case <-l.closed:
			return nil, net.ErrClosed
		case <-time.After(pause):
		}
	}
}

// Close implements net.Listener.
func (l *patient) Close() error { return l.close() }

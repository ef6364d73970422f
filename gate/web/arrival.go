package web

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// timed is a listener whose connections know when a request's first byte came.
// fasthttp only tells when it has read the whole request, and a slow request
// must not get a fresh answer budget for being slow.
type timed struct{ net.Listener }

// Accept implements net.Listener.
func (l timed) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &timedConn{Conn: c}, nil
}

// timedConn is used by one goroutine, the one that serves its requests. Shutdown
// may close it from another.
type timedConn struct {
	net.Conn
	first   time.Time   // when the first byte since the last arrival call came
	lingers atomic.Bool // Close reads on for a moment
}

// Read implements net.Conn.
func (c *timedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.first.IsZero() {
		c.first = time.Now()
	}
	return n, err
}

// arrival returns when the first byte of ctx's request came, and starts anew
// for the connection's next request. A pipelined request was there already.
func arrival(ctx *fasthttp.RequestCtx) time.Time {
	c := connection(ctx)
	if c.first.IsZero() {
		return time.Now()
	}
	first := c.first
	c.first = time.Time{}
	return first
}

// began reports whether any byte of ctx's request came.
func began(ctx *fasthttp.RequestCtx) bool { return !connection(ctx).first.IsZero() }

// connection returns that of ctx's request: Serve has all of them timed.
func connection(ctx *fasthttp.RequestCtx) *timedConn { return ctx.Conn().(*timedConn) }

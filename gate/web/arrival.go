package web

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// timed is a listener whose connections know when a request's first byte came. fasthttp only says
// when it has read the whole request, and a slow request must not get more time for its answer.
type timed struct{ *crowd }

// Accept implements net.Listener.
func (l timed) Accept() (net.Conn, error) {
	s, err := l.accept()
	if err != nil {
		return nil, err
	}
	return &timedConn{seat: s}, nil
}

// timedConn is used by the one goroutine that serves its requests. Shutdown and the crowd may close
// it from another.
type timedConn struct {
	*seat
	first   time.Time   // when the first byte since the last arrival call came
	lingers atomic.Bool // Close first reads on for a moment
}

// Read implements net.Conn.
func (c *timedConn) Read(b []byte) (int, error) {
	if !c.first.IsZero() {
		return c.Conn.Read(b)
	}
	c.wait()
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.first = time.Now()
		if !c.begin(c.first) {
			return 0, net.ErrClosed
		}
	}
	return n, err
}

// arrival returns when the first byte of ctx's request came, and starts anew for the connection's
// next request. A pipelined request has come already. open is false if the connection was closed
// meanwhile, to make room.
func arrival(ctx *fasthttp.RequestCtx) (first time.Time, open bool) {
	c := connection(ctx)
	open = c.serve()
	if c.first.IsZero() {
		return time.Now(), open
	}
	first = c.first
	c.first = time.Time{}
	return first, open
}

// began reports whether any byte of ctx's request came.
func began(ctx *fasthttp.RequestCtx) bool { return !connection(ctx).first.IsZero() }

// connection returns the connection of ctx's request. Serve makes each a timedConn.
func connection(ctx *fasthttp.RequestCtx) *timedConn { return ctx.Conn().(*timedConn) }

package web

import (
	"io"
	"time"

	"github.com/valyala/fasthttp"
)

// Within these bounds a client whose request was not read to its end may go on
// sending it. They come on top of readTimeout and writeTimeout.
const (
	lingerTime = 500 * time.Millisecond
	lingerSize = 256 << 10 // bytes, which are read and dropped
)

// linger makes the answer to ctx's request the last one of its connection, which
// then reads on for a moment before it is closed. A connection that is closed
// with bytes unread is reset, and its client may lose the answer. Shutdown does
// not wait for connections that linger: their requests are answered.
func linger(ctx *fasthttp.RequestCtx) {
	ctx.SetConnectionClose()
	connection(ctx).lingers.Store(true)
}

// Close implements net.Conn.
func (c *timedConn) Close() error {
	if c.lingers.Load() && c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, c.Conn, lingerSize) // how it ends does not matter
	}
	return c.seat.Close()
}

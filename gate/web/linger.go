package web

import (
	"io"
	"time"

	"github.com/valyala/fasthttp"
)

// The bounds within which a client may go on sending a request that was refused unread. They come
// on top of readTimeout and writeTimeout.
const (
	lingerTime = 500 * time.Millisecond
	lingerSize = 256 << 10 // bytes, which are read and dropped
)

// linger makes the answer to ctx's request the last one of its connection, which reads on for a
// moment before it is closed. Closing a connection with bytes unread resets it, and its client may
// lose the answer. Shutdown does not wait for connections that linger, because their requests are
// answered.
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

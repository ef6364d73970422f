package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// crowd is a stream under way: sockets that one thread opens, writes to and
// reads from when the kernel says so. A goroutine for each would cost the client
// several times as much as the server, on the same cores.
type crowd struct {
	stream  *stream
	poll    int // of epoll
	to      syscall.Sockaddr
	began   time.Time
	sockets []socket
	idle    []int // sockets without a request, the longest idle first
	answers []answered
	next    int   // the first request that is not on its way
	ended   int   // requests that were answered, or failed
	refused error // of a socket that was opened without a request

	events   [256]syscall.EpollEvent
	buffer   [4 << 10]byte
	bytes    bytes.Reader
	reader   *bufio.Reader // of bytes
	response fasthttp.Response
}

// socket is a connection, or one to be opened when a request needs it.
type socket struct {
	fd        int // 0: not open
	connected bool
	request   int    // under way; none: nothing is
	in        []byte // of the answer, so far
}

const (
	none  = -1
	pause = 100 * time.Millisecond // in which an interrupt is noticed
)

// send sends the stream and returns what came of each request. Those with a rate
// go to connections that are open before the first of them is due.
func (s *stream) send(ctx context.Context) ([]answered, error) {
	to, err := netip.ParseAddrPort(s.Addr)
	if err != nil {
		return nil, err
	}
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	defer syscall.Close(poll)
	c := &crowd{
		stream: s, poll: poll, to: &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()},
		sockets: make([]socket, s.Connections), answers: make([]answered, s.Requests), reader: bufio.NewReader(nil),
	}
	if !s.kept() {
		c.sockets = make([]socket, s.Requests)
	}
	defer c.close()
	for i := range c.sockets {
		c.sockets[i].request = none
		if !s.kept() {
			c.idle = append(c.idle, i)
		} else if err := c.open(i); err != nil {
			return nil, err
		}
	}
	for began := time.Now(); len(c.idle) < len(c.sockets); {
		if err := errors.Join(c.step(pause), c.refused, ctx.Err()); err != nil {
			return nil, err
		}
		if time.Since(began) > patience {
			return nil, fmt.Errorf("open %d connections to %s: not done within %s", s.Connections, s.Addr, patience)
		}
	}
	return c.answers, c.run(ctx)
}

// run sends the requests when they are due, until all have ended.
func (c *crowd) run(ctx context.Context) error {
	c.began = time.Now()
	last := c.stream.due(len(c.answers) - 1)
	for c.ended < len(c.answers) && ctx.Err() == nil {
		wait := pause
		for sent := 0; c.next < len(c.answers) && len(c.idle) > 0; sent++ {
			c.answers[c.next].due = c.stream.due(c.next)
			// answers that came in the meantime are read too
			if wait = c.answers[c.next].due - time.Since(c.began); wait > 0 || sent == 64 {
				break
			}
			c.dispatch(c.next)
			c.next++
			wait = 0
		}
		if err := c.step(wait); err != nil {
			return err
		}
		if time.Since(c.began) > last+patience {
			c.abandon(fmt.Errorf("not answered within %s", patience))
		}
	}
	return ctx.Err()
}

// abandon counts all requests that have not ended as failed.
func (c *crowd) abandon(err error) {
	for i := range c.answers {
		if a := &c.answers[i]; a.done == 0 {
			a.done, a.err = time.Since(c.began), err
		}
	}
	c.ended = len(c.answers)
}

// dispatch gives the request to the socket that has been idle for longest.
func (c *crowd) dispatch(request int) {
	i := c.idle[0]
	c.idle = c.idle[1:]
	s := &c.sockets[i]
	s.request = request
	var err error
	if s.fd == 0 {
		err = c.open(i)
	} else {
		err = c.write(s)
	}
	if err != nil {
		c.end(i, err)
	}
}

func (c *crowd) open(i int) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	c.sockets[i].fd = fd
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLET&0xffffffff, Fd: int32(i)}
	if err := syscall.EpollCtl(c.poll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if err := syscall.Connect(fd, c.to); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

// step does what can be done by now, or within the wait.
func (c *crowd) step(wait time.Duration) error {
	if wait > 0 { // epoll_wait counts in milliseconds
		timeout := unix.NsecToTimespec(wait.Nanoseconds())
		if _, err := unix.Ppoll([]unix.PollFd{{Fd: int32(c.poll), Events: unix.POLLIN}}, &timeout, nil); err != nil &&
			!errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("ppoll", err)
		}
	}
	n, err := syscall.EpollWait(c.poll, c.events[:], 0)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return os.NewSyscallError("epoll_wait", err)
	}
	for _, event := range c.events[:max(n, 0)] {
		i := int(event.Fd)
		if done, err := c.advance(&c.sockets[i]); done || err != nil {
			c.end(i, err)
		}
	}
	return nil
}

// advance handles what the kernel reports of a socket: it is connected, or a part of the answer has come. It returns
// true if the socket could take a request now.
func (c *crowd) advance(s *socket) (done bool, err error) {
	if s.fd == 0 {
		return false, nil // an event that was on its way when it was closed
	}
	if !s.connected {
		if code, err := syscall.GetsockoptInt(s.fd, syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil || code != 0 {
			return false, errors.Join(err, os.NewSyscallError("connect", syscall.Errno(code)))
		}
		s.connected = true
		if s.request == none {
			return true, nil
		}
		return false, c.write(s)
	}
	err = c.read(s)
	if s.request == none {
		if err != nil {
			s.close() // the next request opens it anew
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	c.bytes.Reset(s.in)
	c.reader.Reset(&c.bytes)
	err = c.response.Read(c.reader)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil // there is more to come
	}
	return err == nil, errors.Join(err, accepted(&c.response))
}

// accepted returns nil for a 200.
func accepted(r *fasthttp.Response) error {
	if code := r.StatusCode(); code != fasthttp.StatusOK {
		return fmt.Errorf("answered with %d: %s", code, r.Body())
	}
	return nil
}

func (c *crowd) write(s *socket) error {
	c.answers[s.request].sent = time.Since(c.began)
	_, err := syscall.Write(s.fd, appendRequest(c.buffer[:0], c.stream.Path, s.request))
	return os.NewSyscallError("write", err)
}

// read reads all that is there, because the kernel reports it only once.
func (c *crowd) read(s *socket) error {
	for {
		n, err := syscall.Read(s.fd, c.buffer[:])
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return nil
		case err != nil:
			return os.NewSyscallError("read", err)
		case n == 0:
			return errors.New("closed before it was answered")
		}
		s.in = append(s.in, c.buffer[:n]...)
		if n < len(c.buffer) {
			return nil
		}
	}
}

// end notes what came of a socket's request, and makes it idle.
func (c *crowd) end(i int, err error) {
	s := &c.sockets[i]
	request := s.request
	s.request, s.in = none, s.in[:0]
	if err != nil || !c.stream.kept() || c.response.ConnectionClose() {
		s.close()
	}
	if request == none {
		c.refused = errors.Join(c.refused, err)
	} else {
		c.answers[request].done, c.answers[request].err = time.Since(c.began), err
		c.ended++
	}
	c.idle = append(c.idle, i)
}

func (c *crowd) close() {
	for i := range c.sockets {
		c.sockets[i].close()
	}
}

func (s *socket) close() {
	if s.fd != 0 {
		_ = syscall.Close(s.fd) // nothing is left to be sent
		s.fd, s.connected, s.in = 0, false, nil
	}
}

package main

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
)

// crowd is a burst under way: connections that one thread opens, writes to and
// reads from when the kernel says so. A goroutine for each would cost the client
// several times as much as the server, on the same cores.
type crowd struct {
	stream  *stream
	poll    int // of epoll
	to      syscall.Sockaddr
	began   time.Time
	sockets []socket
	answers []answered
	waiting int // sockets that are open

	events   [256]syscall.EpollEvent
	buffer   [4 << 10]byte
	response fasthttp.Response
}

type socket struct {
	fd   int
	sent bool
	in   []byte // of the answer, so far
}

// burst opens a connection for each request, all at once, and returns what came
// of each.
func (s *stream) burst(ctx context.Context) ([]answered, error) {
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
		sockets: make([]socket, s.Requests), answers: make([]answered, s.Requests), began: time.Now(),
	}
	for i := range c.sockets {
		if err := c.open(i); err != nil {
			c.answers[i].err = err
		}
		if i%64 == 0 { // whoever is connected does not wait for the others
			if err := c.step(0); err != nil {
				return nil, err
			}
		}
	}
	for c.waiting > 0 && time.Since(c.began) < patience && ctx.Err() == nil {
		if err := c.step(100 * time.Millisecond); err != nil {
			return nil, err
		}
	}
	for i := range c.sockets {
		if c.sockets[i].fd != 0 {
			c.finish(i, fmt.Errorf("not answered within %s", patience))
		}
	}
	return c.answers, ctx.Err()
}

func (c *crowd) open(i int) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	c.sockets[i].fd = fd
	c.waiting++
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLET&0xffffffff, Fd: int32(i)}
	if err = os.NewSyscallError("epoll_ctl", syscall.EpollCtl(c.poll, syscall.EPOLL_CTL_ADD, fd, &event)); err == nil {
		err = os.NewSyscallError("connect", syscall.Connect(fd, c.to))
	}
	if err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		c.finish(i, err)
	}
	return nil
}

// step does what can be done by now, or within the wait.
func (c *crowd) step(wait time.Duration) error {
	n, err := syscall.EpollWait(c.poll, c.events[:], int(wait.Milliseconds()))
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return os.NewSyscallError("epoll_wait", err)
	}
	for _, event := range c.events[:max(n, 0)] {
		i := int(event.Fd)
		if done, err := c.advance(i); done || err != nil {
			c.finish(i, err)
		}
	}
	return nil
}

// advance writes the request, or reads of the answer what is there.
func (c *crowd) advance(i int) (done bool, err error) {
	s := &c.sockets[i]
	if s.fd == 0 {
		return false, nil // an event that was on its way when it ended
	}
	if !s.sent {
		s.sent, c.answers[i].sent = true, time.Since(c.began)
		_, err := syscall.Write(s.fd, appendRequest(c.buffer[:0], c.stream.Path, i))
		return false, os.NewSyscallError("write", err)
	}
	if err := c.read(s); err != nil {
		return false, err
	}
	err = c.response.Read(bufio.NewReader(bytes.NewReader(s.in)))
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil // there is more to come
	}
	return err == nil, errors.Join(err, accepted(&c.response))
}

// read takes all that is there: the kernel tells of it once.
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

func (c *crowd) finish(i int, err error) {
	s := &c.sockets[i]
	if s.fd == 0 {
		return
	}
	_ = syscall.Close(s.fd) // nothing is left to be sent
	s.fd = 0
	c.waiting--
	c.answers[i].done, c.answers[i].err = time.Since(c.began), err
}

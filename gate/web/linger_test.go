package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/flashgate/flashgate/gate"
)

// patience is how long something may take to come about on a busy machine.
const patience = 20 * time.Second

func deadline(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

// On a connection that is closed with bytes unread, reading ends with a reset.
func TestWhoIsCutOffReadsWhy(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, &store{decide: always(gate.Held)}, nil, newMetrics(), ln)
	f := func(name, sends, want string) {
		t.Helper()
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		deadline(t, conn)
		if _, err := io.WriteString(conn, sends); err != nil {
			t.Errorf("%s: cannot send it: %v", name, err)
		}
		_ = conn.(*net.TCPConn).CloseWrite() // the gate may have closed it
		answer, err := io.ReadAll(conn)
		if first, others, _ := strings.Cut(string(answer), "\r\n"); err != nil || first != want ||
			strings.Contains(others, "HTTP/1.1 ") {
			t.Errorf("%s: %q %v, want %s alone", name, answer, err, want)
		}
	}
	const head = "POST /confirm/race?items=full HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\n"
	much := strings.Repeat("x", 200<<10)
	f("big body", fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(much), much),
		"HTTP/1.1 413 Request Entity Too Large")
	f("big header", head+"X: "+much+"\r\n\r\n", "HTTP/1.1 400 Bad Request")
	f("what stands behind a request with two ends",
		head+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+much, "HTTP/1.1 400 Bad Request")
	f("what stands behind garbage", "garbage\r\n\r\n"+much, "HTTP/1.1 400 Bad Request")
}

// A load balancer looks whether it can connect, and asks nothing.
func TestWhoSendsNothingIsAnsweredNothing(t *testing.T) {
	t.Parallel()
	metrics := newMetrics()
	conn, err := start(t, &store{decide: always(gate.Held)}, nil, metrics).dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	deadline(t, conn)
	if answer, err := io.ReadAll(conn); len(answer) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%q %v, want the end of the connection", answer, err)
	}
	if n := testutil.ToFloat64(metrics.confirms.WithLabelValues("", gate.BadRequest.String())); n != 0 {
		t.Errorf("counted %v refusals", n)
	}
}

func TestALingerIsBoundedInTimeAndSize(t *testing.T) {
	t.Parallel()
	f := func(name string, lingers bool, client func(net.Conn) (sent int), wantSent int, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			far, near := net.Pipe()
			defer far.Close()
			sent := make(chan int, 1)
			go func() { sent <- client(far) }()
			c := &timedConn{seat: sit(near)}
			c.lingers.Store(lingers)
			began := time.Now()
			if err := c.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("%s: closed after %v, want %v", name, took, want)
			}
			if n := <-sent; n != wantSent {
				t.Errorf("%s: %d bytes read, want %d", name, n, wantSent)
			}
		})
	}
	send := func(size int, pause time.Duration) func(net.Conn) int {
		return func(c net.Conn) (sent int) {
			defer c.Close()
			for sent < 4*lingerSize {
				n, err := c.Write(make([]byte, size))
				sent += n
				if err != nil {
					break
				}
				time.Sleep(pause)
			}
			return sent
		}
	}
	silent := func(c net.Conn) int {
		n, _ := c.Read(make([]byte, 1)) // until the gate closes it
		return n
	}
	f("who sends much", true, send(1000, 0), lingerSize, 0)
	f("who sends a byte now and then", true, send(1, 90*time.Millisecond), 6, lingerTime)
	f("who sends nothing", true, silent, 0, lingerTime)
	f("who hangs up", true, func(c net.Conn) int { c.Close(); return 0 }, 0, 0)
	f("whose requests were read", false, send(1000, 0), 0, 0)
}

// The other side of a net.Pipe has no buffer: an answer that nobody reads blocks.
func TestWhoReadsNoAnswerIsLetGo(t *testing.T) {
	t.Parallel()
	queue := make(arrivals)
	serve(t, &store{decide: always(gate.Held)}, nil, newMetrics(), queue)
	t.Cleanup(func() { close(queue) })
	far, near := net.Pipe()
	t.Cleanup(func() { far.Close() })
	queue <- near
	deadline(t, far)
	began := time.Now()
	_, err := io.WriteString(far, "garbage\r\n\r\n")
	for err == nil {
		_, err = far.Write([]byte("x"))
		time.Sleep(10 * time.Millisecond) // a slow sender, not a wait for a condition
	}
	if err != io.ErrClosedPipe {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// stubborn is a connection on which a read ends only with bytes or with the connection.
type stubborn struct {
	net.Conn
	gone chan struct{} // closed with it
}

func (stubborn) SetReadDeadline(time.Time) error { return nil }

func (s stubborn) Close() error {
	close(s.gone)
	return s.Conn.Close()
}

func TestShutdownWaitsForNoLinger(t *testing.T) {
	t.Parallel()
	queue := make(arrivals)
	public := serve(t, &store{decide: always(gate.Held)}, nil, newMetrics(), queue)
	stop := sync.OnceFunc(func() { close(queue) })
	t.Cleanup(stop)
	far, near := net.Pipe()
	t.Cleanup(func() { far.Close() })
	deadline(t, far)
	server := stubborn{near, make(chan struct{})}
	queue <- server
	if _, err := io.WriteString(far, "garbage\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if response, err := http.ReadResponse(bufio.NewReader(far), nil); err != nil || response.StatusCode != 400 {
		t.Fatalf("%v %v", response, err)
	}
	down := make(chan error, 1)
	go func() {
		stop()
		down <- public.Shutdown()
	}()
	select {
	case err := <-down:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Errorf("Shutdown takes longer than %v", patience)
	}
	select {
	case <-server.gone:
		t.Error("the connection did not linger")
	default:
	}
	far.Close()
	<-server.gone
}

// A gate may be told to end in the moment in which it starts.
func TestWhoIsShutDownBeforeItServesServesNobody(t *testing.T) {
	t.Parallel()
	public := NewPublic(PublicDeps{Metrics: newMetrics()}, PublicOptions{})
	if err := public.Shutdown(); err != nil {
		t.Fatal(err)
	}
	ln, ended := fasthttputil.NewInmemoryListener(), make(chan error, 1)
	go func() { ended <- public.Serve(ln) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it serves")
		_ = ln.Close() // ends it
	}
}

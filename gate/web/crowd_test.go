package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/flashgate/flashgate/gate"
)

// sit returns a connection's seat in a crowd of its own.
func sit(c net.Conn) *seat {
	return newCrowd(arrivals(nil), "test", 0, newMetrics(), slog.New(slog.DiscardHandler)).enter(c)
}

// faulty is a listener that cannot accept while it has errors.
type faulty struct {
	net.Listener
	errs chan error
}

func (f faulty) Accept() (net.Conn, error) {
	select {
	case err := <-f.errs:
		return nil, err
	default:
		return f.Listener.Accept()
	}
}

// passing are errors of accept that say nothing of the next one.
func passing() []error {
	return []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR,
		syscall.EPERM,
		syscall.EPROTO, syscall.ENETDOWN, syscall.EHOSTUNREACH, os.ErrDeadlineExceeded, io.EOF, errors.New("made up"),
	}
}

func withFaults(ln net.Listener) faulty {
	f := faulty{ln, make(chan error, 100)}
	for _, err := range passing() {
		f.errs <- &net.OpError{Op: "accept", Net: "tcp", Err: err}
	}
	f.errs <- passing()[0]
	return f
}

func TestErrorsOfAcceptPass(t *testing.T) {
	t.Parallel()
	health := func(t *testing.T, listener string, metrics *Metrics, client *http.Client) {
		answer, err := client.Get("http://localhost/healthz")
		if err != nil {
			t.Fatalf("the %s listener does not answer after errors of accept: %v", listener, err)
		}
		answer.Body.Close()
		if got, want := testutil.ToFloat64(metrics.failures.WithLabelValues(listener)),
			len(passing())+1; got != float64(want) {
			t.Errorf("%v errors of the %s listener are counted, want %d", got, listener, want)
		}
	}
	t.Run("public", func(t *testing.T) {
		t.Parallel()
		metrics, ln := newMetrics(), fasthttputil.NewInmemoryListener()
		serve(t, &store{decide: always(gate.Held)}, nil, metrics, withFaults(ln))
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn,
			error,
		) {
			return ln.Dial()
		}}
		t.Cleanup(transport.CloseIdleConnections)
		health(t, "public", metrics, &http.Client{Transport: transport, Timeout: patience})
	})
	t.Run("admin", func(t *testing.T) {
		t.Parallel()
		d := openDeskAt(t, func(ln net.Listener) net.Listener { return withFaults(ln) })
		health(t, "admin", d.public.deps.Metrics, d.client)
	})
}

// A listener that cannot accept is asked again a few times a second, and its end
// ends the waiting.
func TestAListenerIsAskedAgainWithPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		ln := Patient(acceptor(func() (net.Conn, error) { return nil, syscall.EMFILE }), func(error) { tries++ })
		ended := make(chan error, 1)
		go func() {
			_, err := ln.Accept()
			ended <- err
		}()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if tries < 40 || tries > 60 {
			t.Errorf("%d tries in 10 s", tries)
		}
		for range 2 { // servers close it twice
			if err := ln.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept ended with %v", err)
		}
	})
}

// acceptor is a listener that accepts as the test says.
type acceptor func() (net.Conn, error)

func (a acceptor) Accept() (net.Conn, error) { return a() }
func (acceptor) Close() error                { return nil }
func (acceptor) Addr() net.Addr              { return nil }

// hall is a crowd to which guests come.
type hall struct {
	t       *testing.T
	crowd   *crowd
	metrics *Metrics
	queue   arrivals
	taken   chan *timedConn
}

func openHall(t *testing.T, most int, log *slog.Logger) *hall {
	h := &hall{t: t, metrics: newMetrics(), queue: make(arrivals), taken: make(chan *timedConn, 100)}
	h.crowd = newCrowd(h.queue, "public", most, h.metrics, log)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := timed{h.crowd}.Accept()
			if err != nil {
				return
			}
			h.taken <- c.(*timedConn)
		}
	})
	t.Cleanup(func() {
		_ = h.crowd.Close() // of a fake
		close(h.queue)
		accepting.Wait()
	})
	return h
}

// guest is a connection as both sides have it. The server's side reads all the
// time, as fasthttp does between requests.
type guest struct {
	far   net.Conn
	near  *timedConn // nil while it waits
	ended chan error // of the server's reading
	gone  chan struct{}
}

// come has a guest come, and lets it wait if there is no room.
func (h *hall) come() *guest {
	far, near := net.Pipe()
	g := &guest{far: far, ended: make(chan error, 1), gone: make(chan struct{})}
	h.queue <- near
	go func() {
		defer close(g.gone)
		_, _ = io.Copy(io.Discard, far) // nobody answers; it ends when the connection does
	}()
	h.settle(g)
	return g
}

// settle looks whether the guest has been let in.
func (h *hall) settle(g *guest) {
	synctest.Wait()
	select {
	case g.near = <-h.taken:
		go func() {
			for {
				if _, err := g.near.Read(make([]byte, 100)); err != nil {
					_ = g.near.Close() // as the server does
					g.ended <- err
					return
				}
			}
		}()
		synctest.Wait()
	default:
	}
}

// sends has a guest send some bytes of a request.
func (h *hall) sends(g *guest) {
	h.t.Helper()
	if _, err := g.far.Write([]byte("GET")); err != nil {
		h.t.Error(err)
	}
	synctest.Wait()
}

// asks has a guest send a request whole, which is then being answered. What comes
// next is read as the next one.
func (h *hall) asks(g *guest) {
	h.t.Helper()
	h.sends(g)
	g.near.first = time.Time{}
	h.sends(g)
	if !g.near.serve() {
		h.t.Error("the connection is gone")
	}
}

// answered says that a guest's request was answered.
func (h *hall) answered(g *guest) { g.near.wait() }

// stay fails the test unless exactly these of all guests are there.
func (h *hall) stay(name string, all []*guest, want string) {
	h.t.Helper()
	synctest.Wait()
	var got strings.Builder
	for i, g := range all {
		select {
		case <-g.gone:
		default:
			if g.near != nil {
				got.WriteByte(byte('a' + i))
			}
		}
	}
	if got.String() != want {
		h.t.Errorf("%s: %q are there, want %q", name, got.String(), want)
	}
}

func TestRoomIsMadeByClosingTheIdlest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := openHall(t, 3, slog.New(slog.NewTextHandler(&log, nil)))
		var all []*guest
		come := func() {
			all = append(all, h.come())
			time.Sleep(time.Second)
			h.settle(all[len(all)-1])
		}
		for range 3 {
			come()
		}
		h.stay("as many as may", all, "abc")
		come()
		h.stay("one more, and all are silent", all, "bcd")
		h.asks(all[1])
		h.answered(all[1])
		come()
		h.stay("one was silent longer than another after its request", all, "bde")
		h.sends(all[3])
		time.Sleep(time.Second)
		come()
		h.stay("one has begun a request, and another is silent for longer", all, "bdf")
		h.asks(all[1])
		time.Sleep(time.Second) // else chance would tell which of them is idlest in the end
		h.asks(all[5])
		time.Sleep(time.Minute)
		come()
		h.stay("one never ends its request, two are being answered", all, "bfg")
		h.answered(all[1])
		h.answered(all[5])
		time.Sleep(time.Minute)
		come()
		h.stay("one has never asked, two have been answered", all, "bfh")
		h.asks(all[7])
		h.answered(all[7])
		come()
		h.stay("all have been answered", all, "fhi")
		if n := testutil.ToFloat64(h.metrics.shed.WithLabelValues("public")); n != 6 {
			t.Errorf("%v closed connections are counted, want 6", n)
		}
		if n := testutil.ToFloat64(h.metrics.open.WithLabelValues("public")); n != 3 {
			t.Errorf("%v open connections are shown, want 3", n)
		}
		if n := strings.Count(log.String(), "connections that were idle are closed"); n != 3 {
			t.Errorf("%d lines in the log in some two minutes, want 3:\n%s", n, log.String())
		}
		for _, g := range all {
			g.far.Close()
		}
	})
}

// Who is being answered is never closed, and who has just come not yet: newcomers
// wait for their end.
func TestWhoFindsNoRoomWaits(t *testing.T) {
	t.Parallel()
	f := func(name string, release func(h *hall, first *guest)) {
		synctest.Test(t, func(t *testing.T) {
			h := openHall(t, 2, slog.New(slog.DiscardHandler))
			all := []*guest{h.come(), h.come()}
			h.asks(all[0])
			h.asks(all[1])
			all = append(all, h.come())
			time.Sleep(time.Hour)
			h.settle(all[2])
			h.stay(name+": all are being answered", all, "ab")
			release(h, all[0])
			time.Sleep(roomPause)
			h.settle(all[2])
			h.stay(name, all, "bc")
			all = append(all, h.come())
			time.Sleep(minIdle - 2*roomPause)
			h.settle(all[3])
			h.stay(name+": one has just come", all, "bc")
			time.Sleep(3 * roomPause)
			h.settle(all[3])
			h.stay(name+": it stays silent", all, "bd")
			for _, g := range all {
				g.far.Close()
			}
			h.answered(all[1])
		})
	}
	f("one goes", func(_ *hall, first *guest) { first.far.Close() })
	f("one is answered", func(h *hall, first *guest) { h.answered(first) })
}

// A request that was read is answered: its connection is no longer idle. What
// comes on a connection that was closed to make room is not decided.
func TestAConnectionIsClosedOrServedNeverBoth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, near := net.Pipe()
		s := sit(near)
		if !s.begin(time.Now()) || !s.serve() {
			t.Fatal("it cannot be served")
		}
		time.Sleep(2 * minIdle)
		s.crowd.shed()
		if !s.serve() {
			t.Error("it was closed while it was served")
		}
		s.wait()
		s.crowd.shed()
		if s.serve() || s.begin(time.Now()) {
			t.Error("it is served although it was idle and was closed")
		}
	})
}

func TestAFullTableOfFilesIsMadeRoomIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, 0, slog.New(slog.DiscardHandler))
		var all []*guest
		for range 5 {
			all = append(all, h.come())
			time.Sleep(time.Second)
		}
		h.crowd.fail(syscall.ECONNABORTED)
		h.stay("one went before it was accepted", all, "abcde")
		for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
			h.crowd.fail(&net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)})
		}
		h.stay("four times there was no room", all, "e")
		for _, g := range all {
			g.far.Close()
		}
	})
}

// A drain does not wait for a connection that finds no room.
func TestAnEndedListenerLetsNobodyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, 1, slog.New(slog.DiscardHandler))
		first := h.come()
		h.asks(first)
		second := h.come()
		if err := h.crowd.Close(); err != nil {
			t.Error(err)
		}
		<-second.gone
		h.stay("the listener ended", []*guest{first, second}, "a")
		first.far.Close()
	})
}

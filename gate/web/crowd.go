package web

import (
	"cmp"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
)

const (
	// minIdle is how long a connection must be silent before it may be closed to make room: the
	// bytes of a new connection may still be on their way.
	minIdle   = 100 * time.Millisecond
	roomPause = 10 * time.Millisecond  // between two searches for an idle connection
	lastFound = 100 * time.Millisecond // how long a search's result is used
)

// crowd is a listener with a maximum of open connections. When more come, it closes the connection
// that has waited the longest for a request or the rest of one, first among those that never sent a
// whole request. While all are being answered, newcomers wait.
type crowd struct {
	net.Listener // patient
	name         string
	most         int // 0: any number
	metrics      *crowdMetrics
	log          *slog.Logger
	failures     gate.NowAndThen
	sheds        gate.NowAndThen
	began        time.Time
	left         chan struct{} // has a value after a connection was closed
	closed       chan struct{}
	close        func() error

	mu      sync.Mutex // over what follows
	open    map[*seat]struct{}
	closing int       // connections that were closed and still have their descriptor
	idlest  []waiting // to be closed first
	found   time.Time // when they were found
}

// waiting is a connection that is idle, and its state.
type waiting struct {
	seat  *seat
	state int64
}

// crowdMetrics are a listener's.
type crowdMetrics struct {
	open     prometheus.Gauge
	shed     prometheus.Counter
	failures prometheus.Counter
}

// newCrowd returns a listener of at most most connections at ln. Its name is for metrics and the
// log.
func newCrowd(ln net.Listener, name string, most int, m *Metrics, log *slog.Logger) *crowd {
	l := &crowd{
		name: name, most: most, metrics: m.crowd(name, most), log: log, began: time.Now(),
		left: make(chan struct{}, 1), closed: make(chan struct{}), open: map[*seat]struct{}{},
	}
	l.Listener = Patient(ln, l.fail)
	l.close = sync.OnceValue(func() error {
		close(l.closed)
		return l.Listener.Close()
	})
	return l
}

// Close implements net.Listener.
func (l *crowd) Close() error { return l.close() }

// Accept implements net.Listener.
func (l *crowd) Accept() (net.Conn, error) {
	s, err := l.accept()
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (l *crowd) accept() (*seat, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := l.enter(c)
	for !l.room() {
		select {
		case <-l.left:
		case <-time.After(roomPause):
		case <-l.closed:
			_ = s.Close() // it was not served yet
			return nil, net.ErrClosed
		}
	}
	s.state.Store(l.at(time.Now()))
	return s, nil
}

// fail counts and logs an error of accept.
func (l *crowd) fail(err error) {
	l.metrics.failures.Inc()
	if n := l.failures.Note(time.Now()); n > 0 {
		l.log.Warn("connections could not be accepted: they wait until the next try; if files are short, raise the "+
			"limit of open files",
			"listener", l.name, "times", n, "error", err)
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) ||
		errors.Is(err, syscall.ENOMEM) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.shed()
	}
}

func (l *crowd) enter(c net.Conn) *seat {
	s := &seat{Conn: c, crowd: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[s] = struct{}{}
	l.metrics.open.Set(float64(len(l.open)))
	return s
}

func (l *crowd) leave(s *seat) {
	l.mu.Lock()
	if _, in := l.open[s]; in {
		delete(l.open, s)
		l.metrics.open.Set(float64(len(l.open)))
		if s.state.Swap(gone) == gone {
			l.closing--
		}
	}
	l.mu.Unlock()
	select {
	case l.left <- struct{}{}:
	default:
	}
}

// room reports whether the open connections are within the maximum. If they are not, it begins to
// close one.
func (l *crowd) room() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.most == 0 || len(l.open) <= l.most {
		return true
	}
	if len(l.open)-l.closing > l.most {
		l.shed()
	}
	return false
}

// shed closes the connection that is first in idlest, once it has been idle for minIdle.
func (l *crowd) shed() {
	now := time.Now()
	if len(l.idlest) == 0 || now.Sub(l.found) > lastFound {
		l.findIdlest(now)
	}
	for len(l.idlest) > 0 {
		next := l.idlest[0]
		if l.at(now)-next.state&^answered < int64(minIdle) {
			return // wait for it: the next ones are idle for less long
		}
		l.idlest = l.idlest[1:]
		if !next.seat.state.CompareAndSwap(next.state, gone) {
			continue // a request of it has begun
		}
		l.closing++
		l.metrics.shed.Inc()
		if n := l.sheds.Note(now); n > 0 {
			l.log.Warn("connections that were idle are closed to make room: more come than the gate may have open; "+
				"raise the limit of open files",
				"listener", l.name, "most", l.most, "closed", n)
		}
		_ = next.seat.Conn.Close() // its reader gets an error, and ends
		return
	}
}

// findIdlest collects the longest idle connections, so that not each newcomer costs a search
// through all.
func (l *crowd) findIdlest(now time.Time) {
	var idle []waiting
	for s := range l.open {
		if state := s.state.Load(); state > 0 {
			idle = append(idle, waiting{s, state})
		}
	}
	slices.SortFunc(idle, func(a, b waiting) int { return cmp.Compare(a.state, b.state) })
	l.idlest, l.found = idle[:(len(idle)+15)/16], now
}

// at is a time as a seat's state has it.
func (l *crowd) at(t time.Time) int64 { return max(1, int64(t.Sub(l.began))) }

// The state of a seat is the time since when it has been idle, plus answered if a request of it was
// answered before; or one of these.
const (
	serving  = 0  // a request is being answered, or it was not let in yet
	gone     = -1 // it was closed, or is being closed to make room
	answered = 1 << 62
)

// seat is a connection of a crowd. One goroutine serves its requests; the crowd
// may close it from another while it is idle.
type seat struct {
	net.Conn
	crowd *crowd
	rank  int64 // 0 or answered
	last  int64 // its last idle state
	state atomic.Int64
}

// wait says that the next request has not begun.
func (s *seat) wait() { s.state.CompareAndSwap(serving, s.last) }

// rest says that a request was answered just now.
func (s *seat) rest() {
	s.last = s.rank | s.crowd.at(time.Now())
	s.wait()
}

// begin says that a request's first byte came. It returns false if the connection was closed
// before.
func (s *seat) begin(at time.Time) bool {
	s.last = s.rank | s.crowd.at(at)
	return s.become(s.last)
}

// serve says that a request is being answered. It returns false if the connection was closed
// before, so that nobody would read the answer.
func (s *seat) serve() bool {
	s.rank = answered
	s.last |= answered
	return s.become(serving)
}

func (s *seat) become(state int64) bool {
	was := s.state.Load()
	return was != gone && s.state.CompareAndSwap(was, state)
}

// Close implements net.Conn.
func (s *seat) Close() error {
	err := s.Conn.Close()
	s.crowd.leave(s)
	return err
}

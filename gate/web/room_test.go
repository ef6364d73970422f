package web

import (
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Who was answered once is known from then on: one that begins its next request, or
// is silent between two, stays while strangers are there, whenever these came.
func TestStrangersMakeRoomForWhoWasAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const kept = 17 // of which two at once are found as the idlest
		h := openHall(t, kept+1, slog.New(slog.DiscardHandler))
		var all []*guest
		come := func() {
			all = append(all, h.come())
			time.Sleep(time.Second)
			h.settle(all[len(all)-1])
		}
		for i := range kept {
			come()
			h.asks(all[i])
			h.answered(all[i])
		}
		h.sends(all[0])
		time.Sleep(time.Second)
		for range 3 {
			come()
		}
		h.stay("of three strangers each newer one closes the one before", all, "abcdefghijklmnopqt")
		for _, g := range all {
			g.far.Close()
		}
	})
}

// lodge has a connection come to a crowd, and returns its seat once it has one.
func lodge(t *testing.T, l *crowd) (seated chan *seat) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { far.Close() })
	seated = make(chan *seat, 1)
	go func() {
		if s, err := l.accept(); err == nil {
			seated <- s
		}
	}()
	l.Listener.(*patient).Listener.(arrivals) <- near
	return seated
}

// A connection that is closed to make room has its descriptor until its server has
// left it. Nobody else is closed for the same newcomer meanwhile, and one that left
// before by itself, or leaves twice, makes no room again.
func TestOneIsClosedForEachThatComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMetrics()
		l := newCrowd(make(arrivals), "public", 2, m, slog.New(slog.DiscardHandler))
		shed := func(when string, want float64) {
			t.Helper()
			if n := testutil.ToFloat64(m.shed.WithLabelValues("public")); n != want {
				t.Errorf("%s: %v were closed, want %v", when, n, want)
			}
		}
		leave := func(s *seat) { _ = s.Close() } // it may be closed already
		a, b := <-lodge(t, l), <-lodge(t, l)
		time.Sleep(minIdle / 2)
		third := lodge(t, l)
		time.Sleep(roomPause)
		leave(a) // which was to be the next to be closed
		leave(a)
		c := <-third
		time.Sleep(minIdle / 2)
		fourth := lodge(t, l)
		time.Sleep(20 * roomPause)
		synctest.Wait()
		shed("a fourth has come, and the server has not left the second", 1)
		if b.serve() {
			t.Error("the second is still served")
		}
		leave(b)
		d := <-fourth
		shed("it has left it", 1)
		leave(c)
		leave(d)
	})
}

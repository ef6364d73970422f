package standin

import (
	"fmt"
	"net/http"
	"time"
)

// outage is one that somebody has asked for.
type outage struct {
	down bool
	ends time.Time // zero: when it is told to
}

// DownFor takes the shop down for a while, from now on: each connection is closed
// without an answer. For 0 it comes back when SetUp says so.
func (s *Shop) DownFor(d time.Duration) {
	o := outage{down: true}
	if d > 0 {
		o.ends = s.now().Add(d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = o
}

// SetUp ends an outage that somebody has asked for. Those of the plan go on.
func (s *Shop) SetUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = outage{}
}

// down reports whether the shop is down, because somebody has asked for it or by
// the plan.
func (s *Shop) down(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.outage; o.down && (o.ends.IsZero() || now.Before(o.ends)) {
		return true
	}
	return !s.began.IsZero() && s.opt.Plan.down(now.Sub(s.began))
}

// down reports whether the shop is down so long after it was first asked.
func (p Plan) down(after time.Duration) bool {
	after -= p.DownAfter
	if after < 0 {
		return false
	}
	if p.DownEvery > 0 {
		after %= p.DownEvery
	}
	return after < p.DownFor
}

// begin notes when the shop was first asked.
func (s *Shop) begin(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() {
		s.began = now
	}
}

func (s *Shop) goDown(w http.ResponseWriter, r *http.Request) {
	var d time.Duration
	if text := r.URL.Query().Get("for"); text != "" {
		var err error
		if d, err = time.ParseDuration(text); err != nil || d <= 0 {
			complain(w, fmt.Errorf("for=%s: must be a duration such as 30s", text))
			return
		}
	}
	s.DownFor(d)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Shop) goUp(w http.ResponseWriter, _ *http.Request) {
	s.SetUp()
	w.WriteHeader(http.StatusNoContent)
}

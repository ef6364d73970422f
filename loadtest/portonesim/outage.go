package portonesim

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// outage is how the REST APIs are down, if they are.
type outage struct {
	down   bool
	hangUp bool      // instead of answering 503
	ends   time.Time // zero: when it is told to
}

// SetDown makes the REST APIs answer 503, or ends whatever outage there is.
// Payments go on meanwhile.
func (s *Sim) SetDown(down bool) { s.setOutage(outage{down: down}) }

// DownFor makes the REST APIs answer 503 for a while, or close each connection
// without an answer. Payments go on meanwhile.
func (s *Sim) DownFor(d time.Duration, hangUp bool) {
	s.setOutage(outage{down: true, hangUp: hangUp, ends: s.deps.Now().Add(d)})
}

func (s *Sim) setOutage(o outage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = o
}

// outageOf reads what /sim/down is asked for.
func (s *Sim) outageOf(ask url.Values) (o outage, err error) {
	o.down = true
	for name := range ask {
		text := ask.Get(name)
		switch name {
		case "for":
			d, err := time.ParseDuration(text)
			if err != nil || d <= 0 {
				return o, fmt.Errorf("for=%s: must be a duration such as 30s", text)
			}
			o.ends = s.deps.Now().Add(d)
		case "hangup":
			if o.hangUp, err = strconv.ParseBool(text); err != nil {
				return o, fmt.Errorf("hangup=%s: must be true or false", text)
			}
		default:
			return o, fmt.Errorf("%s: must be for or hangup", name)
		}
	}
	return o, nil
}

// fails answers as an outage does, and reports whether there is one.
func (o outage) fails(w http.ResponseWriter, now time.Time) bool {
	switch {
	case !o.down || !o.ends.IsZero() && !now.Before(o.ends):
		return false
	case o.hangUp:
		panic(http.ErrAbortHandler)
	}
	http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
	return true
}

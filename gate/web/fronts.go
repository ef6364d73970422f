package web

import (
	"sync"
	"sync/atomic"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/portone"
)

// front is what answering for one sale needs besides its lane.
type front struct {
	settings *gate.Settings // that the answers were made for
	answers  *portone.Answers
	metrics  *saleMetrics
}

// fronts has the front of each lane that was asked. Those of deleted sales stay until
// the next one is made, so there are never many of them.
type fronts struct {
	known  atomic.Pointer[map[*lane.Lane]*front] // replaced, never changed
	making sync.Mutex
}

// of returns the front of a lane for its newest settings, made where there is none.
func (f *fronts) of(l *lane.Lane, make func(*gate.Settings) *front, current func(*lane.Lane) bool) *front {
	settings := l.Settings()
	if known := f.known.Load(); known != nil {
		if front := (*known)[l]; front != nil && front.settings == settings {
			return front
		}
	}
	f.making.Lock()
	defer f.making.Unlock()
	made := map[*lane.Lane]*front{l: make(settings)}
	if known := f.known.Load(); known != nil {
		for other, front := range *known {
			if other != l && current(other) {
				made[other] = front
			}
		}
	}
	f.known.Store(&made)
	return made[l]
}

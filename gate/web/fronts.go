package web

import (
	"sync"
	"sync/atomic"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/portone"
)

// front is what answers for one sale need besides its lane.
type front struct {
	settings *gate.Settings // for which the answers were made
	answers  *portone.Answers
	metrics  *saleMetrics
	shown    shown
}

// fronts has the front of each lane that had a call. Fronts of deleted sales are dropped when the
// next front is made, so there are never many.
type fronts struct {
	known  atomic.Pointer[map[*lane.Lane]*front] // replaced, never changed
	adding sync.Mutex
}

// find returns the front of a lane that was made for its newest settings; nil if there
// is no such front.
func (f *fronts) find(l *lane.Lane) *front {
	known := f.known.Load()
	if known == nil {
		return nil
	}
	if front := (*known)[l]; front != nil && front.settings == l.Settings() {
		return front
	}
	return nil
}

// add makes a front that of its lane, and drops those of lanes that are not current.
func (f *fronts) add(l *lane.Lane, made *front, current func(*lane.Lane) bool) {
	f.adding.Lock()
	defer f.adding.Unlock()
	all := map[*lane.Lane]*front{l: made}
	if known := f.known.Load(); known != nil {
		for other, front := range *known {
			if other != l && current(other) {
				all[other] = front
			}
		}
	}
	f.known.Store(&all)
}

package lane

import (
	"time"

	"github.com/flashgate/flashgate/gate"
)

// believedFor is how long the last reading of an open sale is shown while the store cannot be read:
// a failover is over by then.
const believedFor = 10 * time.Second

// reading is a sale as this gate last read it.
type reading struct {
	state *gate.State
	ahead time.Duration // the sale's clock minus the gate's
	at    time.Time     // by the gate's clock
	found bool          // else it is missing or was never readable, and the state has its name and settings at most
}

// Newest returns the sale as this gate knows it: as the mirror has it if that is fresh, else as it
// was last read. Its Now is the present by the sale's clock. It reports false, with the refusal
// that confirms get, if the sale is missing or cannot be read, and for an open sale if Redis' clock
// is in doubt or the last reading is older than 10 s. A missing sale that is over is closed, and
// has no units. Callers must not change the state's maps and slices.
func (l *Lane) Newest() (gate.State, gate.Verdict, bool) {
	now, c, last := l.now(), l.catalogue.Load(), l.last.Load()
	if !last.found {
		if c.unknown(now).Code == gate.Closed {
			return gate.State{Sale: c.sale, Times: gate.Times{Now: now}}, gate.Verdict{}, true
		}
		return gate.State{}, gate.Refuse(c.doubt()), false
	}
	state, mirrored := l.mirrored()
	if !mirrored {
		state = *last.state
	}
	state.Now = now.Add(last.ahead)
	if !mirrored && state.Phase(state.Now) == "open" && (state.Doubt != nil || now.Sub(last.at) > believedFor) {
		return gate.State{}, gate.Refuse(gate.Unavailable), false
	}
	return state, gate.Verdict{}, true
}

// mirrored returns the sale as the mirror has it, if there is one and it is fresh.
func (l *Lane) mirrored() (gate.State, bool) {
	if l.mirror == nil {
		return gate.State{}, false
	}
	return l.mirror.State()
}

package gate

import (
	"fmt"
	"time"
)

// MaxTime is the latest time that is taken from outside, in milliseconds since 1970: the end of the
// year 2199. No launch and no deposit is later, so a later time is a slip or an attack. Thirteen
// digits are exact in floating point, as in Redis' Lua, its scores and JavaScript.
const MaxTime = 7_258_118_399_999

// Bounded returns t, or MaxTime if t is later.
func Bounded(t time.Time) time.Time {
	if latest := time.UnixMilli(MaxTime); t.After(latest) {
		return latest
	}
	return t
}

// ClockTolerance is how far apart Redis' clock, a gate's clock and the latest time that a sale has
// seen may be. Clocks further apart do not agree, and Redis' clock may be in doubt:
// luascripts/prelude.lua has the rule, and the same number.
const ClockTolerance = time.Minute

// Times are the clocks at the moment of a read.
type Times struct {
	// Now is the sale's time: Redis' clock, or the latest time that the sale has seen if that is later. If Redis'
	// clock is in doubt, it is the reader's own clock.
	Now   time.Time
	Ahead time.Duration // Redis' clock minus the reader's own
	Doubt *ClockError   // nil unless Redis' clock is in doubt
}

// ClockError says that Redis' clock is in doubt, so nothing was changed.
type ClockError struct {
	Redis, Own time.Time // what its clock said, and this machine's
}

// Error implements error.
func (e *ClockError) Error() string {
	return fmt.Sprintf("Redis' clock says %s, this machine's %s, and nothing is changed while they are more than "+
		"%s apart: %s",
		e.Redis.UTC().Format(time.RFC3339), e.Own.UTC().Format(time.RFC3339), ClockTolerance, e.Difference())
}

// Difference says how far apart the clocks are and what to do. The text stays the same while the
// difference does.
func (e *ClockError) Difference() string {
	apart, side := e.Redis.Sub(e.Own), "ahead of"
	if apart < 0 {
		apart, side = -apart, "behind"
	}
	return fmt.Sprintf("Redis' clock is %s %s this machine's. Have NTP set the one that is wrong (timedatectl, "+
		"chronyc tracking)",
		apart.Round(10*time.Second), side)
}

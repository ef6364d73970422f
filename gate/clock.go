package gate

import (
	"fmt"
	"time"
)

// MaxTime is the latest time that is taken from outside, in milliseconds since
// 1970: the end of the year 2199. No launch and no deposit lies behind it, so what
// does is a slip or an attack. And a time of thirteen digits is whole wherever
// numbers are floating point, as in Redis' Lua, its scores and JavaScript.
const MaxTime = 7_258_118_399_999

// Bounded returns t, or MaxTime where t is later.
func Bounded(t time.Time) time.Time {
	if latest := time.UnixMilli(MaxTime); t.After(latest) {
		return latest
	}
	return t
}

// ClockTolerance is how far Redis' clock, a gate's and the latest time that a sale
// has seen may be apart. Further, and Redis' is in doubt where the others do not
// agree with it: luascripts/prelude.lua has the rule, and the same number.
const ClockTolerance = time.Minute

// Times are the clocks as they were when something was read.
type Times struct {
	// Now is the sale's time: Redis', or the latest that the sale has seen; the reader's own where that is in doubt.
	Now   time.Time
	Ahead time.Duration // Redis' clock minus the reader's own
	Doubt *ClockError   // nil where Redis' clock is not in doubt
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

// Difference says how far the clocks are apart and what to do, in words that stay
// the same while they go on as they do.
func (e *ClockError) Difference() string {
	apart, side := e.Redis.Sub(e.Own), "ahead of"
	if apart < 0 {
		apart, side = -apart, "behind"
	}
	return fmt.Sprintf("Redis' clock is %s %s this machine's. Have NTP set the one that is wrong (timedatectl, "+
		"chronyc tracking)",
		apart.Round(10*time.Second), side)
}

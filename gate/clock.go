package gate

import "time"

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

package gate

import (
	"sync/atomic"
	"time"
)

// loggedEvery is the shortest time between two log lines on the same thing.
const loggedEvery = time.Minute

// NowAndThen counts events that are logged together, at most once a minute. The zero value is ready
// to use.
type NowAndThen struct {
	unlogged atomic.Int64
	logged   atomic.Int64 // when, in unix nanoseconds
}

// Note counts one more event. It returns how many events a line should be logged for now: mostly 0.
func (s *NowAndThen) Note(now time.Time) int64 {
	s.unlogged.Add(1)
	last := s.logged.Load()
	if now.UnixNano()-last < int64(loggedEvery) || !s.logged.CompareAndSwap(last, now.UnixNano()) {
		return 0
	}
	return s.unlogged.Swap(0)
}

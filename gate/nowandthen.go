package gate

import (
	"sync/atomic"
	"time"
)

// loggedEvery is how often the same thing is logged, at most.
const loggedEvery = time.Minute

// NowAndThen counts what is worth a line in the log now and then. The zero value
// is ready to use.
type NowAndThen struct {
	unlogged atomic.Int64
	logged   atomic.Int64 // when, in unix nanoseconds
}

// Note counts one more, and returns how many a line is to be written for now,
// which is mostly none.
func (s *NowAndThen) Note(now time.Time) int64 {
	s.unlogged.Add(1)
	last := s.logged.Load()
	if now.UnixNano()-last < int64(loggedEvery) || !s.logged.CompareAndSwap(last, now.UnixNano()) {
		return 0
	}
	return s.unlogged.Swap(0)
}

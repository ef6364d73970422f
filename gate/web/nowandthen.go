package web

import (
	"sync/atomic"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// toldEvery is how often the same thing is logged, at most.
const toldEvery = time.Minute

// nowAndThen counts what is worth a line in the log now and then.
type nowAndThen struct {
	untold atomic.Int64
	told   atomic.Int64 // when, in unix nanoseconds
}

// note counts one more, and returns how many a line is to be written for now,
// which is mostly none.
func (s *nowAndThen) note(now time.Time) int64 {
	s.untold.Add(1)
	last := s.told.Load()
	if now.UnixNano()-last < int64(toldEvery) || !s.told.CompareAndSwap(last, now.UnixNano()) {
		return 0
	}
	return s.untold.Swap(0)
}

// refusals counts the refusals that are worth a line now and then, by cause or
// else by code, so that a flood of one hides none of another. It grows with
// nothing that strangers send.
type refusals struct {
	byCause, byCode []nowAndThen
}

func newRefusals() *refusals {
	return &refusals{make([]nowAndThen, len(gate.Causes())+1), make([]nowAndThen, len(gate.Codes()))}
}

// note is as nowAndThen's. It is none for refusals behind which there is neither
// a mistake nor an attack, such as those of a sale that is sold out.
func (r *refusals) note(v gate.Verdict, now time.Time) int64 {
	if v.Cause != gate.NoCause {
		return r.byCause[v.Cause].note(now)
	}
	switch v.Code {
	case gate.Undecided, gate.BadRequest, gate.UnknownSale, gate.UnknownSKU:
		return r.byCode[v.Code].note(now)
	}
	return 0
}

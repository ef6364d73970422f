package web

import (
	"time"

	"github.com/flashgate/flashgate/gate"
)

// refusals counts the refusals that are worth a line now and then, by cause or
// else by code, so that a flood of one hides none of another. It grows with
// nothing that strangers send.
type refusals struct {
	byCause, byCode []gate.NowAndThen
}

func newRefusals() *refusals {
	return &refusals{make([]gate.NowAndThen, len(gate.Causes())+1), make([]gate.NowAndThen, len(gate.Codes()))}
}

// note is like gate.NowAndThen's. It returns 0 for refusals that are neither a mistake nor an
// attack, such as sold_out.
func (r *refusals) note(v gate.Verdict, now time.Time) int64 {
	if v.Cause != gate.NoCause {
		return r.byCause[v.Cause].Note(now)
	}
	switch v.Code {
	case gate.Undecided, gate.BadRequest, gate.UnknownSale, gate.UnknownSKU:
		return r.byCode[v.Code].Note(now)
	}
	return 0
}

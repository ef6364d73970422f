package web

import (
	"time"

	"github.com/flashgate/flashgate/gate"
)

// refusals counts the refusals that are logged now and then, by cause, or by code if there is none.
// So a flood of one does not hide another. Its size does not depend on what strangers send.
type refusals struct {
	byCause, byCode []gate.NowAndThen
}

func newRefusals() *refusals {
	return &refusals{make([]gate.NowAndThen, len(gate.Causes())+1), make([]gate.NowAndThen, len(gate.Codes()))}
}

// note counts a refusal as gate.NowAndThen's Note does. It returns 0 for refusals that are neither
// a mistake nor an attack, such as sold_out.
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

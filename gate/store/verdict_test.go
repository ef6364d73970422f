package store

import (
	"testing"

	"github.com/flashgate/flashgate/gate"
)

// A reply that no script gives decides nothing: the batch is sent again.
func TestAReplyThatNobodyKnowsIsAnError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tell  func([]*gate.Request, []any) error
		reply []any
	}{
		"a verdict that there is not":        {applyConfirms, []any{"h", int64(1), int64(1)}},
		"an answer that there is not":        {applyGrants, []any{"S", int64(1), int64(1)}},
		"an asking order without revision":   {applyConfirms, []any{"A", int64(1), int64(1)}},
		"an asking order of no revision":     {applyConfirms, []any{"A", int64(1), int64(1), int64(1), nil, int64(0)}},
		"an asking order of a revision text": {applyConfirms, []any{"A", int64(1), int64(1), int64(1), nil, "2"}},
	} {
		r := &gate.Request{}
		if err := test.tell([]*gate.Request{r}, test.reply); err == nil || r.Verdict() != (gate.Verdict{}) ||
			r.Revision != 0 {
			t.Errorf("%s: got %+v of revision %d, %v", name, r.Verdict(), r.Revision, err)
		}
	}
}

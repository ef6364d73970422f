package gate

import (
	"testing"
	"time"
)

// A request is used again: what the last one asked for must not stick to it.
func TestNothingOfARequestIsLeftForTheNext(t *testing.T) {
	t.Parallel()
	r := &Request{
		Confirm: Confirm{
			Order: []byte("o"), Attempt: []byte("a"), Version: 2, Buyer: []byte("b"), Lines: []Line{{}},
			Amount: Amount{1, true},
		},
		Asks: true, NoHold: ShopDown, Revision: 7, Yes: true, Received: time.Now(), verdict: Refuse(Held),
		decided: make(chan struct{}, 1),
	}
	r.Reset()
	if len(r.Confirm.Order)+len(r.Confirm.Attempt)+len(r.Confirm.Buyer)+len(r.Confirm.Lines) > 0 ||
		r.Confirm.Version != 0 || r.Confirm.Amount.Known ||
		r.Asks || r.NoHold != NoCause || r.Revision != 0 || r.Yes || r.verdict != (Verdict{}) || !r.Received.IsZero() ||
		r.decided == nil {
		t.Errorf("left: %+v", r)
	}
}

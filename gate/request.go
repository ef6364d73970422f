package gate

import (
	"context"
	"time"
)

// MaxBatch bounds what one script call decides. Lua's unpack takes about 8,000 values
// on Redis, and a call of this size lasts about 2 ms.
const MaxBatch = 256

// Decider decides batches of one sale. A lane makes one call at a time.
type Decider interface {
	// Decide sets the verdict of each request, or returns an error; then no verdict counts.
	// Deciding a batch again is safe: nothing is taken twice. It returns soon after ctx is done.
	Decide(ctx context.Context, batch []*Request) error
	Close() error
}

// Accepted are the orders of a batch that have their units, as their newest records have
// them.
type Accepted struct {
	Seq     int64 // of the newest ledger entry when the batch was decided
	Changes []Change
}

// Request is one confirm on its way through a lane, which hands it to a Decider. It
// belongs to its handler until it is decided.
type Request struct {
	Confirm  Confirm
	Received time.Time // when its first byte came

	Asks   bool  // a new hold of it is asking until the shop says yes
	NoHold Cause // why it must take no new hold; NoCause if it may

	// KnownOnly says that the confirm counts only if its order has its attempt already. If not,
	// Refusal is the verdict.
	KnownOnly bool
	Refusal   Verdict

	Revision int64 // of the asking order's record; 0 where the shop need not be asked
	Yes      bool  // whether the shop said yes

	// Accepted is the newest record of the order if it has its units, and Seq the newest
	// ledger entry when it was read. A Decider sets them for a copy of the sale.
	Accepted Change
	Seq      int64

	verdict Verdict
	decided chan struct{}
}

// NewRequest returns an empty request.
func NewRequest() *Request { return &Request{decided: make(chan struct{}, 1)} }

// Doubt says that a check refuses the confirm. The refusal stands unless the store knows the order
// by this attempt: what was answered once is answered again. The first refusal counts; Doubt returns
// it.
func (r *Request) Doubt(refusal Verdict) Verdict {
	if !r.KnownOnly {
		r.KnownOnly, r.Refusal = true, refusal
	}
	return r.Refusal
}

// Set sets the verdict. Only a Decider calls it; a request that it forgets stays Undecided.
func (r *Request) Set(v Verdict) { r.verdict = v }

// SetAsking says that the shop must be asked about the order, whose record has the given revision.
// The verdict is a refusal until the shop has said yes.
func (r *Request) SetAsking(revision int64) {
	r.verdict, r.Revision = RefuseFor(ShopNoAnswer), revision
}

// Overrule replaces the verdict that a Decider has set.
func (r *Request) Overrule(v Verdict) {
	r.verdict, r.Revision = v, 0
	r.Accepted, r.Seq = Change{}, 0
}

// Verdict returns the verdict that was set.
func (r *Request) Verdict() Verdict { return r.verdict }

// Done ends the Wait for the verdict, which must not be set afterwards. Only a lane calls it, once
// for each Wait.
func (r *Request) Done() { r.decided <- struct{}{} }

// Wait returns the verdict once the lane is done with the request.
func (r *Request) Wait() Verdict {
	<-r.decided
	return r.verdict
}

// Reset empties r and keeps its memory for the next confirm.
func (r *Request) Reset() {
	r.Confirm.Reset()
	r.Received = time.Time{}
	r.Asks, r.NoHold, r.Revision, r.Yes, r.verdict = false, NoCause, 0, false, Verdict{}
	r.KnownOnly, r.Refusal = false, Verdict{}
	r.Accepted, r.Seq = Change{}, 0
}

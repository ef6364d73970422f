package settle

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// errStrangers says that PortOne has never known a payment that was looked up, and lists no other.
// It would answer the same if the credentials were another shop's, so no order may be released for
// such an answer.
var errStrangers = errors.New("PortOne has known none of the payments so far, and lists none: are the credentials " +
	"those of this shop?")

// The pause between two calls that ask PortOne for any payment, and the bound of one call, while it
// has known none.
const proveEvery, proveFor = 10 * time.Second, 2 * time.Second

// proof is whether the credentials of a version are known to belong to a shop with payments. Until
// then, "unknown payment" means nothing.
type proof struct {
	mu    sync.Mutex
	known bool
	asked time.Time // when PortOne was last asked whether it lists any payment
}

// proven reports whether PortOne has ever shown a payment to these credentials: one that was looked
// up, or any in its list.
func (s *Settler) proven(ctx context.Context, version gate.Version) bool {
	p, now := &s.proofs[version], s.deps.Now()
	if known, ask := p.begin(now); !ask {
		return known
	}
	ctx, cancel := context.WithTimeout(ctx, proveFor)
	defer cancel()
	listed, err := s.deps.Payments.Any(ctx, version)
	if err != nil || !listed {
		return false
	}
	p.markProven()
	s.deps.Log.Warn("PortOne has known none of the payments so far, and lists others of this shop: orders whose "+
		"payments it does not know are released when their hold ends. "+
		"If nobody has paid yet that is right; else compare the credentials with the shop's", "version", version)
	return true
}

// begin reports whether there is proof; if not, whether it is time to ask PortOne.
func (p *proof) begin(now time.Time) (known, ask bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ask = !p.known && now.Sub(p.asked).Abs() >= proveEvery; ask {
		p.asked = now
	}
	return p.known, ask
}

// markProven notes that PortOne knows a payment that was looked up.
func (p *proof) markProven() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = true
}

// lookup looks up the payments of those orders that need it, many together. Orders that this leaves
// open wait in a queue of their own, so that the others do not wait for calls of one order each.
func (s *Settler) lookup(ctx context.Context, sale string, orders []gate.Order, queue gate.Queue) []finding {
	findings := make([]finding, len(orders))
	if s.deps.Payments == nil {
		return findings
	}
	together := queue == gate.QueueFresh || queue == gate.QueueAgain || queue == gate.QueueHastened
	var queries []portone.Query
	var of []int // which order each query is of
	for i := range orders {
		o := &orders[i]
		if o.State == gate.OrderAsking {
			continue
		}
		attempts := 0
		for _, q := range portone.QueriesOf(o) {
			q.Together, q.Alone = together, q.Alone && !together // refunds are sent only for what a look-up alone finds
			queries, of = append(queries, q), append(of, i)
			attempts += len(q.Attempts)
		}
		findings[i].asked = true
		findings[i].unsure = attempts < len(o.Attempts) // the gate lacks credentials for an attempt's version
	}
	if len(queries) == 0 {
		return findings
	}
	found := s.deps.Payments.Lookup(ctx, queries)
	if len(found) != len(queries) {
		found = make([]portone.Finding, len(queries)) // findings cannot be matched to queries
	}
	var answered [3]bool // by PortOne's version: whether an order of it was answered
	for k := range found {
		version := queries[k].Version
		if len(found[k].Payments) > 0 {
			s.proofs[version].markProven()
		}
		answered[version] = answered[version] || found[k].Doubt(queries[k]) == nil
	}
	s.weigh(ctx, sale, queries, found, func(k int, err error) {
		f := &findings[of[k]]
		f.payments = append(f.payments, found[k].Payments...)
		switch {
		case err == nil:
			return
		case errors.Is(err, portone.ErrAlone):
			f.alone = gate.QueueStrangers
			if len(f.payments) > 0 {
				f.alone = gate.QueueAlone
			}
		case errors.Is(err, errStrangers), errors.Is(err, portone.ErrNoCredentials):
			f.unsure = true
			return // the same would happen again
		case portone.Own(err), answered[queries[k].Version], queue == gate.QueueAside:
			f.fault = err
		}
		f.unsure, f.open = true, true
	})
	return findings
}

// weigh passes to tell why each query's finding is in doubt, or nil, and counts and logs failed
// look-ups. Until the credentials are proven, a payment that PortOne does not know is in doubt too.
func (s *Settler) weigh(ctx context.Context, sale string, queries []portone.Query, found []portone.Finding,
	tell func(k int, err error),
) {
	var problem error
	unsure := 0
	for k := range found {
		err := found[k].Doubt(queries[k])
		if err == nil && len(found[k].Missing) > 0 && !s.proven(ctx, queries[k].Version) {
			err = errStrangers
		}
		if err != nil && !errors.Is(err, portone.ErrAlone) {
			problem, unsure = err, unsure+1
		}
		tell(k, err)
	}
	if unsure > 0 {
		s.deps.Metrics.unsure.WithLabelValues(sale).Add(float64(unsure))
		s.deps.Log.Warn("payments could not be looked up: their orders stay as they are", "sale", sale,
			"orders", unsure, "error", problem)
	}
}

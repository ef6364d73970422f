package settle

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// errStrangers says that PortOne knows none of the payments that were looked up,
// ever, and no other one either. It does so too when it is asked with another shop's
// credentials, and then nothing may be released for it.
var errStrangers = errors.New("PortOne has known none of the payments so far, and lists none: are the credentials " +
	"those of this shop?")

// How often PortOne is asked for any payment, and how long for at most, while it has
// known none.
const proveEvery, proveFor = 10 * time.Second, 2 * time.Second

// proof is whether the credentials of a version are known to be those of a shop with
// payments, without which what PortOne does not know means nothing.
type proof struct {
	mu    sync.Mutex
	known bool
	asked time.Time // last, whether it lists any
}

// proven reports whether PortOne has told of a payment to these credentials: of one
// that was looked up, or of any that it lists.
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

// begin reports whether there is proof, or else whether it is time to ask for it.
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

// lookup looks up the payments of those orders that need it. Many are looked up
// together; what that leaves open waits in a queue of its own, so that no order whose
// payments are plain waits for calls that are for one order each.
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
			q.Together, q.Alone = together, q.Alone && !together // nothing is sent back on what is found together
			queries, of = append(queries, q), append(of, i)
			attempts += len(q.Attempts)
		}
		findings[i].asked = true
		findings[i].unsure = attempts < len(o.Attempts) // one is of no version that can be asked
	}
	if len(queries) == 0 {
		return findings
	}
	found := s.deps.Payments.Lookup(ctx, queries)
	if len(found) != len(queries) {
		found = make([]portone.Finding, len(queries)) // nobody knows which is whose
	}
	var answered [3]bool // by PortOne's version: of an order of these
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
			return // it would be so again
		case portone.Own(err), answered[queries[k].Version], queue == gate.QueueAside:
			f.fault = err
		}
		f.unsure, f.open = true, true
	})
	return findings
}

// weigh tells each query's finding with what is in doubt of it, and counts and warns of
// those that brought nothing.
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

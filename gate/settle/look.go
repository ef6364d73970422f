package settle

import (
	"context"
	"errors"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// errStrangers says that PortOne knows none of the payments that were looked up,
// ever. It does so too when it is asked with another shop's credentials, and then
// nothing may be released for it.
var errStrangers = errors.New("PortOne has known none of the payments so far: are the credentials those of this shop?")

// lookup looks up the payments of those orders that need it.
func (s *Settler) lookup(ctx context.Context, sale string, orders []gate.Order) []finding {
	findings := make([]finding, len(orders))
	if s.opt.Payments == nil {
		return findings
	}
	var queries []portone.Query
	var of []int // which order each query is of
	for i := range orders {
		o := &orders[i]
		if o.State == gate.OrderAsking || o.State == gate.OrderRefunded && !o.OwesRefund() {
			continue
		}
		attempts := 0
		for _, q := range portone.QueriesOf(o) {
			queries, of = append(queries, q), append(of, i)
			attempts += len(q.Attempts)
		}
		findings[i].asked = true
		findings[i].unsure = attempts < len(o.Attempts) // one is of no version that can be asked
	}
	if len(queries) == 0 {
		return findings
	}
	var problem error
	unsure := 0
	found := s.opt.Payments.Lookup(ctx, queries)
	if len(found) != len(queries) {
		found = make([]portone.Finding, len(queries)) // nobody knows which is whose
	}
	for k := range found {
		if len(found[k].Payments) > 0 {
			s.known[queries[k].Version].Store(true)
		}
	}
	for k := range found {
		f := &findings[of[k]]
		f.payments = append(f.payments, found[k].Payments...)
		err := found[k].Doubt(queries[k])
		if err == nil && len(found[k].Missing) > 0 && !s.known[queries[k].Version].Load() {
			err = errStrangers
		}
		if err != nil {
			f.unsure = true
			problem, unsure = err, unsure+1
		}
	}
	if unsure > 0 {
		s.opt.Metrics.unsure.WithLabelValues(sale).Add(float64(unsure))
		s.opt.Log.Warn("payments could not be looked up: their orders stay as they are", "sale", sale, "orders", unsure, "error", problem)
	}
	return findings
}

package portone

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flashgate/flashgate/gate"
)

const (
	// few orders are looked up one by one, which finds attempts that nobody has
	// asked about too.
	few = 20
	// worth is how many orders a page of V2's list must spare a look-up of their own
	// for the list to be worth its calls, in the worst case.
	worth = 10
	// listBefore is how long before Since a payment may have been made.
	listBefore = 15 * time.Minute
)

// Query asks for the payments of an order.
type Query struct {
	Order    string
	Version  uint8     // 1 or 2: which of PortOne's APIs knows it
	Attempts []string  // those to be accounted for
	Since    time.Time // when it was confirmed first; zero if unknown
}

// QueriesOf returns a query for each version that an order has attempts of.
func QueriesOf(o *gate.Order) []Query {
	var queries []Query
	for _, version := range []uint8{1, 2} {
		q := Query{Order: o.ID, Version: version, Since: o.Taken}
		for _, a := range o.Attempts {
			if a.Version == version {
				q.Attempts = append(q.Attempts, a.ID)
			}
		}
		if len(q.Attempts) > 0 {
			queries = append(queries, q)
		}
	}
	return queries
}

// Finding is what was found for a query.
type Finding struct {
	Order string
	// Payments are those of the query's attempts, and any others of the order that
	// came up with them. Each says itself which order it belongs to: an attempt that
	// the buyer has invented may be somebody else's.
	Payments []gate.Payment
	// Missing are the query's attempts that PortOne does not know, not even as test
	// payments.
	Missing []string
	// Err says that the order could not be looked up. Then nothing is known about
	// it: neither that it was paid nor that it was not. Doubt has it.
	Err error
}

// Doubt returns why the finding does not tell what became of the query's attempts,
// and nil only where it has a word on each: one that is empty says nothing, and
// not that there is no payment.
func (f *Finding) Doubt(q Query) error {
	if f.Err != nil {
		return f.Err
	}
	for _, attempt := range q.Attempts {
		if !has(f.Payments, attempt) && !slices.Contains(f.Missing, attempt) {
			return fmt.Errorf("the look-up of order %q says nothing of attempt %q", q.Order, attempt)
		}
	}
	return nil
}

// Lookup returns a finding for each query, in their order. What goes wrong for
// one does not touch the others. Many orders of the same version are looked up
// together, in few calls; what V2 lists may be seconds old.
func (c *Client) Lookup(ctx context.Context, queries []Query) []Finding {
	findings := make([]Finding, len(queries))
	var asks1, asks2 []ask
	for i, q := range queries {
		findings[i].Order = q.Order
		switch {
		case Version(q.Version) == V1 && c.v1 != nil:
			asks1 = append(asks1, ask{q, &findings[i]})
		case Version(q.Version) == V2 && c.v2 != nil:
			asks2 = append(asks2, ask{q, &findings[i]})
		default:
			findings[i].Err = noCredentials(q.Version)
		}
	}
	var both sync.WaitGroup
	if len(asks1) > 0 {
		both.Go(func() { c.v1.lookup(ctx, asks1) })
	}
	if len(asks2) > 0 {
		both.Go(func() { c.v2.lookup(ctx, asks2) })
	}
	both.Wait()
	return findings
}

func noCredentials(version uint8) error {
	return fmt.Errorf("there are no credentials for PortOne's version %d", version)
}

// ask is a query, and where its finding goes.
type ask struct {
	Query
	finding *Finding
}

// fail records that the order could not be looked up.
func (a ask) fail(err error) { *a.finding = Finding{Order: a.Order, Err: err} }

// each calls do for each ask, for some at the same time.
func each(atOnce int, asks []ask, do func(ask)) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, a := range asks {
		group.Go(func() error { do(a); return nil })
	}
	_ = group.Wait() // do returns no error
}

// lookup looks many orders up by their attempts, up to a hundred in a call. What
// that leaves open, and what are few, it looks up order by order.
func (v *v1) lookup(ctx context.Context, asks []ask) {
	known := map[string]found{}
	if len(asks) > few {
		known = v.bulk(ctx, asks)
	}
	var open []ask
	for _, a := range asks {
		if !a.explained(known) {
			open = append(open, a)
		}
	}
	each(v.atOnce, open, func(a ask) { v.lookupOrder(ctx, a, known) })
}

// bulk returns what is known of the attempts, or why nothing could be known.
func (v *v1) bulk(ctx context.Context, asks []ask) map[string]found {
	attempts := map[string]bool{}
	for _, a := range asks {
		for _, attempt := range a.Attempts {
			if plain(attempt) {
				attempts[attempt] = true
			}
		}
	}
	var mu sync.Mutex // over known and refused
	var refused error
	known := make(map[string]found, len(attempts))
	var group errgroup.Group
	group.SetLimit(v.atOnce)
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(attempts)), v1Bulk) {
		group.Go(func() error {
			payments, err := v.payments(ctx, chunk)
			mu.Lock()
			defer mu.Unlock()
			if refusedList(err) {
				refused = err
				return nil
			}
			for _, attempt := range chunk {
				if f, ok := payments[attempt]; ok {
					known[attempt] = f
				} else if err != nil {
					known[attempt] = found{err: err}
				}
			}
			return nil
		})
	}
	_ = group.Wait() // none returns an error
	if refused != nil {
		v.warn("PortOne refused to look payments up together: looking them up one by one", "error", refused)
	}
	return known
}

// refusedList reports whether PortOne does not take a call for many payments as
// it is, which says nothing against calls for each of them.
func refusedList(err error) bool {
	var no *Error
	return errors.As(err, &no) && (no.Status == http.StatusBadRequest || no.Status == http.StatusRequestURITooLong)
}

// explained writes the finding where every attempt is known, or where one could
// not be looked up. An ask without attempts is never explained.
func (a ask) explained(known map[string]found) bool {
	var payments []gate.Payment
	for _, attempt := range a.Attempts {
		f, ok := known[attempt]
		if f.err != nil {
			a.fail(f.err)
			return true
		}
		if ok {
			payments = append(payments, f.payment)
		}
	}
	if len(payments) == 0 || len(payments) < len(a.Attempts) {
		return false
	}
	a.finding.Payments = payments
	return true
}

// lookupOrder asks for every payment of the order, then for each attempt that is
// not among them.
func (v *v1) lookupOrder(ctx context.Context, a ask, known map[string]found) {
	payments, err := v.order(ctx, a.Order)
	if err != nil {
		a.fail(err)
		return
	}
	var missing []string
	for _, attempt := range a.Attempts {
		if has(payments, attempt) {
			continue
		}
		if !plain(attempt) {
			missing = append(missing, attempt)
			continue
		}
		f, ok := known[attempt]
		if !ok {
			f.payment, f.err = v.payment(ctx, attempt)
		}
		switch {
		case notFound(f.err):
			missing = append(missing, attempt)
		case f.err != nil:
			a.fail(f.err)
			return
		default:
			payments = append(payments, f.payment)
		}
	}
	a.finding.Payments, a.finding.Missing = payments, missing
}

// lookup looks many orders up in V2's list. Those that it does not have, and
// what are few, it looks up order by order.
func (v *v2) lookup(ctx context.Context, asks []ask) {
	listed := map[string]found{}
	if len(asks) > few {
		var err error
		listed, err = v.listed(ctx, asks)
		switch {
		case refusedList(err):
			v.warn("PortOne refused to list payments: looking them up one by one", "error", err)
		case err != nil:
			for _, a := range asks {
				a.fail(err)
			}
			return
		}
	}
	each(v.atOnce, asks, func(a ask) { v.lookupOrder(ctx, a, listed) })
}

// listed pages through the payments made since the orders were confirmed, while
// there may be some of theirs among them and it is worth the calls.
func (v *v2) listed(ctx context.Context, asks []ask) (map[string]found, error) {
	wanted := map[string]bool{}
	var from time.Time
	for _, a := range asks {
		if a.Since.IsZero() {
			continue
		}
		wanted[a.Order] = true
		if since := a.Since.Add(-listBefore); from.IsZero() || since.Before(from) {
			from = since
		}
	}
	listed := make(map[string]found, len(wanted))
	if len(wanted) == 0 {
		return listed, nil
	}
	pages := 0
	err := v.pages(ctx, from, func(page map[string]found, _ time.Time) bool {
		for order, f := range page {
			if wanted[order] {
				listed[order] = f
			}
		}
		pages++
		return len(listed) < len(wanted) && pages <= len(asks)/worth
	})
	return listed, err
}

// lookupOrder asks for the order's payment, unless it was listed, and for every
// transaction where that one is not the only attempt.
func (v *v2) lookupOrder(ctx context.Context, a ask, listed map[string]found) {
	f, ok := listed[a.Order]
	if !ok {
		f.payment, f.err = v.payment(ctx, a.Order)
	}
	switch {
	case notFound(f.err):
		a.finding.Missing = a.Attempts
		return
	case f.err != nil:
		a.fail(f.err)
		return
	}
	payments := []gate.Payment{f.payment}
	if len(a.Attempts) > 1 || len(a.Attempts) == 1 && a.Attempts[0] != f.payment.Attempt {
		var err error
		if payments, err = v.transactions(ctx, a.Order); err != nil {
			a.fail(err)
			return
		}
		if !has(payments, f.payment.Attempt) {
			payments = append(payments, f.payment)
		}
	}
	a.finding.Payments = payments
	for _, attempt := range a.Attempts {
		if !has(payments, attempt) {
			a.finding.Missing = append(a.finding.Missing, attempt)
		}
	}
}

func has(payments []gate.Payment, attempt string) bool {
	return slices.ContainsFunc(payments, func(p gate.Payment) bool { return p.Attempt == attempt })
}

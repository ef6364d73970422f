package portone

import (
	"cmp"
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
	Version  gate.Version
	Attempts []string  // those to be accounted for
	Since    time.Time // when it was confirmed first; zero if unknown
	Alone    bool      // it is looked up by itself: a list may be seconds old, and money is sent back on what is found

	// Together makes no call for this order alone where many are looked up together. If
	// that leaves something of it open, the finding's error is ErrAlone.
	Together bool
}

// ErrAlone says that the look-up of many orders together left something of this one
// open. The finding has those of its payments that are known.
var ErrAlone = errors.New("the order has to be looked up alone")

// QueriesOf returns a query for each version that an order has attempts of.
func QueriesOf(o *gate.Order) []Query {
	var queries []Query
	for _, version := range gate.Versions() {
		q := Query{Order: o.ID, Version: version, Since: o.Taken, Alone: o.OwesRefund()}
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
	// Err says why an attempt of the query's, or all of them, could not be looked up.
	// Nothing is known of those that are in neither of the above: neither that they were
	// paid nor that they were not. Doubt returns why.
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

// Lookup returns a finding for each query, in the same sequence. An error of one query does not
// affect the others. Many orders of the same version are looked up together, in few calls; V2's
// list may be seconds old.
func (c *Client) Lookup(ctx context.Context, queries []Query) []Finding {
	findings := make([]Finding, len(queries))
	var asks1, asks2 []ask
	for i, q := range queries {
		findings[i].Order = q.Order
		switch {
		case q.Version == gate.V1 && c.v1 != nil:
			asks1 = append(asks1, ask{q, &findings[i]})
		case q.Version == gate.V2 && c.v2 != nil:
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

// ErrNoCredentials says that the client has no credentials for a payment's version.
var ErrNoCredentials = errors.New("there are no credentials for PortOne's version")

func noCredentials(version gate.Version) error { return fmt.Errorf("%w %d", ErrNoCredentials, version) }

// ask is a query, and where its finding goes.
type ask struct {
	Query
	finding *Finding
}

// together returns those asks that may be looked up in calls for many.
func together(asks []ask) (some []ask) {
	for _, a := range asks {
		if !a.Alone {
			some = append(some, a)
		}
	}
	return some
}

// fail records that the order could not be looked up.
func (a ask) fail(err error) { *a.finding = Finding{Order: a.Order, Err: err} }

// leave records that the order has to be looked up alone, and what is known of it.
func (a ask) leave(known ...gate.Payment) {
	*a.finding = Finding{Order: a.Order, Payments: known, Err: ErrAlone}
}

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
	known, takes := map[string]found{}, false
	if together := together(asks); len(together) > few {
		known, takes = v.bulk(ctx, together)
	}
	var open []ask
	for _, a := range asks {
		if a.Alone {
			open = append(open, a)
			continue
		}
		switch payments, all := a.explained(known); {
		case all:
		case takes && a.Together:
			a.leave(payments...)
		default:
			open = append(open, a)
		}
	}
	each(v.atOnce, open, func(a ask) { v.lookupOrder(ctx, a, known) })
}

// bulk returns what is known of the attempts, or why nothing could be known. It reports
// whether PortOne takes such calls.
func (v *v1) bulk(ctx context.Context, asks []ask) (known map[string]found, takes bool) {
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
	known = make(map[string]found, len(attempts))
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
	return known, refused == nil
}

// refusedList reports whether PortOne does not take a call for many payments as
// it is, which says nothing against calls for each of them.
func refusedList(err error) bool {
	var no *Error
	return errors.As(err, &no) && (no.Status == http.StatusBadRequest || no.Status == http.StatusRequestURITooLong)
}

// explained writes the finding where every attempt is known, or where the call for one
// has failed, and reports whether it did. It returns the payments that are known. An ask
// without attempts is never explained.
func (a ask) explained(known map[string]found) (payments []gate.Payment, all bool) {
	result := Finding{Order: a.Order}
	all = len(a.Attempts) > 0
	for _, attempt := range a.Attempts {
		f, ok := known[attempt]
		switch {
		case !ok:
			all = false
		case f.err != nil && f.attempt == "": // not of a payment, but of the call
			a.fail(f.err)
			return nil, true
		default:
			result.add(f)
		}
	}
	if all {
		*a.finding = result
	}
	return result.Payments, all
}

// add notes a payment that is to be accounted for, or why it cannot be read.
func (f *Finding) add(one found) {
	if one.err != nil {
		f.Err = cmp.Or(f.Err, one.err)
		return
	}
	f.Payments = append(f.Payments, one.payment)
}

// lookupOrder asks for every payment of the order, then for each attempt that is
// not among them.
func (v *v1) lookupOrder(ctx context.Context, a ask, known map[string]found) {
	all, err := v.order(ctx, a.Order)
	if err != nil {
		a.fail(err)
		return
	}
	for _, attempt := range a.Attempts {
		if known, ok := known[attempt]; ok && !knows(all, attempt) {
			all = append(all, known)
		}
		if knows(all, attempt) || !plain(attempt) {
			continue
		}
		f := found{attempt: attempt}
		if f.payment, f.err = v.payment(ctx, attempt); !notFound(f.err) {
			all = append(all, f)
		}
	}
	a.account(all)
}

// lookup looks many orders up in V2's list. Those that it does not have, and
// what are few, it looks up order by order.
func (v *v2) lookup(ctx context.Context, asks []ask) {
	listed, takes := map[string]found{}, false
	if together := together(asks); len(together) > few {
		var err error
		listed, err = v.lists.listed(ctx, v, together)
		takes = err == nil
		switch {
		case refusedList(err):
			v.warn("PortOne refused to list payments: looking them up one by one", "error", err)
		case err != nil:
			for _, a := range together {
				a.fail(err)
			}
			asks = slices.DeleteFunc(asks, func(a ask) bool { return !a.Alone })
		}
	}
	var open []ask
	for _, a := range asks {
		f, known := listed[a.Order]
		switch {
		case a.Alone || !a.Together || !takes || known && (f.err != nil || a.only(f)):
			open = append(open, a)
		case known:
			a.leave(f.payment)
		default:
			a.leave()
		}
	}
	each(v.atOnce, open, func(a ask) { v.lookupOrder(ctx, a, listed) })
}

// only reports whether no other attempt than that of a payment is asked for.
func (a ask) only(f found) bool {
	return !slices.ContainsFunc(a.Attempts, func(attempt string) bool { return attempt != f.attempt })
}

// lookupOrder asks for the order's payment, unless it was listed, and for every
// transaction where that one is not the only attempt.
func (v *v2) lookupOrder(ctx context.Context, a ask, listed map[string]found) {
	f, ok := listed[a.Order]
	var err error
	if a.Alone || !ok {
		f, err = v.payment(ctx, a.Order)
	}
	switch {
	case notFound(err):
		a.finding.Missing = a.Attempts
		return
	case err != nil:
		a.fail(err)
		return
	}
	all := []found{f}
	if !a.only(f) {
		if all, err = v.transactions(ctx, a.Order); err != nil {
			a.fail(err)
			return
		}
		// The payment tells of its cancellations, and a transaction that is paid does not.
		all = append(slices.DeleteFunc(all, func(t found) bool { return t.attempt == f.attempt }), f)
	}
	a.account(all)
}

// account writes the finding by all that is known of the order. If a payment of another attempt than
// the query's cannot be read, that says nothing about the query's. If not even a payment's attempt can be read, it
// may be any of them.
func (a ask) account(all []found) {
	nameless := error(nil)
	for _, f := range all {
		switch {
		case f.err == nil || slices.Contains(a.Attempts, f.attempt):
			a.finding.add(f)
		case !gate.ValidID(f.attempt):
			nameless = f.err
		}
	}
	for _, attempt := range a.Attempts {
		switch {
		case knows(all, attempt):
		case nameless != nil:
			a.finding.Err = cmp.Or(a.finding.Err, nameless)
		default:
			a.finding.Missing = append(a.finding.Missing, attempt)
		}
	}
}

func knows(all []found, attempt string) bool {
	return slices.ContainsFunc(all, func(f found) bool { return f.attempt == attempt })
}

func has(payments []gate.Payment, attempt string) bool {
	return slices.ContainsFunc(payments, func(p gate.Payment) bool { return p.Attempt == attempt })
}

package portone

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// listSpan is how far apart the orders of one listing may have been confirmed. A page
// that spares look-ups of today's orders is of no use to yesterday's.
const listSpan = 15 * time.Minute

// lists pages through V2's list for all who look many orders up at once: the pages that
// one needs are mostly those that the others need. One listing is under way; who comes
// meanwhile shares the next.
type lists struct {
	turn chan struct{} // of one

	mu   sync.Mutex // over next
	next *listing
}

// listing is one way through the list.
type listing struct {
	asks  []ask
	known map[string]found // by order
	err   error
	done  chan struct{}
}

func newLists() *lists { return &lists{turn: make(chan struct{}, 1)} }

// listed returns what the list has of the orders that are asked for, and of others.
func (l *lists) listed(ctx context.Context, v *v2, asks []ask) (map[string]found, error) {
	for {
		mine, first := l.join(asks)
		if first {
			l.lead(ctx, v, mine)
		}
		select {
		case <-mine.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if first || mine.err == nil || ctx.Err() != nil || !ended(mine.err) {
			return mine.known, mine.err
		}
	}
}

// ended reports whether a listing ended because the one that led it gave up.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// join adds asks to the next listing, and reports whether they are its first.
func (l *lists) join(asks []ask) (mine *listing, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first = l.next == nil; first {
		l.next = &listing{done: make(chan struct{})}
	}
	l.next.asks = append(l.next.asks, asks...)
	return l.next, first
}

// lead waits until no other listing is under way, and then makes this one.
func (l *lists) lead(ctx context.Context, v *v2, mine *listing) {
	defer close(mine.done)
	waited := ctx.Err()
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		waited = ctx.Err()
	}
	l.mu.Lock()
	l.next = nil // whoever comes now would come too late for it
	l.mu.Unlock()
	if mine.err = waited; waited == nil {
		mine.known, mine.err = v.listAll(ctx, mine.asks)
	}
}

// listAll lists the payments of orders, those together that were confirmed at about the
// same time, the newest of them first. For few of them it is not worth the calls.
func (v *v2) listAll(ctx context.Context, asks []ask) (map[string]found, error) {
	asks = slices.DeleteFunc(slices.Clone(asks), func(a ask) bool { return a.Since.IsZero() })
	slices.SortFunc(asks, func(a, b ask) int { return b.Since.Compare(a.Since) })
	known := map[string]found{}
	for len(asks) > 0 {
		oldest := asks[0].Since.Add(-listSpan)
		n := slices.IndexFunc(asks, func(a ask) bool { return a.Since.Before(oldest) })
		if n < 0 {
			n = len(asks)
		}
		if n >= worth {
			if err := v.listSince(ctx, asks[n-1].Since.Add(-listBefore), asks[:n], known); err != nil {
				return nil, err
			}
		}
		asks = asks[n:]
	}
	return known, nil
}

// listSince pages through the payments made since a time, while there may be some of the
// orders' among them and it is worth the calls: one page at first, then twice as many at
// once each time.
func (v *v2) listSince(ctx context.Context, from time.Time, asks []ask, known map[string]found) error {
	wanted := make(map[string]bool, len(asks))
	for _, a := range asks {
		wanted[a.Order] = true
	}
	number, most, full := 0, len(asks)/worth+1, 0
	for atOnce := 1; len(wanted) > 0 && most > 0; atOnce = min(2*atOnce, v.atOnce) {
		n := min(atOnce, most, v2Listed/v2Page-number)
		pages, last, err := v.pagesFrom(ctx, from, number, n)
		if err != nil {
			return err
		}
		for _, page := range pages {
			full = max(full, len(page))
			for order, f := range page {
				if wanted[order] {
					known[order] = f
					delete(wanted, order)
				}
			}
		}
		if len(pages) < n || len(pages[n-1]) < full {
			return nil // that was the end
		}
		number, most = number+n, most-n
		if number == v2Listed/v2Page { // PortOne pages no further: begin anew behind this page
			if !last.After(from) {
				return nil
			}
			from, number = last, 0
		}
	}
	return nil
}

// pagesFrom returns n pages of the list, or those before the first empty one, and when the
// last payment of them was made.
func (v *v2) pagesFrom(ctx context.Context, from time.Time, number, n int) (pages []map[string]found,
	last time.Time, err error,
) {
	pages = make([]map[string]found, n)
	ends := make([]time.Time, n)
	group, ctx := errgroup.WithContext(ctx)
	for i := range n {
		group.Go(func() (err error) {
			pages[i], ends[i], err = v.list(ctx, from, number+i, v2Page)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, last, err
	}
	for i, page := range pages {
		if len(page) == 0 {
			return pages[:i], last, nil
		}
		last = ends[i]
	}
	return pages, last, nil
}

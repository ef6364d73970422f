package bench

import (
	"context"
	"fmt"
)

// halfAt is the load whose rate is the peak that half of is asked for.
const halfAt = 128

// burst opens so many connections at once, each with one request.
func (w *world) burst(ctx context.Context, s subject, connections int) (figures, error) {
	return w.stream(ctx, s, stream{Path: s.path(), Requests: connections})
}

// half measures the peak of a subject, and then asks for half of it.
func (w *world) half(ctx context.Context, s subject, l load) (figures, error) {
	peak, err := w.measure(ctx, s, l)
	if err != nil {
		return peak, err
	}
	rate := peak.Rate / 2
	return w.stream(ctx, s, stream{
		Path: s.path(), Connections: l.Connections, Requests: int(rate * l.Duration.Seconds()), Rate: rate,
	})
}

// stream puts one subject under an open load. What fails is counted; only what
// the store tells otherwise than the client was told fails the run.
func (w *world) stream(ctx context.Context, s subject, load stream) (figures, error) {
	var seen streamResult
	orders, _, err := w.serve(ctx, s, func(on *site) (err error) {
		load.Addr = on.at.public
		seen, err = load.run(ctx)
		return err
	})
	if err != nil {
		return figures{}, err
	}
	if s.orders != nil {
		if err := seen.verify(orders); err != nil {
			return figures{}, err
		}
	}
	if seen.First != "" {
		fmt.Fprintf(w.progress, "%s: %d of %d requests failed, the first with: %s\n", s.name, seen.Failed,
			load.Requests, seen.First)
	}
	return figures{
		Asked: load.Rate, Rate: float64(seen.Accepted) / seen.Seconds, P50: seen.P50, P99: seen.P99, P999: seen.P999,
		Max:  seen.Max,
		Late: seen.Late, Requests: seen.Accepted, Failed: seen.Failed, Orders: orders,
	}, nil
}

// verify checks that the store has the orders that were answered 200, and no
// others than those whose answer is not known.
func (r streamResult) verify(orders int) error {
	if orders < r.Accepted || orders > r.Accepted+r.Failed {
		return fmt.Errorf("the store has %d orders, but %d were answered 200 and %d failed", orders,
			r.Accepted, r.Failed)
	}
	return nil
}

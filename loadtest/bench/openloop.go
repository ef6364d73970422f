package bench

import (
	"context"
	"fmt"
)

// halfAt is the load that measures the peak; half of its rate is then asked for.
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

// stream puts one subject under an open load. Failed requests are counted. The run fails only if the store and the
// answers contradict each other.
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

// verify checks that the store has the orders that were answered 200, and besides them at most the orders whose answer
// is unknown.
func (r streamResult) verify(orders int) error {
	if orders < r.Accepted || orders > r.Accepted+r.Failed {
		return fmt.Errorf("the store has %d orders, but %d were answered 200 and %d failed", orders,
			r.Accepted, r.Failed)
	}
	return nil
}

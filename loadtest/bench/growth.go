package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	gatestore "github.com/flashgate/flashgate/gate/store"
)

const (
	sampleBatch  = 48  // orders of a measured batch, about what 128 connections make
	sampleCalls  = 100 // measured batches at each size
	roomPerOrder = 500 // bytes that an order may take while Redis' tables are being doubled
)

// stage is a sale at one size.
type stage struct {
	Orders  int     `json:"orders"`
	Skipped string  `json:"skipped,omitempty"` // why it was not measured
	Script  float64 `json:"script_us_per_decision"`
	P50     float64 `json:"batch_p50_us"` // of a whole call, from the gate's side
	P99     float64 `json:"batch_p99_us"`
	Memory  float64 `json:"redis_bytes_per_order"` // of all orders so far
	Peer    float64 `json:"peer_script_us_per_decision"`
}

// grow measures the gate and then the peer at each of the sizes, in rising order,
// each in a store of its own.
func (w *world) grow(ctx context.Context, sizes []int) ([]stage, error) {
	stages, err := w.growSale(ctx, sizes)
	if err != nil {
		return nil, err
	}
	if err := w.growPeer(ctx, stages); err != nil {
		return nil, fmt.Errorf("the peer: %w", err)
	}
	return stages, nil
}

// growSale sells in one sale.
func (w *world) growSale(ctx context.Context, sizes []int) (stages []stage, err error) {
	if w.redis, err = startStore(ctx, w.dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.redis.stop()) }()
	if err := applySale(ample, 2)(ctx, w); err != nil {
		return nil, err
	}
	client, err := gatestore.Open("redis://"+w.redis.addr, gatestore.Deps{Log: slog.New(slog.DiscardHandler)},
		gatestore.Options{Who: "bench", Timeout: 5 * time.Second})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	decider := client.Decider(saleName)
	defer func() { err = errors.Join(err, decider.Close()) }()

	g := &growing{redis: w.redis, decider: decider}
	if g.bare, err = w.redis.memory(ctx); err != nil {
		return nil, err
	}
	for _, size := range sizes {
		s, err := g.reach(ctx, size)
		if err != nil {
			return nil, fmt.Errorf("at %d orders: %w", size, err)
		}
		stages = append(stages, s)
		fmt.Fprintf(w.progress, "growth to %s\n", s)
	}
	return stages, nil
}

// growPeer measures the peer's script with as many orders. If its cost grows too, the reason is the amount of memory,
// not the gate's script.
func (w *world) growPeer(ctx context.Context, stages []stage) (err error) {
	if w.redis, err = startStore(ctx, w.dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.redis.stop()) }()
	if err := stockPeer(ctx, w); err != nil {
		return err
	}
	script := redis.NewScript(peerScript)
	if err := script.Load(ctx, w.redis.client).Err(); err != nil {
		return err
	}
	keep := func(p redis.Pipeliner, order string) { p.Set(ctx, order, 1, 0) }
	take := func(p redis.Pipeliner, order string) { script.EvalSha(ctx, p, []string{order, peerStock}) }
	orders := 0
	add := func(n int, each func(redis.Pipeliner, string)) error {
		_, err := w.redis.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for range n {
				each(p, fmt.Sprint("ORD2026", int(1e9)+orders))
				orders++
			}
			return nil
		})
		return err
	}
	for i := range stages {
		s := &stages[i]
		if s.Skipped != "" {
			continue
		}
		for orders < s.Orders {
			if err := add(min(1000, s.Orders-orders), keep); err != nil {
				return err
			}
		}
		if s.Peer, err = w.redis.sample(ctx, func() error { return add(sampleBatch, take) }); err != nil {
			return err
		}
		fmt.Fprintf(w.progress, "growth of the peer to %d orders: %.2f µs of the script a decision\n", s.Orders, s.Peer)
	}
	return nil
}

// growing is a sale that grows.
type growing struct {
	redis   *store
	decider gate.Decider
	bare    int64 // bytes that Redis used before
	orders  int
}

// reach sells until the sale has so many orders, and measures what some more cost.
func (g *growing) reach(ctx context.Context, size int) (s stage, err error) {
	s.Orders = size
	if s.Skipped = tooBig(size-g.orders, memory("MemAvailable")); s.Skipped != "" {
		return s, nil
	}
	for g.orders < size {
		if err := g.sell(ctx, min(gate.MaxBatch, size-g.orders)); err != nil {
			return s, err
		}
	}
	used, err := g.redis.memory(ctx)
	if err != nil {
		return s, err
	}
	s.Memory = float64(used-g.bare) / float64(size)

	var took []time.Duration
	s.Script, err = g.redis.sample(ctx, func() error {
		start := time.Now()
		err := g.sell(ctx, sampleBatch)
		took = append(took, time.Since(start))
		return err
	})
	slices.Sort(took)
	s.P50, s.P99 = percentile(took, .5), percentile(took, .99)
	return s, err
}

// sample sells a number of batches, and returns the script's microseconds for
// each decision of theirs.
func (s *store) sample(ctx context.Context, sell func() error) (float64, error) {
	before, err := s.scripts(ctx)
	if err != nil {
		return 0, err
	}
	for range sampleCalls {
		if err := sell(); err != nil {
			return 0, err
		}
	}
	after, err := s.scripts(ctx)
	return float64(after.micros-before.micros) / (sampleCalls * sampleBatch), err
}

// tooBig says that there is not enough memory for so many more orders; empty if there is enough, or it is unknown.
func tooBig(more int, available int64) string {
	need := int64(more) * roomPerOrder
	if available == 0 || need <= available {
		return ""
	}
	return fmt.Sprintf("needs %.1f GiB more, and %.1f are free", float64(need)/(1<<30), float64(available)/(1<<30))
}

// sell sells a ticket to each of n more buyers in one call, by orders as
// load.lua makes them.
func (g *growing) sell(ctx context.Context, n int) error {
	batch := make([]*gate.Request, n)
	for i := range batch {
		id := fmt.Sprint(1e9 + g.orders + i)
		batch[i] = &gate.Request{Confirm: gate.Confirm{
			Order: []byte("ORD2026" + id), Attempt: []byte("imp_44" + id), Version: 1, Buyer: []byte("u" + id),
			Lines: []gate.Line{{SKU: "ticket", Quantity: 1}}, Amount: gate.Amount{Value: 110_000, Known: true},
		}}
	}
	if err := g.decider.Decide(ctx, batch); err != nil {
		return err
	}
	for _, r := range batch {
		if v := r.Verdict(); v.Code != gate.Held {
			return fmt.Errorf("order %s was refused: %s", r.Confirm.Order, v.Code)
		}
	}
	g.orders += n
	return nil
}

func (s stage) String() string {
	if s.Skipped != "" {
		return fmt.Sprintf("%d orders: skipped, %s", s.Orders, s.Skipped)
	}
	return fmt.Sprintf("%d orders: %.2f µs of the script a decision, %.0f bytes an order", s.Orders, s.Script, s.Memory)
}

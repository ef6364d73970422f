package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/flashgate/flashgate/gate"
)

// A Cluster has this many slots, and each belongs to one primary.
const clusterSlots = 16384

// A server that has just started does not know the whole Cluster yet. Another one is asked
// so many times, with a pause before each.
const (
	clusterTries = 8
	clusterPause = 50 * time.Millisecond
)

// eachPrimary calls do for each server that takes writes, for those of a Cluster at the
// same time. It fails before the first call where not all of these are known.
func (s *Store) eachPrimary(ctx context.Context, do func(ctx context.Context, primary *redis.Client) error) error {
	switch c := s.client.(type) {
	case *redis.Client:
		return do(ctx, c)
	case *redis.ClusterClient:
		primaries, err := primariesOf(ctx, c)
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		for _, primary := range primaries {
			group.Go(func() error { return do(ctx, primary) })
		}
		return group.Wait()
	default:
		return fmt.Errorf("a Redis client of type %T has no primaries", c)
	}
}

// primariesOf returns all primaries of a Cluster.
func primariesOf(ctx context.Context, c *redis.ClusterClient) (primaries []*redis.Client, err error) {
	for try := range clusterTries {
		if try > 0 {
			gate.Pause(ctx, clusterPause)
		}
		var want int
		if want, err = countPrimaries(ctx, c); err != nil {
			continue
		}
		primaries = primaries[:0]
		var mu sync.Mutex
		err = c.ForEachMaster(ctx, func(_ context.Context, primary *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			primaries = append(primaries, primary)
			return nil
		})
		switch {
		case err != nil:
		case len(primaries) != want:
			err = fmt.Errorf("the Redis Cluster has %d primaries, and a server knows %d: it has just started, or the Cluster is changing", want, len(primaries))
		default:
			return primaries, nil
		}
	}
	return nil, err
}

// countPrimaries returns how many primaries a Cluster has, as one of its servers knows.
// It fails where that server does not know all slots' primaries.
func countPrimaries(ctx context.Context, c *redis.ClusterClient) (int, error) {
	//lint:ignore SA1019 Redis 6.2 has no CLUSTER SHARDS
	ranges, err := c.ClusterSlots(ctx).Result()
	if err != nil {
		return 0, err
	}
	slots, primaries := 0, map[string]bool{}
	for _, r := range ranges {
		if len(r.Nodes) > 0 {
			slots += r.End - r.Start + 1
			primaries[r.Nodes[0].ID] = true
		}
	}
	if slots != clusterSlots {
		return 0, fmt.Errorf("a server of the Redis Cluster knows the primaries of %d slots alone, of %d: it has just started, or slots have no server", slots, clusterSlots)
	}
	return len(primaries), nil
}

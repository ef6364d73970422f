package store

import (
	"context"
	"errors"
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

// errPartly says that a server does not know all of the Cluster. Another may.
var errPartly = errors.New("it has just started, the Cluster is changing, or slots have no server")

// primariesOf returns all primaries of a Cluster. A call that fails is not repeated: the
// client does that.
func primariesOf(ctx context.Context, c *redis.ClusterClient) (primaries []*redis.Client, err error) {
	for try := range clusterTries {
		if try > 0 {
			gate.Pause(ctx, clusterPause)
		}
		if primaries, err = askPrimaries(ctx, c); !errors.Is(err, errPartly) {
			return primaries, err
		}
	}
	return nil, err
}

// askPrimaries returns the primaries that one server names. They must be as many as another
// one counts.
func askPrimaries(ctx context.Context, c *redis.ClusterClient) (primaries []*redis.Client, err error) {
	want, err := countPrimaries(ctx, c)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	err = c.ForEachMaster(ctx, func(_ context.Context, primary *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		primaries = append(primaries, primary)
		return nil
	})
	if err == nil && len(primaries) != want {
		err = fmt.Errorf("the Redis Cluster has %d primaries, and a server knows %d: %w", want,
			len(primaries), errPartly)
	}
	return primaries, err
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
		return 0, fmt.Errorf("a server of the Redis Cluster knows the primaries of %d slots of %d: %w", slots,
			clusterSlots, errPartly)
	}
	return len(primaries), nil
}

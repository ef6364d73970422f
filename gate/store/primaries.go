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

// A server that has just started does not know the whole Cluster yet. Another server is then asked,
// a few times, with a pause before each.
const (
	clusterTries = 8
	clusterPause = 50 * time.Millisecond
)

// eachPrimary calls do for each server that takes writes; for the primaries of a Cluster at the
// same time. If not all of them are known, it fails before the first call.
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

// errPartly says that a server does not know the whole Cluster. Another server may.
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

// askPrimaries returns the primaries that one server names. Their number must be the one that
// another server counts.
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

// countPrimaries returns the number of a Cluster's primaries, as one of its servers knows them. It
// fails if that server does not know the primaries of all slots.
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

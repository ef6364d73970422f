package store

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Following returns how many replicas the primary has online; of a Cluster's
// primaries, those of the one that has the fewest. It is not known where this user
// may not ask.
func (s *Store) Following(ctx context.Context) (replicas int, known bool, err error) {
	c, isCluster := s.client.(*redis.ClusterClient)
	if !isCluster {
		replicas, err = following(ctx, s.client)
	} else {
		var mu sync.Mutex
		replicas = -1
		err = c.ForEachMaster(ctx, func(ctx context.Context, primary *redis.Client) error {
			n, err := following(ctx, primary)
			mu.Lock()
			defer mu.Unlock()
			if replicas < 0 || n < replicas {
				replicas = n
			}
			return err
		})
	}
	switch {
	case err != nil && saysNothing(err):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("ask Redis how many replicas follow: %w", err)
	}
	return max(replicas, 0), true, nil
}

func following(ctx context.Context, primary redis.Cmdable) (online int, err error) {
	info, err := primary.Info(ctx, "replication").Result()
	for line := range strings.Lines(info) { // slave0:ip=10.0.0.12,port=6379,state=online,offset=14,lag=0
		if strings.HasPrefix(line, "slave") && strings.Contains(line, ",state=online,") {
			online++
		}
	}
	return online, err
}

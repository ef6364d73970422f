package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Following returns how many replicas the primary has online; in a Cluster, the primary with the
// fewest counts. known is false if this user may not read INFO.
func (s *Store) Following(ctx context.Context) (replicas int, known bool, err error) {
	infos, err := s.infos(ctx, "replication")
	switch {
	case err != nil && saysNothing(err):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("ask Redis how many replicas follow: %w", err)
	}
	for i, primary := range infos {
		if n := following(primary.text); i == 0 || n < replicas {
			replicas = n
		}
	}
	return replicas, true, nil
}

// following counts lines like slave0:ip=10.0.0.12,port=6379,state=online,offset=14,lag=0.
func following(info string) int { return strings.Count(info, ",state=online,") }

// info is a section of a primary's INFO.
type info struct {
	addr string // empty outside a Cluster
	text string
}

// infos returns a section of each primary's INFO, in the order of their addresses.
func (s *Store) infos(ctx context.Context, section string) (all []info, err error) {
	_, isCluster := s.client.(*redis.ClusterClient)
	var mu sync.Mutex
	err = s.eachPrimary(ctx, func(ctx context.Context, primary *redis.Client) error {
		text, err := primary.Info(ctx, section).Result()
		mu.Lock()
		defer mu.Unlock()
		i := info{text: text}
		if isCluster {
			i.addr = primary.Options().Addr
		}
		all = append(all, i)
		return err
	})
	slices.SortFunc(all, func(a, b info) int { return strings.Compare(a.addr, b.addr) })
	return all, err
}

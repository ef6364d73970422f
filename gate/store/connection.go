package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// connection is one to the primary that has a sale, for one user alone.
type connection struct {
	store   *Store
	key     string                     // one of the sale's
	longer  time.Duration              // than other connections' its answers may take
	greeted func(runID, replID string) // is told of each new server that tells about itself

	client      *redis.Client // with one connection; nil while not connected
	redirect    string        // the server that a Cluster named for the sale; if empty, it is looked up
	asking      bool          // the redirect is for one call, while the slot moves
	runID       string        // of the newest server; empty where it does not tell
	connections int           // made so far
}

// connect makes sure that there is a client for the sale's primary.
func (c *connection) connect(ctx context.Context) error {
	if c.client != nil {
		return nil
	}
	o := c.store.address.options(c.store.dialer)
	o.PoolSize = 1
	o.ReadTimeout += c.longer
	o.OnConnect = c.meet
	if c.store.address.topology == sentinel {
		c.client = redis.NewFailoverClient(o.Failover())
		return nil
	}
	if all, ok := c.store.client.(*redis.ClusterClient); ok {
		addr := c.redirect
		if addr == "" {
			primary, err := all.MasterForKey(ctx, c.key)
			if err != nil {
				return fmt.Errorf("find the Cluster's primary of the sale: %w", err)
			}
			addr = primary.Options().Addr
		}
		o.Addrs = []string{addr}
	}
	c.client = redis.NewClient(o.Simple())
	return nil
}

// meet checks the server of a new connection before the lane uses it.
func (c *connection) meet(ctx context.Context, conn *redis.Conn) error {
	info, err := conn.Info(ctx).Result()
	if err != nil && !saysNothing(err) {
		return err
	}
	if isSentinel(info) {
		return nil // asked for the primary's address, beside the lane
	}
	c.connections++
	c.runID = ""
	if err != nil {
		return nil // this user may not read INFO, which Check has warned of
	}
	if infoField(info, "role") == "slave" {
		return errors.New("the server is a replica")
	}
	if err := refuseEviction(infoField(info, "maxmemory_policy")); err != nil {
		return err
	}
	c.runID = infoField(info, "run_id")
	if c.greeted != nil {
		c.greeted(c.runID, infoField(info, "master_replid"))
	}
	return nil
}

// recover gets ready for the next call after an error. It keeps the connection only if Redis itself
// answered with the error, and the sale is still at that server.
func (c *connection) recover(err error) {
	moved, isMoved := redis.IsMovedError(err)
	ask, isAsk := redis.IsAskError(err)
	_, answered := errors.AsType[redis.Error](err)
	wasAsking := c.asking
	c.redirect, c.asking = "", false
	switch {
	case isMoved:
		c.redirect = moved
	case isAsk:
		c.redirect, c.asking = ask, true
	case answered && !redis.IsReadOnlyError(err) && !wasAsking:
		return
	}
	if all, ok := c.store.client.(*redis.ClusterClient); ok {
		all.ReloadState(context.Background())
	}
	_ = c.disconnect() // it is not used any more, so its error does not matter
}

func (c *connection) disconnect() error {
	if c.client == nil {
		return nil
	}
	client := c.client
	c.client = nil
	return client.Close()
}

package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// connect makes sure that there is a client for the sale's primary.
func (d *decider) connect(ctx context.Context) error {
	if d.client != nil {
		return nil
	}
	o := d.store.address.options(d.store.dialer)
	o.PoolSize = 1
	o.ReadTimeout += d.store.opt.WaitTimeout
	o.OnConnect = d.meet
	if d.store.address.topology == sentinel {
		d.client = redis.NewFailoverClient(o.Failover())
		return nil
	}
	if c, ok := d.store.client.(*redis.ClusterClient); ok {
		addr := d.redirect
		if addr == "" {
			primary, err := c.MasterForKey(ctx, d.keys[0])
			if err != nil {
				return fmt.Errorf("find the Cluster's primary of the sale: %w", err)
			}
			addr = primary.Options().Addr
		}
		o.Addrs = []string{addr}
	}
	d.client = redis.NewClient(o.Simple())
	return nil
}

// meet checks the server of a new connection before the lane uses it.
func (d *decider) meet(ctx context.Context, conn *redis.Conn) error {
	info, err := conn.Info(ctx).Result()
	if err != nil && !saysNothing(err) {
		return err
	}
	if isSentinel(info) {
		return nil // asked for the primary's address, beside the lane
	}
	d.connections++
	if err != nil {
		return nil // this user may not read INFO, which Check has warned of
	}
	if infoField(info, "role") == "slave" {
		return errors.New("the server is a replica")
	}
	if err := refuseEviction(infoField(info, "maxmemory_policy")); err != nil {
		return err
	}
	server := infoField(info, "run_id") + "/" + infoField(info, "master_replid")
	if d.server != "" && d.server != server {
		d.store.deps.Metrics.changed(d.sale)
		d.store.deps.Log.Warn("another Redis server decides now: what the old one did not replicate is forgotten",
			"sale", d.sale, "was", d.server, "is", server)
	}
	d.server = server
	return nil
}

// recover gets ready for the next call after an error. It keeps the connection only if Redis itself
// answered with the error, and the sale is still at that server.
func (d *decider) recover(err error) {
	moved, isMoved := redis.IsMovedError(err)
	ask, isAsk := redis.IsAskError(err)
	_, answered := errors.AsType[redis.Error](err)
	wasAsking := d.asking
	d.redirect, d.asking = "", false
	switch {
	case isMoved:
		d.redirect = moved
	case isAsk:
		d.redirect, d.asking = ask, true
	case answered && !redis.IsReadOnlyError(err) && !wasAsking:
		return
	}
	if c, ok := d.store.client.(*redis.ClusterClient); ok {
		c.ReloadState(context.Background())
	}
	_ = d.disconnect() // it is not used any more, so its error does not matter
}

func (d *decider) disconnect() error {
	if d.client == nil {
		return nil
	}
	client := d.client
	d.client = nil
	return client.Close()
}

// Close implements gate.Decider.
func (d *decider) Close() error { return d.disconnect() }

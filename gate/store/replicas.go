package store

import (
	"context"
	"errors"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// probeEvery is the pause between two probes while too few replicas follow. Every
// batch in between is refused at once.
const probeEvery = 200 * time.Millisecond

// replicas is how many replicas must have a hold before a 200 goes out.
func (d *decider) replicas() int { return d.store.opt.WaitReplicas }

// replicasFollow reports whether a hold may be taken. While the replicas lag, none is
// taken until a bare write has reached enough of them.
func (d *decider) replicasFollow(ctx context.Context) (bool, error) {
	if d.laggingSince.IsZero() {
		return true, nil
	}
	if time.Since(d.laggingSince) < probeEvery {
		return false, nil
	}
	follow, err := d.probeReplicas(ctx)
	if err != nil {
		return false, err
	}
	if d.laggingSince = (time.Time{}); !follow {
		d.laggingSince = time.Now()
	}
	return follow, nil
}

// awaitReplicas makes sure that enough replicas have a batch with holds whose WAIT timed out or was
// not sent. If too few have it, its holds are answered not_durable.
func (d *decider) awaitReplicas(ctx context.Context, batch []*gate.Request, waited bool) error {
	if !waited {
		server := d.connections
		proven, err := d.probeReplicas(ctx)
		if err != nil {
			return err
		}
		if d.connections != server {
			return errors.New("the connection was lost before the replicas had the batch")
		}
		if proven {
			return nil
		}
	}
	d.laggingSince = time.Now()
	for _, r := range batch {
		if r.Verdict().Code == gate.Held { // the hold stays in Redis and is settled later
			r.Set(gate.Refuse(gate.NotDurable))
		}
	}
	return nil
}

// probeReplicas makes a bare write and sends WAIT. It reports whether enough replicas have the
// write, and with it everything that was written to this server before.
func (d *decider) probeReplicas(ctx context.Context) (bool, error) {
	pipe := d.client.Pipeline()
	touch := pipe.Eval(ctx, luascripts.Touch.Source, d.keys[:1], d.store.clock())
	waited := pipe.Do(ctx, "WAIT", d.replicas(), d.store.opt.WaitTimeout.Milliseconds())
	if _, err := pipe.Exec(ctx); err != nil {
		return false, err
	}
	touched, err := touch.Int()
	if err != nil {
		return false, err
	}
	acked, err := waited.Int()
	return touched == 1 && acked >= d.replicas(), err
}

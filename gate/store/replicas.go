package store

import (
	"context"
	"errors"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// probeEvery is how often replicas that are missing are waited for. All that
// comes between is refused at once.
const probeEvery = 200 * time.Millisecond

// replicas is how many must have a hold before it is a 200.
func (d *decider) replicas() int { return d.store.opt.WaitReplicas }

// replicasFollow reports whether a hold may be taken: not after the replicas
// were found missing, until a write that takes nothing has reached them.
func (d *decider) replicasFollow(ctx context.Context) (bool, error) {
	if d.missing.IsZero() {
		return true, nil
	}
	if time.Since(d.missing) < probeEvery {
		return false, nil
	}
	follow, err := d.prove(ctx)
	if err != nil {
		return false, err
	}
	if d.missing = (time.Time{}); !follow {
		d.missing = time.Now()
	}
	return follow, nil
}

// secure makes sure of a batch that holds something and that too few replicas
// are known to have: it was waited for in vain, or not at all.
func (d *decider) secure(ctx context.Context, batch []*gate.Request, waited bool) error {
	if !waited {
		server := d.meetings
		proven, err := d.prove(ctx)
		if err != nil {
			return err
		}
		if d.meetings != server {
			return errors.New("the connection was lost before the replicas had the batch")
		}
		if proven {
			return nil
		}
	}
	d.missing = time.Now()
	for _, r := range batch {
		if r.Verdict().Code == gate.Held { // the hold stays in Redis, to be settled
			r.Set(gate.Refuse(gate.NotDurable))
		}
	}
	return nil
}

// prove writes and waits, to see whether the replicas follow. They have all
// then that was written to this server before.
func (d *decider) prove(ctx context.Context) (bool, error) {
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

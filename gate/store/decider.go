package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// firstLook is how long after a batch its orders are looked up at PortOne.
const firstLook = "20000"

// decider sends the batches of one sale to the primary that has it, on a
// connection of its own: WAIT counts only for its own connection, and a change
// of server must be seen before anything is decided there.
type decider struct {
	store *Store
	sale  string
	keys  []string

	client   *redis.Client // of one connection; nil while there is none
	redirect string        // where a Cluster said that the sale is; empty: look it up
	asking   bool          // the redirect is for one call, while the slot moves
	server   string        // identity of the server of the newest connection
	short    bool          // the last wait for replicas came up short

	text []byte   // the batch's arguments, one after the other,
	ends []int    // where each ends,
	runs []string // and each of them
	args []any    // the command: fixed arguments, then pointers into runs
	seen map[string]struct{}
}

// Decider implements gate.Store.
func (s *Store) Decider(sale string) gate.Decider {
	return &decider{store: s, sale: sale, keys: keysOf(sale).deciding(), seen: make(map[string]struct{}, gate.MaxBatch)}
}

// Decide implements gate.Decider.
func (d *decider) Decide(ctx context.Context, batch []*gate.Request) error {
	err := d.decide(ctx, batch)
	if err != nil {
		d.recover(err)
		return fmt.Errorf("decide %d confirms of sale %s: %w", len(batch), d.sale, err)
	}
	return nil
}

func (d *decider) decide(ctx context.Context, batch []*gate.Request) error {
	if err := d.connect(ctx); err != nil {
		return err
	}
	if d.short {
		proven, err := d.prove(ctx)
		if err != nil {
			return err
		}
		if !proven {
			refuseAll(batch, gate.NotDurable)
			return nil
		}
		d.short = false
	}
	d.write(batch)
	reply, acked, err := d.call(ctx, "EVALSHA", luascripts.Confirm.SHA1)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, acked, err = d.call(ctx, "EVAL", luascripts.Confirm.Source)
	}
	if err != nil {
		return err
	}
	return d.tell(batch, reply, acked)
}

// connect makes sure that there is a client for the sale's primary.
func (d *decider) connect(ctx context.Context) error {
	if d.client != nil {
		return nil
	}
	o := d.store.address.options(d.store.opt)
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
				return fmt.Errorf("find the Cluster's primary for it: %w", err)
			}
			addr = primary.Options().Addr
		}
		o.Addrs = []string{addr}
	}
	d.client = redis.NewClient(o.Simple())
	return nil
}

// meet looks at the server of a new connection before anything is sent to it.
func (d *decider) meet(ctx context.Context, conn *redis.Conn) error {
	info, err := conn.Info(ctx).Result()
	if err != nil {
		if _, answered := errors.AsType[redis.Error](err); answered {
			return nil // it does not tell about itself, which Check has warned of
		}
		return err
	}
	if infoField(info, "redis_mode") == "sentinel" {
		return nil // asked for the primary's address, beside the lane
	}
	if infoField(info, "role") == "slave" {
		return errors.New("the server is a replica")
	}
	if err := refuseEviction(infoField(info, "maxmemory_policy")); err != nil {
		return err
	}
	server := infoField(info, "run_id") + "/" + infoField(info, "master_replid")
	if d.server != "" && d.server != server {
		d.store.opt.Metrics.changed(d.sale)
		d.store.opt.Log.Warn("another Redis server decides now: what the old one did not replicate is forgotten",
			"sale", d.sale, "was", d.server, "is", server)
	}
	d.server = server
	return nil
}

// recover gets ready for the next call after an error: a connection is kept
// only if Redis itself answered on it, and still is where the sale is.
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
	_ = d.disconnect() // it is of no more use, whatever this says
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

// write lays the batch out as the script's arguments. Redis takes them as
// pointers into one string, so that a batch costs a few allocations, not some
// for each confirm.
func (d *decider) write(batch []*gate.Request) {
	d.text, d.ends = d.text[:0], d.ends[:0]
	end := func() { d.ends = append(d.ends, len(d.text)) }
	for _, r := range batch {
		d.text = append(d.text, r.Confirm.Order...)
		end()
	}
	for _, r := range batch {
		d.text = appendHold(d.text, &r.Confirm)
		end()
	}
	for _, r := range batch {
		d.text = append(d.text, r.Confirm.Buyer...)
		end()
	}
	for _, r := range batch {
		d.text = appendLines(d.text, r.Confirm.Lines)
		end()
	}
	text, start := string(d.text), 0
	d.runs = d.runs[:0]
	for _, at := range d.ends {
		d.runs = append(d.runs, text[start:at])
		start = at
	}
	d.args = append(d.args[:0], "", "", len(d.keys))
	for _, k := range d.keys {
		d.args = append(d.args, k)
	}
	d.args = append(d.args, d.store.now(), d.store.opt.Who, firstLook, len(batch), d.traits(len(batch)))
	for i := range d.runs {
		d.args = append(d.args, &d.runs[i])
	}
}

// traits tells the script what a batch of n has, so that it need not look:
// whether any confirm has a buyer, and whether an order or a buyer comes twice.
func (d *decider) traits(n int) string {
	orders, buyers := d.runs[:n], d.runs[2*n:3*n]
	letters := ""
	if slices.ContainsFunc(buyers, func(b string) bool { return b != "" }) {
		letters = "b"
	}
	if d.repeats(orders) || d.repeats(buyers) {
		letters += "r"
	}
	return letters
}

// repeats reports whether an id comes twice; empty is none.
func (d *decider) repeats(ids []string) bool {
	clear(d.seen)
	empty := 0
	for _, id := range ids {
		if id == "" {
			empty++
			continue
		}
		d.seen[id] = struct{}{}
	}
	return len(d.seen)+empty < len(ids)
}

// call sends the arguments as a call of the script, with the wait for replicas
// behind it in the same pipeline. It returns how many replicas have the call.
func (d *decider) call(ctx context.Context, command, script string) (reply []any, acked int64, err error) {
	d.args[0], d.args[1] = command, script
	wait := d.store.opt.WaitReplicas
	if wait == 0 && !d.asking {
		reply, err = d.client.Do(ctx, d.args...).Slice()
		return reply, 0, err
	}
	pipe := d.client.Pipeline()
	if d.asking {
		pipe.Do(ctx, "ASKING")
	}
	call := pipe.Do(ctx, d.args...)
	var waited *redis.Cmd
	if wait > 0 {
		waited = pipe.Do(ctx, "WAIT", wait, d.store.opt.WaitTimeout.Milliseconds())
	}
	_, broken := pipe.Exec(ctx)
	if reply, err = call.Slice(); err != nil || waited == nil {
		return reply, 0, err
	}
	if acked, err = waited.Int64(); err != nil {
		return nil, 0, fmt.Errorf("wait for %d replicas: %w", wait, errors.Join(err, broken))
	}
	return reply, acked, nil
}

// prove writes and waits, to see whether the replicas follow again.
func (d *decider) prove(ctx context.Context) (bool, error) {
	pipe := d.client.Pipeline()
	touch := pipe.Eval(ctx, luascripts.Touch.Source, d.keys[:1], d.store.now())
	waited := pipe.Do(ctx, "WAIT", d.store.opt.WaitReplicas, d.store.opt.WaitTimeout.Milliseconds())
	if _, err := pipe.Exec(ctx); err != nil {
		return false, err
	}
	touched, err := touch.Int()
	if err != nil {
		return false, err
	}
	acked, err := waited.Int()
	return touched == 1 && acked >= d.store.opt.WaitReplicas, err
}

// tell sets the verdicts from the script's reply.
func (d *decider) tell(batch []*gate.Request, reply []any, acked int64) error {
	if len(reply) == 0 {
		return errors.New("the script's reply is empty")
	}
	letters, _ := reply[0].(string)
	switch {
	case letters == "x":
		refuseAll(batch, gate.UnknownSale)
		return nil
	case letters == "-":
		return errors.New("the sale is gone from Redis without having been deleted")
	case len(letters) != len(batch):
		return fmt.Errorf("the script gave %d verdicts for %d confirms", len(letters), len(batch))
	}
	durable := acked >= int64(d.store.opt.WaitReplicas)
	for i, r := range batch {
		v, ok := verdict(letters[i])
		if !ok {
			return fmt.Errorf("the script gave the unknown verdict %q", letters[i])
		}
		if v.Code == gate.Held && !durable {
			v, d.short = gate.Refuse(gate.NotDurable), true
		}
		r.Set(v)
	}
	return nil
}

// verdict reads a letter of the confirm script's reply.
func verdict(letter byte) (gate.Verdict, bool) {
	switch letter {
	case 'H':
		return gate.Refuse(gate.Held), true
	case 'A': // there is nobody yet to ask the shop, so there is no yes
		return gate.Refuse(gate.ShopUnavailable), true
	case 'S':
		return gate.Refuse(gate.SoldOut), true
	case 'W':
		return gate.Refuse(gate.NotOpen), true
	case 'C':
		return gate.Refuse(gate.Closed), true
	case 'U':
		return gate.Refuse(gate.Paused), true
	case 'L':
		return gate.Refuse(gate.BuyerLimit), true
	case 'B':
		return gate.NeedsBuyer(), true
	case 'K':
		return gate.Refuse(gate.UnknownSKU), true
	case 'O':
		return gate.Refuse(gate.OrderChanged), true
	case 'P':
		return gate.Refuse(gate.AlreadyPaid), true
	case 'E':
		return gate.Refuse(gate.AttemptEnded), true
	case 'N':
		return gate.Refuse(gate.AttemptLimit), true
	}
	return gate.Verdict{}, false
}

func refuseAll(batch []*gate.Request, c gate.Code) {
	for _, r := range batch {
		r.Set(gate.Refuse(c))
	}
}

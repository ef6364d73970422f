package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

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
	meetings int           // connections so far
	selling  bool          // the newest batch held something, so WAIT goes along with the next
	missing  time.Time     // when the replicas were last found missing; zero while they follow

	text []byte   // the batch's arguments, one after the other,
	ends []int    // where each ends,
	runs []string // and each of them
	args []any    // the command: fixed arguments, then pointers into runs
	seen map[string]struct{}
}

// Decider implements gate.Store.
func (s *Store) Decider(sale string) gate.Decider {
	s.opt.Metrics.counts(sale)
	return &decider{store: s, sale: sale, keys: keysOf(sale).deciding(), seen: make(map[string]struct{}, gate.MaxBatch)}
}

// Decide implements gate.Decider.
func (d *decider) Decide(ctx context.Context, batch []*gate.Request) error {
	err := d.decide(ctx, batch)
	if errors.Is(err, errMissing) { // a server that has lost it need not be the one that decides by now
		d.recover(err)
		err = d.decide(ctx, batch)
	}
	if err == nil {
		return nil
	}
	d.recover(err)
	if errors.Is(err, errMissing) { // the gate sees it when it reads the sales next
		refuseAll(batch, gate.Recovering)
		return nil
	}
	return fmt.Errorf("decide %d confirms of sale %s: %w", len(batch), d.sale, err)
}

// errMissing says that a server has nothing of the sale, not even a tombstone.
var errMissing = errors.New("the sale is missing in Redis")

func (d *decider) decide(ctx context.Context, batch []*gate.Request) error {
	if err := d.connect(ctx); err != nil {
		return err
	}
	follow, err := d.replicasFollow(ctx)
	if err != nil {
		return err
	}
	if !follow {
		refuseAll(batch, gate.NotDurable)
		return nil
	}
	d.write(batch)
	reply, acked, err := d.call(ctx, "EVALSHA", luascripts.Confirm.SHA1)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, acked, err = d.call(ctx, "EVAL", luascripts.Confirm.Source)
	}
	if err != nil {
		return err
	}
	held, err := tell(batch, reply)
	if err != nil {
		return err
	}
	waited := d.selling
	d.selling = held
	if !held || d.replicas() == 0 || waited && acked >= int64(d.replicas()) {
		return nil
	}
	return d.secure(ctx, batch, waited)
}

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
	d.args = append(d.args, d.store.now(), d.store.opt.Who, d.store.opt.FirstLook.Milliseconds(), len(batch), d.traits(len(batch)))
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

// call sends the arguments as a call of the script. While the sale sells, the
// wait for replicas goes out behind it in the same pipeline, and call returns
// how many have it; a call that only refuses has nothing to wait for.
func (d *decider) call(ctx context.Context, command, script string) (reply []any, acked int64, err error) {
	d.args[0], d.args[1] = command, script
	wait := d.replicas() > 0 && d.selling
	if !wait && !d.asking {
		reply, err = d.client.Do(ctx, d.args...).Slice()
		return reply, 0, err
	}
	pipe := d.client.Pipeline()
	if d.asking {
		pipe.Do(ctx, "ASKING")
	}
	call := pipe.Do(ctx, d.args...)
	var waited *redis.Cmd
	if wait {
		waited = pipe.Do(ctx, "WAIT", d.replicas(), d.store.opt.WaitTimeout.Milliseconds())
	}
	_, broken := pipe.Exec(ctx)
	if reply, err = call.Slice(); err != nil || waited == nil {
		return reply, 0, err
	}
	if acked, err = waited.Int64(); err != nil {
		return nil, 0, fmt.Errorf("wait for %d replicas: %w", d.replicas(), errors.Join(err, broken))
	}
	return reply, acked, nil
}

// tell sets the verdicts from the script's reply, and reports whether anything
// is held.
func tell(batch []*gate.Request, reply []any) (held bool, err error) {
	if len(reply) == 0 {
		return false, errors.New("the script's reply is empty")
	}
	letters, _ := reply[0].(string)
	switch {
	case letters == "x":
		refuseAll(batch, gate.UnknownSale)
		return false, nil
	case letters == "-":
		return false, errMissing
	case len(letters) != len(batch):
		return false, fmt.Errorf("the script gave %d verdicts for %d confirms", len(letters), len(batch))
	}
	for i, r := range batch {
		v, ok := verdict(letters[i])
		if !ok {
			return false, fmt.Errorf("the script gave the unknown verdict %q", letters[i])
		}
		held = held || v.Code == gate.Held
		r.Set(v)
	}
	return held, nil
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

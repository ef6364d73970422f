package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// decider sends the batches of one sale to the primary that has it, on a
// connection of its own: WAIT counts only for its own connection, and a change
// of server must be seen before anything is decided there.
type decider struct {
	sale          string
	keys          []string
	script        luascripts.Script
	write         func(batch []*gate.Request)                    // lays the batch out as the script's arguments
	applyVerdicts func(batch []*gate.Request, reply []any) error // sets the verdicts from the letters of its reply
	accept        func(batch []*gate.Request, reply []any) error // sets what was accepted

	connection
	server       string    // identity of the newest server that told about itself
	selling      bool      // the newest batch held something, so the next one is sent with WAIT
	laggingSince time.Time // when too few replicas were last found; zero while enough follow

	text []byte   // the batch's arguments, one after the other,
	ends []int    // where each ends,
	runs []string // and each of them
	args []any    // the command: fixed arguments, then pointers into runs
	seen map[string]struct{}
}

// Decider implements lane.Store.
func (s *Store) Decider(sale string) gate.Decider {
	s.deps.Metrics.initSale(sale)
	d := s.newDecider(sale, luascripts.Confirm, applyConfirms)
	d.seen, d.write, d.accept = make(map[string]struct{}, gate.MaxBatch), d.writeConfirms, d.acceptConfirms
	return d
}

// Granter implements lane.Store.
func (s *Store) Granter(sale string) gate.Decider {
	d := s.newDecider(sale, luascripts.Grant, applyGrants)
	d.write, d.accept = d.writeAnswers, d.acceptAnswers
	return d
}

func (s *Store) newDecider(sale string, script luascripts.Script, apply func([]*gate.Request, []any) error) *decider {
	k := keysOf(sale)
	d := &decider{sale: sale, keys: k.deciding(), script: script, applyVerdicts: apply}
	d.connection = connection{store: s, key: k.sale, longer: s.opt.WaitTimeout, greeted: d.greet}
	return d
}

// greet notes which server decides.
func (d *decider) greet(runID, replID string) {
	server := runID + "/" + replID
	if d.server != "" && d.server != server {
		d.store.deps.Metrics.changed(d.sale)
		d.store.deps.Log.Warn("another Redis server decides now: what the old one did not replicate is forgotten",
			"sale", d.sale, "was", d.server, "is", server)
	}
	d.server = server
}

// Close implements gate.Decider.
func (d *decider) Close() error { return d.disconnect() }

// Decide implements gate.Decider.
func (d *decider) Decide(ctx context.Context, batch []*gate.Request) error {
	err := d.decideOnce(ctx, batch)
	if errors.Is(err, errMissing) { // another server may have the sale by now
		d.recover(err)
		err = d.decideOnce(ctx, batch)
	}
	if err == nil {
		return nil
	}
	d.recover(err)
	if errors.Is(err, errMissing) { // the gate notices when it reads the sales next
		refuseAll(batch, gate.Recovering)
		return nil
	}
	return fmt.Errorf("have %d requests of sale %s decided by the script %s: %w", len(batch), d.sale,
		d.script.Name, doubted(err))
}

// errMissing says that a server has nothing of the sale, not even a tombstone.
var errMissing = errors.New("the sale is missing in Redis")

func (d *decider) decideOnce(ctx context.Context, batch []*gate.Request) error {
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
	reply, acked, err := d.call(ctx, "EVALSHA", d.script.SHA1)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, acked, err = d.call(ctx, "EVAL", d.script.Source)
	}
	if err != nil {
		return err
	}
	held, err := d.applyReply(batch, reply)
	if err != nil {
		return err
	}
	waited := d.selling
	d.selling = held
	if !held || d.replicas() == 0 || waited && acked >= int64(d.replicas()) {
		return nil
	}
	return d.awaitReplicas(ctx, batch, waited)
}

// writeConfirms lays confirms out as the arguments of the script confirm.
func (d *decider) writeConfirms(batch []*gate.Request) {
	d.text, d.ends = d.text[:0], d.ends[:0]
	end := func() { d.ends = append(d.ends, len(d.text)) }
	for _, r := range batch {
		d.text = append(d.text, r.Confirm.Order...)
		end()
	}
	for _, r := range batch {
		switch {
		case r.KnownOnly:
			d.text = append(d.text, 'k')
		case r.NoHold != gate.NoCause:
			d.text = append(d.text, 'n')
		}
		d.text = gate.AppendHold(d.text, r)
		end()
	}
	for _, r := range batch {
		d.text = append(d.text, r.Confirm.Buyer...)
		end()
	}
	for _, r := range batch {
		d.text = gate.AppendLines(d.text, r.Confirm.Lines)
		end()
	}
	d.cut()
	d.args = append(d.args, gate.AskingFor.Milliseconds(), len(batch), d.traits(batch))
	d.add()
}

// writeAnswers lays the shop's answers out as the arguments of the script grant.
func (d *decider) writeAnswers(batch []*gate.Request) {
	d.text, d.ends = d.text[:0], d.ends[:0]
	end := func() { d.ends = append(d.ends, len(d.text)) }
	for _, r := range batch {
		d.text = append(d.text, r.Confirm.Order...)
		end()
		if r.Yes {
			d.text = append(d.text, 'Y')
			d.text = gate.AppendAttempt(d.text, &r.Confirm)
		} else {
			d.text = append(d.text, 'N')
			d.text = strconv.AppendInt(d.text, r.Revision, 10)
		}
		end()
	}
	d.cut()
	d.args = append(d.args, len(batch))
	d.add()
}

// cut cuts the text into strings, and begins the command with the arguments that all scripts of a
// decider share. The strings share one allocation, and the command has pointers to them, so a batch
// costs a few allocations instead of a few for each request.
func (d *decider) cut() {
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
	d.args = append(d.args, d.store.clock(), d.store.opt.Who, d.store.opt.FirstLook.Milliseconds())
}

// add adds the strings to the command.
func (d *decider) add() {
	for i := range d.runs {
		d.args = append(d.args, &d.runs[i])
	}
}

// traits are letters that spare the script a pass over the batch: a confirm has a buyer (b), an
// order or a buyer comes twice (r), the shop must be asked (a), a record has a mark (m).
func (d *decider) traits(batch []*gate.Request) string {
	n := len(batch)
	orders, buyers := d.runs[:n], d.runs[2*n:3*n]
	letters := ""
	if slices.ContainsFunc(buyers, func(b string) bool { return b != "" }) {
		letters = "b"
	}
	if d.repeats(orders) || d.repeats(buyers) {
		letters += "r"
	}
	if slices.ContainsFunc(batch, func(r *gate.Request) bool { return r.Asks }) {
		letters += "a"
	}
	if slices.ContainsFunc(batch, func(r *gate.Request) bool { return r.KnownOnly || r.NoHold != gate.NoCause }) {
		letters += "m"
	}
	return letters
}

// repeats reports whether an id comes twice. Empty ids do not count.
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

// call calls the script with the arguments. While the sale sells, WAIT follows in the same
// pipeline, and call returns how many replicas have the batch. A call that only refuses does not
// need to wait.
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

// applyReply sets the verdicts from the script's reply, and reports whether any request is held.
func (d *decider) applyReply(batch []*gate.Request, reply []any) (held bool, err error) {
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
		return false, fmt.Errorf("the script gave %d verdicts for %d requests", len(letters), len(batch))
	}
	if err := d.applyVerdicts(batch, reply); err != nil {
		return false, err
	}
	if err := d.accept(batch, reply); err != nil {
		return false, err
	}
	return slices.ContainsFunc(batch, func(r *gate.Request) bool { return r.Verdict().Code == gate.Held }), nil
}

func refuseAll(batch []*gate.Request, c gate.Code) {
	for _, r := range batch {
		r.Set(gate.Refuse(c))
	}
}

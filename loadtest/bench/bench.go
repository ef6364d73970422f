package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// program is the package of the gate's program, built from the tree that this
// command belongs to.
const program = "github.com/flashgate/flashgate"

// world is what all trials of one run share.
type world struct {
	dir        string // temporary, for all that is written
	script     string // the client's
	signatures string // the client's, by signLinks
	flashgate  string // the gate's program
	redis      *store // of the trial under way
	progress   io.Writer
}

func newWorld(ctx context.Context, p *plan, dir string, progress io.Writer) (*world, error) {
	w := &world{
		dir: dir, script: filepath.Join(dir, "load.lua"), signatures: filepath.Join(dir, "signatures-"),
		flashgate: filepath.Join(dir, "flashgate"), progress: progress,
	}
	if err := os.WriteFile(w.script, loadScript, 0o600); err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "building flashgate")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-o", w.flashgate, program)
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building flashgate: %w\n%s", err, said)
	}
	if slices.ContainsFunc(p.subjects, func(s subject) bool { return s.signed }) {
		fmt.Fprintln(progress, "signing links")
		if err := signLinks(w.signatures, p.threads, p.links()); err != nil {
			return nil, fmt.Errorf("signing links: %w", err)
		}
	}
	return w, nil
}

// measure measures all that the plan has. Subjects that are compared are measured in turns, so that a slow spell of the
// machine slows all of them.
func measure(ctx context.Context, p *plan, progress io.Writer) (r *report, err error) {
	dir, err := os.MkdirTemp("", "flashgate-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	w, err := newWorld(ctx, p, dir, progress)
	if err != nil {
		return nil, err
	}
	r = newReport(machine(ctx), p)
	for i := range p.rounds {
		for _, c := range r.comparisons() {
			if err := w.round(ctx, c); err != nil {
				return nil, fmt.Errorf("round %d, %s, %w", i+1, c.Title, err)
			}
			fmt.Fprintf(progress, "round %d of %d  %s\n", i+1, p.rounds, c)
		}
	}
	if p.growth != nil {
		if r.Growth, err = w.grow(ctx, p.growth); err != nil {
			return nil, fmt.Errorf("growing a sale: %w", err)
		}
	}
	if p.goBenchmarks {
		if r.GoBenchmarks, err = w.goBenchmarks(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// round measures each subject of a comparison once.
func (w *world) round(ctx context.Context, c *comparison) error {
	round := map[string]figures{}
	for _, s := range c.subjects {
		f, err := c.measure(ctx, w, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		round[s.name] = f
	}
	c.Rounds = append(c.Rounds, round)
	return nil
}

// site is one subject as it is served, on a Redis of its own.
type site struct {
	subject subject
	redis   *store
	server  *process
	at      addresses
}

// serve starts a subject, lets use put it under load, and ends it. Redis and the server start empty, so that each trial
// begins alike. It returns how many orders the store has then, and by how many bytes it grew.
func (w *world) serve(ctx context.Context, s subject, use func(*site) error) (orders int, grown int64, err error) {
	if w.redis, err = startStore(ctx, w.dir); err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, w.redis.stop()) }()
	if s.replicated {
		replica, err := w.redis.startReplica(ctx, w.dir)
		if err != nil {
			return 0, 0, err
		}
		defer func() { err = errors.Join(err, replica.stop()) }()
	}
	if s.prepare != nil {
		if err := s.prepare(ctx, w); err != nil {
			return 0, 0, fmt.Errorf("preparing the sale: %w", err)
		}
	}
	bare, err := w.redis.memory(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := w.run(ctx, s, use); err != nil {
		return 0, 0, err
	}
	// The server has ended, so its connections take no memory any more.
	full, err := w.redis.memory(ctx)
	if err == nil && s.orders != nil {
		if orders, err = s.orders(ctx, w); err != nil {
			err = fmt.Errorf("counting the orders: %w", err)
		}
	}
	return orders, full - bare, err
}

// run runs the subject's server while it is used.
func (w *world) run(ctx context.Context, s subject, use func(*site) error) (err error) {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	at := addresses{public: ports[0], admin: ports[1], redis: w.redis.addr}
	server, err := start(filepath.Join(w.dir, s.name+".log"), s.command(w, at))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	err = await(ctx, "the server to be ready",
		func() error { return errors.Join(server.alive(), ready(ctx, at.public)) })
	if err != nil {
		return errors.Join(err, server.said())
	}
	if err := use(&site{s, w.redis, server, at}); err != nil {
		return errors.Join(err, server.said())
	}
	return nil
}

// measure puts one subject under a closed load.
func (w *world) measure(ctx context.Context, s subject, l load) (figures, error) {
	var t trial
	signatures := ""
	if s.signed {
		signatures = w.signatures
	}
	orders, grown, err := w.serve(ctx, s, func(on *site) (err error) {
		if t.before, err = on.look(ctx); err != nil {
			return err
		}
		if t.wrk, err = l.run(ctx, w.script, on.at.public, s.path(), signatures); err != nil {
			return err
		}
		t.after, err = on.settled(ctx)
		return err
	})
	if err != nil {
		return figures{}, err
	}
	t.orders, t.memory = orders, grown
	return t.figures(), t.verify(s, l)
}

// settled reads the counts until they stop changing: the client leaves while requests are under way, and the server
// still decides them.
func (s *site) settled(ctx context.Context) (now observation, err error) {
	last := counters{held: -1}
	err = await(ctx, "the last requests to be decided", func() (err error) {
		if now, err = s.look(ctx); err == nil && now.counters != last {
			err = errors.New("there are still some")
		}
		last = now.counters
		return err
	})
	return now, err
}

// look reads the counts once.
func (s *site) look(ctx context.Context) (o observation, err error) {
	if o.server, err = s.server.cpu(); err != nil {
		return o, err
	}
	if o.redis, err = s.redis.cpu(ctx); err != nil {
		return o, err
	}
	if o.script, err = s.redis.scripts(ctx); err != nil {
		return o, err
	}
	if s.subject.count != nil {
		o.counters, err = s.subject.count(ctx, s.at)
	}
	return o, err
}

// await polls until check returns nil.
func await(ctx context.Context, what string, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w: %w", what, context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

package main

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

// world is what the subjects of one run share.
type world struct {
	dir        string // temporary, for all that is written
	script     string // the client's
	signatures string // the client's, by signLinks
	flashgate  string // the gate's program
	redis      *store
}

// bench measures the subjects in turns, so that what slows the machine for a
// while slows all of them.
func bench(ctx context.Context, l load, subjects []subject, rounds int, progress io.Writer) (r *report, err error) {
	dir, err := os.MkdirTemp("", "flashgate-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	w := &world{
		dir: dir, script: filepath.Join(dir, "load.lua"), signatures: filepath.Join(dir, "signatures-"),
		flashgate: filepath.Join(dir, "flashgate"),
	}
	if err := os.WriteFile(w.script, loadScript, 0o600); err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "building flashgate")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-o", w.flashgate, program)
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building flashgate: %w\n%s", err, said)
	}
	if slices.ContainsFunc(subjects, func(s subject) bool { return s.signed }) {
		fmt.Fprintln(progress, "signing links")
		if err := signLinks(w.signatures, l.Threads, l.orders()); err != nil {
			return nil, fmt.Errorf("signing links: %w", err)
		}
	}
	if w.redis, err = startStore(ctx, dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.redis.stop()) }()

	var done []map[string]figures
	for i := range rounds {
		round := map[string]figures{}
		for _, s := range subjects {
			f, err := w.measure(ctx, s, l)
			if err != nil {
				return nil, fmt.Errorf("round %d, %s: %w", i+1, s.name, err)
			}
			round[s.name] = f
			fmt.Fprintf(progress, "round %d of %d  %-9s %8.0f requests/s\n", i+1, rounds, s.name, f.Rate)
		}
		done = append(done, round)
	}
	return newReport(machine(ctx, w.redis), l, subjects, done), nil
}

// measure puts one subject under load for one round. Every server starts afresh
// on an empty store, so that no round has more to carry than another.
func (w *world) measure(ctx context.Context, s subject, l load) (f figures, err error) {
	if err := w.redis.empty(ctx); err != nil {
		return f, err
	}
	if s.prepare != nil {
		if err := s.prepare(ctx, w); err != nil {
			return f, fmt.Errorf("preparing the sale: %w", err)
		}
	}
	bare, err := w.redis.memory(ctx)
	if err != nil {
		return f, err
	}
	t, err := w.loaded(ctx, s, l)
	if err != nil {
		return f, err
	}
	// The server has ended, so its connections take no memory any more.
	full, err := w.redis.memory(ctx)
	if err != nil {
		return f, err
	}
	t.memory = full - bare
	if s.orders != nil {
		if t.orders, err = s.orders(ctx, w); err != nil {
			return f, fmt.Errorf("counting the orders: %w", err)
		}
	}
	return t.figures(), t.verify(s, l)
}

// loaded starts the subject's server, puts it under load, and ends it.
func (w *world) loaded(ctx context.Context, s subject, l load) (t trial, err error) {
	ports, err := freePorts(2)
	if err != nil {
		return t, err
	}
	at := addresses{public: ports[0], admin: ports[1], redis: w.redis.addr}
	server, err := start(filepath.Join(w.dir, s.name+".log"), s.command(w, at))
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if err := await(ctx, "the server to be ready", func() error { return errors.Join(server.alive(), ready(ctx, at.public)) }); err != nil {
		return t, errors.Join(err, server.said())
	}

	before, err := w.look(ctx, s, server, at)
	if err != nil {
		return t, err
	}
	signatures := ""
	if s.signed {
		signatures = w.signatures
	}
	if t.wrk, err = l.run(ctx, w.script, at.public, s.path(), signatures); err != nil {
		return t, errors.Join(err, server.said())
	}
	// The client leaves while requests are under way: they are still decided.
	after := before
	err = await(ctx, "the last requests to be decided", func() error {
		last := after
		if after, err = w.look(ctx, s, server, at); err == nil && after.counters != last.counters {
			err = errors.New("there are still some")
		}
		return err
	})
	t.before, t.after = before, after
	return t, err
}

// look reads what is counted while a subject is under load.
func (w *world) look(ctx context.Context, s subject, server *process, at addresses) (o observation, err error) {
	if o.server, err = server.cpu(); err != nil {
		return o, err
	}
	if o.redis, err = w.redis.cpu(); err != nil {
		return o, err
	}
	if o.script, err = w.redis.scripts(ctx); err != nil {
		return o, err
	}
	if s.count != nil {
		o.counters, err = s.count(ctx, at)
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

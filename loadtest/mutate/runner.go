package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// verdict is what became of a mutant.
type verdict int

const (
	survived verdict = iota // no test has missed what was taken out
	killed
	hung // and so killed
	accepted
)

func (v verdict) String() string {
	return [...]string{"survived", "killed", "hung", "accepted"}[v]
}

// runner tries mutants of the module at root.
type runner struct {
	root, module string
	accepted     map[string]string // reasons, by the mutant's key
	jobs         int
	timeout      time.Duration
}

// run tries all mutants of the targets, or those in one file. It fails if one
// survives, or if one that is accepted is not there any more.
func (r *runner) run(ctx context.Context, targets []target, file string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "flashgate-mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var workers []*worker
	for i := range r.jobs {
		w, err := newWorker(r, fmt.Sprintf("%s/%d", dir, i))
		if err != nil {
			return err
		}
		workers = append(workers, w)
	}
	p := &progress{out: out, verdicts: map[*mutant]verdict{}}
	for _, t := range targets {
		original, mutants, err := t.mutants(r.root, file)
		if err != nil {
			return err
		}
		if len(mutants) == 0 {
			continue
		}
		p.total += len(mutants)
		fmt.Fprintf(out, "%s: %d mutants; first its tests, with nothing taken out\n", t.pkg, len(mutants))
		for _, s := range t.stages {
			switch got, err := workers[0].try(ctx, original, []stage{s}); {
			case err != nil:
				return err
			case got != survived:
				return fmt.Errorf("the tests of %s fail before anything is taken out:\n%s", s.pkg, workers[0].said)
			}
		}
		if err := r.all(ctx, workers, mutants, t.stages, p); err != nil {
			return err
		}
	}
	return p.result(r.accepted, file == "")
}

// all tries the mutants, each with one of the workers.
func (r *runner) all(ctx context.Context, workers []*worker, mutants []*mutant, stages []stage, p *progress) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	waiting := make(chan *mutant)
	var group sync.WaitGroup
	for _, w := range workers {
		group.Go(func() {
			for m := range waiting {
				got := accepted
				if _, ok := r.accepted[m.key()]; !ok {
					var err error
					if got, err = w.try(ctx, m, stages); err != nil {
						cancel(err)
					}
				}
				if ctx.Err() == nil {
					p.note(m, got)
				}
			}
		})
	}
	for _, m := range mutants {
		if ctx.Err() != nil {
			break
		}
		waiting <- m
	}
	close(waiting)
	group.Wait()
	return context.Cause(ctx)
}

// progress prints what becomes of the mutants, and sums it up.
type progress struct {
	out   io.Writer
	total int

	lock     sync.Mutex
	verdicts map[*mutant]verdict
}

func (p *progress) note(m *mutant, v verdict) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.verdicts[m] = v
	fmt.Fprintf(p.out, "%d/%d %-8s %s\n", len(p.verdicts), p.total, v, m)
}

// result lists what survived. Where whole packages were tried, it also tells
// which accepted mutants of theirs are not there.
func (p *progress) result(reasons map[string]string, whole bool) error {
	counts := map[verdict]int{}
	var alive []*mutant
	seen, packages := map[string]bool{}, map[string]bool{}
	for m, v := range p.verdicts {
		counts[v]++
		seen[m.key()] = true
		packages[folder(m.key())] = true
		if v == survived {
			alive = append(alive, m)
		}
	}
	slices.SortFunc(alive, func(a, b *mutant) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.number, b.number))
	})
	fmt.Fprintf(p.out, "\n%d mutants: %d killed, %d of them by hanging; %d accepted; %d survived\n",
		len(p.verdicts), counts[killed]+counts[hung], counts[hung], counts[accepted], counts[survived])
	for _, m := range alive {
		fmt.Fprintf(p.out, "  %s\n", m)
	}
	var err error
	for key := range reasons {
		if whole && packages[folder(key)] && !seen[key] {
			err = errors.Join(err, fmt.Errorf("accepted.txt has %q, but there is no such condition any more", key))
		}
	}
	if len(alive) > 0 {
		err = errors.Join(err, errors.New(strconv.Itoa(len(alive))+" survived: write the tests that miss them, or "+
			"say in accepted.txt why nothing can"))
	}
	return err
}

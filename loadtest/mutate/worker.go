package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// worker tries one mutant after the other, in a folder of its own.
type worker struct {
	*runner
	dir      string
	build    *build            // that the programs are of
	programs map[string]string // tests that are built, by package
	said     []byte            // by the tests that ran last
}

func newWorker(r *runner, dir string) (*worker, error) {
	return &worker{runner: r, dir: dir}, os.MkdirAll(filepath.Join(dir, "tmp"), 0o700)
}

// try runs the stages until one misses the mutant.
func (w *worker) try(ctx context.Context, m *mutant, stages []stage) (verdict, error) {
	if w.build != m.build {
		w.build, w.programs = m.build, map[string]string{}
	}
	if err := os.WriteFile(w.path("mutant"), []byte(strconv.Itoa(m.number)), 0o600); err != nil {
		return survived, err
	}
	for _, s := range stages {
		if w.programs[s.pkg] == "" {
			program, err := w.compile(ctx, s.pkg)
			if err != nil {
				return survived, err
			}
			w.programs[s.pkg] = program
		}
		if got, err := w.test(ctx, s); err != nil || got != survived {
			return got, err
		}
	}
	return survived, nil
}

func (w *worker) path(name string) string { return filepath.Join(w.dir, name) }

// compile builds the tests of a package with the worker's overlay; no file of
// the module is touched.
func (w *worker) compile(ctx context.Context, pkg string) (program string, err error) {
	replace := map[string]string{}
	for file, source := range w.build.overlay {
		instead := w.path(strings.ReplaceAll(file, "/", "+"))
		if err := os.WriteFile(instead, []byte(source), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(w.root, file)] = instead
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(w.path("overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	program = w.path(strings.ReplaceAll(pkg, "/", "+") + ".test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", w.path("overlay.json"), "-o", program,
		"-ldflags", "-s -w -X "+path.Join(w.module, w.build.pkg)+".mutantFile="+w.path("mutant"),
		path.Join(w.module, pkg))
	cmd.Dir = w.root
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the tests of %s: %w\n%s", pkg, err, said)
	}
	return program, nil
}

// test runs a stage's tests until the first one fails.
func (w *worker) test(ctx context.Context, s stage) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.programs[s.pkg], "-test.failfast", "-test.run="+s.run,
		"-test.short="+strconv.FormatBool(s.short))
	cmd.Dir = filepath.Join(w.root, s.pkg)
	cmd.Env = append(os.Environ(), "TMPDIR="+w.path("tmp"))
	cmd.WaitDelay = 5 * time.Second // for what the tests have started
	var err error
	w.said, err = cmd.CombinedOutput()
	_, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return survived, nil
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return hung, nil
	case ctx.Err() != nil:
		return survived, context.Cause(ctx)
	case !ended:
		return survived, fmt.Errorf("running the tests of %s: %w\n%s", s.pkg, err, w.said)
	}
	return killed, nil
}

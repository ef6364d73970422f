// Command mutate takes the checks that guard the gate out, one at a time, and
// runs the tests: they must fail each time. A check that no test misses is
// listed, unless accepted.txt says why nothing can tell.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(out)
	var r runner
	flags.IntVar(&r.jobs, "jobs", 2, "mutants tried at once")
	flags.DurationVar(&r.timeout, "timeout", 2*time.Minute,
		"how long one run of a package's tests may take; a mutant that hangs is killed")
	packages := flags.String("package", "", "packages whose checks are taken out, with commas between (all of them)")
	file := flags.String("file", "", "the one file whose checks are taken out, such as link.go")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if r.jobs < 1 || r.timeout <= 0 {
		return fmt.Errorf("--jobs %d, --timeout %s: must be more than none", r.jobs, r.timeout)
	}
	chosen, err := choose(targets(), *packages)
	if err != nil {
		return err
	}
	if r.root, r.module, err = module(ctx); err != nil {
		return err
	}
	if r.accepted, err = parseAccepted(acceptedText); err != nil {
		return err
	}
	return r.run(ctx, chosen, *file, out)
}

// choose returns the targets of the packages that are named, or all.
func choose(all []target, names string) ([]target, error) {
	if names == "" {
		return all, nil
	}
	var chosen []target
	for name := range strings.SplitSeq(names, ",") {
		before := len(chosen)
		for _, t := range all {
			if t.pkg == name {
				chosen = append(chosen, t)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("--package %s: nothing of it is to be taken out", name)
		}
	}
	return chosen, nil
}

// module returns the folder and the path of the module that this is run in.
func module(ctx context.Context) (root, path string, err error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}\n{{.Path}}").Output()
	if err != nil {
		return "", "", fmt.Errorf("asking for the module's path: %w", err)
	}
	root, path, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	return root, path, nil
}

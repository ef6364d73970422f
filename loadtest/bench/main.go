// Command bench measures the gate side by side with what bounds it from above,
// a bare fasthttp handler, and with the usual way of doing its work, net/http
// and one script call a request: in one run, on one redis-server of its own, in
// turns.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures and reports, or is one of the servers that are measured.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	if len(args) > 0 && args[0] == serveWord {
		return serve(ctx, args[1:])
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(progress)
	var l load
	flags.IntVar(&l.Connections, "connections", 128, "kept connections of the client")
	flags.IntVar(&l.Threads, "threads", 2, "threads of the client")
	flags.DurationVar(&l.Duration, "duration", 5*time.Second, "how long each subject is under load in a round")
	rounds := flags.Int("rounds", 5, "rounds; each has every subject once")
	only := flags.String("only", "", "subjects to measure, with commas between (all of them)")
	asJSON := flags.Bool("json", false, "print everything as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(subjects(), *only)
	if err := errors.Join(err, l.check(*rounds), needed("wrk", "redis-server", "go")); err != nil {
		return err
	}

	r, err := bench(ctx, l, chosen, *rounds, progress)
	if err != nil {
		return err
	}
	if *asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	return r.print(out)
}

// choose returns the subjects that are named, or all.
func choose(all []subject, names string) ([]subject, error) {
	if names == "" {
		return all, nil
	}
	var chosen []subject
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(s subject) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("--only %s: there is no such subject, only %s", name, list(all))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func list(all []subject) string {
	var names []string
	for _, s := range all {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

func (l *load) check(rounds int) error {
	switch {
	case rounds < 1:
		return fmt.Errorf("--rounds %d: must be at least 1", rounds)
	case l.Duration < time.Second || l.Duration%time.Second != 0:
		return fmt.Errorf("--duration %s: wrk takes whole seconds, at least 1s", l.Duration)
	case l.Threads < 1 || l.Threads > maxThreads || l.Connections < l.Threads:
		return fmt.Errorf("--threads %d, --connections %d: 1 to %d threads, and a connection for each", l.Threads, l.Connections, maxThreads)
	}
	return nil
}

// needed returns an error that says what to install where a program is missing.
func needed(programs ...string) error {
	var missing []string
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("%s not found: install it first (on Debian: apt-get install wrk redis-server golang)", strings.Join(missing, ", "))
}

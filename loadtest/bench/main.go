// Command bench measures the gate side by side with what bounds it from above,
// a bare fasthttp handler, and with the usual way of doing its work, net/http
// and one script call a request: in one run, in turns, each on a redis-server of
// its own. It also measures a burst of new connections, latency at half of the
// peak rate, and what a sale costs as it grows.
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
	"strings"
	"syscall"
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

// run measures and reports, or is one of the processes that a run needs.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	if len(args) > 0 && args[0] == serveWord {
		return serve(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == clientWord {
		return client(ctx, args[1:], out)
	}
	p, err := parsePlan(args, localPorts(), progress)
	if err != nil {
		return err
	}
	if err := errors.Join(needed("wrk", "redis-server", "go"), raiseFiles()); err != nil {
		return err
	}
	r, err := bench(ctx, p, progress)
	if err != nil {
		return err
	}
	if p.results != "" {
		if err := os.WriteFile(p.results, []byte(r.markdown()), 0o644); err != nil {
			return fmt.Errorf("writing the results: %w", err)
		}
		fmt.Fprintln(progress, "wrote", p.results)
	}
	if p.asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	_, err = io.WriteString(out, r.markdown())
	return err
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

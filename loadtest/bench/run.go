// Package bench measures the gate side by side with what bounds it from above,
// a bare fasthttp handler, and with the usual way of doing its work, net/http
// and one script call a request: in one run, in turns, each on a redis-server of
// its own. It also measures a burst of new connections, latency at half of the
// peak rate, and what a sale costs as it grows.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Run measures what the options say, and reports to out. It starts the program that it
// is part of as servers and clients: see ServerCommand and ClientCommand.
func Run(ctx context.Context, o *Options, out, progress io.Writer) error {
	p, err := o.plan(localPorts())
	if err != nil {
		return err
	}
	if err := errors.Join(needed("wrk", "redis-server", "go"), raiseFiles()); err != nil {
		return err
	}
	r, err := measure(ctx, p, progress)
	if err != nil {
		return err
	}
	if p.results != "" {
		if err := os.WriteFile(p.results, []byte(r.markdown()), 0o644); err != nil {
			return fmt.Errorf("writing the results: %w", err)
		}
		fmt.Fprintln(progress, "wrote", p.results)
	}
	if o.JSON {
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
	return fmt.Errorf("%s not found: install it first (on Debian: apt-get install wrk redis-server golang)",
		strings.Join(missing, ", "))
}

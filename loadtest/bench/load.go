package bench

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

//go:embed load.lua
var loadScript []byte

// saleName and its SKU ticket are what load.lua buys.
const saleName = "bench"

// maxThreads is how many threads load.lua can tell apart.
const maxThreads = 99

// load is what the client does: it sends as many requests as are answered, one
// after the other on each connection.
type load struct {
	Connections int           `json:"connections"`
	New         bool          `json:"new"` // a connection for each request, instead of kept ones
	Most        int           `json:"most_requests,omitempty"`
	Threads     int           `json:"threads"`
	Duration    time.Duration `json:"duration_ns"`
}

// newFor is how long a round makes new connections. Each connection uses up a local port for a minute, so it cannot be
// much longer.
const newFor = time.Second

// loads returns the loads of all numbers of connections, kept and new.
func loads(base load, connections []int, kinds []string, ports int) (all []load) {
	for _, kind := range kinds {
		for _, n := range connections {
			l := base
			l.Connections = n
			if kind == kindNew {
				l.New, l.Most, l.Duration = true, ports*9/10, newFor
			}
			all = append(all, l)
		}
	}
	return all
}

// What becomes of a connection after its request.
const (
	kindKept = "kept"
	kindNew  = "new"
)

func (l load) String() string {
	if l.New {
		return fmt.Sprint(l.Connections, " ", kindNew)
	}
	return fmt.Sprint(l.Connections, " ", kindKept)
}

// result is what the client saw. Times are microseconds.
type result struct {
	Requests int     `json:"requests"` // answered
	Duration float64 `json:"duration_us"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	P999     float64 `json:"p999_us"`
	Refused  int     `json:"refused"` // answered with a status above 399
	Broken   int     `json:"broken"`  // connections, and requests not answered in time
}

// run sends requests to a port of this machine. A path that ends in a buyer gets
// one of its own in each request. With the name of signLinks' files, each link is
// signed by them.
func (l load) run(ctx context.Context, script, addr, path, signatures string) (result, error) {
	wrk := exec.CommandContext(ctx, "wrk", "--script", script, "--connections", strconv.Itoa(l.Connections),
		"--threads", strconv.Itoa(l.Threads), "--duration", fmt.Sprintf("%.0fs", l.Duration.Seconds()),
		"--timeout", "10s",
		"http://"+addr+path, "--")
	if l.New {
		wrk.Args = append(wrk.Args, fmt.Sprint("most=", l.Most/l.Threads))
	}
	if signatures != "" {
		wrk.Args = append(wrk.Args, "signatures="+signatures)
	}
	said, err := wrk.CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("wrk: %w\n%s", err, said)
	}
	r, err := parseResult(said)
	if err != nil {
		return r, fmt.Errorf("reading the output of wrk: %w\n%s", err, said)
	}
	return r, nil
}

// parseResult reads the last line of what wrk says.
func parseResult(said []byte) (r result, err error) {
	said = bytes.TrimSpace(said)
	if err := json.Unmarshal(said[bytes.LastIndexByte(said, '\n')+1:], &r); err != nil {
		return r, fmt.Errorf("the last line is no result: %w", err)
	}
	if r.Requests == 0 || r.Duration == 0 {
		return r, errors.New("nothing was answered")
	}
	return r, nil
}

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"
)

// ClientCommand is the program's command that runs Send with the arguments behind it.
const ClientCommand = "bench-client"

// patience is how long the client waits for an answer.
const patience = 10 * time.Second

// stream is what the client of the open-loop parts sends. Requests are due at a fixed rate, whatever the server does.
// Each goes to an idle connection, and its time counts from when it was due. wrk2 does the same. A client of net/http
// would cost far more: on the server's own cores it would be the limit.
type stream struct {
	Addr        string  `json:"addr"`
	Path        string  `json:"path"`
	Requests    int     `json:"requests"`
	Rate        float64 `json:"rate"`        // requests a second; 0: all are due at once, each on a new connection
	Connections int     `json:"connections"` // that are kept, where there is a rate
}

// answered is what came of one request. Times count from the start.
type answered struct {
	due, sent, done time.Duration
	err             error
}

// streamResult is what the client saw. Times are microseconds from when a
// request was due.
type streamResult struct {
	Accepted int     `json:"accepted"`
	Failed   int     `json:"failed"`          // not answered, or not with 200
	First    string  `json:"first,omitempty"` // of the failures
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	P999     float64 `json:"p999_us"`
	Max      float64 `json:"max_us"`
	Late     float64 `json:"late_p99_us"` // how late requests went out
	Seconds  float64 `json:"seconds"`     // until the last answer
}

// run has a process of its own send the stream.
func (s stream) run(ctx context.Context) (r streamResult, err error) {
	orders, err := json.Marshal(s)
	if err != nil {
		return r, err
	}
	client := exec.CommandContext(ctx, os.Args[0], ClientCommand, string(orders))
	client.Stderr = os.Stderr
	said, err := client.Output()
	if err == nil {
		err = json.Unmarshal(said, &r)
	}
	if err != nil {
		return r, fmt.Errorf("the client: %w", err)
	}
	return r, nil
}

// Send is that process: its one argument is a stream as JSON, and it writes to out, as
// JSON, what the client saw.
func Send(ctx context.Context, args []string, out io.Writer) error {
	var s stream
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &s) != nil || s.Requests < 1 ||
		s.Rate > 0 && s.Connections < 1 {
		return fmt.Errorf("%s %q: for this program's own use", ClientCommand, args)
	}
	answers, err := s.send(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(summary(answers))
}

// kept reports whether requests share connections.
func (s *stream) kept() bool { return s.Rate > 0 }

// due is when a request is, from the start.
func (s *stream) due(request int) time.Duration {
	if !s.kept() {
		return 0
	}
	return time.Duration(float64(request) / s.Rate * float64(time.Second))
}

// appendRequest spells a request as load.lua does.
func appendRequest(b []byte, path string, request int) []byte {
	const length = len(`{"imp_uid":"imp_44","merchant_uid":"ORD2026","amount":110000}`) + 2*10
	id := 1e9 + request
	b = append(append(b, "POST "...), path...)
	b = strconv.AppendInt(b, int64(id), 10)
	b = append(b, " HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(length), 10)
	b = append(b, "\r\n\r\n"+`{"imp_uid":"imp_44`...)
	b = strconv.AppendInt(b, int64(id), 10)
	b = append(b, `","merchant_uid":"ORD2026`...)
	b = strconv.AppendInt(b, int64(id), 10)
	return append(b, `","amount":110000}`...)
}

// summary sums the answers up. The times of failed requests do not count.
func summary(answers []answered) (r streamResult) {
	var took, late []time.Duration
	var last time.Duration
	for _, a := range answers {
		late, last = append(late, a.sent-a.due), max(last, a.done)
		if a.err != nil {
			r.Failed++
			if r.First == "" {
				r.First = a.err.Error()
			}
			continue
		}
		took = append(took, a.done-a.due)
	}
	slices.Sort(took)
	slices.Sort(late)
	r.Accepted, r.Seconds = len(took), last.Seconds()
	r.P50, r.P99, r.P999, r.Max = percentile(took, .5), percentile(took, .99), percentile(took, .999),
		percentile(took, 1)
	r.Late = percentile(late, .99)
	return r
}

// percentile returns the time in microseconds that the given share of the sorted times does not exceed.
func percentile(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := min(int(share*float64(len(sorted))), len(sorted)-1)
	return float64(sorted[i].Nanoseconds()) / 1e3
}

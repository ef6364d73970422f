package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
)

// refusalBacklog is how many refusals may wait to be written.
const refusalBacklog = 8192

// RefusalLog writes each refused confirm as a line of JSON, for customer service. It never delays
// an answer: refusals that it cannot write in time are dropped and counted. A nil *RefusalLog
// writes nothing.
type RefusalLog struct {
	out     io.Writer
	lines   chan refusal
	metrics *Metrics
	log     *slog.Logger
}

// NewRefusalLog returns a log that Run writes to out.
func NewRefusalLog(out io.Writer, metrics *Metrics, log *slog.Logger) *RefusalLog {
	return &RefusalLog{out: out, lines: make(chan refusal, refusalBacklog), metrics: metrics, log: log}
}

func (l *RefusalLog) note(line refusal) {
	if l == nil {
		return
	}
	select {
	case l.lines <- line:
	default:
		l.metrics.dropped.Inc()
	}
}

// Run writes until ctx is done and all refusals that came before are written.
func (l *RefusalLog) Run(ctx context.Context) {
	w := bufio.NewWriter(l.out)
	encoder := json.NewEncoder(w)
	unsure, failing := 0, false // lines since the last flush; whether that failed
	write := func(line refusal) {
		unsure++
		err := encoder.Encode(line)
		if err == nil && len(l.lines) > 0 {
			return // the last line was flushed
		}
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			l.metrics.dropped.Add(float64(unsure))
			w.Reset(l.out)
			encoder = json.NewEncoder(w) // an encoder that has failed goes on failing
			if !failing {
				l.log.Error("the refusal log cannot be written", "error", err)
			}
		}
		unsure, failing = 0, err != nil
	}
	for {
		select {
		case line := <-l.lines:
			write(line)
			continue
		case <-ctx.Done():
		}
		for len(l.lines) > 0 {
			write(<-l.lines)
		}
		return
	}
}

package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/flashgate/flashgate/gate"
)

// mostStreams bounds the event streams of a gate, for each has every change of its sale written.
const mostStreams = 16

// How a stream of events ended, or that there was none.
const (
	streamLeft      = "left"       // the caller went, or was cut off
	streamSlow      = "slow"       // the caller did not read
	streamStartOver = "start_over" // what comes next cannot be told, or is too much
	streamDrained   = "drained"    // the gate is ending
	streamRefused   = "refused"    // there were too many
)

// streams are the event streams of an Admin.
type streams struct {
	mirror  mirrored
	room    chan struct{} // has an element for each
	ending  context.Context
	end     context.CancelFunc // ends them
	metrics *Metrics
}

func newStreams(mirror mirrored, metrics *Metrics) *streams {
	s := &streams{mirror: mirror, room: make(chan struct{}, mostStreams), metrics: metrics}
	s.ending, s.end = context.WithCancel(context.Background())
	return s
}

// events streams the changes of a sale: those behind ?since=SEQ or Last-Event-ID, or else first the
// sale as it stands and then what follows.
func (a *Admin) events(w http.ResponseWriter, r *http.Request, who string) {
	if err := receive(r); err != nil {
		writeStoreError(w, err)
		return
	}
	select {
	case a.streams.room <- struct{}{}:
	default:
		a.streams.metrics.streamed.WithLabelValues(streamRefused).Inc()
		writeError(w, http.StatusServiceUnavailable,
			fmt.Errorf("this gate has %d event streams open, and takes no more: ask another one", mostStreams))
		return
	}
	a.streams.metrics.streams.Inc()
	defer func() {
		a.streams.metrics.streams.Dec()
		<-a.streams.room
	}()
	c := &apiCall{r, who}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	s, first, err := a.stream(ctx, c)
	if err != nil {
		writeStoreError(w, gate.Gone(ctx, a.deps.Sales, c.sale(), err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	if r.Method == http.MethodHead {
		return
	}
	a.streams.metrics.streamed.WithLabelValues(a.streams.run(w, r, s, first)).Inc()
}

// stream returns the stream that a call asks for, and the sale if the caller has not seen it.
func (a *Admin) stream(ctx context.Context, c *apiCall) (s *stream, first *gate.SaleView, err error) {
	s = &stream{sale: c.sale(), mirror: a.streams.mirror, sales: a.deps.Sales}
	// Who connects anew sends the query of the first time too.
	text := cmp.Or(c.Header.Get("Last-Event-ID"), c.FormValue("since"))
	if text != "" {
		if s.at, err = gate.ParsePosition(text); err != nil {
			return nil, nil, badRequest(fmt.Errorf("since, or Last-Event-ID: %w", err))
		}
	}
	state, err := a.deps.Sales.Sale(ctx, c.sale())
	if err != nil || text != "" {
		return s, nil, err
	}
	if state.Run > 0 { // the tombstone of a sale that never was has no ledger
		s.at.Seq = state.Seq
	}
	return s, new(state.View()), nil
}

// run has a stream run until it ends, and returns how it ended. Unlike other answers it may take
// any time: what is bounded is each write.
func (a *streams) run(w http.ResponseWriter, r *http.Request, s *stream, first *gate.SaleView) (outcome string) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(a.ending, cancel)()
	s.out = &eventWriter{to: w, control: http.NewResponseController(w), ending: a.ending}
	defer context.AfterFunc(a.ending, s.out.hurry)()
	if err := s.out.begin(); err != nil {
		return sendFailure(err)
	}
	if first != nil {
		if err := s.out.send("id: "+s.at.String()+"\nevent: sale", first); err != nil {
			return sendFailure(err)
		}
	}
	err := s.run(ctx)
	var last error
	switch {
	case errors.Is(err, gate.ErrPosition), errors.Is(err, errBehind):
		// Without an id, who connects anew is sent the sale first.
		outcome, last = streamStartOver, s.out.send("id\nevent: start_over", struct {
			Problem string `json:"problem"`
			From    string `json:"from"`
		}{err.Error(), r.URL.EscapedPath()})
	case a.ending.Err() != nil && ctx.Err() != nil:
		outcome, last = streamDrained, s.out.send("event: end", struct {
			Problem string `json:"problem"`
		}{"this gate is ending: go on at another one, with the id of the last event"})
	default:
		return sendFailure(err)
	}
	if last = cmp.Or(last, s.out.flush()); last != nil {
		return sendFailure(last)
	}
	return outcome
}

// sendFailure returns how a stream ended whose events could not be sent.
func sendFailure(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return streamSlow
	}
	return streamLeft
}

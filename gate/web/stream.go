package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	// pollEvery is how often a stream looks for news where nothing tells it of them.
	pollEvery = 500 * time.Millisecond
	// beatEvery is how long a stream is silent at most, so that both sides know that the connection lives.
	beatEvery = 10 * time.Second
	// farBehind is how many ledger entries a caller may be behind.
	farBehind = 20_000

	sendTimeout = 10 * time.Second       // a caller may take to read what is sent at once
	lastTimeout = 500 * time.Millisecond // the same once the gate is ending
)

// errBehind says that a caller is too far behind to be sent all that it has missed.
var errBehind = fmt.Errorf("more than %d entries of the ledger are to be sent: read it in pieces, or the sale as it "+
	"stands", farBehind)

// mirrored returns ledger entries as lane.Gate's Since does.
type mirrored func(sale string, seq int64) (entries []*gate.Entry, more <-chan struct{}, ok bool)

// stream sends the changes of a sale to one caller. They come from the gate's mirror while that is
// fresh and has them, and else from the store.
type stream struct {
	sale string
	at   gate.Position // behind the last entry that was sent
	out  *eventWriter

	mirror mirrored
	sales  interface {
		Sale(ctx context.Context, name string) (gate.State, error)
		Ledger(ctx context.Context, sale string, from int64) iter.Seq2[*gate.Entry, error]
	}
	live bool // the last entry that was sent was the newest one
}

// unsentError says that an event could not be sent.
type unsentError struct{ error }

// Unwrap returns why.
func (e unsentError) Unwrap() error { return e.error }

// run sends events until ctx is done, or nothing more can be sent: it returns gate.ErrPosition,
// errBehind, or why the caller cannot be reached. A store that cannot be read is waited for.
func (s *stream) run(ctx context.Context) error {
	for {
		more, err := s.forward(ctx)
		_, isUnsent := errors.AsType[unsentError](err)
		switch {
		case isUnsent, errors.Is(err, gate.ErrPosition), errors.Is(err, errBehind):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && !s.live:
			continue
		}
		wait(ctx, more)
		if err := s.out.beat(err); err != nil {
			return err
		}
	}
}

// forward sends what is new, or a part of it. It returns what is closed when there is more; nil
// where only looking again tells.
func (s *stream) forward(ctx context.Context) (more <-chan struct{}, err error) {
	ledger, more, err := s.ledger(ctx)
	if err != nil {
		return nil, err
	}
	s.live = false
	size := 0
	for e, err := range s.at.Follow(ledger) {
		if err != nil {
			return nil, err
		}
		if err := s.out.send("id: "+s.at.String(), e.View().WithoutSecrets()); err != nil {
			return nil, unsentError{err}
		}
		if size += 1 + len(e.Orders); size >= ledgerMost {
			return nil, nil
		}
	}
	s.live = true
	if err := s.out.flush(); err != nil {
		return nil, unsentError{err}
	}
	return more, nil
}

// ledger returns the ledger from the entry on that the caller has seen last: if another one is in
// its place, the ledger has lost a part.
func (s *stream) ledger(ctx context.Context) (iter.Seq2[*gate.Entry, error], <-chan struct{}, error) {
	if entries, more, ok := s.mirror(s.sale, s.at.Seq-1); ok {
		return readEach(entries), more, nil
	}
	if !s.live {
		state, err := s.sales.Sale(ctx, s.sale)
		if err != nil {
			return nil, nil, err
		}
		if state.Seq-s.at.Seq > farBehind {
			return nil, nil, errBehind
		}
	}
	return s.sales.Ledger(ctx, s.sale, s.at.Seq), nil, nil
}

// readEach reads the orders of entries that others use too.
func readEach(shared []*gate.Entry) iter.Seq2[*gate.Entry, error] {
	return func(yield func(*gate.Entry, error) bool) {
		for _, e := range shared {
			own := *e
			err := own.ReadOrders()
			if !yield(&own, err) || err != nil {
				return
			}
		}
	}
}

// wait returns when there may be news.
func wait(ctx context.Context, more <-chan struct{}) {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	select {
	case <-more:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// eventWriter writes server-sent events. Each has its time to be read.
type eventWriter struct {
	to      io.Writer
	control *http.ResponseController
	ending  context.Context // of the gate
	buffer  bytes.Buffer
	sent    time.Time // when something was last written
	held    bool      // something was written since the last flush
}

// begin opens the stream. Who loses it is to come back after a second.
func (o *eventWriter) begin() error {
	o.buffer.WriteString("retry: 1000\n\n")
	return errors.Join(o.write(), o.flush())
}

// send writes an event: its fields but the data, and the data, which is written as JSON.
func (o *eventWriter) send(fields string, data any) error {
	o.buffer.WriteString(fields + "\ndata: ")
	encoder := json.NewEncoder(&o.buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(data); err != nil {
		return err
	}
	o.buffer.WriteString("\n")
	return o.write()
}

// beat writes a comment if there was no event for a while: that there are none, or why none can be read.
func (o *eventWriter) beat(trouble error) error {
	if time.Since(o.sent) < beatEvery {
		return nil
	}
	o.buffer.WriteString(":")
	if trouble != nil {
		o.buffer.WriteString(" no changes can be read now: " + strings.Join(strings.Fields(trouble.Error()), " "))
	}
	o.buffer.WriteString("\n\n")
	if err := o.write(); err != nil {
		return err
	}
	return o.flush()
}

func (o *eventWriter) write() error {
	o.allow()
	o.sent, o.held = time.Now(), true
	_, err := o.buffer.WriteTo(o.to)
	return err
}

// flush has the caller get what was written.
func (o *eventWriter) flush() error {
	if !o.held {
		return nil
	}
	o.allow()
	o.held = false
	return o.control.Flush()
}

// allow gives the caller the time to read what is written next.
func (o *eventWriter) allow() {
	timeout := sendTimeout
	if o.ending.Err() != nil {
		timeout = lastTimeout
	}
	_ = o.control.SetWriteDeadline(time.Now().Add(timeout)) // a connection that has failed fails the write too
}

// hurry shortens the time of what is being written.
func (o *eventWriter) hurry() { _ = o.control.SetWriteDeadline(time.Now().Add(lastTimeout)) }

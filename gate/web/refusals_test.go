package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
)

func TestRefusalsAreWrittenForCustomerService(t *testing.T) {
	t.Parallel()
	metrics := newMetrics()
	var out bytes.Buffer
	log := NewRefusalLog(&out, metrics, slog.New(slog.DiscardHandler))
	s := start(t, &store{decide: always(gate.SoldOut)}, log, metrics)
	s.post(t, "/confirm/race?items=full:2&buyer=alice", v1)
	s.post(t, "/confirm/race?items=full", `{"merchant_uid":"order_2"}`)
	s.post(t, "/confirm/unknown?items=full", v1)

	ctx, stop := context.WithCancel(t.Context())
	stop()
	log.Run(ctx)
	var lines []refusal
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var line refusal
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if time.Since(line.Time) > time.Minute {
			t.Errorf("time %s", line.Time)
		}
		line.Time = time.Time{}
		lines = append(lines, line)
	}
	if len(lines) != 2 {
		t.Fatalf("%d lines, want one for each refusal of a known sale: %v", len(lines), lines)
	}
	first, _ := json.Marshal(lines[0])
	if want := `{"time":"0001-01-01T00:00:00Z","sale":"race","order":"order_1","attempt":"imp_1","buyer":"alice","lines":[{"sku":"full","quantity":2}],"amount":1000,"code":"sold_out"}`; string(first) != want {
		t.Errorf("got  %s\nwant %s", first, want)
	}
	if lines[1].Order != "order_2" || lines[1].Code != "bad_request" || lines[1].Field != "imp_uid" {
		t.Errorf("got %+v", lines[1])
	}
}

func TestARefusalLogThatCannotKeepUpDropsAndCounts(t *testing.T) {
	t.Parallel()
	metrics := newMetrics()
	log := NewRefusalLog(broken{}, metrics, slog.New(slog.DiscardHandler))
	for range refusalBacklog + 3 {
		log.note(refusal{Order: "o"})
	}
	if n := testutil.ToFloat64(metrics.dropped); n != 3 {
		t.Errorf("%v dropped while nobody wrote, want 3", n)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	log.Run(ctx)
	if n := testutil.ToFloat64(metrics.dropped); n != refusalBacklog+3 {
		t.Errorf("%v dropped by a file that cannot be written, want all %d", n, refusalBacklog+3)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left on device") }

// disk is a file whose first writes fail.
type disk struct {
	fails  int
	writes int
	kept   bytes.Buffer
}

func (d *disk) Write(b []byte) (int, error) {
	if d.writes++; d.writes <= d.fails {
		return 0, errors.New("no space left on device")
	}
	return d.kept.Write(b)
}

// logged notes refusals while nobody writes them, has them written to out, and
// returns how many are counted as dropped.
func logged(t *testing.T, out io.Writer, refusals int) (dropped int) {
	metrics := newMetrics()
	log := NewRefusalLog(out, metrics, slog.New(slog.DiscardHandler))
	for range refusals {
		log.note(refusal{Order: "o"})
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	log.Run(ctx)
	return int(testutil.ToFloat64(metrics.dropped))
}

func TestRefusalsThatWaitAreWrittenTogether(t *testing.T) {
	t.Parallel()
	out := &disk{}
	if dropped := logged(t, out, 10); dropped != 0 || out.writes != 1 {
		t.Errorf("%d writes, %d dropped", out.writes, dropped)
	}
}

func TestARefusalLogOutlivesAFailure(t *testing.T) {
	t.Parallel()
	const refusals = 200 // more than one write
	out := &disk{fails: 1}
	dropped, written := logged(t, out, refusals), 0
	for decoder := json.NewDecoder(&out.kept); decoder.More(); written++ {
		if err := decoder.Decode(new(refusal)); err != nil {
			t.Fatal(err)
		}
	}
	if dropped == 0 || written == 0 || dropped+written != refusals {
		t.Errorf("%d written and %d dropped of %d", written, dropped, refusals)
	}
}

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate/redistest"
)

func TestAGateSaysThatTooFewReplicasFollowAndWhenThereAreEnough(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 10), "--wait-replicas", "1")
	const few = "nothing is sold: Redis has 0 replicas online, and --wait-replicas needs 1: start replicas, or set " +
		"fewer (0 on a Redis without any)"
	const enough = "Redis has as many replicas as --wait-replicas needs: 1 online, 1 needed"
	says := func(level, message, count string) {
		t.Helper()
		await(t, message, func() error {
			if record, ok := gate.logged(message); !ok || record["level"] != level {
				return errors.New("it is not logged")
			}
			if n := metric(t, gate, "flashgate_replicas"); n != count {
				return fmt.Errorf("the metric is %s", n)
			}
			return nil
		})
		out := command(t, "status", "--redis", redis.URL(), "--wait-replicas", "1")
		if !strings.Contains(out, message) {
			t.Errorf("status prints\n%s", out)
		}
	}
	says("WARN", few, "0")
	redistest.StartReplica(t, redis)
	says("INFO", enough, "1")
	if n := metric(t, gate, "flashgate_replicas_needed"); n != "1" {
		t.Errorf("%s are needed", n)
	}
	if out := command(t, "status", "--redis", redis.URL(), "--wait-replicas", "1", "--json"); !json.Valid([]byte(out)) {
		t.Errorf("status --json prints\n%s", out)
	}
}

func TestReplicasAreNotSpokenOfWhereNoneIsWaitedFor(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 10))
	if out := command(t, "status", "--redis", redis.URL()); strings.Contains(out, "replicas") {
		t.Errorf("status prints\n%s", out)
	}
	if n := metric(t, gate, "flashgate_replicas"); n != "NaN" {
		t.Errorf("the metric is %s", n)
	}
}

// Scripts read what people read.
func TestStatusTellsOfReplicasInJSONToo(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), openSale("race", 10))
	f := func(want string, args ...string) {
		t.Helper()
		args = append([]string{"status", "--json", "--redis", redis.URL()}, args...)
		var out any
		if err := json.Unmarshal([]byte(command(t, args...)), &out); err != nil {
			t.Fatal(err)
		}
		if list, ok := out.([]any); ok {
			out = list[0]
		}
		report, _ := out.(map[string]any)
		if got := fmt.Sprint(report["replicas"]); got != want || report["sale"] != "race" {
			t.Errorf("%q: got %v of %v, want %v", args, got, report["sale"], want)
		}
	}
	const few = "map[have:0 needed:1 problem:nothing is sold: Redis has 0 replicas online, and --wait-replicas needs " +
		"1: start replicas, or set fewer (0 on a Redis without any)]"
	f("<nil>")
	f("<nil>", "race")
	f(few, "--wait-replicas", "1")
	f(few, "race", "--wait-replicas", "1")
	redistest.StartReplica(t, redis)
	f("map[have:1 needed:1]", "--wait-replicas", "1")
	redis.Do(t, "ACL", "SETUSER", "flashgate", "-info")
	f("map[have:<nil> needed:1 problem:Redis does not tell how many replicas it has: make sure that there are as "+
		"many as --wait-replicas says]", "race", "--wait-replicas", "1")
	redis.Do(t, "ACL", "LOG", "RESET")
}

// What can be read is said once per change; what cannot be read is no number.
func TestReplicasAreSpokenOfOncePerChange(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var replicas int
	var known bool
	var failure error
	f := newFollowing(func(context.Context) (int, bool, error) { return replicas, known, failure }, 2,
		prometheus.NewRegistry(), slog.New(slog.NewTextHandler(&log, nil)))
	look := func(what, want, gauge string) {
		t.Helper()
		log.Reset()
		f.look(t.Context())
		if got := log.String(); strings.Count(got, "\n") != min(len(want), 1) || !strings.Contains(got, want) {
			t.Errorf("%s: the log has %q, want %q", what, got, want)
		}
		if got := fmt.Sprint(testutil.ToFloat64(f.gauge)); got != gauge {
			t.Errorf("%s: the metric is %s, want %s", what, got, gauge)
		}
	}
	replicas, known = 1, true
	look("one of two", "level=WARN msg=\"nothing is sold: Redis has 1 replicas online, and --wait-replicas needs 2",
		"1")
	look("as before", "", "1")
	replicas, failure = 0, errors.New("timeout")
	look("Redis does not answer", "", "NaN")
	replicas, failure = 1, nil
	look("as it was before the error", "", "1")
	replicas = 2
	look("two of two", "level=INFO msg=\"Redis has as many replicas as --wait-replicas needs: 2 online", "2")
	replicas, known = 0, false
	look("who may not ask", "level=INFO msg=\"Redis does not tell how many replicas it has", "NaN")
	replicas, known = 1, true
	look("one again", "level=WARN", "1")
}

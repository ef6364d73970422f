package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

func TestAGateSaysThatTooFewReplicasFollowAndWhenThereAreEnough(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 10), "--wait-replicas", "1")
	const few = "nothing is sold: Redis has 0 replicas online, and --wait-replicas needs 1: start replicas, or set fewer (0 on a Redis without any)"
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
		if out := command(t, "status", "--redis", redis.URL(), "--wait-replicas", "1"); !strings.Contains(out, message) {
			t.Errorf("status prints\n%s", out)
		}
	}
	says("WARN", few, "0")
	redistest.StartReplica(t, redis)
	says("INFO", enough, "1")
	if n := metric(t, gate, "flashgate_replicas_needed"); n != "1" {
		t.Errorf("%s are needed", n)
	}
	if n := strings.Count(gate.stderr.String(), few); n != 1 {
		t.Errorf("it is logged %d times", n)
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

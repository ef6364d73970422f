package cli

import (
	"encoding/json"
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
	const few = "map[have:0 needed:1 problem:nothing is sold: Redis has 0 replicas online, and --wait-replicas needs 1: start replicas, or set fewer (0 on a Redis without any)]"
	f("<nil>")
	f("<nil>", "race")
	f(few, "--wait-replicas", "1")
	f(few, "race", "--wait-replicas", "1")
	redistest.StartReplica(t, redis)
	f("map[have:1 needed:1]", "--wait-replicas", "1")
	redis.Do(t, "ACL", "SETUSER", "flashgate", "-info")
	f("map[have:<nil> needed:1 problem:Redis does not tell how many replicas it has: make sure that there are as many as --wait-replicas says]", "race", "--wait-replicas", "1")
	redis.Do(t, "ACL", "LOG", "RESET")
}

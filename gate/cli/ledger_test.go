package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// Who follows a ledger is told of changes until interrupted, through a deletion
// and a new run.
func TestALedgerIsFollowedUntilInterrupted(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t).URL()
	applySale(t, redis, openSale("race", 10))
	var out, errOut journal
	follower := programCommand(t, "flashgate", "ledger", "--redis", redis, "--follow", "race")
	follower.Stdout, follower.Stderr = &out, &errOut
	if err := follower.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = follower.Process.Kill() })
	told := func(want string) {
		t.Helper()
		await(t, want, func() error {
			var kinds []string
			for line := range strings.Lines(out.String()) {
				var e gate.EntryView
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					return err
				}
				kinds = append(kinds, fmt.Sprint(e.Seq, " ", e.Kind))
			}
			if got := strings.Join(kinds, ", "); got != want {
				return fmt.Errorf("it has told %q", got)
			}
			return nil
		})
	}
	told("1 create")
	command(t, "pause", "--redis", redis, "race")
	told("1 create, 2 pause")
	command(t, "delete", "--redis", redis, "race")
	applySale(t, redis, strings.Replace(openSale("race", 10), "name: race", "name: race, run: 2", 1))
	await(t, "a new run", func() error {
		if said := out.String(); !strings.HasSuffix(said, "}\n") || !strings.Contains(said, `"seq":4,`) {
			return fmt.Errorf("it has told %s", said)
		}
		return nil
	})
	if err := follower.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := follower.Wait(); err != nil || errOut.String() != "" {
		t.Errorf("it ended with %v: %s", err, errOut.String())
	}
}

// A ledger that has lost what somebody has read is no quiet one.
func TestALedgerThatLostAPartIsFollowedNoFurther(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), openSale("race", 10))
	command(t, "pause", "--redis", redis.URL(), "race")
	if status, out, errOut := try(t, nil, "ledger", "--redis", redis.URL(), "--since", "7", "race"); status != 1 ||
		out != "" || !strings.Contains(errOut, "at entry 7: the ledger has no such entry") {
		t.Errorf("%d %s%s", status, out, errOut)
	}
	var out, errOut journal
	follower := programCommand(t, "flashgate", "ledger", "--redis", redis.URL(), "--follow", "race")
	follower.Stdout, follower.Stderr = &out, &errOut
	if err := follower.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = follower.Process.Kill() })
	await(t, "both entries", func() error {
		if said := out.String(); !strings.Contains(said, `"seq":2,`) {
			return errors.New(said)
		}
		return nil
	})
	redis.Do(t, "XDEL", "fg:{race}:ledger", "2-0")
	if err := follower.Wait(); err == nil ||
		!strings.Contains(errOut.String(), "at entry 2: the ledger has no such entry") {
		t.Errorf("it ended with %v: %s", err, errOut.String())
	}
}

// What a command shows as JSON is copied from there: no character of it is written in
// another way than people know.
func TestWhatIsShownAsJSONCanBeCopied(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(shop.Close)
	redis := redistest.Start(t).URL()
	gate := serveSale(t, redis, notifyingSale("race", shop.URL), "--notify-secret", notifySecret)
	const order = "a&b<c>"
	if err := sells(newCaller(t), gate, "race", order); err != nil {
		t.Fatal(err)
	}
	await(t, "the change to be listed",
		func() error { return atLeast(t, gate, `flashgate_notify_stuck_orders{sale="race"}`, 1) })
	for _, args := range [][]string{{"undelivered", "--json", "race"}, {"ledger", "race"}} {
		if out := command(t, append(args, "--redis", redis)...); !strings.Contains(out, order) {
			t.Errorf("%q prints %s", args, out)
		}
	}
}

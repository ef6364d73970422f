package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
)

// Whatever happens to Redis in the middle of a sale: each answer comes in time,
// each 200 has a record, no unit is sold twice, and selling goes on by itself.
func TestFaultInTheMiddleOfASale(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct {
		strike  func(t *testing.T, redis *redistest.Server, load *load)
		refuses bool // some confirms are bound to be refused meanwhile
		changes string
	}{
		"suspended": {func(_ *testing.T, redis *redistest.Server, _ *load) {
			redis.Stop()
			time.Sleep(6 * time.Second)
			redis.Continue()
		}, true, ""},
		"killed and restarted": {func(t *testing.T, redis *redistest.Server, load *load) {
			redis.Kill()
			load.await(t, 100, "unavailable")
			redis.Restart()
		}, true, "1"},
		"restarted at once": {func(_ *testing.T, redis *redistest.Server, _ *load) {
			redis.Restart()
		}, false, "1"},
		"scripts flushed": {func(t *testing.T, redis *redistest.Server, load *load) {
			for range 5 {
				redis.Do(t, "SCRIPT", "FLUSH")
				load.await(t, 50, "held")
			}
		}, false, ""},
		"connections killed": {func(t *testing.T, redis *redistest.Server, load *load) {
			for range 5 {
				redis.Do(t, "CLIENT", "KILL", "TYPE", "normal")
				load.await(t, 50, "held")
			}
		}, false, ""},
		"paused": {func(t *testing.T, redis *redistest.Server, load *load) {
			redis.Do(t, "CLIENT", "PAUSE", 2500, "ALL")
			load.await(t, 50, "unavailable")
		}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			gate := serveSale(t, redis.URL(), openSale("race", 1_000_000))
			load := startLoad(t, "race", 8, gate)
			load.await(t, 200, "held")
			fault.strike(t, redis, load)
			load.await(t, 200, "held")
			answers := load.stop()

			checkAnswers(t, answers)
			checkRecorded(t, redis, "race", answers)
			if refused := len(answers) - load.count("held"); refused == 0 && fault.refuses {
				t.Error("nobody was refused: the fault did not strike")
			}
			if got := metric(t, gate, `flashgate_redis_server_changes_total{sale="race"}`); got != fault.changes {
				t.Errorf("%q changes of server are counted, want %q", got, fault.changes)
			}
			for line := range strings.Lines(gate.stderr.String()) {
				if !json.Valid([]byte(line)) {
					t.Errorf("in a log of JSON stands %q", line)
				}
			}
			gate.stop(t)
		})
	}
}

// A gate that waits in the queue behind a silent Redis answers in time too: not
// only those in the first batch.
func TestBurstOnASilentRedisIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 10_000))
	newCaller(t).confirm(gate.listen, "race", "before")
	redis.Stop()
	start := time.Now()
	answers := burst(t, 2000, func(i int) (*process, string) { return gate, order(i) })
	if took := time.Since(start); took > answerBound {
		t.Errorf("all answers were there after %v", took)
	}
	for code, n := range tally(answers) {
		if code != "unavailable" && code != "busy" {
			t.Errorf("%d times %s", n, code)
		}
	}
	redis.Continue()
	await(t, "the gate to sell again", func() error { return sells(newCaller(t), gate, "race", "after") })
}

func TestEvictingRedisIsRefused(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	gate := spawn(t, "--redis", redis.URL(), "--allow-unsigned")
	if status := gate.wait(t); status != 1 || !strings.Contains(gate.stderr.String(), "maxmemory-policy allkeys-lru): set it to noeviction") {
		t.Errorf("it ended with status %d and said %s", status, gate.stderr.String())
	}

	// One that is made to evict later is refused by the lane, once it connects.
	redis.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	gate = serveSale(t, redis.URL(), openSale("race", 10))
	caller := newCaller(t)
	if err := sells(caller, gate, "race", "before"); err != nil {
		t.Fatal(err)
	}
	redis.Do(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-random")
	redis.Do(t, "CLIENT", "KILL", "TYPE", "normal")
	if a := caller.confirm(gate.listen, "race", "meanwhile"); a.code != "unavailable" {
		t.Errorf("on an evicting Redis: %+v", a)
	}
	await(t, "the log to say why", func() error {
		caller.confirm(gate.listen, "race", "meanwhile")
		refused, _ := gate.logged("the store does not decide: payments are refused until it does")
		if why := fmt.Sprint(refused["error"]); !strings.Contains(why, "maxmemory-policy allkeys-random): set it to noeviction") {
			return fmt.Errorf("it says %q", why)
		}
		return nil
	})
	redis.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	await(t, "the gate to sell again", func() error { return sells(caller, gate, "race", "after") })
}

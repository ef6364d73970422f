package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
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
		refuses string // "some" or "none": what is known of the refusals meanwhile
		changes string
	}{
		"suspended": {func(_ *testing.T, redis *redistest.Server, _ *load) {
			redis.Stop()
			time.Sleep(6 * time.Second)
			redis.Continue()
		}, "some", "0"},
		"killed and restarted": {func(t *testing.T, redis *redistest.Server, load *load) {
			redis.Kill()
			load.await(t, 100, "unavailable")
			redis.Restart()
		}, "some", "1"},
		"restarted at once": {func(_ *testing.T, redis *redistest.Server, _ *load) {
			redis.Restart()
		}, "", "1"},
		"scripts flushed": {func(t *testing.T, redis *redistest.Server, load *load) {
			for range 5 {
				redis.Do(t, "SCRIPT", "FLUSH")
				load.await(t, 50, "held")
			}
		}, "none", "0"},
		"connections killed": {func(t *testing.T, redis *redistest.Server, load *load) {
			for range 5 {
				redis.Do(t, "CLIENT", "KILL", "TYPE", "normal")
				load.await(t, 50, "held")
			}
		}, "none", "0"},
		"paused": {func(t *testing.T, redis *redistest.Server, load *load) {
			redis.Do(t, "CLIENT", "PAUSE", 2500, "ALL")
			load.await(t, 50, "unavailable")
		}, "some", "0"},
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
			refused := len(answers) - load.count("held")
			if fault.refuses == "some" && refused == 0 || fault.refuses == "none" && refused > 0 {
				t.Errorf("%d confirms were refused, want %s", refused, fault.refuses)
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

// A batch without a reply is sent once more within its time, so a short fault
// costs nobody the payment; and Redis takes the units once, though it does both.
func TestABatchWithoutAReplyIsSentOnceMore(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 10), "--redis-timeout", "1s")
	caller := newCaller(t)
	if err := sells(caller, gate, "race", "before"); err != nil {
		t.Fatal(err)
	}
	redis.Stop()
	answered := make(chan answer)
	go func() { answered <- caller.confirm(gate.listen, "race", "meanwhile") }()
	await(t, "the first try to fail", func() error {
		if n := metric(t, gate, `flashgate_script_errors_total{sale="race"}`); n != "1" {
			return fmt.Errorf("%s have failed", n)
		}
		return nil
	})
	redis.Continue()
	if a := <-answered; a.code != "held" || a.took < time.Second {
		t.Errorf("%+v", a)
	}
	checkUnits(t, redis.URL(), "race", 2)
}

// Those who wait in the queue behind a silent Redis are answered in time too. Bursts have
// the machine to themselves: where a gate gets no processor for a second, the kernel resets
// connections that it has not accepted yet.
func TestBurstOnASilentRedisIsAnsweredInTime(t *testing.T) {
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 10_000))
	if err := sells(newCaller(t), gate, "race", "before"); err != nil {
		t.Fatal(err)
	}
	redis.Stop()
	answers := burst(t, 1000, func(i int) (*process, string) { return gate, order(i) })
	checkAnswers(t, answers)
	if held := tally(answers)["held"]; held > 0 {
		t.Errorf("%d orders were held by a Redis that does not run", held)
	}
	redis.Continue()
	await(t, "the gate to sell again", func() error { return sells(newCaller(t), gate, "race", "after") })
	checkUnits(t, redis.URL(), "race", len(orders(t, redis, "race")))
}

// A Redis that answers, but slowly, makes the queue long: whom it cannot serve in
// time it turns away in time.
func TestBurstOnASlowRedisIsAnsweredInTime(t *testing.T) {
	redis := redistest.Start(t, "--enable-debug-command", "local")
	gate := serveSale(t, redis.URL(), openSale("race", 10_000), "--redis-timeout", "1s")
	if err := sells(newCaller(t), gate, "race", "before"); err != nil {
		t.Fatal(err)
	}
	slow, cancel := context.WithCancel(t.Context())
	var sleeping sync.WaitGroup
	sleeping.Go(func() {
		for slow.Err() == nil {
			redis.Do(t, "DEBUG", "SLEEP", "0.6")
		}
	})
	answers := burst(t, 2000, func(i int) (*process, string) { return gate, order(i) })
	cancel()
	sleeping.Wait()

	checkAnswers(t, answers)
	if counts := tally(answers); counts["held"] == 0 || counts["busy"] == 0 {
		t.Errorf("the answers are %v, want some held and some busy", counts)
	}
	checkRecorded(t, redis, "race", answers)
}

func TestEvictingRedisIsRefused(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	gate := spawn(t, "--redis", redis.URL(), "--allow-unsigned")
	if status := gate.wait(t); status != 1 ||
		!strings.Contains(gate.stderr.String(), "maxmemory-policy allkeys-lru): set it to noeviction") {
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
		if why := fmt.Sprint(refused["error"]); !strings.Contains(why,
			"maxmemory-policy allkeys-random): set it to noeviction") {
			return fmt.Errorf("it says %q", why)
		}
		return nil
	})
	redis.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	await(t, "the gate to sell again", func() error { return sells(caller, gate, "race", "after") })
}

package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// verdicts are what a store says of its Redis: that all is well where it is empty.
type verdicts struct{ persistence, minReplicas string }

func (v verdicts) hold(t *testing.T, what, url string) {
	t.Helper()
	s := openLane(t, url, Options{}).store
	for _, c := range []struct {
		got  error
		want string
	}{{s.CheckPersistence(t.Context()), v.persistence}, {s.CheckMinReplicas(t.Context()), v.minReplicas}} {
		if (c.got == nil) != (c.want == "") || c.got != nil && !strings.Contains(c.got.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", what, c.got, c.want)
		}
		if unknown := errors.As(c.got, new(*gate.UnknownError)); unknown != (strings.Contains(c.want, "not tell") ||
			strings.Contains(c.want, "not be asked")) {
			t.Errorf("%s: that it is not known is %t, of %v", what, unknown, c.got)
		}
	}
}

const (
	unsaved = "its last snapshot, of which it has made none since it started. Set appendonly yes"
	alone   = "set min-replicas-to-write 1 and min-replicas-max-lag 10"
)

func TestARedisThatForgetsOrWritesAloneIsFoundOut(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	verdicts{unsaved, alone}.hold(t, "neither", redis.URL())
	redis.Do(t, "CONFIG", "SET", "appendonly", "yes")
	redis.Do(t, "CONFIG", "SET", "min-replicas-to-write", 1)
	verdicts{}.hold(t, "both", redis.URL())
	redis.Do(t, "CONFIG", "SET", "min-replicas-max-lag", 0) // which switches the other off
	verdicts{"", alone}.hold(t, "no bound of the lag", redis.URL())

	redis.Do(t, "ACL", "SETUSER", "mute", "on", ">secret", "~*", "+@all", "-info")
	verdicts{"does not tell whether it keeps its data", "does not tell whether it takes writes"}.
		hold(t, "a user who may not ask", fmt.Sprintf("redis://mute:secret@127.0.0.1:%d", redis.Port()))
	url := redis.URL()
	redis.Kill()
	verdicts{"could not be asked", "could not be asked"}.hold(t, "gone", url)
}

// These states of a server's disk, and these servers, are hard to come by.
func TestWhatInfoSaysOfADiskIsUnderstood(t *testing.T) {
	t.Parallel()
	f := func(info, want string) {
		t.Helper()
		if err := losesData(strings.ReplaceAll(info, " ", "\r\n")); (err == nil) != (want == "") ||
			err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", info, err, want)
		}
	}
	f("aof_enabled:1 aof_last_write_status:ok", "")
	f("aof_enabled:1 aof_last_write_status:err", "make room on its disk")
	f("aof_enabled:0 rdb_last_bgsave_status:ok rdb_saves:3", "that came after its last snapshot. Set appendonly yes")
	f("aof_enabled:0 rdb_last_bgsave_status:ok", "that came after its last snapshot. Set appendonly yes") // 6.2
	f("aof_enabled:0 rdb_last_bgsave_status:err rdb_saves:3", "its last snapshot, and the last one failed")
	f("loading:0", errUntold.Error())
	if err := writesAlone("used_memory:1"); !errors.Is(err, errUntold) {
		t.Errorf("a server that says nothing of its role: %v", err)
	}
}

// The first of a Cluster's primaries that is at fault is named.
func TestEachPrimaryOfAClusterIsLookedAt(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	for _, node := range cluster.Nodes()[:2] {
		node.Do(t, "CONFIG", "SET", "appendonly", "yes")
		node.Do(t, "CONFIG", "SET", "min-replicas-to-write", 1)
	}
	third := cluster.Nodes()[2].Addr() + ": "
	verdicts{third + "this Redis writes no append-only file", third + "this Redis takes writes"}.hold(t, "one of three",
		cluster.URL())
}

// Behind Sentinels it is the primary that is asked, whichever it is.
func TestThePrimaryThatSentinelsNameIsAsked(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	redistest.StartReplica(t, primary) // neither of which was told what the primary is next
	redistest.StartReplica(t, primary)
	primary.Do(t, "CONFIG", "SET", "appendonly", "yes")
	primary.Do(t, "CONFIG", "SET", "min-replicas-to-write", 1)
	sentinels := redistest.StartSentinel(t, primary, 2, 3)
	s := openLane(t, sentinels.URL(), Options{}).store
	if n, known, err := s.Following(t.Context()); n != 2 || !known || err != nil {
		t.Errorf("%d replicas, known %t, %v; want 2", n, known, err)
	}
	verdicts{}.hold(t, "the first primary", sentinels.URL())
	if want := strings.Join(sentinels.Addrs(), ","); s.Hosts() != want {
		t.Errorf("it is at %q, want %q", s.Hosts(), want)
	}

	primary.Kill()
	redistest.Await(t, 30*time.Second, "the new primary to be asked", func() error {
		if n, known, err := s.Following(t.Context()); n != 1 || !known || err != nil {
			return fmt.Errorf("%d replicas, known %t, %v; want 1", n, known, err)
		}
		return nil
	})
	verdicts{"Redis writes no append-only file", alone}.hold(t, "the new primary", sentinels.URL())
}

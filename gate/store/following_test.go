package store

import (
	"fmt"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

func TestThePrimaryWithTheFewestReplicasCountsAndSilenceIsNotNone(t *testing.T) {
	t.Parallel()
	f := func(what, url string, want int, wantKnown bool) {
		t.Helper()
		n, known, err := openLane(t, url, Options{}).store.Following(t.Context())
		if n != want || known != wantKnown || err != nil {
			t.Errorf("%s: %d replicas, known %t, %v; want %d, %t", what, n, known, err, want, wantKnown)
		}
	}
	redis := redistest.Start(t)
	f("none", redis.URL(), 0, true)
	redistest.StartReplica(t, redis)
	f("one", redis.URL(), 1, true)
	redis.Do(t, "ACL", "SETUSER", "mute", "on", ">secret", "~*", "+@all", "-info")
	f("a user who may not ask", fmt.Sprintf("redis://mute:secret@127.0.0.1:%d", redis.Port()), 0, false)

	cluster := redistest.StartCluster(t, 3)
	f("a cluster without", cluster.URL(), 0, true)
	replicas := cluster.StartReplicas(t)
	f("a cluster", cluster.URL(), 1, true)
	s := openLane(t, cluster.URL(), Options{}).store
	replicas[2].Kill()
	fewest := func() error {
		n, _, err := s.Following(t.Context())
		if err == nil && n != 0 {
			err = fmt.Errorf("%d replicas", n)
		}
		return err
	}
	testkit.Await(t, "the primary to miss its replica", fewest)
	// whichever primary answers first or last, and whichever server is asked for the Cluster's primaries
	for range 300 {
		if err := fewest(); err != nil {
			t.Fatalf("of primaries with 0, 1 and 1: %v", err)
		}
	}
}

func TestAReplicaThatHasNotAllTheDataYetDoesNotCount(t *testing.T) {
	t.Parallel()
	const info = "role:master\r\nconnected_slaves:4\r\n" +
		"slave0:ip=10.0.0.12,port=6379,state=online,offset=14,lag=0\r\n" +
		"slave1:ip=10.0.0.13,port=6379,state=wait_bgsave,offset=0,lag=0\r\n" +
		"slave2:ip=10.0.0.14,port=6379,state=send_bulk,offset=0,lag=0\r\n" +
		"slave3:ip=10.0.0.15,port=6379,state=online,offset=14,lag=1,type=replica\r\n"
	if n := following(info); n != 2 {
		t.Errorf("%d count", n)
	}
}

package store

import (
	"fmt"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
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
	replicas[0].Kill()
	s := openLane(t, cluster.URL(), Options{}).store
	for n := 1; n != 0; {
		var err error
		if n, _, err = s.Following(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

package deploy_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// The files that operators copy lead to a Sentinel on each Redis host and nowhere
// else, to a majority of them for a failover, and to a majority of the hosts that
// has each 200.
func TestTheExamplesPutASentinelOnEachRedisHostAndNowhereElse(t *testing.T) {
	t.Parallel()
	f := func(file, pattern string) string {
		t.Helper()
		found := regexp.MustCompile(pattern).FindStringSubmatch(readFile(t, file))
		if found == nil {
			t.Fatalf("%s has no %s", file, pattern)
		}
		return found[1]
	}
	const own, address = `OWN_HOST/([0-9.]+)/`, `redis\+sentinel://[^@ ]+@([0-9.,]+)/flashgate`
	hosts := f("redis/sentinel.conf", address)
	for _, file := range []string{"systemd/flashgate.env.example", "kubernetes/overlays/example/kustomization.yaml"} {
		if asked := f(file, address); asked != hosts {
			t.Errorf("%s asks the Sentinels at %s, those of sentinel.conf are at %s", file, asked, hosts)
		}
	}
	server, sentinel := f("redis/redis.conf", own), f("redis/sentinel.conf", own)
	if server != sentinel || !strings.HasPrefix(hosts, server+",") {
		t.Errorf("the first server is at %s, its Sentinel at %s, of %s", server, sentinel, hosts)
	}
	n := len(strings.Split(hosts, ","))
	if quorum := f("redis/sentinel.conf",
		`\nsentinel monitor flashgate PRIMARY_HOST PRIMARY_PORT (\d)`); quorum != fmt.Sprint(n/2+1) {
		t.Errorf("%s of %d Sentinels are no majority", quorum, n)
	}
	if waited := f("systemd/flashgate.env.example", `\nFLASHGATE_WAIT_REPLICAS=(\d)`); waited != fmt.Sprint(n/2) {
		t.Errorf("with %s replicas no majority of %d hosts has each 200", waited, n)
	}
}

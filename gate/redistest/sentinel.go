package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// masterName is what the Sentinels call the primary that they watch.
const masterName = "mymaster"

// Sentinels are redis-sentinels that together watch one primary.
type Sentinels struct{ group }

// URL returns the Sentinels' address as
// redis+sentinel://flashgate:password@h1,h2/mymaster, or rediss+sentinel for TLS.
// The user is the primary's: the Sentinels ask for none.
func (s *Sentinels) URL() string {
	return s.group[0].scheme() + "+sentinel://" + userAt(strings.Join(s.Addrs(), ",")) + "/" + masterName
}

// StartSentinel runs n Sentinels that watch the primary under the name
// mymaster, and waits until each knows the primary, its replicas and the other
// Sentinels. Half a second of silence makes a Sentinel think the primary down;
// if quorum of them do, the majority of all promotes a replica. Replicas must
// have been started before.
func StartSentinel(t testing.TB, primary *Server, quorum, n int) *Sentinels {
	t.Helper()
	info, err := primary.info("INFO", "replication")
	if err != nil {
		t.Fatalf("asking the primary for its replicas: %v", err)
	}
	sentinels := &Sentinels{}
	for range n {
		sentinel := start(t, primary.authority, func(s *Server) ([]string, error) {
			return s.sentinelArgs(primary, quorum)
		})
		hasten(t, sentinel)
		sentinels.group = append(sentinels.group, sentinel)
	}
	for _, sentinel := range sentinels.group {
		await(t, "the Sentinels to know each other", func() error {
			return sentinel.watches(n-1, info["connected_slaves"])
		})
	}
	return sentinels
}

// sentinelArgs writes the configuration file that a Sentinel insists on, and
// keeps its state in.
func (s *Server) sentinelArgs(primary *Server, quorum int) ([]string, error) {
	path := filepath.Join(s.dir, "sentinel.conf")
	config := fmt.Sprintf(`bind 127.0.0.1
sentinel monitor %[1]s 127.0.0.1 %[2]d %[3]d
sentinel down-after-milliseconds %[1]s 500
sentinel failover-timeout %[1]s 3000
`, masterName, primary.Port(), quorum)
	for _, option := range s.listening() {
		config += option[0] + " " + option[1] + "\n"
	}
	return []string{path, "--sentinel"}, os.WriteFile(path, []byte(config), 0o600)
}

// hasten makes a Sentinel meet the others sooner than every two seconds, and
// keeps it from doing nothing for half a minute (its TILT mode) after a moment in
// which a busy machine gave it no time. A restarted Sentinel forgets this.
func hasten(t testing.TB, sentinel *Server) {
	t.Helper()
	sentinel.Do(t, "SENTINEL", "DEBUG", "PUBLISH-PERIOD", 200, "TILT-TRIGGER", 60_000, "TILT-PERIOD", 1000)
}

// watches returns nil when this Sentinel sees the primary well, that many other
// Sentinels, and that many replicas in sync.
func (s *Server) watches(others int, replicas string) error {
	reply, err := s.do("SENTINEL", "MASTER", masterName)
	if err != nil {
		return err
	}
	primary := pairs(reply)
	if primary["flags"] != "master" {
		return fmt.Errorf("the primary is seen as %q", primary["flags"])
	}
	if primary["num-other-sentinels"] != strconv.Itoa(others) {
		return fmt.Errorf("%s of %d other Sentinels are known", primary["num-other-sentinels"], others)
	}
	if primary["num-slaves"] != replicas {
		return fmt.Errorf("%s of %s replicas are known", primary["num-slaves"], replicas)
	}
	reply, err = s.do("SENTINEL", "REPLICAS", masterName)
	if err != nil {
		return err
	}
	list, _ := reply.([]any)
	for _, item := range list {
		replica := pairs(item)
		if replica["flags"] != "slave" || replica["master-link-status"] != "ok" {
			return fmt.Errorf("replica %s is seen as %q, its link as %q",
				replica["name"], replica["flags"], replica["master-link-status"])
		}
	}
	return nil
}

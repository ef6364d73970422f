package store

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// What the Sentinels of Redis 7.0 and of Valkey 8.0 say of themselves. Neither has
// a role or a replication id.
const (
	sentinelOfRedis = "# Server\r\nredis_version:7.0.15\r\nredis_mode:sentinel\r\n" +
		"run_id:4b1c39a8f7be34e51a3b2e54ad4c2c27b8a2b2a7\r\n\r\n" +
		"# Sentinel\r\nsentinel_masters:1\r\nsentinel_tilt:0\r\n" +
		"master0:name=mymaster,status=ok,address=127.0.0.1:6379,slaves=0,sentinels=1\r\n"
	sentinelOfValkey = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n" +
		"server_mode:sentinel\r\n" +
		"run_id:f592bf3fa809eff950bfc1e0d543e3f4c19b7fdb\r\n\r\n" +
		"# Sentinel\r\nsentinel_masters:1\r\nsentinel_tilt:0\r\n" +
		"master0:name=mymaster,status=ok,address=127.0.0.1:6379,slaves=0,sentinels=1\r\n"
)

// startNamer starts what a gate needs of a Sentinel: it names the primary, and
// tells about itself. It returns its address.
func startNamer(t *testing.T, primary *redistest.Server, info string) string {
	t.Helper()
	s, err := server.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for name, answer := range map[string]server.Cmd{
		"INFO":   func(c *server.Peer, _ string, _ []string) { c.WriteBulk(info) },
		"CLIENT": func(c *server.Peer, _ string, _ []string) { c.WriteOK() },
		"SENTINEL": func(c *server.Peer, _ string, args []string) {
			if strings.EqualFold(args[0], "get-master-addr-by-name") {
				c.WriteStrings([]string{"127.0.0.1", strconv.Itoa(primary.Port())})
				return
			}
			c.WriteLen(0) // there are no other Sentinels
		},
	} {
		if err := s.Register(name, answer); err != nil {
			t.Fatal(err)
		}
	}
	return s.Addr().String()
}

// A lane asks a Sentinel for the primary each time that it connects. Whoever made
// it, the Sentinel is not the server that decides: none has changed.
func TestASentinelIsNotTheServerThatDecides(t *testing.T) {
	t.Parallel()
	for maker, info := range map[string]string{"Redis": sentinelOfRedis, "Valkey": sentinelOfValkey} {
		t.Run(maker, func(t *testing.T) {
			t.Parallel()
			primary := redistest.Start(t)
			namer := startNamer(t, primary, info)
			url := strings.Replace(strings.Replace(primary.URL(), "redis:", "redis+sentinel:", 1), primary.Addr(),
				namer, 1) + "/mymaster"
			metrics := NewMetrics(prometheus.NewRegistry())
			l := openCountedLane(t, url, metrics, Options{})
			mustApply(t, l.store, marathon(1), gate.Created)
			for i := range 3 {
				l.wants("held", fmt.Sprint("order-", i))
				primary.Do(t, "CLIENT", "KILL", "TYPE", "normal")
			}
			l.wants("held", "last")
			if seen := testutil.ToFloat64(metrics.changes.WithLabelValues("marathon")); seen != 0 {
				t.Errorf("%v changes of server are counted where there was none", seen)
			}
		})
	}
}

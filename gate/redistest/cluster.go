package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// group is several servers that belong together.
type group []*Server

// Nodes returns the servers, in the order in which they were started.
func (g group) Nodes() []*Server { return g }

// Addrs returns the servers' addresses, each 127.0.0.1:port.
func (g group) Addrs() []string {
	addrs := make([]string, len(g))
	for i, server := range g {
		addrs[i] = server.Addr()
	}
	return addrs
}

// Cluster is a Redis Cluster of primaries that together serve every slot.
type Cluster struct{ group }

// URL returns the Cluster's address as redis+cluster://flashgate:password@h1,h2,h3,
// or rediss+cluster for TLS.
func (c *Cluster) URL() string {
	return c.group[0].scheme() + "+cluster://" + userAt(strings.Join(c.Addrs(), ","))
}

// StartCluster runs a Cluster of n primaries, and waits until each of them
// serves and knows all slots. The first node has the lowest slots. A node that
// is silent for five seconds counts as down, and nothing takes its place.
func StartCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	return startCluster(t, nil, n)
}

// StartClusterTLS is StartCluster for nodes as of StartTLS.
func StartClusterTLS(t testing.TB, authority *Authority, n int) *Cluster {
	t.Helper()
	return startCluster(t, authority, n)
}

func startCluster(t testing.TB, authority *Authority, n int) *Cluster {
	t.Helper()
	const slots = 16384
	cluster := &Cluster{}
	var firstBus int
	for i := range n {
		node, bus := startNode(t, authority)
		cluster.group = append(cluster.group, node)
		node.Do(t, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		node.Do(t, "CLUSTER", "ADDSLOTSRANGE", i*slots/n, (i+1)*slots/n-1)
		if i == 0 {
			firstBus = bus
			continue
		}
		node.Do(t, "CLUSTER", "MEET", "127.0.0.1", cluster.group[0].Port(), firstBus)
	}
	for _, node := range cluster.group {
		await(t, "the Cluster to form", func() error {
			return node.expect([]any{"CLUSTER", "INFO"}, map[string]string{
				"cluster_state":       "ok",
				"cluster_size":        strconv.Itoa(n),
				"cluster_known_nodes": strconv.Itoa(n),
				"cluster_slots_ok":    strconv.Itoa(slots),
			})
		})
	}
	return cluster
}

// StartReplicas gives each node a replica, and waits until it has all that its
// primary has. They are in the order of the nodes.
func (c *Cluster) StartReplicas(t testing.TB) []*Server {
	t.Helper()
	var replicas []*Server
	for _, primary := range c.group {
		replica, bus := startNode(t, primary.authority)
		id := primary.Do(t, "CLUSTER", "MYID")
		primary.Do(t, "CLUSTER", "MEET", "127.0.0.1", replica.Port(), bus)
		await(t, "the replica to know its primary", func() error {
			_, err := replica.do("CLUSTER", "REPLICATE", id)
			return err
		})
		await(t, "the replica to be in sync", func() error { return inSync(primary, replica) })
		replicas = append(replicas, replica)
	}
	return replicas
}

// startNode runs one node, and returns with it the port of its Cluster bus.
func startNode(t testing.TB, authority *Authority) (node *Server, bus int) {
	t.Helper()
	node = start(t, authority, func(s *Server) (args []string, err error) {
		if bus, err = freePort(); err != nil {
			return nil, err
		}
		return append(s.baseArgs(),
			"--cluster-enabled", "yes",
			"--cluster-port", strconv.Itoa(bus),
			"--cluster-announce-ip", "127.0.0.1",
			"--cluster-node-timeout", "5000",
		), nil
	})
	return node, bus
}

// expect compares what an INFO command says with what it should.
func (s *Server) expect(command []any, want map[string]string) error {
	got, err := s.info(command...)
	if err != nil {
		return err
	}
	for name, value := range want {
		if got[name] != value {
			return fmt.Errorf("%s says %s:%s, not %s", s.Addr(), name, got[name], value)
		}
	}
	return nil
}

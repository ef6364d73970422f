package deploy_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate/redistest"
)

// What users.acl is given for its placeholders.
const (
	gatePassword     = "gate-secret"
	replicaPassword  = "replica-secret"
	sentinelPassword = "sentinel-secret"
)

// machine is where servers run, and how a test reaches them.
type machine struct {
	addr    string // its IP address
	command func(program string, args ...string) *exec.Cmd
	dial    func(ctx context.Context, network, addr string) (net.Conn, error) // nil: as usual
}

// redisServers are a primary, replicas and Sentinels that run with redis.conf,
// sentinel.conf and users.acl.
type redisServers struct {
	servers   []*redisServer // the first is the primary
	sentinels []*redis.SentinelClient
	url       string // the Sentinels' address for gates and commands
}

type redisServer struct {
	*redistest.Program
	*redis.Client
	host, port string
}

// startRedis starts a server on each machine, and Sentinels where they are to be.
// It returns when the replicas are in sync and the Sentinels know all of it.
func startRedis(t *testing.T, machines, sentinels []machine) *redisServers {
	t.Helper()
	r := &redisServers{}
	for _, m := range machines {
		r.startServer(t, m)
	}
	var addrs []string
	for _, m := range sentinels {
		addrs = append(addrs, r.startSentinel(t, m))
	}
	for _, sentinel := range r.sentinels {
		await(t, "the Sentinels to know each other", func() error {
			seen, err := sentinel.Master(context.Background(), "flashgate").Result()
			others, replicas := strconv.Itoa(len(sentinels)-1), strconv.Itoa(len(machines)-1)
			if err == nil && (seen["num-other-sentinels"] != others || seen["num-slaves"] != replicas ||
				seen["flags"] != "master") {
				err = fmt.Errorf("it sees %v", seen)
			}
			return err
		})
	}
	r.url = "redis+sentinel://flashgate:" + gatePassword + "@" + strings.Join(addrs, ",") + "/flashgate"
	return r
}

func (r *redisServers) startServer(t *testing.T, m machine) {
	t.Helper()
	dir, port := t.TempDir(), strconv.Itoa(redistest.FreePort(t))
	acl := fill(t, "redis/users.acl", dir, ">PASSWORD", ">"+gatePassword, "REPLICA_PASSWORD", replicaPassword,
		"SENTINEL_PASSWORD", sentinelPassword)
	conf := fill(t, "redis/redis.conf", dir, "OWN_HOST", m.addr, "OWN_PORT", port, "REPLICA_PASSWORD", replicaPassword,
		"/var/lib/redis", dir, "/etc/redis/users.acl", acl)
	if len(r.servers) > 0 {
		write(t, conf, readFile(t, conf)+"replicaof "+r.servers[0].host+" "+r.servers[0].port+"\n")
	}
	cmd := m.command(redistest.Require(t, "redis-server"), conf)
	cmd.Dir = dir
	s := &redisServer{
		host: m.addr, port: port, Program: redistest.StartProgram(t, cmd),
		Client: redis.NewClient(&redis.Options{
			Addr: net.JoinHostPort(m.addr, port), Username: "flashgate", Password: gatePassword, Dialer: m.dial,
			DialerRetries: 1, MaxRetries: -1,
		}),
	}
	t.Cleanup(func() { _ = s.Close() })
	awaitUp(t, s.Program, "redis-server to be in sync", func() error {
		info, err := s.Info(context.Background(), "replication").Result()
		if err == nil && len(r.servers) > 0 && !strings.Contains(info, "master_link_status:up") {
			err = fmt.Errorf("it is not: %s", info)
		}
		return err
	})
	r.servers = append(r.servers, s)
}

// startSentinel returns the Sentinel's address.
func (r *redisServers) startSentinel(t *testing.T, m machine) string {
	t.Helper()
	dir, port := t.TempDir(), strconv.Itoa(redistest.FreePort(t))
	conf := fill(t, "redis/sentinel.conf", dir, "OWN_HOST", m.addr, "OWN_PORT", port,
		"PRIMARY_HOST", r.servers[0].host, "PRIMARY_PORT", r.servers[0].port, "SENTINEL_PASSWORD", sentinelPassword)
	cmd := m.command(redistest.Require(t, "redis-server"), conf, "--sentinel")
	cmd.Dir = dir
	redistest.StartProgram(t, cmd)
	addr := net.JoinHostPort(m.addr, port)
	client := redis.NewSentinelClient(&redis.Options{Addr: addr, Dialer: m.dial})
	t.Cleanup(func() { _ = client.Close() })
	r.sentinels = append(r.sentinels, client)
	return addr
}

// fill writes a copy of a file into dir, with its placeholders filled in.
func fill(t *testing.T, file, dir string, placeholders ...string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.Base(file))
	write(t, path, strings.NewReplacer(placeholders...).Replace(readFile(t, file)))
	return path
}

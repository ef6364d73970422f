package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// store is a redis-server, which keeps nothing on disk.
type store struct {
	*process
	addr   string
	client *redis.Client
}

// startStore runs a redis-server, which writes its log and nothing else to the
// directory. The arguments are added to its command line.
func startStore(ctx context.Context, dir string, args ...string) (*store, error) {
	addrs, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		return nil, err
	}
	args = append([]string{
		"--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", dir,
		"--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0",
	}, args...)
	p, err := start(filepath.Join(dir, "redis-"+port+".log"), exec.Command("redis-server", args...))
	if err != nil {
		return nil, fmt.Errorf("starting redis-server: %w", err)
	}
	s := &store{process: p, addr: addrs[0], client: redis.NewClient(&redis.Options{Addr: addrs[0], Protocol: 2})}
	err = await(ctx, "redis-server to answer", func() error { return errors.Join(p.alive(), s.client.Ping(ctx).Err()) })
	if err != nil {
		return nil, errors.Join(err, p.said(), s.stop())
	}
	return s, nil
}

// startReplica runs a replica of s, and returns once it has a new write to s: a replica that is online may still be
// loading the older data.
func (s *store) startReplica(ctx context.Context, dir string) (*store, error) {
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return nil, err
	}
	replica, err := startStore(ctx, dir, "--replicaof", host, port)
	if err != nil {
		return nil, err
	}
	err = await(ctx, "the replica to follow", func() error {
		pipe := s.client.Pipeline() // WAIT counts the writes of its own connection
		pipe.Set(ctx, "written", "", time.Minute)
		pipe.Del(ctx, "written")
		waited := pipe.Do(ctx, "WAIT", 1, time.Second.Milliseconds())
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		n, err := waited.Int()
		if err == nil && n < 1 {
			err = errors.New("it does not yet")
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, replica.said(), replica.stop())
	}
	return replica, nil
}

func (s *store) stop() error { return errors.Join(s.client.Close(), s.process.stop()) }

// memory returns the bytes that Redis uses for what it keeps.
func (s *store) memory(ctx context.Context) (int64, error) {
	info, err := s.client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, fmt.Errorf("asking Redis for its memory: %w", err)
	}
	return parseMemory(info)
}

// parseMemory reads INFO memory, without the buffers for replicas.
func parseMemory(info string) (int64, error) {
	used, err := strconv.ParseInt(infoField(info, "used_memory"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading used_memory in INFO memory: %w", err)
	}
	waiting, _ := strconv.ParseInt(infoField(info, "mem_total_replication_buffers"), 10, 64) // not told before 7.0
	return used - waiting, nil
}

// cpu returns the CPU time that Redis says it has used.
func (s *store) cpu(ctx context.Context) (time.Duration, error) {
	info, err := s.client.Info(ctx, "cpu").Result()
	if err != nil {
		return 0, fmt.Errorf("asking Redis for its CPU time: %w", err)
	}
	return parseCPU(info)
}

// parseCPU adds up user and system time in INFO cpu.
func parseCPU(info string) (sum time.Duration, err error) {
	for _, field := range []string{"used_cpu_user", "used_cpu_sys"} {
		seconds, err := strconv.ParseFloat(infoField(info, field), 64)
		if err != nil {
			return 0, fmt.Errorf("reading %s in INFO cpu: %w", field, err)
		}
		sum += time.Duration(seconds * float64(time.Second))
	}
	return sum, nil
}

// scripts returns the cost of the script calls so far.
func (s *store) scripts(ctx context.Context) (scriptCost, error) {
	info, err := s.client.Info(ctx, "commandstats").Result()
	if err != nil {
		return scriptCost{}, fmt.Errorf("asking Redis for the time of its scripts: %w", err)
	}
	return parseCommandStats(info)
}

// scriptCost is the cost of EVALSHA, with all that the scripts call.
type scriptCost struct {
	calls, micros int64
}

// parseCommandStats reads the line of EVALSHA in INFO commandstats. Before the first call there is no such line.
func parseCommandStats(info string) (c scriptCost, err error) {
	line := infoField(info, "cmdstat_evalsha")
	if line == "" {
		return c, nil
	}
	for part := range strings.SplitSeq(line, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "calls":
			c.calls, err = strconv.ParseInt(value, 10, 64)
		case "usec":
			c.micros, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return c, fmt.Errorf("reading INFO commandstats, %q: %w", line, err)
		}
	}
	return c, nil
}

func infoField(info, field string) string {
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(line, ":"); ok && name == field {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

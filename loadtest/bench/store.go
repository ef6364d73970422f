package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// store is the redis-server of a run, which keeps nothing on disk.
type store struct {
	*process
	addr   string
	client *redis.Client
}

func startStore(ctx context.Context, dir string) (*store, error) {
	addrs, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("redis-server", "--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", dir)
	p, err := start(filepath.Join(dir, "redis.log"), cmd)
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

func (s *store) stop() error { return errors.Join(s.client.Close(), s.process.stop()) }

func (s *store) empty(ctx context.Context) error {
	if err := s.client.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("emptying Redis: %w", err)
	}
	return nil
}

// memory returns the bytes that Redis uses.
func (s *store) memory(ctx context.Context) (int64, error) {
	info, err := s.client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, fmt.Errorf("asking Redis for its memory: %w", err)
	}
	return strconv.ParseInt(infoField(info, "used_memory"), 10, 64)
}

// scripts returns what the script calls have cost so far.
func (s *store) scripts(ctx context.Context) (scriptCost, error) {
	info, err := s.client.Info(ctx, "commandstats").Result()
	if err != nil {
		return scriptCost{}, fmt.Errorf("asking Redis for the time of its scripts: %w", err)
	}
	return parseCommandStats(info)
}

// scriptCost is what EVALSHA has cost, all that scripts call with it.
type scriptCost struct {
	calls, micros int64
}

// parseCommandStats reads the line of EVALSHA in INFO commandstats. There is
// none before the first call.
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

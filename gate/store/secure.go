package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// With WaitReplicas, a person's change waits for replicas as a hold does: WAIT follows on
// the connection that made the change, because it counts only there.

// change calls a script that changes a sale. It returns how many replicas have the change; 0
// without WaitReplicas.
func (s *Store) change(ctx context.Context, sale string, script luascripts.Script, keys []string,
	args ...any,
) (reply []any, acked int64, err error) {
	if s.opt.WaitReplicas == 0 {
		reply, err = s.run(ctx, script, keys, args...)
		return reply, 0, err
	}
	command := []any{"EVAL", script.Source, len(keys)}
	for _, key := range keys {
		command = append(command, key)
	}
	said, acked, err := s.waited(ctx, keys[0], append(command, args...)...)
	if err != nil {
		return nil, 0, fmt.Errorf("call the script %s in Redis: %w", script.Name, err)
	}
	reply, err = said.Slice()
	return reply, acked, err
}

// name makes a sale's name known to the gates, and returns how many replicas have it. In a Cluster
// the names may be at another server than the sale, so the write has a WAIT of its own.
func (s *Store) name(ctx context.Context, sale string) (acked int64, err error) {
	if s.opt.WaitReplicas == 0 || s.address.topology != cluster {
		return int64(s.opt.WaitReplicas), s.Expect(ctx, sale)
	}
	if _, acked, err = s.waited(ctx, salesKey, "SADD", salesKey, sale); err != nil {
		return 0, fmt.Errorf("make sale %s known to the gates: %w", sale, err)
	}
	return acked, nil
}

// Secure implements gate.Register.
func (s *Store) Secure(ctx context.Context, sale string, version int64) error {
	if s.opt.WaitReplicas == 0 {
		return nil
	}
	if err := s.touch(ctx, sale, strconv.FormatInt(version, 10)); err != nil || s.address.topology != cluster {
		return err
	}
	named, err := s.name(ctx, sale)
	if err != nil {
		return err
	}
	return s.secured(sale, named)
}

// touch makes sure that replicas have a sale as it is, by a write that changes nothing. It returns
// gate.ErrChanged unless the settings have the given version; an empty version fits any. It returns
// nil if there is no such sale.
func (s *Store) touch(ctx context.Context, sale, version string) error {
	if s.opt.WaitReplicas == 0 {
		return nil
	}
	key := keysOf(sale).sale
	said, acked, err := s.waited(ctx, key, "EVAL", luascripts.Touch.Source, 1, key, s.clock(), version)
	if err != nil {
		return fmt.Errorf("make sure that replicas have sale %s: %w", sale, err)
	}
	touched, err := said.Int()
	switch {
	case err != nil:
		return err
	case touched == 1:
		return s.secured(sale, acked)
	case version != "":
		return gate.ErrChanged
	}
	return nil
}

// secured returns a *gate.UnsecuredError if fewer than WaitReplicas replicas have a change.
func (s *Store) secured(sale string, acked int64) error {
	if wanted := s.opt.WaitReplicas; acked < int64(wanted) {
		return &gate.UnsecuredError{Sale: sale, Replicas: acked, Wanted: wanted}
	}
	return nil
}

// waited sends a command and WAIT in one pipeline to the primary that has the key, and returns how
// many replicas have the change. It sends the command again only if a server redirects it. After
// any other error the outcome of the command is unknown. A failed WAIT is no error: then no replica
// counts.
func (s *Store) waited(ctx context.Context, key string, command ...any) (said *redis.Cmd,
	acked int64, err error,
) {
	c := &connection{store: s, key: key, longer: s.opt.WaitTimeout}
	defer func() { _ = c.disconnect() }()
	for range 3 {
		if said, acked, err = c.sendAndWait(ctx, command); err == nil {
			return said, acked, nil
		}
		c.recover(err)
		_, moved := redis.IsMovedError(err)
		_, ask := redis.IsAskError(err)
		if !moved && !ask && !redis.IsReadOnlyError(err) {
			break
		}
	}
	return nil, 0, doubted(err)
}

func (c *connection) sendAndWait(ctx context.Context, command []any) (said *redis.Cmd, acked int64, err error) {
	if err := c.connect(ctx); err != nil {
		return nil, 0, err
	}
	pipe := c.client.Pipeline()
	if c.asking {
		pipe.Do(ctx, "ASKING")
	}
	said = pipe.Do(ctx, command...)
	waited := pipe.Do(ctx, "WAIT", c.store.opt.WaitReplicas, c.store.opt.WaitTimeout.Milliseconds())
	_, _ = pipe.Exec(ctx) // the first error of the commands
	if err := said.Err(); err != nil {
		return nil, 0, err
	}
	acked, _ = waited.Int64() // 0 where it failed
	return said, acked, nil
}

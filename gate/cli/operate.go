package cli

import (
	"context"
	"fmt"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

type pauseCommand struct {
	redisFlag
	Sale string `arg:"" help:"The sale's name."`
}

// Run pauses the sale.
func (c *pauseCommand) Run(ctx context.Context, env *environment) error {
	return setPaused(ctx, env, &c.redisFlag, c.Sale, true)
}

type resumeCommand struct {
	redisFlag
	Sale string `arg:"" help:"The sale's name."`
}

// Run lets the sale go on.
func (c *resumeCommand) Run(ctx context.Context, env *environment) error {
	return setPaused(ctx, env, &c.redisFlag, c.Sale, false)
}

func setPaused(ctx context.Context, env *environment, flags *redisFlag, sale string, paused bool) error {
	return flags.with(env, func(s *store.Store) error {
		changed, err := gate.SetPaused(ctx, s, flags.By, sale, paused)
		if err != nil {
			return noSale(err, sale)
		}
		state := "on sale"
		if paused {
			state = "paused"
		}
		if !changed {
			state += " already"
		}
		_, err = fmt.Fprintf(env.out, "%s: %s\n", sale, state)
		return err
	})
}

type deleteCommand struct {
	redisFlag
	Sale     string `arg:"" help:"The sale's name."`
	DropHeld bool   `help:"Delete it even while orders hold units. A payment that is approved afterwards has no unit."`
}

// Run deletes the sale.
func (c *deleteCommand) Run(ctx context.Context, env *environment) error {
	return c.with(env, func(s *store.Store) error {
		if err := s.Delete(ctx, c.By, c.Sale, gate.Drop{Held: c.DropHeld}); err != nil {
			return noSale(err, c.Sale)
		}
		_, err := fmt.Fprintf(env.out, "%s: deleted\n", c.Sale)
		return err
	})
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(env *environment) error {
	_, err := fmt.Fprintln(env.out, "flashgate", env.version)
	return err
}

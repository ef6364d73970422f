package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

type pauseCommand struct {
	changeFlag
	Sale string `arg:"" help:"The sale's name."`
}

// Run pauses the sale.
func (c *pauseCommand) Run(ctx context.Context, env *environment) error {
	return setPaused(ctx, env, &c.changeFlag, c.Sale, true)
}

type resumeCommand struct {
	changeFlag
	Sale string `arg:"" help:"The sale's name."`
}

// Run lets the sale go on.
func (c *resumeCommand) Run(ctx context.Context, env *environment) error {
	return setPaused(ctx, env, &c.changeFlag, c.Sale, false)
}

func setPaused(ctx context.Context, env *environment, flags *changeFlag, sale string, paused bool) error {
	return flags.with(env, func(s *store.Store) error {
		changed, err := gate.SetPaused(ctx, s, flags.By, sale, paused)
		if err != nil && !gate.IsUnsecured(err) {
			return gate.Gone(ctx, s, sale, err)
		}
		state := "on sale"
		if paused {
			state = "paused"
		}
		if !changed {
			state += " already"
		}
		fmt.Fprintf(env.out, "%s: %s\n", sale, state)
		return err
	})
}

type deleteCommand struct {
	changeFlag
	Sale string `arg:"" help:"The sale's name."`
	dropFlags
}

// Run deletes the sale.
func (c *deleteCommand) Run(ctx context.Context, env *environment) error {
	drops, err := c.drops(env, c.Sale)
	if err != nil {
		return err
	}
	return c.with(env, func(s *store.Store) error {
		state, err := s.Sale(ctx, c.Sale)
		if err == nil || errors.Is(err, gate.ErrNoSale) { // which may be missing, and expected
			err = s.Delete(ctx, c.By, c.Sale, drops[c.Sale])
		}
		if err != nil && !gate.IsUnsecured(err) {
			return gate.Gone(ctx, s, c.Sale, err)
		}
		while := ""
		if state.Phase(state.Now) == "open" {
			while = ", while it was open"
		}
		fmt.Fprintf(env.out, "%s: deleted%s\n", c.Sale, while)
		return err
	})
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(env *environment) error {
	_, err := fmt.Fprintln(env.out, "flashgate", env.version)
	return err
}

package main

import (
	"context"
	"errors"

	"github.com/flashgate/flashgate/loadtest/bench"
)

type benchCommand struct{ bench.Options }

// Run measures.
func (c *benchCommand) Run(ctx context.Context, env *environment) error {
	err := bench.Run(ctx, &c.Options, env.out, env.err)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// benchServerCommand is bench.ServerCommand.
type benchServerCommand struct {
	Args []string `arg:"" optional:""`
}

// Run serves until ctx is done.
func (c *benchServerCommand) Run(ctx context.Context) error { return bench.Serve(ctx, c.Args) }

// benchClientCommand is bench.ClientCommand.
type benchClientCommand struct {
	Args []string `arg:"" optional:""`
}

// Run sends a stream.
func (c *benchClientCommand) Run(ctx context.Context, env *environment) error {
	return bench.Send(ctx, c.Args, env.out)
}

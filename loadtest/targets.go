package main

import (
	"bufio"
	"context"
	"errors"
	"time"
)

type targetsCommand struct{ requestFlags }

// Run writes the requests that launch would send, signed as of now.
func (c *targetsCommand) Run(ctx context.Context, env *environment) error {
	admin, sale, err := c.sale(ctx, 1)
	if err != nil {
		return err
	}
	if admin != nil {
		admin.Client.CloseIdleConnections()
	}
	now := time.Now()
	plan, err := c.plan(sale, now)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(env.out)
	return errors.Join(plan.WriteTargets(out, now), out.Flush())
}

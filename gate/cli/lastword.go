package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/shop"
)

// The bounds of one call to Redis and of its wait for replicas, where nobody sets
// others.
const (
	defaultRedisTimeout = 500 * time.Millisecond
	defaultWaitTimeout  = 300 * time.Millisecond
)

// try is the bound of one call to Redis, with its wait for replicas, that gates with
// this environment's settings have.
func (e *environment) try() time.Duration {
	bound := func(name string, usual time.Duration) time.Duration {
		if d, err := time.ParseDuration(e.setting(name)); err == nil {
			return d
		}
		return usual
	}
	try := bound("REDIS_TIMEOUT", defaultRedisTimeout)
	if n, _ := strconv.Atoi(e.setting("WAIT_REPLICAS")); n > 0 {
		try += bound("WAIT_TIMEOUT", defaultWaitTimeout)
	}
	return try
}

// lastWordNotes says what becomes of a sale's last word at gates with this
// environment's settings.
func (e *environment) lastWordNotes(s *gate.Settings) []string {
	if s.Ask == "" {
		return nil
	}
	notes := []string{fmt.Sprintf("the shop has at most %s to say yes or no to an order, at gates with this "+
		"environment's settings", lane.AskTime(e.try()))}
	if !e.has("NOTIFY_SECRET", "NOTIFY_SECRET_FILE") {
		notes = append(notes, "this environment has no notify secret: gates without one cannot ask the shop, and "+
			"sell nothing of this sale. "+
			"Give each gate FLASHGATE_NOTIFY_SECRET (whsec_…) or --notify-secret-file")
	}
	return notes
}

// printLastWord shows whom a sale asks, and whether the shop is up as seen from here.
func printLastWord(ctx context.Context, env *environment, s *gate.State) {
	if s.Ask != "" {
		fmt.Fprintf(env.out, "shop: %s has the last word on each order\n", gate.HideSecrets(s.Ask))
	}
	if s.Healthy == "" || !s.Deleted.IsZero() {
		return
	}
	took, err := shop.Probe(ctx, s.Healthy)
	how := fmt.Sprintf("up, as seen from here in %s", took.Round(time.Millisecond))
	if err != nil {
		how = fmt.Sprintf("down, as seen from here: %v. Gates to which it is down too take no new orders", err)
	}
	fmt.Fprintf(env.out, "shop: %s is %s\n", gate.HideSecrets(s.Healthy), how)
}

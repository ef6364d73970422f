package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

// followEvery is how often a ledger that is followed is asked for new entries.
const followEvery = 200 * time.Millisecond

type ledgerCommand struct {
	redisFlag
	Sale   string `arg:"" help:"The sale's name."`
	Since  int64  `placeholder:"SEQ" help:"Only what came after the entry with this seq."`
	Follow bool   `help:"Go on with new entries as they come, until interrupted."`
}

// Help documents the lines.
func (*ledgerCommand) Help() string {
	return `Each line is a JSON object, one entry of the ledger: all that one change left behind, never a difference. With --follow the
command ends with an error if Redis has lost the entry that it was at: others may be missing too. A gate's admin API streams the
same entries, as they come, to whoever has a token: GET /v1/sales/{sale}/events.

  seq       number of the entry; grows by 1, through runs and deletions. The ledger of a run begins with its create
  term      reign of the Redis server that decided
  time      RFC 3339, with milliseconds
  kind      create, apply, pause, resume, delete, confirm (orders that PortOne asked about), settle (what became of
            payments), report (what the shop told of them), brake (the gates stopped refunding) or go-on (a person let
            them go on)
  who       the gate, or who gave the command
  units     {SKU: {total, left, held, paid, withheld}} after it, of each SKU that it moved
  counts    {asking, held, paid, released, refund_due, refunded, refunds, refunds_requested} after it: orders by state;
            refunds are attempts that are refund due, refunds_requested those whose cancellation PortOne has taken on
  orders    [{order, state, revision, buyer, lines: [{sku, quantity}], amount, balance, attempts: [{attempt, version,
            state, tries}], taken, deadline, settled, withheld}]: each order that it changed, whole; what is unknown is left out
  extended  places in orders, from 0, of those that only have a later deadline, for they were confirmed again; your
            server is not told of these
  run, version, settings, before
            where settings were changed: the run, their version, and the settings after and before it, in the form of
            a sale file, with paused; notify without its query, which may be a secret`
}

// Run prints the ledger.
func (c *ledgerCommand) Run(ctx context.Context, env *environment) error {
	return c.with(env, func(s *store.Store) error {
		if _, err := s.Sale(ctx, c.Sale); err != nil {
			return gate.Gone(ctx, s, c.Sale, err)
		}
		encoder := json.NewEncoder(env.out)
		encoder.SetEscapeHTML(false)
		for at := (gate.Position{Seq: c.Since}); ; {
			for e, err := range at.Follow(s.Ledger(ctx, c.Sale, at.Seq)) {
				if c.Follow && ctx.Err() != nil {
					return nil
				}
				if err == nil {
					err = encoder.Encode(e.View().WithoutSecrets())
				}
				if err != nil {
					return fmt.Errorf("at entry %d: %w", at.Seq, err)
				}
			}
			if !c.Follow {
				return nil
			}
			if gate.Pause(ctx, followEvery); ctx.Err() != nil {
				return nil
			}
		}
	})
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

type archiveCommand struct {
	Sale  string `arg:"" optional:"" help:"The sale's name."`
	To    string `placeholder:"FILE" help:"File to write, which must not be there yet; compressed if its name ends in .gz."`
	Check string `placeholder:"FILE" help:"Instead of writing one: check that an archive is whole."`

	Redis string `placeholder:"URL" secret:"password" help:"Redis with the sales: ${addresses}."`
	redisAccess
	By              string `default:"${who}" placeholder:"WHO" help:"Who does it, for the ledger (${default})."`
	Remove          bool   `help:"Delete the sale once its archive has been read back."`
	DropUndelivered bool   `env:"-" help:"Remove it even if the shop has not taken all changes: see flashgate undelivered."`
	replicasFlag
}

// Help says what an archive is.
func (*archiveCommand) Help() string {
	return `Writes a finished sale to a file. The sale must be closed, and have no held order. The file is JSON lines:

  {"head": {"version", "sale", "paused", "report"}}    the sale in the form of a sale file, and what status says
  {"order": …}                                         each order, as the admin API shows it
  {"entry": …}                                         each ledger entry, as flashgate ledger prints it
  {"end": {"orders", "entries", "sha256"}}             how many, and the SHA-256 of all that is before this line

It is read back before anything is removed. It has the buyers' ids, so keep it as you keep your orders.`
}

// Validate checks the flags together.
func (c *archiveCommand) Validate() error {
	switch {
	case c.Check != "" && (c.Sale != "" || c.To != "" || c.Remove || c.DropUndelivered):
		return errors.New("--check FILE stands alone")
	case c.Check == "" && (c.Sale == "" || c.To == "" || c.Redis == ""):
		return errors.New("give SALE, --to FILE and --redis URL, or --check FILE")
	}
	return nil
}

// Run writes an archive or checks one.
func (c *archiveCommand) Run(ctx context.Context, env *environment) error {
	if c.Check != "" {
		whole, err := checkArchive(c.Check, progressTo(env.err))
		if err != nil {
			return fmt.Errorf("%s: %w", c.Check, err)
		}
		_, err = fmt.Fprintf(env.out, "%s: whole, sale %s run %d with %d orders and %d ledger entries\n",
			c.Check, whole.Sale, whole.Run, whole.Orders, whole.Entries)
		return err
	}
	flags := redisFlag{Redis: c.Redis, redisAccess: c.redisAccess, By: c.By}
	return flags.waiting(env, &c.replicasFlag, func(s *store.Store) error {
		if err := c.archive(ctx, env, s); err != nil {
			return gate.Gone(ctx, s, c.Sale, err)
		}
		return nil
	})
}

func (c *archiveCommand) archive(ctx context.Context, env *environment, s *store.Store) error {
	state, err := gate.FindSale(ctx, s, c.Sale)
	if err != nil {
		return err
	}
	if err := finished(&state); err != nil {
		return err
	}
	drop := gate.Drop{Archived: &gate.Archived{Run: state.Run, Seq: state.Seq}, Undelivered: c.DropUndelivered}
	if c.Remove {
		if err := c.removable(ctx, s, drop); err != nil {
			return err
		}
	}
	whole, err := c.write(ctx, env, s, &state)
	if err != nil {
		return fmt.Errorf("archive sale %s: %w", c.Sale, err)
	}
	fmt.Fprintf(env.out, "%s: %d orders and %d ledger entries archived in %s, sha256 %s\n", c.Sale, whole.Orders,
		whole.Entries, c.To, whole.Sum)
	if !c.Remove {
		return nil
	}
	err = s.Delete(ctx, c.By, c.Sale, drop)
	if loss, is := errors.AsType[*gate.LossError](err); is && loss.Seq != state.Seq {
		return fmt.Errorf("sale %s has changed since it was archived, and stays: archive it again, to another file",
			c.Sale)
	}
	if err != nil && !gate.IsUnsecured(err) {
		return err
	}
	fmt.Fprintf(env.out, "%s: deleted\n", c.Sale)
	return err
}

// write writes the file and reads it back. A file that is not whole is removed.
func (c *archiveCommand) write(ctx context.Context, env *environment, s *store.Store,
	state *gate.State,
) (archived, error) {
	file, err := os.OpenFile(c.To, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return archived{}, err
	}
	progress := progressTo(env.err)
	written, err := writeArchive(ctx, file, strings.HasSuffix(c.To, ".gz"), s, state, progress)
	if err = errors.Join(err, file.Close()); err == nil {
		var now gate.State
		if now, err = s.Sale(ctx, c.Sale); err == nil && now.Seq != state.Seq {
			err = errors.New("the sale changed while it was read: archive it again when nothing goes on")
		}
	}
	var read archived
	if err == nil {
		read, err = checkArchive(c.To, progress)
	}
	if err == nil && read != written {
		err = fmt.Errorf("the file was read back as %+v, and written as %+v", read, written)
	}
	if err != nil {
		return archived{}, errors.Join(err, os.Remove(c.To))
	}
	return written, nil
}

// finished says why a sale is not, if it is not.
func finished(s *gate.State) error {
	var why []string
	if s.Now.Before(s.ClosesAt) {
		why = append(why, "it closes at "+s.ClosesAt.Local().Format(time.RFC3339))
	}
	if o := s.Orders; o.Held+o.Asking > 0 {
		why = append(why, fmt.Sprintf("%d of its orders are held and %d asking", o.Held, o.Asking))
	}
	if why != nil {
		return fmt.Errorf("sale %s is not finished: %s", s.Name, strings.Join(why, ", "))
	}
	return nil
}

// removable says why a finished sale is still needed, if it is.
func (c *archiveCommand) removable(ctx context.Context, s *store.Store, drop gate.Drop) error {
	loss, err := s.Losses(ctx, c.Sale, drop)
	if err == nil && loss.Refunds > 0 {
		err = fmt.Errorf("%d payments are to be refunded: flashgate refunds %s lists them", loss.Refunds, c.Sale)
	}
	if err != nil {
		return fmt.Errorf("sale %s is still needed: %w; archive it without --remove, or see to that first", c.Sale, err)
	}
	return nil
}

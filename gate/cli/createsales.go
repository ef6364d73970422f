package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

// sales returns the sales that should be there: those of the file, or of a store
// that nothing else can have filled the demo sale.
func (c *serveCommand) sales() (sales []gate.Sale, demo bool, err error) {
	switch {
	case c.Sales != "":
		sales, err = readSales(c.Sales)
	case c.embedded():
		sales, demo = []gate.Sale{demoSale(time.Now())}, true
	}
	return sales, demo, err
}

// createSales creates the sales that may be created, and tells of those that are
// there and not as they should be.
func (c *serveCommand) createSales(ctx context.Context, s *store.Store, sales []gate.Sale, log *slog.Logger) error {
	for _, sale := range sales {
		log.Info("a sale of the file", "sale", sale.Name, "window", standing(sale, time.Now()))
		old, err := c.createSale(ctx, s, sale, log)
		switch {
		case err != nil:
			return fmt.Errorf("create sale %s: %w", sale.Name, err)
		case !old.Deleted.IsZero():
			log.Warn("a sale of the file was deleted and is not brought back: give it a higher run and apply it",
				"sale", sale.Name, "deleted_in_run", old.Run)
		case old.Run > 0:
			for _, difference := range changes(old.Sale, sale) {
				log.Warn("a sale differs from the file and is left as it is: flashgate apply would change it", "sale",
					sale.Name, "change", string(difference))
			}
		}
	}
	return nil
}

// createSale creates a sale that Redis knows no run of if its window has not begun,
// by Redis' clock and by this gate's: one that is open may have been sold from
// data that is lost, and the gate says what there is to do. The embedded store
// cannot have lost any. It returns what is there already.
func (c *serveCommand) createSale(ctx context.Context, s *store.Store, sale gate.Sale,
	log *slog.Logger,
) (gate.State, error) {
	old, err := s.Sale(ctx, sale.Name)
	if !errors.Is(err, gate.ErrNoSale) {
		return old, err
	}
	embedded, now := c.embedded(), time.Now()
	if now.Before(sale.OpensAt) != old.Now.Before(sale.OpensAt) {
		log.Warn("Redis' clock and this gate's do not agree whether a sale's window has begun: set both by NTP",
			"sale", sale.Name, "opens_at", sale.OpensAt, "redis", old.Now, "gate", now)
	}
	if !embedded && !now.Before(sale.OpensAt) {
		return gate.State{}, nil
	}
	err = s.Create(ctx, gate.Creation{Who: c.name(), Sale: sale, OpenNow: embedded})
	switch {
	case err == nil:
		log.Info("created a sale", "sale", sale.Name, "run", sale.Run)
	case gate.IsUnsecured(err): // it is no reason to sell nothing at all
		log.Warn("created a sale that a failover may forget", "sale", sale.Name, "run", sale.Run, "error", err)
		err = nil
	case errors.Is(err, gate.ErrExists): // another gate was faster
		return s.Sale(ctx, sale.Name)
	case errors.As(err, new(*gate.OpenError)):
		err = nil
	}
	return gate.State{}, err
}

package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// Create implements gate.Register.
func (s *Store) Create(ctx context.Context, c gate.Creation) error {
	sale := &c.Sale
	settings, err := settingsArgs(&sale.Settings)
	if err != nil {
		return err
	}
	// First the name: gates know what to do about a name without a sale, but
	// nobody would ever see a sale without a name.
	if err := s.Expect(ctx, sale.Name); err != nil {
		return err
	}
	args := append([]any{s.now(), c.Who, sale.Run, yes(c.Drop.Held), yes(c.OpenNow)}, settings...)
	reply, err := s.run(ctx, luascripts.Create, keysOf(sale.Name).all(), args...)
	if err != nil {
		return err
	}
	switch word(reply) {
	case "created":
		return nil
	case "exists", "deleted":
		return gate.ErrExists
	case "held":
		return &gate.HeldError{Sale: sale.Name, Units: number(reply, 1)}
	case "open":
		return &gate.OpenError{Sale: sale.Name, Opens: sale.OpensAt, Closes: sale.ClosesAt, Now: time.UnixMilli(number(reply, 1))}
	}
	return unknownReply(luascripts.Create, reply)
}

// Configure implements gate.Register.
func (s *Store) Configure(ctx context.Context, who, kind, sale string, version int64, next gate.Settings) error {
	settings, err := settingsArgs(&next)
	if err != nil {
		return err
	}
	k := keysOf(sale)
	args := append([]any{s.now(), who, kind, version}, settings...)
	reply, err := s.run(ctx, luascripts.Configure, []string{k.sale, k.ledger}, args...)
	if err != nil {
		return err
	}
	switch word(reply) {
	case "done":
		return nil
	case "-":
		return gate.ErrNoSale
	case "version":
		return gate.ErrChanged
	case "below", "used":
		return stockError(sale, next, reply)
	}
	return unknownReply(luascripts.Configure, reply)
}

// stockError reads {"below" or "used", SKU, counters}.
func stockError(sale string, next gate.Settings, reply []any) error {
	var p parser
	e := &gate.StockError{Sale: sale, SKU: fmt.Sprint(reply[1]), Stock: -1, Units: p.units(fmt.Sprint(reply[2]))}
	for _, k := range next.SKUs {
		if k.Name == e.SKU {
			e.Stock = k.Stock
		}
	}
	if p.err != nil {
		return p.err
	}
	return e
}

// Delete implements gate.Register.
func (s *Store) Delete(ctx context.Context, who, sale string, drop gate.Drop) error {
	err := s.remove(ctx, who, sale, drop, "")
	if errors.Is(err, gate.ErrNoSale) && errors.As(s.none(ctx, sale), new(*gate.MissingError)) {
		return s.forget(ctx, who, sale)
	}
	return err
}

// forget leaves a tombstone of a missing sale, so that no gate expects it any more.
func (s *Store) forget(ctx context.Context, who, sale string) error {
	k := keysOf(sale)
	reply, err := s.run(ctx, luascripts.Forget, []string{k.sale, k.ledger}, s.now(), who)
	if err != nil {
		return err
	}
	switch word(reply) {
	case "forgotten":
		return nil
	case "-":
		return gate.ErrNoSale
	}
	return unknownReply(luascripts.Forget, reply)
}

// DeleteAt deletes a sale of which nothing is held, and only while its newest
// ledger entry is seq. Else it returns gate.ErrChanged, and what Delete returns.
func (s *Store) DeleteAt(ctx context.Context, who, sale string, seq int64) error {
	return s.remove(ctx, who, sale, gate.Drop{}, strconv.FormatInt(seq, 10))
}

func (s *Store) remove(ctx context.Context, who, sale string, drop gate.Drop, seq string) error {
	reply, err := s.run(ctx, luascripts.Delete, keysOf(sale).all(), s.now(), who, yes(drop.Held), seq)
	if err != nil {
		return err
	}
	switch word(reply) {
	case "deleted":
		return nil
	case "-":
		return gate.ErrNoSale
	case "seq":
		return gate.ErrChanged
	case "held":
		return &gate.HeldError{Sale: sale, Units: number(reply, 1)}
	}
	return unknownReply(luascripts.Delete, reply)
}

func yes(on bool) string {
	if on {
		return "1"
	}
	return ""
}

func word(reply []any) string {
	if len(reply) == 0 {
		return ""
	}
	w, _ := reply[0].(string)
	return w
}

func number(reply []any, i int) int64 {
	if len(reply) <= i {
		return 0
	}
	n, _ := reply[i].(int64)
	return n
}

func unknownReply(script luascripts.Script, reply []any) error {
	return fmt.Errorf("the script %s gave a reply that this program does not know: %v", script.Name, reply)
}

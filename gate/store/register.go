package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
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
	// The name comes first: gates handle a name without a sale, but would never see
	// a sale without a name.
	named, err := s.name(ctx, sale.Name)
	if err != nil {
		return err
	}
	args := append([]any{s.clock(), c.Who, sale.Run, dropWords(c.Drop), yes(c.OpenNow)}, settings...)
	reply, acked, err := s.change(ctx, sale.Name, luascripts.Create, keysOf(sale.Name).all(), args...)
	if err != nil {
		return err
	}
	switch word(reply) {
	case "created":
		return s.secured(sale.Name, min(named, acked))
	case "exists", "deleted":
		return gate.ErrExists
	case "lost":
		return &gate.LossError{Loss: loss(sale.Name, reply), Drop: c.Drop}
	case "open":
		return &gate.OpenError{
			Sale: sale.Name, Opens: sale.OpensAt, Closes: sale.ClosesAt,
			Now: time.UnixMilli(number(reply, 1)),
		}
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
	args := append([]any{s.clock(), who, kind, version}, settings...)
	reply, acked, err := s.change(ctx, sale, luascripts.Configure, []string{k.sale, k.ledger}, args...)
	if err != nil {
		return err
	}
	switch word(reply) {
	case "done":
		return s.secured(sale, acked)
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
	if p.Err != nil {
		return p.Err
	}
	return e
}

// Delete implements gate.Register.
func (s *Store) Delete(ctx context.Context, who, sale string, drop gate.Drop) error {
	reply, acked, err := s.change(ctx, sale, luascripts.Delete, keysOf(sale).all(), s.clock(), who, dropWords(drop))
	if err != nil {
		return err
	}
	switch word(reply) {
	case "deleted":
		return s.secured(sale, acked)
	case "-":
		return s.deleteGone(ctx, who, sale)
	case "lost":
		return &gate.LossError{Loss: loss(sale, reply), Drop: drop}
	}
	return unknownReply(luascripts.Delete, reply)
}

// deleteGone handles a Delete of a sale that is not there. A missing sale gets a tombstone, so that
// no gate expects it any more. If there is a tombstone already, it may have been left a moment ago
// and not be at the replicas, so it is secured.
func (s *Store) deleteGone(ctx context.Context, who, sale string) error {
	if !errors.As(s.none(ctx, sale), new(*gate.MissingError)) {
		return cmp.Or(s.touch(ctx, sale, ""), gate.ErrNoSale)
	}
	k := keysOf(sale)
	reply, acked, err := s.change(ctx, sale, luascripts.Forget, []string{k.sale, k.ledger}, s.clock(), who)
	if err != nil {
		return err
	}
	switch word(reply) {
	case "forgotten":
		return s.secured(sale, acked)
	case "-":
		return cmp.Or(s.touch(ctx, sale, ""), gate.ErrNoSale)
	}
	return unknownReply(luascripts.Forget, reply)
}

// Losses implements gate.Register.
func (s *Store) Losses(ctx context.Context, sale string, drop gate.Drop) (gate.Loss, error) {
	k := keysOf(sale)
	reply, err := s.run(ctx, luascripts.Losses, []string{k.sale, k.ledger, k.notify}, s.clock(), dropWords(drop))
	if err != nil {
		return gate.Loss{}, err
	}
	switch word(reply) {
	case "agreed":
		return loss(sale, reply), nil
	case "lost":
		l := loss(sale, reply)
		return l, &gate.LossError{Loss: l, Drop: drop}
	case "-":
		return gate.Loss{}, gate.ErrNoSale
	}
	return gate.Loss{}, unknownReply(luascripts.Losses, reply)
}

// dropWords writes a Drop as the scripts read it.
func dropWords(d gate.Drop) string {
	var words []string
	if d.Held {
		words = append(words, "held")
	}
	if d.Paid != nil {
		words = append(words, fmt.Sprintf("paid=%d", *d.Paid))
	}
	if d.Archived != nil {
		words = append(words, fmt.Sprintf("archived=%d:%d", d.Archived.Run, d.Archived.Seq))
	}
	if d.Undelivered {
		words = append(words, "undelivered")
	}
	return strings.Join(words, ",")
}

// loss reads a loss from a script's reply.
func loss(sale string, reply []any) gate.Loss {
	return gate.Loss{
		Sale: sale, Run: number(reply, 1), Seq: number(reply, 2), Open: number(reply, 3) == 1, Held: number(reply, 4),
		Paid: number(reply, 5), RefundDue: number(reply, 6), Refunds: number(reply, 7), Entries: number(reply,
			8), Listed: number(reply, 9),
	}
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

package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// Disputes reads the disputes and chargebacks of a sale's payments, by order.
func (s *Store) Disputes(ctx context.Context, sale string) (map[string][]gate.Dispute, error) {
	all := map[string][]gate.Dispute{}
	err := s.scan(ctx, "disputes of sale "+sale, s.client.HScan, keysOf(sale).disputes,
		func(order, text string) (err error) {
			all[order], err = parseDisputes(order, text)
			return err
		})
	return all, err
}

// DisputesOf reads the disputes and chargebacks of some orders' payments: one list for each order,
// in the same sequence.
func (s *Store) DisputesOf(ctx context.Context, sale string, orders []string) ([][]gate.Dispute, error) {
	all := make([][]gate.Dispute, len(orders))
	if len(orders) == 0 {
		return all, nil
	}
	texts, err := s.client.HMGet(ctx, keysOf(sale).disputes, orders...).Result()
	if err != nil {
		return nil, fmt.Errorf("read the disputes of %d orders: %w", len(orders), err)
	}
	for i, text := range texts {
		known, _ := text.(string)
		if all[i], err = parseDisputes(orders[i], known); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// NoteDisputes replaces an order's list of disputes and chargebacks, was, by is. It writes nothing
// and returns gate.ErrChanged if the list is not was any more, gate.ErrNoOrder or gate.ErrNoSale.
func (s *Store) NoteDisputes(ctx context.Context, sale, order string, was, is []gate.Dispute) error {
	before, err := spellDisputes(was)
	if err != nil {
		return err
	}
	after, err := spellDisputes(is)
	if err != nil {
		return err
	}
	reply, err := s.run(ctx, luascripts.Contest, keysOf(sale).contesting(), order, before, after)
	if err != nil {
		return fmt.Errorf("note the disputes of order %q: %w", order, err)
	}
	switch word(reply) {
	case "done":
		return nil
	case "changed":
		return gate.ErrChanged
	case "none":
		return gate.ErrNoOrder
	case "-":
		return gate.ErrNoSale
	}
	return unknownReply(luascripts.Contest, reply)
}

func parseDisputes(order, text string) (all []gate.Dispute, err error) {
	if text == "" {
		return nil, nil
	}
	if err = json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("the disputes of order %q cannot be read: %w", order, err)
	}
	return all, nil
}

func spellDisputes(all []gate.Dispute) (string, error) {
	if len(all) == 0 {
		return "", nil
	}
	text, err := json.Marshal(all)
	return string(text), err
}

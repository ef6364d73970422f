package store

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/flashgate/flashgate/gate"
)

// applyConfirms sets the verdicts of confirms from the reply of the script confirm.
func applyConfirms(batch []*gate.Request, reply []any) error {
	letters, asking := word(reply), 0
	for i, r := range batch {
		switch letter := letters[i]; letter {
		case 'A':
			revision := number(reply, 3+asking)
			if revision < 1 {
				return errors.New("the script gave no revision of an order that the shop must be asked about")
			}
			r.SetAsking(revision)
			asking++
		case 'D':
			r.Set(gate.RefuseFor(cmp.Or(r.NoHold, gate.ShopDown)))
		default:
			v, ok := verdict(letter)
			if !ok {
				return unknownVerdict(letter)
			}
			r.Set(v)
		}
	}
	return nil
}

// applyGrants sets the verdicts of answers from the reply of the script grant. Only the verdict of
// a yes counts: after a no the lane refuses, whatever the script did.
func applyGrants(batch []*gate.Request, reply []any) error {
	letters := word(reply)
	for i, r := range batch {
		switch letter := letters[i]; letter {
		case 'H', 'P', 'E':
			v, _ := verdict(letter)
			r.Set(v)
		case 'G', 'R', '=':
			r.Set(gate.RefuseFor(gate.ShopLate))
		default:
			return unknownVerdict(letter)
		}
	}
	return nil
}

func unknownVerdict(letter byte) error {
	return fmt.Errorf("the script gave the unknown verdict %q", letter)
}

// verdict returns the verdict for a letter that needs no more fields of the reply.
func verdict(letter byte) (gate.Verdict, bool) {
	switch letter {
	case 'H':
		return gate.Refuse(gate.Held), true
	case 'S':
		return gate.Refuse(gate.SoldOut), true
	case 'W':
		return gate.Refuse(gate.NotOpen), true
	case 'C':
		return gate.Refuse(gate.Closed), true
	case 'U':
		return gate.Refuse(gate.Paused), true
	case 'L':
		return gate.Refuse(gate.BuyerLimit), true
	case 'B':
		return gate.NeedsBuyer(), true
	case 'K':
		return gate.Refuse(gate.UnknownSKU), true
	case 'O':
		return gate.Refuse(gate.OrderChanged), true
	case 'P':
		return gate.Refuse(gate.AlreadyPaid), true
	case 'E':
		return gate.Refuse(gate.AttemptEnded), true
	case 'N':
		return gate.Refuse(gate.AttemptLimit), true
	}
	return gate.Verdict{}, false
}

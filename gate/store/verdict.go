package store

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/flashgate/flashgate/gate"
)

// applyConfirms sets the verdicts of confirms from the reply of the script confirm.
func applyConfirms(batch []*gate.Request, reply []any) error {
	letters, asking := word(reply), 0
	for i, r := range batch {
		switch letter := letters[i]; letter {
		case 'A':
			revision := number(reply, 5+asking)
			if revision < 1 {
				return errors.New("the script gave no revision of an order that the shop must be asked about")
			}
			r.SetAsking(revision)
			asking++
		case 'D':
			r.Set(gate.RefuseFor(cmp.Or(r.NoHold, gate.ShopDown)))
		case 'X':
			if !r.KnownOnly {
				return unknownVerdict(letter)
			}
			r.Set(r.Refusal)
		default:
			v, ok := verdict(letter)
			if !ok {
				return unknownVerdict(letter)
			}
			if r.Set(v); r.KnownOnly && v.Code != gate.Held {
				r.Set(r.Refusal) // the check that doubted it came first
			}
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

// acceptConfirms tells each accepted confirm the record of its order: that which the script
// tells, or that of a new order, which is what was sent and the times.
func (d *decider) acceptConfirms(batch []*gate.Request, reply []any) error {
	letters, seq := word(reply), number(reply, 2)
	if !strings.ContainsAny(letters, "HA") {
		return nil
	}
	known, err := records(reply, 4, len(batch))
	if err != nil {
		return err
	}
	taken := strconv.FormatInt(number(reply, 1), 10) + gate.FieldSep
	held := taken + strconv.FormatInt(number(reply, 3), 10) + gate.FieldSep
	asking := taken + strconv.FormatInt(gate.AskingFor.Milliseconds(), 10) + gate.FieldSep
	for i, r := range batch {
		letter := letters[i]
		if letter != 'H' && letter != 'A' {
			continue
		}
		record, ok := known[i]
		switch {
		case ok:
		case letter == 'A':
			record = d.runs[len(batch)+i] + asking
		default:
			record = d.runs[len(batch)+i] + held
		}
		r.Accepted, r.Seq = gate.Change{Order: d.runs[i], Record: record}, seq
	}
	return nil
}

// acceptAnswers tells each answer whose order is held the record of that.
func (d *decider) acceptAnswers(batch []*gate.Request, reply []any) error {
	known, err := records(reply, 3, len(batch))
	if err != nil {
		return err
	}
	for i, record := range known {
		batch[i].Accepted = gate.Change{Order: d.runs[2*i], Record: record}
		batch[i].Seq = number(reply, 2)
	}
	return nil
}

// records reads the records of a reply, by their places in a batch of n.
func records(reply []any, at, n int) (map[int]string, error) {
	if len(reply) <= at {
		return nil, errors.New("the script's reply is too short")
	}
	pairs, _ := reply[at].([]any)
	if len(pairs) == 0 {
		return nil, nil
	}
	known := make(map[int]string, len(pairs)/2)
	for k := 0; k+1 < len(pairs); k += 2 {
		place, record := number(pairs, k), pairs[k+1]
		text, ok := record.(string)
		if place < 1 || place > int64(n) || !ok {
			return nil, fmt.Errorf("the script gave the record %v for the place %v of %d", record, pairs[k], n)
		}
		known[int(place-1)] = text
	}
	return known, nil
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

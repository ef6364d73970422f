package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// letGoFor is how long refunds that a person let go on are not counted by the brake.
const letGoFor = 24 * time.Hour

// hastenAtOnce is how many orders one round trip hastens.
const hastenAtOnce = 500

// brakeCount matches the count that the script brake keeps.
var brakeCount = regexp.MustCompile(`^[a-z_]*\x1f\d+\x1f\d+\x1f\d+\x1f[\d:,]*$`)

// PassBrake asks the brake on a sale's refunds whether the cancellation of an attempt may be sent,
// and notes the answer with its refund. If this refund pulls the brake, PassBrake returns the brake
// too. It returns gate.ErrNoRefund if the order owes none, gate.ErrNoSale, gate.ErrChanged, or a
// *gate.ClockError.
func (s *Store) PassBrake(ctx context.Context, who, sale, order, attempt string, why gate.RefundReason,
	is gate.RefundAttempt,
) (passes bool, pulled *gate.Brake, err error) {
	_, err = s.noted(ctx, sale, order, luascripts.Brake, func(was string, note gate.RefundNote) ([]any, int64, error) {
		counted := note.Attempts[attempt].Counted
		is.Ordered = note.Attempts[attempt].Ordered
		is.Waits, is.Counted = gate.WaitNobody, true
		sent, err1 := noteWith(note, attempt, is)
		is.Waits, is.Counted = gate.WaitBrake, counted
		waits, err2 := noteWith(note, attempt, is)
		if err := errors.Join(err1, err2); err != nil {
			return nil, 0, err
		}
		reply, err := s.run(ctx, luascripts.Brake, keysOf(sale).braking(), s.clock(), who, order, was, sent, waits,
			why.String(), yes(why.BySetting()), yes(counted))
		switch word(reply) {
		case "sent":
			passes = true
		case "pulled":
			pulled = &gate.Brake{
				Rule: gate.BrakeRule(fmt.Sprint(reply[1])), Reason: why.String(),
				Count: number(reply, 2), Bound: number(reply, 3),
			}
		}
		return reply, 0, err
	})
	return passes && err == nil, pulled, err
}

// noteWith returns the stored form of a note with one attempt replaced.
func noteWith(note gate.RefundNote, attempt string, is gate.RefundAttempt) (string, error) {
	note.Attempts = maps.Clone(note.Attempts)
	note.Set(attempt, is)
	text, err := json.Marshal(note)
	return string(text), err
}

// Unbrake releases the brake on a sale's refunds for a person, and lets that many payments pass
// uncounted. It reports whether the brake held. It returns gate.ErrNoSale, or a
// *gate.UnsecuredError if the brake is released but too few replicas know.
func (s *Store) Unbrake(ctx context.Context, who, sale string, payments int64) (held bool, err error) {
	k := keysOf(sale)
	reply, acked, err := s.change(ctx, sale, luascripts.Unbrake, []string{k.sale, k.ledger}, s.clock(), who, payments,
		letGoFor.Milliseconds())
	if err != nil {
		return false, err
	}
	switch word(reply) {
	case "done":
		return true, s.secured(sale, acked)
	case "none":
		return false, nil
	case "-":
		return false, gate.ErrNoSale
	}
	return false, unknownReply(luascripts.Unbrake, reply)
}

// HastenAll makes orders of a sale due now, as Hasten does.
func (s *Store) HastenAll(ctx context.Context, sale string, ids []string) error {
	for some := range slices.Chunk(ids, hastenAtOnce) {
		calls := make([]scriptCall, len(some))
		for i, id := range some {
			calls[i] = s.hastenCall(sale, id)
		}
		var failed []error
		for _, cmd := range s.runAll(ctx, luascripts.Hasten, calls) {
			if err := cmd.Err(); err != nil {
				failed = append(failed, doubted(err))
			}
		}
		if len(failed) > 0 {
			return fmt.Errorf("have %d orders of sale %s looked at: %w", len(failed), sale, failed[0])
		}
	}
	return nil
}

// parseBrake reads the brake from a sale's hash; nil if it does not hold. A brake that cannot be
// read holds, because nobody knows that it was released.
func parseBrake(hash map[string]string) *gate.Brake {
	text, there := hash["brake"]
	if !there || hash["brake_off"] == flag(true) {
		return nil
	}
	f := strings.Split(text, gate.FieldSep)
	if len(f) != 5 {
		return &gate.Brake{Rule: gate.BrakeUnreadable}
	}
	var p parser
	b := gate.Brake{
		Since: p.Time(f[0]), Rule: gate.BrakeRule(f[1]), Reason: f[2], Count: p.Int(f[3]),
		Bound: p.Int(f[4]),
	}
	if p.Err != nil {
		return &gate.Brake{Rule: gate.BrakeUnreadable}
	}
	return &b
}

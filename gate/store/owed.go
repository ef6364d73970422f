package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// RefundNote reads the note on the refunds that an order owes, and the version of the sale's
// settings. An order without a note has the zero note.
func (s *Store) RefundNote(ctx context.Context, sale, order string) (note gate.RefundNote, version int64, err error) {
	text, version, err := s.noteText(ctx, sale, order)
	if err == nil {
		note, err = parseNote(text)
	}
	if err != nil {
		err = fmt.Errorf("read what is known of the refunds of order %q: %w", order, err)
	}
	return note, version, err
}

// RefundNotes reads the notes on all refunds that a sale owes, by order.
func (s *Store) RefundNotes(ctx context.Context, sale string) (map[string]gate.RefundNote, error) {
	notes := map[string]gate.RefundNote{}
	err := s.scan(ctx, "refunds of sale "+sale, s.client.HScan, keysOf(sale).owed,
		func(order, text string) (err error) {
			notes[order], err = parseNote(text)
			return err
		})
	return notes, err
}

// maxNotes bounds the tries of writing a note while others keep changing it first.
const maxNotes = 10

// NoteRefund changes the note on the refunds that an order owes. It returns gate.ErrNoRefund if the
// order owes none, gate.ErrNoSale, or gate.ErrChanged.
func (s *Store) NoteRefund(ctx context.Context, sale, order string, change func(*gate.RefundNote)) error {
	_, err := s.note(ctx, sale, order, change, func(keys []string, args ...any) ([]any, int64, error) {
		reply, err := s.run(ctx, luascripts.Note, keys, args...)
		return reply, 0, err
	})
	return err
}

// TellRefund is NoteRefund for a person. It waits for the replicas, as every change by a person
// does, and may return a *gate.UnsecuredError.
func (s *Store) TellRefund(ctx context.Context, sale, order string, change func(*gate.RefundNote)) error {
	acked, err := s.note(ctx, sale, order, change, func(keys []string, args ...any) ([]any, int64, error) {
		return s.change(ctx, sale, luascripts.Note, keys, args...)
	})
	if err != nil {
		return err
	}
	return s.secured(sale, acked)
}

func (s *Store) note(ctx context.Context, sale, order string, change func(*gate.RefundNote),
	write func(keys []string, args ...any) (reply []any, acked int64, err error),
) (acked int64, err error) {
	return s.noted(ctx, sale, order, luascripts.Note, func(was string, note gate.RefundNote) ([]any, int64, error) {
		change(&note)
		text, err := json.Marshal(note)
		if err != nil {
			return nil, 0, err
		}
		return write(keysOf(sale).noting(), order, was, text)
	})
}

// noted lets a script write a changed note, if the note is still what was read, and tries again if
// it is not.
func (s *Store) noted(ctx context.Context, sale, order string, script luascripts.Script,
	write func(was string, note gate.RefundNote) (reply []any, acked int64, err error),
) (acked int64, err error) {
	for range maxNotes {
		was, _, err := s.noteText(ctx, sale, order)
		if err != nil {
			return 0, err
		}
		note, err := parseNote(was)
		if err != nil {
			return 0, fmt.Errorf("read what is known of the refunds of order %q: %w", order, err)
		}
		reply, acked, err := write(was, note)
		if err != nil {
			return 0, err
		}
		switch word(reply) {
		case "none":
			return 0, gate.ErrNoRefund
		case "-":
			return 0, gate.ErrNoSale
		case "changed":
		case "done", "sent", "held", "pulled":
			return acked, nil
		default:
			return 0, unknownReply(script, reply)
		}
	}
	return 0, gate.ErrChanged
}

// noteText reads the stored form of a note, empty if there is none, and the version of the sale's
// settings.
func (s *Store) noteText(ctx context.Context, sale, order string) (text string, version int64, err error) {
	k := keysOf(sale)
	pipe := s.client.Pipeline()
	note, settings := pipe.HGet(ctx, k.owed, order), pipe.HGet(ctx, k.sale, "version")
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return "", 0, err
	}
	if number, err := settings.Result(); err == nil {
		if version, err = strconv.ParseInt(number, 10, 64); err != nil {
			return "", 0, err
		}
	}
	return note.Val(), version, nil
}

func parseNote(text string) (note gate.RefundNote, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &note)
	}
	return note, err
}

package gate

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// ErrPosition says that a ledger does not have the entry that somebody has read up to, so it may
// lack others too.
var ErrPosition = errors.New("the ledger has no such entry, so others may be missing too: Redis has lost a " +
	"part of it, or there never was one; start over")

// Position is a place in the ledger of a sale: behind an entry. The time of the entry tells it from
// another one of the same number, as a Redis that has lost its newest entries writes them.
type Position struct {
	Seq  int64     // of the entry; 0 is before the first one
	Time time.Time // of the entry; zero while that is not known
}

// Position returns the place behind the entry.
func (e *Entry) Position() Position { return Position{e.Seq, e.Time} }

// String writes the position as SEQ:TIME, the time in milliseconds since 1970, or as SEQ alone.
func (p Position) String() string {
	text := strconv.FormatInt(p.Seq, 10)
	if p.Time.IsZero() {
		return text
	}
	return text + ":" + strconv.FormatInt(p.Time.UnixMilli(), 10)
}

// ParsePosition reads what String writes.
func ParsePosition(text string) (p Position, err error) {
	seq, at, timed := strings.Cut(text, ":")
	p.Seq, err = strconv.ParseInt(seq, 10, 64)
	if timed && err == nil {
		var ms int64
		ms, err = strconv.ParseInt(at, 10, 64)
		p.Time = time.UnixMilli(ms)
	}
	if err != nil || p.Seq < 0 {
		return Position{}, fmt.Errorf("%.40q: must be the seq of an entry, or SEQ:TIME with its time in milliseconds",
			text)
	}
	return p, nil
}

// Follow yields the entries of a ledger that are behind the position, which moves on with them. The
// ledger is read from entry number p.Seq on, or from an earlier one. If it does not have that entry,
// Follow ends with ErrPosition. A sale that was deleted, or is in a new run, has lost the entries
// before: there Follow goes on with the first of the new ones.
func (p *Position) Follow(ledger iter.Seq2[*Entry, error]) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		found := p.Seq == 0
		for e, err := range ledger {
			switch {
			case err != nil:
				yield(nil, err)
				return
			case e.Seq < p.Seq:
				continue
			case e.Seq == p.Seq && !p.Time.IsZero() && e.Time.UnixMilli() != p.Time.UnixMilli(),
				e.Seq > p.Seq+1 && !e.Begins():
				yield(nil, ErrPosition)
				return
			}
			isNew := e.Seq > p.Seq
			found, *p = true, e.Position()
			if isNew && !yield(e, nil) {
				return
			}
		}
		if !found {
			yield(nil, ErrPosition)
		}
	}
}

package gate

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ledgerOf yields entries that are written as SEQ, or SEQ and the first letter of their kind. Each
// is from as many milliseconds after 1970 as its number says, and plus from so many later.
func ledgerOf(text string, plus int) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for word := range strings.FieldsSeq(text) {
			if word == "!" {
				yield(nil, errors.New("Redis is away"))
				return
			}
			number := strings.TrimRight(word, "cd")
			seq, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				panic(err)
			}
			kinds := map[string]string{"": "confirm", "c": "create", "d": "delete"}
			e := Entry{Seq: seq, Kind: kinds[word[len(number):]]}
			e.Time = time.UnixMilli(e.Seq + int64(plus))
			if !yield(&e, nil) {
				return
			}
		}
	}
}

// Who has read up to an entry reads each later one once, or is told that some may be missing.
func TestAPositionIsFollowed(t *testing.T) {
	t.Parallel()
	f := func(from, ledger string, plus int, want, ends string) {
		t.Helper()
		p, err := ParsePosition(from)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for e, err := range p.Follow(ledgerOf(ledger, plus)) {
			switch {
			case errors.Is(err, ErrPosition):
				got = append(got, "gone")
			case err != nil:
				got = append(got, err.Error())
			default:
				got = append(got, fmt.Sprint(e.Seq))
			}
		}
		if said := strings.Join(got, " "); said != want || p.String() != ends {
			t.Errorf("from %s in %q: %q up to %s, want %q up to %s", from, ledger, said, p, want, ends)
		}
	}
	f("0", "1c 2 3", 0, "1 2 3", "3:3")
	f("0", "", 0, "", "0")
	f("2", "2 3 4", 0, "3 4", "4:4")
	f("2:2", "2 3 4", 0, "3 4", "4:4")
	f("2", "1c 2 3", 0, "3", "3:3")
	f("3", "3", 0, "", "3:3") // its time is known from now on
	f("3:3", "3", 0, "", "3:3")

	f("3:3", "3 4", 5, "gone", "3:3") // another entry 3
	f("3", "", 0, "gone", "3")
	f("3", "1c 2", 0, "gone", "3")
	f("3", "3 5", 0, "gone", "3:3") // entry 4 is missing
	f("3", "5", 0, "gone", "3")
	f("3", "3 4 !", 0, "4 Redis is away", "4:4")

	f("3:3", "9d", 0, "9", "9:9") // deleted, and all that was before
	f("3:3", "9c 10", 0, "9 10", "10:10")
	f("3:3", "3 4d 5c 6", 0, "4 5 6", "6:6")
	f("9:9", "1c 2", 0, "gone", "9:9") // made anew by a Redis that knows nothing of it
}

func TestAPositionIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "17", "17:1764426000123"} {
		if p, err := ParsePosition(text); err != nil || p.String() != text {
			t.Errorf("%s is read as %s, %v", text, p, err)
		}
	}
	for _, text := range []string{"", ":", "17:", "-1", "1.5", "first", "17:now", "17:1:2", "99999999999999999999"} {
		if p, err := ParsePosition(text); err == nil || p != (Position{}) {
			t.Errorf("%q is read as %s", text, p)
		}
	}
}

// Who has read enough moves no further than what was read.
func TestAPositionStaysWhereReadingEnded(t *testing.T) {
	t.Parallel()
	var p Position
	for range p.Follow(ledgerOf("1c 2 3", 0)) {
		if p.Seq == 2 {
			break
		}
	}
	var rest []int64
	for e := range p.Follow(ledgerOf("2 3", 0)) {
		rest = append(rest, e.Seq)
	}
	if !slices.Equal(rest, []int64{3}) {
		t.Errorf("then come %d", rest)
	}
}

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

const (
	// asideFirst and asideLongest bound the pauses between tries of what is set aside.
	asideFirst, asideLongest = 10 * time.Second, gate.LongestLook
	// longestReason is the longest part of a reason that is kept, in bytes.
	longestReason = 300
)

// SetAside sets aside orders, ledger entries and queue members that fail by themselves, so that the
// others go on; each fault is a *gate.FaultError. They are tried again after pauses that double,
// from ten seconds to an hour. With onlyNew, what is set aside already stays as it is. SetAside
// returns how many were not set aside before.
func (s *Store) SetAside(ctx context.Context, sale string, faults []error, onlyNew bool) (added int, err error) {
	k := keysOf(sale)
	args := []any{s.clock(), asideFirst.Milliseconds(), asideLongest.Milliseconds(), yes(onlyNew)}
	for _, err := range faults {
		var fault *gate.FaultError
		if !errors.As(err, &fault) {
			return 0, fmt.Errorf("set aside what is not named: %w", err)
		}
		args = append(args, memberOf(fault), cut(fault.Error(), longestReason))
	}
	keys := append([]string{k.sale}, append(k.standing(), k.faults)...)
	reply, err := s.run(ctx, luascripts.Aside, keys, args...)
	return int(number(reply, 1)), err
}

func memberOf(f *gate.FaultError) string {
	switch {
	case f.Order != "":
		return orderMember + f.Order
	case f.Entry != 0:
		return entryMember + strconv.FormatInt(f.Entry, 10)
	}
	return f.Other
}

// cut shortens a text to at most most bytes, and drops what a record's fields must not hold.
func cut(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most-3], "") + "…"
	}
	return text
}

// RetryAside makes everything due now that is set aside of a sale.
func (s *Store) RetryAside(ctx context.Context, sale string) error {
	k := keysOf(sale)
	if _, err := s.run(ctx, luascripts.Retry, []string{k.sale, k.aside}, s.clock()); err != nil {
		return fmt.Errorf("have what is set aside of sale %s tried: %w", sale, err)
	}
	return nil
}

// CountAside returns how many orders of a sale are set aside.
func (s *Store) CountAside(ctx context.Context, sale string) (int64, error) {
	n, err := s.client.ZCard(ctx, keysOf(sale).aside).Result()
	if err != nil {
		return 0, fmt.Errorf("count what is set aside of sale %s: %w", sale, err)
	}
	return n, nil
}

// Aside returns everything that is set aside of a sale, the oldest first. It returns
// gate.ErrNoSale, or a *gate.MissingError.
func (s *Store) Aside(ctx context.Context, sale string) ([]gate.SetAside, error) {
	state, err := s.Sale(ctx, sale)
	if err == nil && !state.Deleted.IsZero() {
		err = gate.ErrNoSale
	}
	if err != nil {
		return nil, err
	}
	k := keysOf(sale)
	hash, err := s.client.HGetAll(ctx, k.faults).Result()
	if err != nil {
		return nil, fmt.Errorf("read what is set aside of sale %s: %w", sale, err)
	}
	list, members := make([]gate.SetAside, 0, len(hash)), make([]string, 0, len(hash))
	for member, text := range hash {
		fields := strings.SplitN(text, "\x1f", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("read what is set aside of sale %s: %q has %q", sale, member, text)
		}
		since, err1 := strconv.ParseInt(fields[0], 10, 64)
		tries, err2 := strconv.Atoi(fields[1])
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("read what is set aside of sale %s: %w", sale, err)
		}
		look := parseMember(member)
		list = append(list, gate.SetAside{
			Order: look.Order, Entry: look.Entry, Other: look.Other, Since: time.UnixMilli(since), Tries: tries,
			Reason: fields[2],
		})
		members = append(members, member)
	}
	times, err := s.scores(ctx, k.aside, members)
	if err != nil {
		return nil, fmt.Errorf("read what is set aside of sale %s: %w", sale, err)
	}
	for i := range list {
		list[i].Next = times[i]
	}
	slices.SortFunc(list, func(a, b gate.SetAside) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Order, b.Order), cmp.Compare(a.Entry, b.Entry),
			strings.Compare(a.Other, b.Other))
	})
	return list, nil
}

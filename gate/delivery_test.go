package gate

import (
	"testing"
	"time"
)

func TestWhatTheShopHasNotTakenIsTriedWhenItIsTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	f := func(what string, u Undelivered, retry time.Time, want bool) {
		t.Helper()
		if got := u.Due(now, retry); got != want {
			t.Errorf("%s: got %v", what, got)
		}
	}
	later, before := now.Add(time.Minute), now.Add(-time.Minute)
	f("not yet", Undelivered{Tried: before, Next: later, GiveUp: later}, time.Time{}, false)
	f("now", Undelivered{Tried: before, Next: now, GiveUp: later}, time.Time{}, true)
	f("given up", Undelivered{Tried: before, Next: before, GiveUp: now}, time.Time{}, false)
	f("an operator has it tried", Undelivered{Tried: before, Next: later, GiveUp: before}, now, true)
	year := now.AddDate(1, 0, 0)
	f("tried by a clock that was a year ahead", Undelivered{Tried: year, Next: year, GiveUp: year}, time.Time{}, true)
	f("tried by a clock that was a little ahead", Undelivered{Tried: now.Add(ClockTolerance), Next: year, GiveUp: year},
		time.Time{}, false)
}

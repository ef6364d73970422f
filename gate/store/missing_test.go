package store

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// A Redis that knows no run of a sale may have lost it. So only Redis' clock, and
// that of who asks, or somebody's word, let it be made.
func TestASaleWhoseWindowHasBegunIsMadeOnlyOnAWord(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		a := gate.Application{Who: "kim", Sale: marathon(1), Now: time.Now()}
		create := s.Create(t.Context(), gate.Creation{Who: "kim", Sale: a.Sale})
		wantOpen(t, "create", create, a.Sale)
		if err := s.client.Del(t.Context(), salesKey).Err(); err != nil {
			t.Fatal(err)
		}
		_, err := gate.Apply(t.Context(), s, a)
		wantOpen(t, "apply", err, a.Sale)
		a.DryRun = true
		_, err = gate.Apply(t.Context(), s, a)
		wantOpen(t, "a dry run", err, a.Sale)
		if names, err := s.Sales(t.Context()); err != nil || len(names) > 0 {
			t.Errorf("what was refused is listed: %q, %v", names, err)
		}

		a.OpenNow = true
		if done, err := gate.Apply(t.Context(), s, a); err != nil || done.Outcome != gate.Created {
			t.Errorf("a dry run with the word: %+v, %v", done, err)
		}
		a.DryRun = false
		if done, err := gate.Apply(t.Context(), s, a); err != nil || done.Outcome != gate.Created {
			t.Errorf("with the word: %+v, %v", done, err)
		}
		a.OpenNow, a.Sale.Run = false, 2
		if done, err := gate.Apply(t.Context(), s, a); err != nil || done.Outcome != gate.Restarted {
			t.Errorf("a higher run of what is known: %+v, %v", done, err)
		}
	})
}

func wantOpen(t *testing.T, what string, err error, sale gate.Sale) {
	t.Helper()
	open, ok := errors.AsType[*gate.OpenError](err)
	if !ok || open.Sale != sale.Name || !open.Opens.Equal(sale.OpensAt) || !open.Closes.Equal(sale.ClosesAt) ||
		time.Since(open.Now) > time.Minute {
		t.Errorf("%s: %v", what, err)
	}
}

func TestBothClocksMustSayThatAWindowHasNotBegun(t *testing.T) {
	t.Parallel()
	opens := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	early, late := opens.Add(-time.Minute), opens
	f := func(redis, own time.Time, want bool) {
		t.Helper()
		s, err := Open(startEmbedded(t),
			Deps{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return redis }}, Options{Who: "kim"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sale := marathon(1)
		sale.OpensAt, sale.ClosesAt = opens, opens.Add(time.Hour)
		_, err = gate.Apply(t.Context(), s, gate.Application{Who: "kim", Sale: sale, Now: own})
		if made := err == nil; made != want {
			t.Errorf("Redis' clock is at %v, the own at %v: %v", redis, own, err)
		}
	}
	f(early, early, true)
	f(late, early, false)
	f(early, late, false)
	f(late, late, false)
}

func TestWhatIsOnlyToBeMadeAnewIsKeptIfThereIsAnything(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		a := gate.Application{Who: "kim", Sale: marathon(1), IfNone: true, OpenNow: true}
		f := func(want gate.Outcome) {
			t.Helper()
			if done, err := gate.Apply(t.Context(), s, a); err != nil || done.Outcome != want {
				t.Errorf("%+v, %v; want %s", done, err, want)
			}
		}
		f(gate.Created)
		mustApply(t, s, marathon(1, gate.SKU{Name: "full", Stock: 3}), gate.Changed)
		f(gate.Kept)
		a.Sale.Run = 2
		f(gate.Kept)
		if state := read(t, s); state.Run != 1 || state.Units["full"].Total != 3 {
			t.Errorf("%+v", state)
		}
		if err := s.Delete(t.Context(), "kim", "marathon", gate.Drop{}); err != nil {
			t.Fatal(err)
		}
		f(gate.Kept)
	})
}

func TestAMissingSaleIsToldFromOneThatNeverWas(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		missing := func(err error) bool {
			return errors.As(err, new(*gate.MissingError)) &&
				errors.Is(err, gate.ErrNoSale)
		}
		if state, err := s.Sale(t.Context(), "marathon"); missing(err) || !errors.Is(err, gate.ErrNoSale) ||
			time.Since(state.Now) > time.Minute {
			t.Errorf("one that never was: %v at %v", err, state.Now)
		}
		for range 2 {
			if err := s.Expect(t.Context(), "marathon"); err != nil {
				t.Fatal(err)
			}
		}
		if names, err := s.Sales(t.Context()); err != nil || !slices.Equal(names, []string{"marathon"}) {
			t.Errorf("%q, %v", names, err)
		}
		_, read := s.Sale(t.Context(), "marathon")
		_, pause := gate.SetPaused(t.Context(), s, "kim", "marathon", true)
		_, delivery := s.Delivery(t.Context(), "marathon")
		_, inspect := s.Inspect(t.Context(), "marathon")
		for what, err := range map[string]error{
			"read": read, "pause": pause, "delivery": delivery,
			"inspect": inspect,
		} {
			if !missing(err) {
				t.Errorf("%s: %v", what, err)
			}
		}

		// Who deletes it expects it no more. What was lost stays unknown.
		if err := s.Delete(t.Context(), "kim", "marathon", gate.Drop{}); err != nil {
			t.Error(err)
		}
		if state, err := s.Sale(t.Context(), "marathon"); err != nil || state.Phase(state.Now) != "deleted" ||
			state.Run != 0 {
			t.Errorf("%+v, %v", state, err)
		}
		if told := ledger(t, s, 0); len(told) != 1 || told[0].Kind != "delete" || told[0].Who != "kim" {
			t.Errorf("the ledger has %+v", told)
		}
		if err := s.Delete(t.Context(), "kim", "marathon", gate.Drop{}); !errors.Is(err, gate.ErrNoSale) ||
			missing(err) {
			t.Errorf("again: %v", err)
		}
		a := gate.Application{Who: "kim", Sale: marathon(7)}
		_, err := gate.Apply(t.Context(), s, a)
		wantOpen(t, "apply", err, a.Sale)
		wantOpen(t, "create", s.Create(t.Context(), gate.Creation{Who: "kim", Sale: a.Sale}), a.Sale)
		mustApply(t, s, marathon(7), gate.Created)
	})
}

// A server that has nothing of a sale need not be the one that decides by now.
func TestALaneLooksOnceMoreForASaleThatIsMissing(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	l := openLane(t, redis.URL(), Options{})
	mustApply(t, l.store, marathon(1), gate.Created)
	l.wants("held", "a")
	before := l.decider.(*decider).connections
	redis.Do(t, "FLUSHALL")
	l.wants("recovering", "b")
	if met := l.decider.(*decider).connections - before; met != 1 {
		t.Errorf("it connected anew %d times before it refused, want once", met)
	}
}

package store

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// onStores runs a test on the embedded store and on a real Redis. The function
// that it gets opens the store as somebody, as often as it is called.
func onStores(t *testing.T, test func(t *testing.T, open func(who string) *Store)) {
	t.Parallel()
	for kind, start := range map[string]func(t *testing.T) string{
		"embedded": startEmbedded,
		"redis":    func(t *testing.T) string { return redistest.Start(t).URL() },
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			test(t, func(who string) *Store {
				s, err := Open(url, Deps{Log: slog.New(slog.DiscardHandler)},
					Options{Who: who, Timeout: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				return s
			})
		})
	}
}

// marathon is a sale that is open now.
func marathon(run int64, skus ...gate.SKU) gate.Sale {
	now := time.Now().Truncate(time.Millisecond)
	if skus == nil {
		skus = []gate.SKU{{Name: "full", Stock: 10}}
	}
	return gate.Sale{Name: "marathon", Run: run, Settings: gate.Settings{
		OpensAt: now.Add(-time.Hour), ClosesAt: now.Add(time.Hour), Hold: 5 * time.Minute, SKUs: skus,
	}}
}

func apply(t *testing.T, s *Store, sale gate.Sale, drop bool) (gate.Outcome, error) {
	done, err := gate.Apply(t.Context(), s,
		gate.Application{Who: s.opt.Who, Sale: sale, Drop: gate.Drop{Held: drop}, OpenNow: true})
	return done.Outcome, err
}

func mustApply(t *testing.T, s *Store, sale gate.Sale, want gate.Outcome) {
	t.Helper()
	if got, err := apply(t, s, sale, false); err != nil || got != want {
		t.Fatalf("apply: %q, %v; want %q", got, err, want)
	}
}

func read(t *testing.T, s *Store) gate.State {
	t.Helper()
	state, err := s.Sale(t.Context(), "marathon")
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// take has an order held, and fails the test if it is not.
func take(t *testing.T, s *Store, order, attempt, buyer, sku string, n int64) {
	t.Helper()
	d := s.Decider("marathon")
	defer d.Close()
	r := &gate.Request{Confirm: gate.Confirm{
		Order: []byte(order), Attempt: []byte(attempt), Buyer: []byte(buyer),
		Lines: []gate.Line{{SKU: sku, Quantity: n}},
	}}
	if err := d.Decide(t.Context(), []*gate.Request{r}); err != nil {
		t.Fatal(err)
	}
	if v := r.Verdict(); v.Code != gate.Held {
		t.Fatalf("order %s is %s", order, v.Code)
	}
}

func ledger(t *testing.T, s *Store, from int64) (entries []*gate.Entry) {
	t.Helper()
	for e, err := range s.Ledger(t.Context(), "marathon", from) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

func TestApplyCreatesASaleOnce(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		if _, err := s.Sale(t.Context(), "marathon"); !errors.Is(err, gate.ErrNoSale) {
			t.Errorf("before: %v", err)
		}
		price := int64(80000)
		sale := marathon(2, gate.SKU{Name: "full", Stock: 10, Price: &price}, gate.SKU{Name: "half"})
		sale.Messages = map[string]string{"sold_out": "마감되었습니다."}
		sale.PerBuyer, sale.Paused = 2, true
		mustApply(t, s, sale, gate.Created)
		mustApply(t, s, sale, gate.Unchanged)
		if err := s.Create(t.Context(),
			gate.Creation{Who: "kim", Sale: sale, Drop: gate.Drop{Held: true}}); !errors.Is(err, gate.ErrExists) {
			t.Errorf("again: %v", err)
		}
		state := read(t, s)
		if state.Run != 2 || state.Version != 1 || state.Seq != 1 || state.Term != 1 || !state.Deleted.IsZero() {
			t.Errorf("got %+v", state)
		}
		if !state.Settings.Equal(sale.Settings) {
			t.Errorf("settings: got %+v, want %+v", state.Settings, sale.Settings)
		}
		if u := state.Units["full"]; u != (gate.Units{Total: 10, Left: 10}) || len(state.Units) != 2 {
			t.Errorf("units: %+v", state.Units)
		}
		if ago := time.Since(state.Now); ago < -time.Second || ago > time.Minute {
			t.Errorf("the store's clock is %v behind", ago)
		}
		names, err := s.Sales(t.Context())
		if err != nil || !slices.Equal(names, []string{"marathon"}) {
			t.Errorf("sales: %v, %v", names, err)
		}
	})
}

func TestTheLedgerTellsWhoDidWhat(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		kim, lee := open("kim"), open("lee")
		mustApply(t, kim, marathon(1), gate.Created)
		mustApply(t, lee, marathon(1, gate.SKU{Name: "full", Stock: 11}), gate.Changed)
		for _, paused := range []bool{true, true, false, false} {
			if _, err := gate.SetPaused(t.Context(), kim, "kim", "marathon", paused); err != nil {
				t.Fatal(err)
			}
		}
		take(t, lee, "o1", "a1", "ann", "full", 1)
		var told []string
		for _, e := range ledger(t, kim, 0) {
			told = append(told, fmt.Sprintf("%d %s %s", e.Seq, e.Kind, e.Who))
		}
		want := []string{"1 create kim", "2 apply lee", "3 pause kim", "4 resume kim", "5 confirm lee"}
		if !slices.Equal(told, want) {
			t.Errorf("got %q, want %q", told, want)
		}
	})
}

func TestAStockBelowWhatIsTakenIsRefusedWithTheNumbers(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		mustApply(t, s, marathon(1, gate.SKU{Name: "full", Stock: 10}, gate.SKU{Name: "half", Stock: 5}), gate.Created)
		take(t, s, "o1", "a1", "", "full", 4)
		take(t, s, "o2", "a2", "", "half", 1)
		before := read(t, s)
		full, half := gate.SKU{Name: "full", Stock: 3}, gate.SKU{Name: "half", Stock: 5}
		for what, want := range map[string]gate.StockError{
			"below": {Sale: "marathon", SKU: "full", Stock: 3, Units: gate.Units{Total: 10, Left: 6, Held: 4}},
			"gone":  {Sale: "marathon", SKU: "half", Stock: -1, Units: gate.Units{Total: 5, Left: 4, Held: 1}},
		} {
			next := marathon(1, full, half)
			if what == "gone" {
				next = marathon(1, gate.SKU{Name: "full", Stock: 10})
			}
			_, planned := apply(t, s, next, false)
			scripted := s.Configure(t.Context(), "kim", "apply", "marathon", before.Version, next.Settings)
			for by, err := range map[string]error{"plan": planned, "script": scripted} {
				if got, ok := errors.AsType[*gate.StockError](err); !ok || *got != want {
					t.Errorf("%s by the %s: got %v, want %v", what, by, err, &want)
				}
			}
		}
		if after := read(t, s); after.Seq != before.Seq {
			t.Error("something was changed")
		}
		mustApply(t, s, marathon(1, gate.SKU{Name: "full", Stock: 4}, half), gate.Changed)
	})
}

func TestADeletedSaleLeavesATombstone(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		if err := s.Delete(t.Context(), "kim", "marathon", gate.Drop{Held: true}); !errors.Is(err, gate.ErrNoSale) {
			t.Errorf("a sale that never was: %v", err)
		}
		mustApply(t, s, marathon(3), gate.Created)
		if err := s.Delete(t.Context(), "kim", "marathon", gate.Drop{}); err != nil {
			t.Fatal(err)
		}
		if state := read(t, s); state.Deleted.IsZero() || state.Run != 3 || state.Seq != 2 ||
			state.Phase(state.Now) != "deleted" {
			t.Errorf("got %+v", state)
		}
		if err := s.Delete(t.Context(), "kim", "marathon", gate.Drop{}); !errors.Is(err, gate.ErrNoSale) {
			t.Errorf("delete: %v", err)
		}
		if _, err := gate.SetPaused(t.Context(), s, "kim", "marathon", true); !errors.Is(err, gate.ErrNoSale) {
			t.Errorf("pause: %v", err)
		}
		if err := s.Configure(t.Context(), "kim", "apply", "marathon", 1, marathon(3).Settings); !errors.Is(err,
			gate.ErrNoSale) {
			t.Errorf("configure: %v", err)
		}
		if _, err := apply(t, s, marathon(3), false); err == nil {
			t.Error("the same run came back")
		}
		if err := s.Create(t.Context(), gate.Creation{Who: "kim", Sale: marathon(3)}); !errors.Is(err, gate.ErrExists) {
			t.Errorf("create: %v", err)
		}
		mustApply(t, s, marathon(4), gate.Created)
		if state := read(t, s); !state.Deleted.IsZero() || state.Run != 4 || state.Seq != 3 {
			t.Errorf("got %+v", state)
		}
	})
}

func TestADryRunChangesNothing(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		mustApply(t, s, marathon(1), gate.Created)
		before := read(t, s)
		next := marathon(1, gate.SKU{Name: "full", Stock: 20})
		done, err := gate.Apply(t.Context(), s, gate.Application{Who: "kim", Sale: next, DryRun: true})
		if err != nil || done.Outcome != gate.Changed || !done.After.Equal(next.Settings) ||
			!done.Before.Equal(before.Settings) {
			t.Errorf("%+v, %v", done, err)
		}
		if after := read(t, s); after.Seq != before.Seq || !after.Settings.Equal(before.Settings) {
			t.Error("something was changed")
		}
	})
}

func TestAChangeOfSettingsThatHaveMovedOnIsRefused(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		mustApply(t, s, marathon(1), gate.Created)
		seen := read(t, s).Version
		a := gate.Application{Who: "kim", Sale: marathon(1, gate.SKU{Name: "full", Stock: 20}), Version: seen}
		if done, err := gate.Apply(t.Context(), s, a); err != nil || done.Outcome != gate.Changed {
			t.Errorf("%+v, %v", done, err)
		}
		a.Sale = marathon(1, gate.SKU{Name: "full", Stock: 30})
		if _, err := gate.Apply(t.Context(), s, a); !errors.Is(err, gate.ErrChanged) {
			t.Errorf("got %v, want %v", err, gate.ErrChanged)
		}
		entries := ledger(t, s, 0)
		if last := entries[len(entries)-1]; last.Before == nil || last.Before.SKUs[0].Stock != 10 ||
			last.Settings.Settings.SKUs[0].Stock != 20 {
			t.Errorf("the ledger tells the change as %+v", last)
		}
	})
}

// Each of several operators changes something of their own, all at once: of
// those that were told that it is done nothing is lost.
func TestChangesAtTheSameTime(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		const operators = 6
		sale := marathon(1)
		var wg sync.WaitGroup
		outcomes := make([]gate.Outcome, operators)
		for i := range operators {
			s := open("kim")
			wg.Go(func() {
				var err error
				if outcomes[i], err = apply(t, s, sale, false); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if slices.Sort(outcomes); outcomes[0] != gate.Created || slices.Index(outcomes, gate.Unchanged) != 1 {
			t.Errorf("created by %v", outcomes)
		}

		pauser := open("pauser")
		wg.Go(func() {
			if changed, err := gate.SetPaused(t.Context(), pauser, "pauser", "marathon", true); err != nil || !changed {
				t.Errorf("pause: %v, %v", changed, err)
			}
		})
		for i := range operators {
			s := open("kim")
			wg.Go(func() {
				next := sale
				next.PerBuyer = int64(i + 1)
				if got, err := apply(t, s, next, false); err != nil || got != gate.Changed {
					t.Errorf("apply: %s, %v", got, err)
				}
			})
		}
		wg.Wait()

		limits, versions, pauses := []int64{}, []int64{}, 0
		for _, e := range ledger(t, pauser, 2) {
			versions = append(versions, e.Settings.Version)
			if e.Kind == "pause" {
				pauses++
			} else {
				limits = append(limits, e.Settings.Settings.PerBuyer)
			}
			if paused := e.Settings.Settings.Paused; paused != (pauses > 0) {
				t.Errorf("entry %d has paused %v, after %d pauses", e.Seq, paused, pauses)
			}
		}
		slices.Sort(limits)
		if !slices.Equal(limits, []int64{1, 2, 3, 4, 5, 6}) || pauses != 1 ||
			!slices.Equal(versions, []int64{2, 3, 4, 5, 6, 7, 8}) {
			t.Errorf("limits %v, %d pauses, versions %v", limits, pauses, versions)
		}
		if state := read(t, pauser); !state.Paused || state.Version != 8 {
			t.Errorf("at the end: paused %v, version %d", state.Paused, state.Version)
		}
	})
}

// While stock is raised step by step, several gates sell all of it.
func TestAppliesInTheMiddleOfASale(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		const gates, batches, batchSize, steps = 3, 20, 10, 10
		op := open("kim")
		mustApply(t, op, marathon(1), gate.Created)
		var wg sync.WaitGroup
		held := make([]int64, gates)
		for g := range gates {
			d := open("gate").Decider("marathon")
			wg.Go(func() {
				defer d.Close()
				for b := range batches {
					batch := make([]*gate.Request, batchSize)
					for i := range batch {
						batch[i] = &gate.Request{Confirm: gate.Confirm{
							Order: fmt.Appendf(nil, "o-%d-%d-%d", g, b,
								i), Attempt: []byte("a"), Lines: []gate.Line{{SKU: "full", Quantity: 1}},
						}}
					}
					if err := d.Decide(t.Context(), batch); err != nil {
						t.Error(err)
						return
					}
					for _, r := range batch {
						if r.Verdict().Code == gate.Held {
							held[g]++
						}
					}
				}
			})
		}
		for step := range int64(steps) {
			mustApply(t, op, marathon(1, gate.SKU{Name: "full", Stock: 20 + 10*step}), gate.Changed)
		}
		wg.Wait()
		var sold int64
		for _, n := range held {
			sold += n
		}
		state := read(t, op)
		want := gate.Units{Total: 110, Left: 110 - sold, Held: sold}
		if state.Units["full"] != want || state.Orders != (gate.OrderCounts{Held: sold}) {
			t.Errorf("%d were told that they hold a unit, but %+v, %+v", sold, state.Units["full"], state.Orders)
		}
		fold := gate.NewFold("marathon")
		for _, e := range ledger(t, op, 0) {
			if err := fold.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
		if int64(len(fold.Records)) != sold || fold.Units["full"] != want || fold.Seq != state.Seq {
			t.Errorf("the ledger tells of %d orders and %+v", len(fold.Records), fold.Units["full"])
		}
	})
}

func TestEverySettingIsKept(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		price := int64(80000)
		sale := marathon(1, gate.SKU{Name: "full", Stock: 10, Price: &price}, gate.SKU{Name: "half", Stock: 0})
		sale.Paused, sale.PerBuyer = true, 2
		sale.Accept, sale.AmountOptional = []string{"v2", "v1"}, true
		sale.Unbraked = true
		sale.AutoRefund, sale.Withhold, sale.RefuseDeposits, sale.ReleaseUnproven, sale.Notify = true, true, true, true,
			"https://shop"
		sale.DepositLimit, sale.ReconcileFor = 36*time.Hour, gate.NeverReconcile
		sale.Healthy, sale.Ask, sale.ShowStock = "https://shop/up", "https://shop/ask", true
		sale.Messages = map[string]string{"sold_out": "마감되었습니다. <b>"}
		mustApply(t, s, sale, gate.Created)
		if got := read(t, s); !got.Settings.Equal(sale.Settings) {
			t.Errorf("got  %+v\nwant %+v", got.Settings, sale.Settings)
		}
		mustApply(t, s, sale, gate.Unchanged)
	})
}

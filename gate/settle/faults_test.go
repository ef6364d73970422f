package settle

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

// faulty is a store of which one call fails, or all do.
type faulty struct {
	*store.Store

	mu    sync.Mutex
	call  string // that fails; "" is every call
	times int    // that it still fails
	lost  bool   // it is done, and the reply is lost
}

var errAway = errors.New("i/o timeout")

func (f *faulty) do(call string, really func() error) error {
	f.mu.Lock()
	fails := f.times > 0 && (f.call == "" || f.call == call)
	if fails {
		f.times--
	}
	lost := f.lost
	f.mu.Unlock()
	if fails && !lost {
		return errAway
	}
	err := really()
	if fails {
		err = errAway
	}
	return err
}

func (f *faulty) Claim(ctx context.Context, sale string, most [gate.Queues]int,
	lease time.Duration,
) (due gate.Due, err error) {
	err = f.do("claim", func() (err error) {
		due, err = f.Store.Claim(ctx, sale, most, lease)
		return err
	})
	return due, err
}

func (f *faulty) Keep(ctx context.Context, sale string, q gate.Queue, ids []string, lease time.Duration) error {
	return f.do("keep", func() error { return f.Store.Keep(ctx, sale, q, ids, lease) })
}

func (f *faulty) Unfold(ctx context.Context, sale string, entries []int64) (faults []error, err error) {
	err = f.do("unfold", func() (err error) {
		faults, err = f.Store.Unfold(ctx, sale, entries)
		return err
	})
	return faults, err
}

func (f *faulty) SetAside(ctx context.Context, sale string, faults []error, onlyNew bool) (added int, err error) {
	err = f.do("set aside", func() (err error) {
		added, err = f.Store.SetAside(ctx, sale, faults, onlyNew)
		return err
	})
	return added, err
}

func (f *faulty) Orders(ctx context.Context, sale string, ids []string) (orders []gate.Order,
	faults []error, err error,
) {
	err = f.do("orders", func() (err error) {
		orders, faults, err = f.Store.Orders(ctx, sale, ids)
		return err
	})
	return orders, faults, err
}

func (f *faulty) Settle(ctx context.Context, who, kind, sale string, moves []gate.Move,
	gone []string,
) (moved []gate.Moved, err error) {
	err = f.do("settle", func() (err error) {
		moved, err = f.Store.Settle(ctx, who, kind, sale, moves, gone)
		return err
	})
	return moved, err
}

func (f *faulty) Sweep(ctx context.Context, sale string, before time.Time) (overdue, found int,
	faults []error, err error,
) {
	err = f.do("sweep", func() (err error) {
		overdue, found, faults, err = f.Store.Sweep(ctx, sale, before)
		return err
	})
	return overdue, found, faults, err
}

// A claim keeps other gates away for a minute. What was claimed when the store did
// not answer must not wait for that.
func TestAFaultIsMadeUpForWithinSeconds(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"claim", "keep", "unfold", "orders", "settle", "sweep"} {
		for name, lost := range map[string]bool{"not made": false, "its reply lost": true} {
			t.Run(call+", "+name, func(t *testing.T) {
				t.Parallel()
				sc := openScene(t)
				sc.after(0)
				sc.confirm("o1", "a1")
				sc.confirm("o2", "a2")
				sc.bank.set("o1", "a1", gate.PaymentPaid)
				sc.bank.set("o2", "a2", gate.PaymentFailed)
				sc.settler.deps.Store = &faulty{Store: sc.store, call: call, times: 3, lost: lost}
				sc.pass(time.Minute) // when a sweep is due too
				for range 4 {
					_, _ = sc.settler.turn(t.Context(), "race", sc.settler.deps.Sales()["race"])
					sc.settler.running.Wait()
				}
				sc.after(2 * time.Second)
				sc.want(map[string]string{"o1": "paid P a1", "o2": "released F a2"}, 9, 0, 1, 0)
			})
		}
	}
}

// The store is away for a second, whatever it is asked.
func TestASaleIsSettledSoonAfterTheStoreIsBack(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	var log bytes.Buffer
	sc.settler.deps.Log = slog.New(slog.NewTextHandler(&log, nil))
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	away := &faulty{Store: sc.store, times: 1 << 30}
	sc.settler.deps.Store = away
	sc.pass(20 * time.Second)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { sc.settler.Run(ctx) })
	time.Sleep(time.Second) // the fault itself
	away.mu.Lock()
	away.times = 0
	away.mu.Unlock()
	back := time.Now()
	for paid := int64(0); paid == 0; time.Sleep(5 * time.Millisecond) {
		state, err := sc.store.Sale(t.Context(), "race")
		if err != nil || time.Since(back) > 30*time.Second {
			t.Fatalf("still %+v, %v", state.Orders, err)
		}
		paid = state.Units["full"].Paid
	}
	if took := time.Since(back); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	stop()
	running.Wait()
	if said := log.String(); !strings.Contains(said, "level=WARN") || strings.Contains(said, "level=ERROR") {
		t.Errorf("a fault that passes is said to be\n%s", said)
	}
}

func TestAFaultThatLastsIsAnErrorAndTriedSeldom(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	var log bytes.Buffer
	sc.settler.deps.Log = slog.New(slog.NewTextHandler(&log, nil))
	ended, end := context.WithCancel(t.Context()) // so that nothing is waited for
	end()
	var wait gate.Backoff
	for range 12 {
		sc.settler.trouble(ended, "race", &wait, errAway)
	}
	if wait.Next() != 5*time.Second || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("it waits %s, and says\n%s", wait.Next(), log.String())
	}
}

// An order whose record is garbage is told of, and holds up no other: neither one
// that is due with it, nor one that only a sweep finds.
func TestAnOrderThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	sc := openScene(t)
	var log bytes.Buffer
	sc.settler.deps.Log = slog.New(slog.NewTextHandler(&log, nil))
	sc.confirm("o1", "a1")
	sc.confirm("o2", "a2")
	sc.confirm("o3", "a3")
	sc.redis.Do(t, "ZREM", "fg:{race}:due", "seq:4") // o3 is forgotten
	sc.redis.Do(t, "HSET", "fg:{race}:orders", "o2", "garbage")
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.bank.set("o3", "a3", gate.PaymentFailed)
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "paid P a1"}, 7, 2, 1, 0)
	for range 12 { // in each of which the sweep tells of it too
		sc.after(time.Minute)
	}
	sc.want(map[string]string{"o1": "paid P a1", "o3": "released F a3"}, 8, 1, 1, 0)
	if !strings.Contains(log.String(), "orders are set aside") {
		t.Errorf("it says\n%s", log.String())
	}
	aside, err := sc.store.Aside(t.Context(), "race")
	if err != nil || len(aside) != 1 || aside[0].Order != "o2" || aside[0].Tries < 5 ||
		!strings.Contains(aside[0].Reason, "garbage") {
		t.Errorf("set aside: %+v, %v", aside, err)
	}
}

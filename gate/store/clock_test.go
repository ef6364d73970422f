package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/luascripts"
)

// setOff puts a store's own clock ahead of the machine's.
func setOff(s *Store, ahead time.Duration) {
	s.deps.Own = func() time.Time { return time.Now().Add(ahead) }
}

// isDoubted wants the error of a call that changed nothing because of the clocks,
// with what both of them say.
func isDoubted(t *testing.T, what string, err error, apart time.Duration) {
	t.Helper()
	e, is := errors.AsType[*gate.ClockError](err)
	if !is || time.Since(e.Redis).Abs() > 30*time.Second || (e.Redis.Sub(e.Own)-apart).Abs() > 10*time.Second {
		t.Errorf("%s: got %v, want that Redis' clock is %v ahead", what, err, apart)
	}
}

// once decides one confirm of an order in a lane of its own.
func once(t *testing.T, s *Store, order string) (gate.Code, error) {
	t.Helper()
	d := s.Decider("marathon")
	defer d.Close()
	r := &gate.Request{Confirm: gate.Confirm{
		Order: []byte(order), Attempt: []byte("a"),
		Lines: []gate.Line{{SKU: "full", Quantity: 1}},
	}}
	err := d.Decide(t.Context(), []*gate.Request{r})
	return r.Verdict().Code, err
}

func TestWhoseClockIsNotRedisChangesNothing(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{2 * time.Minute, -60 * 24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			onStores(t, func(t *testing.T, open func(string) *Store) {
				right, off, sale := open("kim"), open("kim"), marathon(1)
				setOff(off, ahead)
				isDoubted(t, "create", off.Create(t.Context(), gate.Creation{Who: "kim", Sale: sale, OpenNow: true}),
					-ahead)
				isDoubted(t, "forget", off.Delete(t.Context(), "kim", "marathon", gate.Drop{}), -ahead)
				mustApply(t, right, sale, gate.Created)
				if code, err := once(t, off, "o1"); code != gate.Held || err != nil {
					t.Errorf("what the sale has just seen is in no doubt: %s, %v", code, err)
				}
				age(t, right)
				before := read(t, right)
				_, err := once(t, off, "o2")
				isDoubted(t, "confirm", err, -ahead)
				_, err = off.Claim(t.Context(), "marathon", [gate.Queues]int{10, 10}, time.Minute)
				isDoubted(t, "claim", err, -ahead)
				isDoubted(t, "keep", off.Keep(t.Context(), "marathon", gate.QueueAgain, []string{"o1"}, time.Minute),
					-ahead)
				_, err = off.Unfold(t.Context(), "marathon", []int64{2})
				isDoubted(t, "unfold", err, -ahead)
				_, err = off.SetAside(t.Context(), "marathon",
					[]error{&gate.FaultError{Order: "o1", Err: errOdd}}, false)
				isDoubted(t, "aside", err, -ahead)
				isDoubted(t, "retry", off.RetryAside(t.Context(), "marathon"), -ahead)
				_, err = off.Hasten(t.Context(), []string{"marathon"}, "o1")
				isDoubted(t, "hasten", err, -ahead)
				_, _, _, err = off.Sweep(t.Context(), "marathon", time.Now().Add(24*time.Hour))
				isDoubted(t, "look", err, -ahead)
				_, err = off.Settle(t.Context(), "kim", "settle", "marathon", nil, nil)
				isDoubted(t, "settle", err, -ahead)
				_, err = off.ClaimDelivery(t.Context(), "marathon", "A", time.Minute)
				isDoubted(t, "notify", err, -ahead)
				isDoubted(t, "configure",
					off.Configure(t.Context(), "kim", "apply", "marathon", before.Version, sale.Settings), -ahead)
				_, err = off.Losses(t.Context(), "marathon", gate.Drop{})
				isDoubted(t, "losses", err, -ahead)
				isDoubted(t, "delete", off.Delete(t.Context(), "kim", "marathon", gate.Drop{Held: true}), -ahead)
				if after := read(t, right); after.Seq != before.Seq || after.Doubt != nil {
					t.Errorf("it was %+v, is %+v", before, after)
				}
				for what, state := range map[string]gate.State{
					"alone": read(t, off), "with others": readOne(t, off, "marathon").State,
					"again": readOne(t, off, "marathon").State,
				} {
					if state.Doubt == nil || time.Since(state.Now.Add(-ahead)).Abs() > 30*time.Second ||
						(state.Ahead+ahead).Abs() > 10*time.Second {
						t.Errorf("read %s: %+v", what, state)
					}
				}
				if code, err := once(t, right, "o3"); code != gate.Held || err != nil {
					t.Errorf("one whose clock is right: %s, %v", code, err)
				}
				if state := readOne(t, off, "marathon").State; state.Doubt != nil ||
					(state.Ahead+ahead).Abs() > 10*time.Second {
					t.Errorf("read after the other's confirm: %+v", state)
				}
			})
		})
	}
}

// age makes the latest time that the sale has seen five minutes older.
func age(t *testing.T, s *Store) {
	t.Helper()
	setTime(t, s, time.Now().Add(-5*time.Minute))
}

func setTime(t *testing.T, s *Store, latest time.Time) {
	t.Helper()
	if err := s.client.HSet(t.Context(), keysOf("marathon").sale, "time", latest.UnixMilli()).Err(); err != nil {
		t.Fatal(err)
	}
}

// A change that replicas are waited for is doubted by the same rule.
func TestAChangeThatIsWaitedForIsDoubtedToo(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	mustApply(t, openLane(t, url, Options{}).store, marathon(1), gate.Created)
	off := waitingStore(t, url)
	setOff(off, -time.Hour)
	age(t, off)
	isDoubted(t, "configure",
		off.Configure(t.Context(), "kim", "pause", "marathon", 1, marathon(1).Settings), time.Hour)
	isDoubted(t, "secure", off.Secure(t.Context(), "marathon", 1), time.Hour)
	_, err := once(t, off, "o1")
	isDoubted(t, "confirm", err, time.Hour)
}

// A sale that has seen a time a year ahead is open again as soon as both clocks say
// that it is not then.
func TestASaleThatHasSeenTheFutureIsOpenAgain(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		mustApply(t, s, marathon(1), gate.Created)
		setTime(t, s, time.Now().Add(365*24*time.Hour))
		for what, state := range map[string]gate.State{
			"alone":       read(t, s),
			"with others": readOne(t, s, "marathon").State,
		} {
			if state.Phase(state.Now) != "open" || state.Doubt != nil || time.Since(state.Now).Abs() > 30*time.Second {
				t.Errorf("read %s: %+v", what, state)
			}
		}
		if code, err := once(t, s, "o1"); code != gate.Held || err != nil {
			t.Errorf("a confirm: %s, %v", code, err)
		}
	})
}

// Go and Lua have the same tolerance.
func TestTheTolerancesAreOne(t *testing.T) {
	t.Parallel()
	if want := fmt.Sprintf("\nlocal TOLERANCE = %d\n",
		gate.ClockTolerance.Milliseconds()); !strings.Contains(luascripts.Confirm.Source, want) {
		t.Errorf("the prelude has not %q", want)
	}
}

func TestAClockThatIsOffIsFoundBeforeASaleIs(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("kim")
		if err := s.CheckClock(t.Context()); err != nil {
			t.Error(err)
		}
		for ahead, want := range map[time.Duration]string{
			3 * time.Minute:  "Redis' clock is 3m0s behind this machine's. Have NTP set the one that is wrong",
			-25 * time.Hour:  "Redis' clock is 25h0m0s ahead of this machine's. Have NTP set the one that is wrong",
			-time.Minute / 2: "",
		} {
			setOff(s, ahead)
			if err := s.CheckClock(t.Context()); (err == nil) != (want == "") ||
				err != nil && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v: %v", ahead, err)
			}
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		t.Parallel()
		redis := redistest.Start(t)
		s := openLane(t, redis.URL(), Options{}).store
		redis.Kill()
		if err := s.CheckClock(t.Context()); !errors.As(err, new(*gate.UnknownError)) {
			t.Error(err)
		}
	})
}

var errOdd = errors.New("odd")

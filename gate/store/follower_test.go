package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

func TestAFollowerReadsWhatScriptsWrite(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate")
		f := s.Follower("marathon")
		defer f.Close()
		if _, err := f.State(t.Context()); !errors.Is(err, gate.ErrNoSale) {
			t.Errorf("a sale that is not there: %v", err)
		}
		if _, err := f.Poll(t.Context(), 0, time.Millisecond); !errors.Is(err, gate.ErrNoSale) {
			t.Errorf("the ledger of a sale that is not there: %v", err)
		}
		mustApply(t, s, marathon(1), gate.Created)
		l := &lane{t, s, s.Decider("marathon")}
		for _, id := range []string{"a", "b", "c"} {
			l.wants("held", id)
		}
		state, err := f.State(t.Context())
		if err != nil || state.Units["full"].Held != 3 || state.Seq != 4 {
			t.Fatalf("%+v, %v", state, err)
		}
		fold := gate.NewFold("marathon")
		page, next, err := f.Scan(t.Context(), 0)
		if err != nil || next != 0 || len(page) != 3 {
			t.Fatalf("%v, %d, %v", page, next, err)
		}
		read, err := f.Poll(t.Context(), 0, time.Millisecond)
		if err != nil || read.Seq != 4 || len(read.Entries) != 4 {
			t.Fatalf("%+v, %v", read, err)
		}
		for _, e := range read.Entries {
			if err := fold.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := fold.Recount(); err != nil {
			t.Error(err)
		}
		for _, c := range page {
			if fold.Records[c.Order].Record != c.Record {
				t.Errorf("order %s is read as %q, and the ledger has %q", c.Order, c.Record,
					fold.Records[c.Order].Record)
			}
		}
		if read, err = f.Poll(t.Context(), 4, time.Millisecond); err != nil || !read.Whole ||
			len(read.Entries) != 0 {
			t.Errorf("behind the newest entry: %+v, %v", read, err)
		}
		if id, made := f.Server(); made != 1 {
			t.Errorf("%d connections were made, to %q", made, id)
		}
	})
}

func TestAFollowerIsToldOfAnEntryWhenItIsWritten(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate")
		mustApply(t, s, marathon(1), gate.Created)
		f := s.Follower("marathon")
		defer f.Close()
		type told struct {
			page gate.Page
			err  error
		}
		said := make(chan told)
		go func() {
			page, err := f.Poll(t.Context(), 1, gate.LongestPoll)
			said <- told{page, err}
		}()
		l := &lane{t, s, s.Decider("marathon")}
		l.wants("held", "a")
		got := <-said
		if got.err != nil || len(got.page.Entries) != 1 || got.page.Entries[0].Changes[0].Order != "a" {
			t.Errorf("%+v, %v", got.page, got.err)
		}
	})
}

// What a decider tells of the orders it accepted is what Redis has of them.
func TestTheAcceptedAreToldAsTheyAreRecorded(t *testing.T) {
	onStores(t, func(t *testing.T, open func(string) *Store) {
		s := open("gate")
		mustApply(t, s, marathon(1), gate.Created)
		a := &asker{&lane{t, s, s.Decider("marathon")}, s.Granter("marathon")}
		check := func(what string, r *gate.Request) {
			t.Helper()
			record, err := s.client.HGet(t.Context(), keysOf("marathon").orders, string(r.Confirm.Order)).Result()
			state := read(t, s)
			if want := (gate.Change{Order: string(r.Confirm.Order), Record: record}); err != nil ||
				r.Accepted != want ||
				r.Seq != state.Seq {
				t.Errorf("%s: accepted as %+v by entry %d, and Redis has %+v by %d, %v", what, r.Accepted, r.Seq, want,
					state.Seq, err)
			}
		}
		one := func(order, attempt string, asks bool) *gate.Request {
			r := gate.NewRequest()
			r.Confirm = gate.Confirm{
				Order: []byte(order), Attempt: []byte(attempt), Version: 1,
				Lines: []gate.Line{{SKU: "full", Quantity: 1}},
			}
			r.Asks = asks
			if err := a.decider.Decide(t.Context(), []*gate.Request{r}); err != nil {
				t.Fatal(err)
			}
			return r
		}
		check("a new order", one("o1", "a1", false))
		check("a repeat", one("o1", "a1", false))
		check("another attempt", one("o1", "a2", false))
		asking := one("o2", "a1", true)
		check("one that the shop is asked about", asking)
		check("its repeat", one("o2", "a1", true))
		asking.Yes = true
		if err := a.granter.Decide(t.Context(), []*gate.Request{asking}); err != nil {
			t.Fatal(err)
		}
		check("what the shop said yes to", asking)
		if r := one("o3", "a1", false); r.Verdict().Code != gate.Held {
			t.Fatalf("%+v", r.Verdict())
		}
		if _, err := gate.SetPaused(t.Context(), s, "kim", "marathon", true); err != nil {
			t.Fatal(err)
		}
		if r := one("o4", "a1", false); r.Accepted.Record != "" {
			t.Errorf("an order that was refused is told as accepted: %+v", r.Accepted)
		}
	})
}

// A server that becomes a replica keeps its connections.
func TestAFollowerLeavesAServerThatBecomesAReplica(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	s := openLane(t, primary.URL(), Options{}).store
	mustApply(t, s, marathon(1), gate.Created)
	f := s.Follower("marathon")
	defer f.Close()
	if _, err := f.Poll(t.Context(), 0, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	other := redistest.Start(t)
	host, port, _ := strings.Cut(other.Addr(), ":")
	primary.Do(t, "REPLICAOF", host, port)
	testkit.Await(t, "the replica to be left", func() error {
		if page, err := f.Poll(t.Context(), 0, time.Millisecond); err == nil {
			return fmt.Errorf("it is followed: %+v", page)
		}
		return nil
	})
}

package settle

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/store"
)

var long = flag.Bool("long", false,
	"besiege settling for as long, and with as many orders, as a launch's first minute has (half an hour)")

// siege is all that can hold a sale's settling up, at once.
type siege struct {
	seed       uint64
	versions   []int         // of PortOne's APIs, one of which each order is paid by
	holds      int           // of buyers
	forged     int           // holds of attempts that PortOne does not know
	refunds    int           // holds that are paid otherwise than ordered, and refunded
	unreadable int           // records
	during     time.Duration // in which all of them are taken
	decides    time.Duration // the longest that a buyer takes to pay, or to be declined
	hooked     int           // orders that are named by webhooks over and over
	slow       time.Duration // a cancellation
	within     time.Duration // of its hold, in which an order that can be paid is to be settled
	first      time.Duration // look
	rate       float64       // calls to each of PortOne's APIs in a second
}

func TestASiegeHoldsNoOrderUp(t *testing.T) {
	if *long || testing.Short() {
		t.Skip("the long one is run alone, and short runs have none")
	}
	t.Parallel()
	besiege(t, siege{
		seed: 1, versions: []int{1, 2}, holds: 800, forged: 160, refunds: 8, unreadable: 3, during: 2 * time.Second,
		decides: time.Second,
		hooked:  100, slow: 12 * time.Second, within: 15 * time.Second, first: time.Second, rate: 25,
	})
}

// The first minute of a launch, at 50 calls a second, by either of PortOne's versions and
// by both.
func TestALaunchUnderSiege(t *testing.T) {
	if !*long {
		t.Skip("it takes half an hour: -long")
	}
	for i, versions := range [][]int{{1}, {2}, {1, 2}} {
		t.Run(fmt.Sprintf("seed %d", i+1), func(t *testing.T) {
			besiege(t, siege{
				seed: uint64(i + 1), versions: versions, holds: 25_000, forged: 5_000, refunds: 100, unreadable: 10,
				during:  time.Minute,
				decides: 15 * time.Second, hooked: 3_000, slow: 12 * time.Second, within: 2 * time.Minute,
				first: store.DefaultFirstLook, rate: 50 / float64(len(versions)),
			})
		})
	}
}

// besiege plays a siege and holds its settling against what it should be.
func besiege(t *testing.T, c siege) {
	t.Helper()
	f := beginSiege(t, c)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { f.settler.Run(ctx) })
	running.Go(func() { f.sendWebhooks(ctx) })
	f.takeHolds()
	f.damage()
	settled := f.awaitPaid()
	f.awaitRefunds()
	stop()
	running.Wait()
	f.judge(settled)
}

// field is where a siege takes place.
type field struct {
	siege
	t       *testing.T
	random  *rand.Rand
	bank    *siegeBank
	redis   *redistest.Server
	store   *store.Store
	settler *Settler

	began time.Time

	mu      sync.Mutex           // over what follows
	taken   map[string]time.Time // when each order was held
	payable map[string]bool      // orders that must become paid
	known   []string             // to those who send webhooks
	lost    []string             // orders whose records are damaged
}

func beginSiege(t *testing.T, c siege) *field {
	t.Helper()
	f := &field{
		siege: c, t: t, random: rand.New(rand.NewPCG(7, c.seed)), redis: redistest.Start(t),
		bank:  newSiegeBank(int(c.rate)*len(c.versions), c.slow, 30*time.Millisecond),
		taken: map[string]time.Time{}, payable: map[string]bool{},
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	server := httptest.NewServer(f.bank)
	t.Cleanup(server.Close)
	var err error
	f.store, err = store.Open(f.redis.URL(), store.Deps{Log: quiet},
		store.Options{Who: "gate-1", FirstLook: c.first, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.store.Close() })
	client, err := portone.NewClient(portone.Deps{
		Now: time.Now, Metrics: portone.NewMetrics(prometheus.NewRegistry()), Log: quiet,
	}, portone.Options{
		V1:   portone.V1Options{BaseURL: server.URL, Key: "key", Secret: "secret"},
		V2:   portone.V2Options{BaseURL: server.URL, Secret: "secret"},
		Rate: c.rate,
	})
	if err != nil {
		t.Fatal(err)
	}
	settings := gate.Settings{
		OpensAt: time.Now().Add(-time.Hour), ClosesAt: time.Now().Add(time.Hour), Hold: 5 * time.Minute,
		AutoRefund: true, Unbraked: true,
		SKUs: []gate.SKU{{Name: "full", Stock: int64(c.holds + c.forged + c.refunds)}},
	}
	sale := gate.Sale{Name: "race", Run: 1, Settings: settings}
	if err := f.store.Create(t.Context(), gate.Creation{Who: "test", Sale: sale, OpenNow: true}); err != nil {
		t.Fatal(err)
	}
	f.settler = New(Deps{
		Store: f.store, Payments: client, Sales: only(&settings), Reason: code,
		Metrics: NewMetrics(prometheus.NewRegistry()), Now: time.Now, Log: quiet,
	}, Options{
		Who: "gate-1", Currency: "KRW", Grace: time.Minute, MinLook: min(10*time.Second, 2*c.first),
	})
	return f
}

// takeHolds has buyers, and those who forge, confirm evenly over the time, in batches as
// a lane forms them.
func (f *field) takeHolds() {
	f.t.Helper()
	const step = 50 * time.Millisecond
	kinds := slices.Concat(slices.Repeat([]string{"buyer"}, f.holds), slices.Repeat([]string{"forger"}, f.forged),
		slices.Repeat([]string{"refund"}, f.refunds))
	f.random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	decider := f.store.Decider("race")
	defer decider.Close()
	steps := int(f.during / step)
	f.began = time.Now()
	for k := range steps {
		time.Sleep(time.Until(f.began.Add(time.Duration(k) * step))) // buyers come in their own time
		from, to := k*len(kinds)/steps, (k+1)*len(kinds)/steps
		var batch []*gate.Request
		for i := from; i < to; i++ {
			batch = append(batch, f.confirm(i, kinds[i])...)
		}
		for some := range slices.Chunk(batch, gate.MaxBatch) {
			if err := decider.Decide(f.t.Context(), some); err != nil {
				f.t.Fatal(err)
			}
			for _, r := range some {
				if code := r.Verdict().Code; code != gate.Held {
					f.t.Fatalf("order %s: %s", r.Confirm.Order, code)
				}
			}
		}
	}
}

// confirm has somebody begin a payment, and returns its confirm; of some two, because the
// first is declined.
func (f *field) confirm(i int, kind string) []*gate.Request {
	now, version := time.Now(), f.versions[f.random.IntN(len(f.versions))]
	order := fmt.Sprintf("order-%d", i)
	tries := []*till{{
		order: order, attempt: fmt.Sprintf("imp_%d", i), version: version, begun: now,
		amount: 1000, paid: true,
	}}
	f.mu.Lock()
	f.taken[order] = now
	switch {
	case kind == "refund":
		tries[0].amount = 999
	case kind == "buyer" && f.random.IntN(10) < 2:
		tries[0].paid = false
	case kind == "buyer":
		f.payable[order] = true
		if f.random.IntN(10) < 2 { // after a first card that is declined
			tries = append(tries, &till{
				order: order, attempt: fmt.Sprintf("imp_%d_2", i), version: version, begun: now,
				amount: 1000, paid: true,
			})
			tries[0].paid = false
		}
	}
	if kind != "forger" && len(f.known) < f.hooked {
		f.known = append(f.known, order)
	}
	f.mu.Unlock()
	var confirms []*gate.Request
	for k, try := range tries {
		try.ends = now.Add(time.Duration(f.random.Int64N(int64(f.decides))))
		if len(tries) == 2 && k == 0 {
			try.ends = now
		}
		if kind != "forger" {
			f.bank.begin(try)
		}
		confirms = append(confirms, &gate.Request{Confirm: gate.Confirm{
			Order: []byte(order), Attempt: []byte(try.attempt), Version: gate.Version(version), Buyer: []byte(order),
			Lines: []gate.Line{{SKU: "full", Quantity: 1}}, Amount: gate.Amount{Value: 1000, Known: true},
		}})
	}
	return confirms
}

// sendWebhooks names the orders that are known over and over.
func (f *field) sendWebhooks(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		f.mu.Lock()
		order := ""
		if len(f.known) > 0 {
			order = f.known[i%len(f.known)]
		}
		f.mu.Unlock()
		if order != "" {
			_, _ = f.store.Hasten(ctx, []string{"race"}, order)
		}
		gate.Pause(ctx, time.Millisecond)
	}
}

// damage makes some records garbage of orders that are still held.
func (f *field) damage() {
	f.t.Helper()
	orders, _, err := f.store.Orders(f.t.Context(), "race", f.orders())
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(orders) - 1; i >= 0 && len(f.lost) < f.unreadable; i-- {
		if o := &orders[i]; o.State == gate.OrderHeld {
			f.redis.Do(f.t, "HSET", "fg:{race}:orders", o.ID, "garbage")
			f.lost = append(f.lost, o.ID)
			delete(f.payable, o.ID)
		}
	}
}

func (f *field) orders() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := make([]string, 0, len(f.taken))
	for i := range len(f.taken) {
		ids = append(ids, fmt.Sprintf("order-%d", i))
	}
	return ids
}

// awaitPaid waits until every order that can be paid is, and returns how long after its
// hold each was.
func (f *field) awaitPaid() map[string]time.Duration {
	f.t.Helper()
	settled := map[string]time.Duration{}
	var seq int64
	for end := time.Now().Add(f.within + f.first); len(settled) < len(f.payable) &&
		time.Now().Before(end); gate.Pause(f.t.Context(), 200*time.Millisecond) {
		for e, err := range f.store.Ledger(f.t.Context(), "race", seq+1) {
			if err != nil {
				f.t.Fatal(err)
			}
			seq = e.Seq
			for i := range e.Orders {
				o := &e.Orders[i]
				if _, before := settled[o.ID]; o.State == gate.OrderPaid && !before && f.payable[o.ID] {
					settled[o.ID] = e.Time.Sub(f.taken[o.ID])
				}
			}
		}
	}
	return settled
}

// awaitRefunds waits until every refund is done, for twice as long as they take one after
// the other in the room that there is for them.
func (f *field) awaitRefunds() {
	f.t.Helper()
	begun := time.Now()
	bound := 2*f.slow*time.Duration(f.refunds/boundsOf(gate.QueueRefunds).atOnce+1) + time.Minute
	for f.bank.refunded() < f.refunds && time.Since(begun) < bound {
		gate.Pause(f.t.Context(), 200*time.Millisecond)
	}
	first, last := f.bank.refundedFrom()
	f.t.Logf("%d of %d refunds of %s each are done, from %s to %s after the first hold", f.bank.refunded(),
		f.refunds, f.slow,
		first.Sub(f.began).Round(time.Second), last.Sub(f.began).Round(time.Second))
}

// judge holds what was settled against what should be.
func (f *field) judge(settled map[string]time.Duration) {
	f.t.Helper()
	took := make([]time.Duration, 0, len(settled))
	for _, d := range settled {
		took = append(took, d)
	}
	slices.Sort(took)
	if len(took) < len(f.payable) {
		f.t.Errorf("%d of %d orders that can be paid are", len(took), len(f.payable))
	}
	if len(took) > 0 {
		if last := took[len(took)-1]; last > f.within {
			f.t.Errorf("the last order was paid %s after its hold, want %s at most", last, f.within)
		}
		at := func(share float64) time.Duration {
			return took[int(share*float64(len(took)-1))].Round(100 * time.Millisecond)
		}
		f.t.Logf("seed %d, versions %v: %d orders paid, half within %s of the hold, 99 %% within %s, the last "+
			"after %s; %s",
			f.seed, f.versions, len(took), at(0.5), at(0.99), at(1), f.bank.bill())
	}
	aside, err := f.store.Aside(f.t.Context(), "race")
	if err != nil || len(aside) != f.unreadable {
		f.t.Errorf("%d orders are set aside, %v, want the %d that cannot be read: %+v", len(aside), err,
			f.unreadable, aside)
	}
	state, err := f.store.Sale(f.t.Context(), "race")
	if u := state.Units["full"]; err != nil || u.Sum() != u.Total {
		f.t.Errorf("units %+v, %v", u, err)
	}
	if n := len(f.bank.cancels); n != f.refunds {
		f.t.Errorf("%d payments were cancelled, want the %d that are otherwise than ordered", n, f.refunds)
	}
	for attempt, n := range f.bank.cancels {
		if n != 1 {
			f.t.Errorf("attempt %s was cancelled by %d calls", attempt, n)
		}
	}
	f.t.Logf("orders: %+v", state.Orders)
}

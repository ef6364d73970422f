package store

import (
	"context"
	"errors"
	flags "flag"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// Whatever happens to a sale, in whatever order: each verdict is the design's,
// no unit is ever lost or sold twice, and the ledger tells the whole story.
func TestASaleIsWhatItsModelSays(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { checkSales(t, startEmbedded(t), 100) })
	t.Run("redis", func(t *testing.T) { checkSales(t, redistest.Start(t).URL(), 50) })
}

func checkSales(t *testing.T, url string, runs int) {
	setFlag(t, "rapid.checks", strconv.Itoa(runs))
	setFlag(t, "rapid.nofailfile", "true") // the seed is enough, and nothing is left behind
	var now int64
	s, err := Open(url, Options{
		Who: "test", Timeout: 10 * time.Second, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMilli(now) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	root := redis.NewClient(&redis.Options{Addr: s.address.hosts[0]})
	t.Cleanup(func() { root.Close() })
	rapid.Check(t, func(r *rapid.T) {
		if err := root.FlushAll(t.Context()).Err(); err != nil {
			r.Fatal(err)
		}
		now = 1000
		x := &exercise{ctx: t.Context(), store: s, root: root, now: &now}
		x.begin(r)
		defer x.decider.Close()
		r.Repeat(map[string]func(*rapid.T){
			"":          x.check,
			"confirm":   x.confirm,
			"again":     x.confirm,
			"apply":     x.apply,
			"configure": x.configure,
			"pause":     x.pause,
			"clock":     x.clock,
			"settle":    x.settle,
			"restart":   x.restart,
		})
	})
}

func setFlag(t *testing.T, name, value string) {
	old := flags.Lookup(name).Value.String()
	if err := flags.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flags.Set(name, old) })
}

func startEmbedded(t *testing.T) string {
	e, err := StartEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e.URL()
}

// exercise does things to a sale and to its model, and compares them.
type exercise struct {
	ctx     context.Context
	store   *Store
	root    *redis.Client // a user who may do what no gate does
	decider gate.Decider
	model   *model
	now     *int64
}

const saleName = "s"

func (x *exercise) begin(t *rapid.T) {
	sale := gate.Sale{Name: saleName, Run: 1, Settings: drawSettings(t)}
	if outcome, err := gate.Apply(x.ctx, x.store, "test", sale, false); err != nil || outcome != gate.Created {
		t.Fatalf("%s, %v", outcome, err)
	}
	x.model = newModel(sale, *x.now)
	x.decider = x.store.Decider(saleName)
}

func drawSettings(t *rapid.T) gate.Settings {
	opens := rapid.SampledFrom([]int64{500, 500, 500, 500, 500, 1000, 1100, 2000}).Draw(t, "opens")
	length := rapid.SampledFrom([]int64{20_000, 20_000, 20_000, 20_000, 20_000, 20_000, 1, 500}).Draw(t, "open for")
	s := gate.Settings{
		OpensAt: time.UnixMilli(opens), ClosesAt: time.UnixMilli(opens + length),
		Hold:     time.Duration(rapid.Int64Range(100, 900).Draw(t, "hold")) * time.Millisecond,
		PerBuyer: rapid.SampledFrom([]int64{0, 0, 1, 3, 6}).Draw(t, "per buyer"),
	}
	for _, sku := range []string{"full", "half", "kids"} {
		if stock := rapid.SampledFrom([]int64{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1}).Draw(t, sku); stock >= 0 {
			s.SKUs = append(s.SKUs, gate.SKU{Name: sku, Stock: stock})
		}
	}
	return s
}

// drawConfirm draws from few orders, buyers and carts, so that confirms meet.
// An order mostly comes with the buyer and cart that it came with before.
func drawConfirm(t *rapid.T) gate.Confirm {
	carts := [][]gate.Line{{{SKU: "full", Quantity: 1}}, {{SKU: "full", Quantity: 2}, {SKU: "half", Quantity: 1}}, {{SKU: "kids", Quantity: 3}}}
	buyers := []string{"ann", "bob", "cho", ""}
	order := rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, 6, 7, 8}).Draw(t, "order")
	other := rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 0, 1}).Draw(t, "other")
	c := gate.Confirm{
		Order:   fmt.Appendf(nil, "o%d", order),
		Attempt: fmt.Appendf(nil, "a%d", rapid.SampledFrom([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}).Draw(t, "attempt")),
		Buyer:   []byte(buyers[(order+other)%len(buyers)]), Lines: carts[order%len(carts)],
	}
	switch rapid.IntRange(0, 9).Draw(t, "amount") {
	case 0:
		c.Amount = gate.Amount{Value: 4000, Known: true}
	case 1, 2, 3, 4:
		c.Amount = gate.Amount{Value: 3000, Known: true}
	}
	return c
}

func (x *exercise) confirm(t *rapid.T) {
	confirms := rapid.SliceOfN(rapid.Custom(drawConfirm), 1, 12).Draw(t, "confirms")
	batch := make([]*gate.Request, len(confirms))
	for i, c := range confirms {
		batch[i] = &gate.Request{Confirm: c}
	}
	if err := x.decider.Decide(x.ctx, batch); err != nil {
		t.Fatal(err)
	}
	for i, want := range x.model.batch(confirms) {
		if got := batch[i].Verdict(); got != want {
			t.Fatalf("confirm %d is %v, want %v", i, got, want)
		}
	}
}

// apply changes settings as an operator does.
func (x *exercise) apply(t *rapid.T) {
	next := drawSettings(t)
	outcome, err := gate.Apply(x.ctx, x.store, "test", gate.Sale{Name: saleName, Run: x.model.Run, Settings: next}, false)
	next.Paused = x.model.Paused
	if next.Equal(x.model.Settings) {
		if err != nil || outcome != gate.Unchanged {
			t.Fatalf("%s, %v", outcome, err)
		}
		return
	}
	x.configured(t, next, err)
}

// configure changes settings without a look at the sale before.
func (x *exercise) configure(t *rapid.T) {
	next := drawSettings(t)
	version := x.model.version + rapid.SampledFrom([]int64{0, 0, 0, -1, 1}).Draw(t, "version")
	err := x.store.Configure(x.ctx, "test", "apply", saleName, version, next)
	if version != x.model.version {
		if !errors.Is(err, gate.ErrChanged) {
			t.Fatalf("version %d of %d: %v", version, x.model.version, err)
		}
		return
	}
	x.configured(t, next, err)
}

func (x *exercise) configured(t *rapid.T, next gate.Settings, err error) {
	units := maps.Clone(x.model.units)
	if x.model.configure(next) {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	problem, ok := errors.AsType[*gate.StockError](err)
	if !ok {
		t.Fatalf("got %v, want a StockError", err)
	}
	if u := units[problem.SKU]; problem.Units != u || problem.Stock >= u.Held+u.Paid+u.Withheld {
		t.Fatalf("%v: %+v, but the units are %+v", problem, *problem, u)
	}
}

func (x *exercise) pause(t *rapid.T) {
	paused := rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "paused")
	changed, err := gate.SetPaused(x.ctx, x.store, "test", saleName, paused)
	if err != nil || changed != (paused != x.model.Paused) {
		t.Fatalf("%v, %v", changed, err)
	}
	if changed {
		next := x.model.Settings
		next.Paused = paused
		x.model.configure(next)
	}
}

func (x *exercise) clock(t *rapid.T) {
	*x.now += rapid.SampledFrom([]int64{-700, -1, 1, 10, 100, 499, 900}).Draw(t, "milliseconds")
	x.model.now = *x.now
}

func (x *exercise) restart(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
		t.Skip()
	}
	sale := gate.Sale{Name: saleName, Run: x.model.Run + 1, Settings: drawSettings(t)}
	drop := rapid.Bool().Draw(t, "drop")
	_, err := gate.Apply(x.ctx, x.store, "test", sale, drop)
	var held int64
	for _, u := range x.model.units {
		held += u.Held
	}
	if problem, ok := errors.AsType[*gate.HeldError](err); ok && !drop && problem.Units == held && held > 0 {
		return
	}
	if err != nil || held > 0 && !drop {
		t.Fatalf("%d units are held: %v", held, err)
	}
	x.model.restart(sale)
}

// settle stands in for the look-up of payments: it writes what that would.
func (x *exercise) settle(t *rapid.T) {
	if len(x.model.orders) == 0 {
		t.Skip()
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(x.model.orders))).Draw(t, "order")
	if !x.model.settle(id, rapid.SampledFrom([]gate.OrderState("RPRPFWD")).Draw(t, "to")) {
		t.Skip()
	}
	o, seq, at := x.model.orders[id], x.model.seq, x.model.latest
	var counters []string
	k := keysOf(saleName)
	_, err := x.root.TxPipelined(x.ctx, func(p redis.Pipeliner) error {
		counts := recount(x.model.orders)
		orders := fmt.Sprintf("%d,%d,%d,%d,%d,%d", counts.Asking, counts.Held, counts.Paid, counts.Released, counts.RefundDue, counts.Refunded)
		for _, l := range o.Lines {
			u, known := x.model.units[l.SKU]
			if !known {
				continue // a SKU that is gone can still be that of a released order
			}
			value := fmt.Sprintf("%d,%d,%d,%d,%d", u.Total, u.Left, u.Held, u.Paid, u.Withheld)
			counters = append(counters, l.SKU+":"+value)
			p.HSet(x.ctx, k.sale, "sku:"+l.SKU, value)
		}
		head := strings.Join([]string{"1", "1", strconv.FormatInt(at, 10), "settle", "test"}, fieldSep)
		p.Do(x.ctx, "XADD", k.ledger, fmt.Sprintf("%d-0", seq), "e", head, "c", strings.Join(counters, ";"), "o", orders, "s", "", id, spell(o))
		p.HSet(x.ctx, k.sale, "seq", seq, "time", at, "orders", orders)
		p.HSet(x.ctx, k.orders, id, spell(o))
		if units := x.model.bought(o.Buyer); o.Buyer != "" && units > 0 {
			p.HSet(x.ctx, k.buyers, o.Buyer, units)
		} else if o.Buyer != "" {
			p.HDel(x.ctx, k.buyers, o.Buyer)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

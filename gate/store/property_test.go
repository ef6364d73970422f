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
	s, err := Open(url, Deps{
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.UnixMilli(now) },
	}, Options{Who: "test", Timeout: 10 * time.Second})
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
		x := &exercise{ctx: t.Context(), store: s, root: root, now: &now, read: map[string]gate.Order{}}
		x.begin(r)
		defer x.decider.Close()
		defer x.granter.Close()
		r.Repeat(map[string]func(*rapid.T){
			"":          x.check,
			"confirm":   x.confirm,
			"again":     x.confirm,
			"repeat":    x.repeat,
			"answer":    x.answer,
			"apply":     x.apply,
			"configure": x.configure,
			"pause":     x.pause,
			"clock":     x.clock,
			"look up":   x.lookUp,
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
	granter gate.Decider
	model   *model
	now     *int64
	read    map[string]gate.Order // as they were when they were last looked up
}

const saleName = "s"

func (x *exercise) begin(t *rapid.T) {
	sale := gate.Sale{Name: saleName, Run: 1, Settings: drawSettings(t)}
	if outcome, err := x.applySale(sale, gate.Drop{}); err != nil || outcome != gate.Created {
		t.Fatalf("%s, %v", outcome, err)
	}
	x.model = newModel(sale, *x.now)
	x.decider, x.granter = x.store.Decider(saleName), x.store.Granter(saleName)
}

func (x *exercise) applySale(sale gate.Sale, drop gate.Drop) (gate.Outcome, error) {
	done, err := gate.Apply(x.ctx, x.store, gate.Application{Who: "test", Sale: sale, Drop: drop, OpenNow: true})
	return done.Outcome, err
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
	carts := [][]gate.Line{
		{{SKU: "full", Quantity: 1}},
		{{SKU: "full", Quantity: 2}, {SKU: "half", Quantity: 1}},
		{{SKU: "kids", Quantity: 3}},
	}
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
	x.decide(t, rapid.SliceOfN(rapid.Custom(drawConfirm), 1, 12).Draw(t, "confirms"))
}

// repeat confirms an attempt of an order again.
func (x *exercise) repeat(t *rapid.T) {
	o := x.drawOrder(t)
	x.decide(t, []gate.Confirm{{
		Order: []byte(o.ID), Attempt: []byte(rapid.SampledFrom(o.Attempts).Draw(t, "attempt").ID),
		Buyer: []byte(o.Buyer), Lines: o.Lines,
	}})
}

func (x *exercise) decide(t *rapid.T, confirms []gate.Confirm) {
	asks := rapid.SampledFrom([]bool{false, true}).Draw(t, "the sale asks")
	noHold := rapid.SampledFrom([]gate.Cause{gate.NoCause, gate.NoCause, gate.NoCause, gate.ShopDown}).Draw(t,
		"no hold")
	batch, of := make([]*gate.Request, len(confirms)), make([]*gate.Request, len(confirms))
	for i, c := range confirms {
		batch[i] = &gate.Request{Confirm: c, Asks: asks, NoHold: noHold}
		of[i] = &gate.Request{Confirm: c, Asks: asks, NoHold: noHold}
		if rapid.IntRange(0, 4).Draw(t, "a check doubts it") == 0 {
			batch[i].Doubt(gate.Refuse(gate.ExpiredLink))
			of[i].Doubt(gate.Refuse(gate.ExpiredLink))
		}
	}
	if err := x.decider.Decide(x.ctx, batch); err != nil {
		t.Fatal(err)
	}
	x.model.batch(of)
	compare(t, batch, of)
}

func compare(t *rapid.T, got, want []*gate.Request) {
	for i := range got {
		if got[i].Verdict() != want[i].Verdict() || got[i].Revision != want[i].Revision {
			t.Fatalf("request %d is %v of revision %d, want %v of revision %d", i, got[i].Verdict(), got[i].Revision,
				want[i].Verdict(), want[i].Revision)
		}
	}
}

// answer says yes or no to some orders, also to such as are not asking or whose
// record is another by now.
func (x *exercise) answer(t *rapid.T) {
	var batch, of []*gate.Request
	for range rapid.IntRange(1, 4).Draw(t, "answers") {
		o := x.drawOrder(t)
		r := gate.Request{
			Yes:      rapid.Bool().Draw(t, "yes"),
			Revision: o.Revision - rapid.SampledFrom([]int64{0, 0, 0, 1}).Draw(t, "before"),
		}
		r.Confirm = gate.Confirm{
			Order:   []byte(o.ID),
			Attempt: []byte(rapid.SampledFrom(o.Attempts).Draw(t, "attempt").ID),
		}
		batch, of = append(batch, &r), append(of, new(r))
	}
	if err := x.granter.Decide(x.ctx, batch); err != nil {
		t.Fatal(err)
	}
	x.model.answers(of)
	compare(t, batch, of)
}

// apply changes settings as an operator does.
func (x *exercise) apply(t *rapid.T) {
	next := drawSettings(t)
	outcome, err := x.applySale(gate.Sale{Name: saleName, Run: x.model.Run, Settings: next}, gate.Drop{})
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
	want := x.model.loss()
	drop := gate.Drop{Held: rapid.Bool().Draw(t, "drop held")}
	if more := rapid.SampledFrom([]int64{-1, 0, 0, 1, 9}).Draw(t, "drop paid"); more != 9 {
		drop.Paid = new(max(0, want.Paid+want.RefundDue+more))
	}
	allowed := drop.Held || want.Held == 0
	switch orders := want.Paid + want.RefundDue; {
	case drop.Paid == nil:
		allowed = allowed && orders == 0
	default:
		allowed = allowed && *drop.Paid == orders
	}
	_, err := x.applySale(sale, drop)
	if problem, ok := errors.AsType[*gate.LossError](err); ok && !allowed && problem.Loss == want {
		return
	}
	if err != nil || !allowed {
		t.Fatalf("%+v with %+v: %v", want, drop, err)
	}
	x.model.restart(sale)
}

func (x *exercise) drawOrder(t *rapid.T) gate.Order {
	if len(x.model.orders) == 0 {
		t.Skip()
	}
	return x.model.orders[rapid.SampledFrom(slices.Sorted(maps.Keys(x.model.orders))).Draw(t, "order")]
}

// lookUp reads an order, to be settled later.
func (x *exercise) lookUp(t *rapid.T) {
	o := x.drawOrder(t)
	x.read[o.ID] = o
}

// settle moves an order on from where it stood when it was looked up. If that is
// not how it still stands, nothing must change.
func (x *exercise) settle(t *rapid.T) {
	before := x.drawOrder(t)
	id := before.ID
	if read, ok := x.read[id]; ok && rapid.Bool().Draw(t, "looked up before") {
		before = read
	}
	rests := rapid.Bool().Draw(t, "rests on the deadline")
	deadline := before.Deadline
	if !rests {
		deadline = time.Time{}
	}
	if !x.model.holds(before, rests) {
		after := before
		after.Deadline = deadline
		x.move(t, gate.Move{Before: before, After: &after}, gate.MovedLate)
		return
	}
	to := rapid.SampledFrom([]gate.OrderState("RPRPFWDD")).Draw(t, "to")
	want := gate.MovedOn
	if before.State == gate.OrderReleased && to == gate.OrderPaid && !x.model.hasRoom(before) {
		to, want = gate.OrderRefundDue, gate.MovedOtherwise
	}
	if !x.model.settle(id, to) {
		t.Skip()
	}
	after := x.model.orders[id]
	after.Deadline = deadline
	move := gate.Move{
		Before: before, After: &after,
		Look: time.Duration(rapid.IntRange(0, 2).Draw(t, "look")) * time.Second,
	}
	if want == gate.MovedOtherwise {
		paid := after
		paid.State, paid.Attempts = gate.OrderPaid, slices.Clone(after.Attempts)
		paid.Attempts[len(paid.Attempts)-1].State = gate.AttemptPaid
		move.After, move.Otherwise = &paid, &after
	}
	x.move(t, move, want)
	if rapid.Bool().Draw(t, "again") { // a reply was lost
		x.move(t, move, gate.MovedLate)
	}
}

func (x *exercise) move(t *rapid.T, move gate.Move, want gate.Moved) {
	moved, err := x.store.Settle(x.ctx, "test", "settle", saleName, []gate.Move{move}, nil)
	if err != nil || len(moved) != 1 || moved[0] != want {
		t.Fatalf("%+v: %q, %v, want %q", move, moved, err, want)
	}
}

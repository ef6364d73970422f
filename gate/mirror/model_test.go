package mirror_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/mirror"
)

const (
	// readEvery is how often a gate reads its sales.
	readEvery = 500 * time.Millisecond
	// shownAfter is when a gate has read a sale that no connection was lost for, also while
	// its copy is loaded.
	shownAfter = 2 * time.Second
)

// Whatever happens to a sale, to its server and to what lies between, in whatever order:
// what a mirror refuses the server would have refused within FreshFor before, no mirror
// refuses what its gate has promised, and each is fresh again once the faults are over.
func TestMirrorsRefuseOnlyWhatTheServerWouldHave(t *testing.T) {
	setFlag(t, "rapid.nofailfile", "true") // the seed is enough, and nothing is left behind
	setFlag(t, "rapid.steps", "60")
	if flag.Lookup("rapid.checks").Value.String() == "100" {
		setFlag(t, "rapid.checks", "400") // some seconds; -rapid.checks asks for more
	}
	rapid.Check(t, func(r *rapid.T) {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, r)
			r.Repeat(map[string]func(*rapid.T){
				"":              w.check,
				"confirm":       w.confirm,
				"confirm again": w.confirm,
				"another":       w.confirm,
				"decide":        w.decide,
				"change hands":  w.changeHands,
				"hands, too":    w.changeHands,
				"change, too":   w.changeHands,
				"answer":        w.answer,
				"release":       func(r *rapid.T) { w.move(r, gate.OrderHeld, gate.OrderReleased) },
				"release, too":  func(r *rapid.T) { w.move(r, gate.OrderHeld, gate.OrderReleased) },
				"pay":           func(r *rapid.T) { w.move(r, gate.OrderHeld, gate.OrderPaid) },
				"refund":        func(r *rapid.T) { w.move(r, gate.OrderPaid, gate.OrderRefunded) },
				"stock":         w.stock,
				"pause":         w.pause,
				"limit":         w.limit,
				"window":        w.window,
				"new run":       w.newRun,
				"delete":        w.delete,
				"link":          w.trouble,
				"link, too":     w.trouble,
				"all links":     w.allLinks,
				"clock":         w.clock,
				"fail over":     w.failOver,
				"fail back":     w.failBack,
				"wipe":          w.wipe,
				"gap":           w.gap,
				"time":          func(r *rapid.T) { w.pass(rapid.SampledFrom(spans).Draw(r, "span")) },
				"a moment":      func(r *rapid.T) { w.pass(rapid.SampledFrom(spans[:4]).Draw(r, "span")) },
			})
			w.heal()
		})
	})
}

var spans = []time.Duration{
	time.Millisecond, 15 * time.Millisecond, 60 * time.Millisecond, 250 * time.Millisecond, 600 * time.Millisecond,
	3 * time.Second,
}

// inBubble runs a test in a bubble of its own. What fails there fails here.
func inBubble(t *testing.T, run func(t *testing.T)) {
	var failure any
	synctest.Test(t, func(t *testing.T) {
		defer func() { failure = recover() }()
		run(t)
	})
	if failure != nil {
		panic(failure)
	}
}

func setFlag(t *testing.T, name, value string) {
	old := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, old) })
}

// ticket is an order as its buyer sends it, each time the same.
type ticket struct {
	id, buyer string
	lines     []gate.Line
}

func tickets() []ticket {
	var all []ticket
	for i, lines := range [][]gate.Line{
		{{SKU: "unit", Quantity: 1}},
		{{SKU: "unit", Quantity: 1}},
		{{SKU: "unit", Quantity: 1}},
		{{SKU: "unit", Quantity: 2}},
		{{SKU: "seat", Quantity: 1}},
		{{SKU: "seat", Quantity: 1}},
		{{SKU: "seat", Quantity: 1}, {SKU: "unit", Quantity: 1}},
		{{SKU: "unit", Quantity: 1}, {SKU: "zoo", Quantity: 1}},
	} {
		all = append(all, ticket{orderID(i), []string{"kim", "lee", ""}[i%3], lines})
	}
	return all
}

func (c ticket) confirm() *gate.Confirm {
	return &gate.Confirm{Order: []byte(c.id), Buyer: []byte(c.buyer), Lines: c.lines}
}

// world is a server, all that it has been, and gates.
type world struct {
	r       *rapid.T
	server  *server
	sites   []*site
	tickets []ticket
	past    []moment
	runs    int64
	lost    time.Time // when the server last lost something,
	wiped   time.Time // and when it lost its data and no connection
}

// moment is a server from then on.
type moment struct {
	at     time.Time
	sale   *gate.Fold // nil: there is none
	ledger []*gate.Entry
}

// site is a gate.
type site struct {
	*watched
	own      *link
	ahead    time.Duration // of Redis' clock, against the gate's
	mistaken time.Duration // how far that is read wrongly
	doubt    *gate.ClockError
	read     time.Time       // when the sale was last read
	waiting  []waiting       // for the server
	decided  []decision      // that are not answered yet
	promised map[string]bool // orders that were answered yes, while the server has them
}

// waiting is a confirm that the mirror did not refuse.
type waiting struct {
	ticket
	noHold gate.Cause
}

type decision struct {
	seq    int64
	change gate.Change
}

func newWorld(t *testing.T, r *rapid.T) *world {
	w := &world{r: r, tickets: tickets(), server: &server{id: "first", more: make(chan struct{})}}
	w.newRun(r)
	for i := range 3 {
		s := &site{own: &link{}, promised: map[string]bool{}}
		s.ahead = rapid.SampledFrom([]time.Duration{0, 20 * time.Second, -20 * time.Second}).Draw(r, "ahead")
		s.mistaken = rapid.SampledFrom([]time.Duration{0, time.Second, -time.Second}).Draw(r, "mistaken")
		s.watched = startOver(t, w.server, s.own, func() time.Time { return time.Now().Add(-s.ahead) })
		w.sites = append(w.sites, s)
		if i > 0 { // the first has just started
			w.pass(time.Second)
		}
	}
	return w
}

// sold reports whether there is a sale that is not deleted.
func (w *world) sold() bool { return w.server.sale != nil && w.server.sale.Deleted.IsZero() }

// note writes down what the server is from now on.
func (w *world) note() {
	w.past = append(w.past, moment{time.Now(), clone(w.server.sale), slices.Clone(w.server.ledger)})
}

func clone(f *gate.Fold) *gate.Fold {
	if f == nil {
		return nil
	}
	c := gate.NewFold(f.Name)
	c.State, c.Units = f.State, maps.Clone(f.Units)
	c.Records, c.Buyers = maps.Clone(f.Records), maps.Clone(f.Buyers)
	return c
}

// refused reports whether a gate's mirror refuses a confirm. It must be true then.
func (w *world) refused(s *site, c ticket, noHold gate.Cause) bool {
	v, refuses := s.Refuse(c.confirm(), noHold)
	if !refuses {
		return false
	}
	if s.promised[c.id] {
		w.r.Fatalf("order %s is refused as %s by the gate that has promised it", c.id, v.Code)
	}
	if !w.wouldHaveSaid(v.Code, c, noHold) {
		w.r.Fatalf("order %s is refused as %s, which the server would not have said: it is\n%s", c.id, v.Code, w)
	}
	return true
}

// wouldHaveSaid reports whether the server would have refused a new order so at some time
// within FreshFor.
func (w *world) wouldHaveSaid(code gate.Code, c ticket, noHold gate.Cause) bool {
	now := time.Now()
	from := now.Add(-mirror.FreshFor)
	if now.Sub(w.wiped) < shownAfter {
		from = w.wiped.Add(-mirror.FreshFor)
	}
	for until, i := now, len(w.past)-1; i >= 0 && !until.Before(from); i-- {
		m := &w.past[i]
		begin := m.at
		if begin.Before(from) {
			begin = from
		}
		for _, at := range []time.Time{begin, until} {
			if said, known := decide(m.sale, c, noHold, at); said == code && !known {
				return true
			}
		}
		until = m.at
	}
	return false
}

// decide is the script confirm in a few words. A released order comes with another attempt.
func decide(f *gate.Fold, c ticket, noHold gate.Cause, now time.Time) (code gate.Code, known bool) {
	if f == nil || !f.Deleted.IsZero() {
		return gate.UnknownSale, false
	}
	o, err := f.Order(c.id)
	known = err == nil
	switch {
	case known && (o.State == gate.OrderHeld || o.State == gate.OrderPaid):
		return gate.Held, true
	case known && o.State != gate.OrderReleased:
		return gate.AlreadyPaid, true
	case f.Paused:
		return gate.Paused, known
	case now.Before(f.OpensAt):
		return gate.NotOpen, known
	case !now.Before(f.ClosesAt):
		return gate.Closed, known
	}
	units, short := f.Buyers[c.buyer], false
	for _, l := range c.lines {
		u, listed := f.Units[l.SKU]
		if !listed {
			return gate.UnknownSKU, known
		}
		units, short = units+l.Quantity, short || u.Left < l.Quantity
	}
	switch {
	case f.PerBuyer > 0 && (c.buyer == "" || units > f.PerBuyer):
		return gate.BuyerLimit, known
	case short:
		return gate.SoldOut, known
	case noHold != gate.NoCause:
		return gate.RefuseFor(noHold).Code, known
	}
	return gate.Held, known
}

// pass lets time pass, in which gates read the sale, and looks at all of them over and over.
func (w *world) pass(d time.Duration) {
	for over := time.Now().Add(d); time.Now().Before(over); w.check(w.r) {
		time.Sleep(min(time.Until(over), max(d/30, 50*time.Millisecond)))
		for _, s := range w.sites {
			if time.Since(s.read) >= readEvery && w.server.sale != nil {
				s.look()
			}
		}
	}
}

// look has a gate read the sale.
func (s *site) look() {
	s.read = time.Now()
	state := clone(s.server.sale).State
	state.Ahead, state.Doubt = s.ahead+s.mistaken, s.doubt
	s.Watch(&state)
}

// check looks at each order at each gate, and compares each copy.
func (w *world) check(*rapid.T) {
	synctest.Wait()
	for _, s := range w.sites {
		for order := range s.promised {
			if w.server.sale == nil || w.server.sale.Records[order].Record == "" {
				delete(s.promised, order) // nothing is known of it
			}
		}
		for _, c := range w.tickets {
			w.refused(s, c, gate.NoCause)
		}
		told := time.Since(w.lost) > mirror.FreshFor && time.Since(w.wiped) > shownAfter
		if err := w.compare(s); err != nil && told {
			w.r.Fatal(err)
		}
	}
}

// compare returns how a copy that is fresh and has caught up is not the sale.
func (w *world) compare(s *site) error {
	have, fresh := s.State()
	sale := w.server.sale
	if !fresh || sale == nil || have.Seq != sale.Seq {
		return nil
	}
	records := s.Records()
	same := maps.EqualFunc(records, sale.Records, func(a, b gate.Recorded) bool { return a.Record == b.Record })
	if !same || have.Run != sale.Run || have.Version != sale.Version || have.Orders != sale.Orders ||
		!maps.Equal(have.Units, sale.Units) || !have.Settings.Equal(sale.Settings) {
		return fmt.Errorf("a copy is\n%+v\n%v\nand the sale is\n%s\n%s", have, records, w, s.log)
	}
	return nil
}

// heal ends all faults. Then each copy must be the sale, and refuse what cannot be met.
func (w *world) heal() {
	w.server.do(w.server.free)
	for _, s := range w.sites {
		w.server.do(s.own.free)
		s.doubt = nil
		w.decideAll(s)
		s.answer()
	}
	if !w.sold() {
		w.create(1, 1)
	}
	w.setWith(nil, func(s *gate.Settings) {
		s.OpensAt, s.ClosesAt, s.PerBuyer = time.Now().Add(-time.Hour), time.Now().Add(time.Hour), 0
	})
	w.pass(15 * time.Second)
	for _, s := range w.sites {
		have, fresh := s.State()
		if !fresh || have.Seq != w.server.sale.Seq {
			w.r.Fatalf("a copy is not fresh long after all faults, or is at entry %d of %d: %s", have.Seq,
				w.server.sale.Seq, s.log)
		}
		if err := w.compare(s); err != nil {
			w.r.Fatal(err)
		}
		for _, c := range w.tickets {
			code, known := decide(w.server.sale, c, gate.NoCause, time.Now())
			if !known && (code == gate.SoldOut || code == gate.Paused) && !w.refused(s, c, gate.NoCause) {
				w.r.Fatalf("order %s is not refused by a copy that is fresh, and is %s", c.id, code)
			}
		}
	}
}

func (w *world) String() string {
	f := w.server.sale
	if f == nil {
		return "no sale at " + w.server.id
	}
	return fmt.Sprintf("%+v\n%v\nat %s, %s", f.State, f.Records, w.server.id, strconv.Quote(time.Now().String()))
}

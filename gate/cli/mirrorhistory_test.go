package cli

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/store"
)

// staleBy is how old a refusal may be, and a little: clocks are read in milliseconds.
const staleBy = 502 * time.Millisecond

// Three gates refuse by their own copies while units come back and the stock changes. Each
// sold_out was true at some time within half a second before it was asked for, and none went
// to an order that the same gate had answered 200 and that was held.
func TestWhatThreeGatesRefuseIsSoldOutThen(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), openSale("race", 10))
	r := &rush{caller: newCaller(t)}
	for range 3 {
		r.gates = append(r.gates, startGate(t, "--redis", redis.URL(), "--allow-unsigned"))
	}
	s := openStore(t, redis.URL())
	var crowd sync.WaitGroup
	for i := range 36 {
		crowd.Go(func() { r.buy(i) })
	}
	crowd.Go(func() { r.restock(t, s) })
	time.Sleep(3 * time.Second)
	for _, g := range r.gates {
		await(t, "a gate to refuse by its own copy", func() error {
			return atLeast(t, g, `flashgate_mirror_refusals_total{sale="race"}`, 100)
		})
	}
	r.over.Store(true)
	crowd.Wait()

	r.check(t, readPast(t, s))
	if said := command(t, "audit", "--redis", redis.URL(), "race"); !strings.HasPrefix(said, "nothing differs") {
		t.Errorf("the audit says\n%s", said)
	}
}

// rush is buyers at three gates, and what each was answered.
type rush struct {
	gates  []*process
	caller *caller
	over   atomic.Bool

	mu       sync.Mutex
	answers  [3][]answer // by gate, each order's in their order
	problems []string
}

// buy sends the confirms of one order after another to one gate. An order that gets its unit
// asks over and over, for up to 40 ms, and is then given back through another gate.
func (r *rush) buy(buyer int) {
	random := rand.New(rand.NewPCG(1, uint64(buyer)))
	pause := func(most int) { time.Sleep(time.Duration(random.IntN(most)) * time.Millisecond) }
	for i := 0; !r.over.Load(); i++ {
		order := fmt.Sprintf("order-%d-%d", buyer, i)
		if r.confirm(buyer%3, order) {
			for until := time.Now().Add(time.Duration(random.IntN(40)) * time.Millisecond); time.Now().Before(until); {
				r.confirm(buyer%3, order)
				pause(4)
			}
			r.release(random.IntN(3), order)
		}
		pause(8)
	}
}

// confirm reports whether the order has its unit.
func (r *rush) confirm(gate int, order string) bool {
	a := r.caller.confirm(r.gates[gate].listen, "race", order)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[gate] = append(r.answers[gate], a)
	return a.code == "held"
}

// release reports that an order's payment came to nothing.
func (r *rush) release(gate int, order string) {
	response, err := r.caller.Post("http://"+r.gates[gate].admin+"/v1/sales/race/orders/"+order+"/report",
		"application/json", strings.NewReader(`{"state":"released"}`))
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	if err != nil || response.StatusCode != http.StatusOK {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.problems = append(r.problems, fmt.Sprintf("releasing %s: %+v, %v", order, response, err))
	}
}

// restock raises and lowers the stock. Below what is held it stays as it is.
func (r *rush) restock(t *testing.T, s *store.Store) {
	for i := 0; !r.over.Load(); i++ {
		state, err := s.Sale(t.Context(), "race")
		if err == nil {
			state.SKUs[0].Stock = []int64{10, 13, 7, 10, 5, 15}[i%6]
			_, err = gate.Apply(t.Context(), s, gate.Application{Who: "kim", Sale: state.Sale})
		}
		if _, below := errors.AsType[*gate.StockError](err); err != nil && !below {
			r.mu.Lock()
			r.problems = append(r.problems, fmt.Sprintf("restocking: %v", err))
			r.mu.Unlock()
		}
		time.Sleep(70 * time.Millisecond)
	}
}

// past is what the ledger tells of a sale of one SKU.
type past struct {
	left []stockAt
	held map[string]holding // by order; each was held once
}

// stockAt is how many units were left from then on.
type stockAt struct {
	at   time.Time
	left int64
}

type holding struct{ from, until time.Time }

func readPast(t *testing.T, s *store.Store) *past {
	t.Helper()
	p := &past{held: map[string]holding{}}
	for e, err := range s.Ledger(t.Context(), "race", 1) {
		if err == nil {
			err = e.ReadOrders()
		}
		if err != nil {
			t.Fatal(err)
		}
		if u, moved := e.Counters["unit"]; moved {
			p.left = append(p.left, stockAt{e.Time, u.Left})
		}
		for _, o := range e.Orders {
			if was := p.held[o.ID]; o.State == gate.OrderHeld {
				p.held[o.ID] = holding{e.Time, time.Now()}
			} else {
				p.held[o.ID] = holding{was.from, e.Time}
			}
		}
	}
	return p
}

// soldOut reports whether nothing was left at some time of a span. Times of the ledger are
// whole milliseconds.
func (p *past) soldOut(from, until time.Time) bool {
	for i, l := range p.left {
		over := until
		if i+1 < len(p.left) {
			over = p.left[i+1].at.Add(time.Millisecond)
		}
		if l.left < 1 && !l.at.After(until) && !over.Before(from) {
			return true
		}
	}
	return false
}

func (r *rush) check(t *testing.T, p *past) {
	t.Helper()
	if len(r.problems) > 0 {
		t.Fatalf("%d problems, the first: %s", len(r.problems), r.problems[0])
	}
	for i, answers := range r.answers {
		told := map[string]bool{}
		for _, a := range answers {
			answered := a.sent.Add(a.took)
			held := p.held[a.order]
			switch {
			case a.err != nil || a.code != "held" && a.code != "sold_out":
				t.Errorf("%+v", a)
			case a.code == "held":
				told[a.order] = true
				if held.from.After(answered) || held.until.Add(time.Millisecond).Before(a.sent) {
					t.Errorf("order %s was answered 200 and is held %+v", a.order, held)
				}
			case told[a.order] && held.until.After(answered):
				t.Errorf("gate %d has answered 200 to order %s, and sold_out while it was held", i, a.order)
			case !p.soldOut(a.sent.Add(-staleBy), answered):
				t.Errorf("order %s was told sold_out at %s after %s, and there were units all the time", a.order,
					a.sent, a.took)
			}
		}
		t.Logf("gate %d: %v", i, tally(answers))
	}
}

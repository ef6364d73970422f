package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

// Wherever a gate dies (kill -9) on the way from a confirm to the last word to the
// shop: the gate after it goes on from there. At each step one gate dies before the
// step is done, and the next one when it is done and the gate has not heard of it.
func TestAGateMayDieAtEveryStep(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]step{
		"selling": {
			{call: "confirm", of: "DECLINED"},
			{call: "answer", of: "DECLINED"},
		},
		"settling": {
			{call: "claim"},
			{call: "look-up", of: "ORDTWICE"},
			{call: "settle", of: "ORDTWICE"},
			{call: "cancel", of: "/payments/cancel"},
			{call: "look-up", of: "ORDTWICE", behind: "/payments/cancel"},
			{call: "settle", of: "ORDTWICE", behind: "/payments/cancel"},
		},
		"refunding by V2": {
			{call: "cancel", of: "/ORDTESTED/cancel"},
			{call: "look-up", of: "ORDTESTED", behind: "/ORDTESTED/cancel"},
			{call: "settle", of: "ORDTESTED", behind: "/ORDTESTED/cancel"},
		},
		"telling the shop": {
			{call: "notify"},
			{call: "position"}, // while the shop does not answer what it is told of ORDTWICE
			{call: "post", of: "ORDTWICE"},
			{call: "post", of: `"state":"released"`},
		},
		"having the last word": {
			{call: "confirm", of: "DECLINED"},
			{call: "ask", of: "DECLINED"},
			{call: "grant", of: "DECLINED"},
			{call: "answer", of: "DECLINED"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openStage(t)
			for _, at := range steps {
				s.playUntil(at, false)
				s.playUntil(at, true)
			}
			s.redis.Do(t, "HDEL", "fg:{race}:notify", "until")
			s.start()
			await(t, "everything to end well", func() error {
				s.hurry()
				return s.check()
			})
			said := command(t, append([]string{"audit", "--redis", s.redis.URL(), "race"}, s.sim.Credentials()...)...)
			if !strings.HasPrefix(said, "nothing differs\n") {
				t.Errorf("the audit says: %s", said)
			}
		})
	}
}

// playUntil goes on with the sale until a new gate has died at a step.
func (s *stage) playUntil(at step, done bool) {
	victim, struck := s.doom.arm(at, done)
	s.redis.Do(s.t, "HDEL", "fg:{race}:notify", "until") // the lease of the gate before, which is dead
	victim <- s.start()
	await(s.t, fmt.Sprintf("the gate to die at %+v (when it was done: %v)", at, done), func() error {
		select {
		case <-struck:
			return nil
		default:
			s.hurry()
			return errors.New("it lives")
		}
	})
}

// stage is a sale, and a doom around its gates.
type stage struct {
	t       *testing.T
	doom    *doom
	sim     *simtest.PortOne
	redis   *redistest.Server
	flags   []string
	caller  *caller
	confirm string        // the URL that PortOne asks
	shopped chan struct{} // closed when all buyers have been there
	hurried time.Time     // last

	mu    sync.Mutex // over what follows
	gate  *process
	told  map[string][]int64 // what the shop was told of each order: revisions
	state map[string]string  // and its newest state
}

const stageStock = 20

func openStage(t *testing.T) *stage {
	s := &stage{
		t: t, doom: &doom{over: t.Context().Done()}, sim: simtest.Start(t, portonesim.Plan{Declines: 0.5}),
		redis: redistest.Start(t), caller: newCaller(t), shopped: make(chan struct{}), told: map[string][]int64{},
		state: map[string]string{},
	}
	toPortOne := s.doom.web(t, s.sim.Handler(), func(r *http.Request) string {
		switch {
		case strings.HasSuffix(r.URL.Path, "/cancel"):
			return "cancel"
		case strings.HasPrefix(r.URL.Path, "/payments"):
			return "look-up"
		}
		return ""
	})
	toShop := s.doom.web(t, http.HandlerFunc(s.hear), func(*http.Request) string { return "post" })
	fromPortOne := s.doom.web(t, http.HandlerFunc(s.ask), func(*http.Request) string { return "answer" })
	s.confirm = fromPortOne + "/confirm/race?items=unit"
	s.flags = append((&simtest.PortOne{Sim: s.sim.Sim, URL: toPortOne}).Settling(), "--redis", s.doom.redis(t, s.redis),
		"--allow-unsigned", "--first-look", "1m", "--notify-secret", simtest.HookSecret)
	lastWord := s.doom.web(t, http.HandlerFunc(s.agree), func(*http.Request) string { return "ask" })
	settings := "hold: 10h, auto_refund: true, refund_brake: off, notify: " + toShop + ", ask: " + lastWord
	applySale(t, s.redis.URL(), testkit.PricedSale(stageStock, settings))
	return s
}

// start starts a gate, which is the one that PortOne asks from then on. With the
// first one the buyers come.
func (s *stage) start() *process {
	gate := startGate(s.t, s.flags...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate == nil {
		go s.shop()
		s.t.Cleanup(func() { <-s.shopped })
	}
	s.gate = gate
	return gate
}

// ask passes a confirm call on to the gate that there is.
func (s *stage) ask(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	r.URL.Scheme, r.URL.Host, r.RequestURI = "http", gate.listen, ""
	answer, err := s.caller.Do(r)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// agree is the shop's: it says yes to every order.
func (s *stage) agree(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// hear is the shop's: it notes what it is told. A message hangs while a gate is to
// die that writes down what went through.
func (s *stage) hear(_ http.ResponseWriter, r *http.Request) {
	var event struct {
		Order struct {
			Order, State string
			Revision     int64
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
		s.t.Error(err)
	}
	o := event.Order
	if o.Order == "ORDTWICE" && s.doom.waitsFor("position") {
		<-r.Context().Done()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[o.Order] = append(s.told[o.Order], o.Revision)
	s.state[o.Order] = o.State
}

// shop has buyers come one after the other: one pays, one pays twice, one pays on
// a test channel, and one's card is declined. Who got no answer tries again.
func (s *stage) shop() {
	defer close(s.shopped)
	pay := func(o portonesim.Order, wanted int, want func(portonesim.Result) bool) {
		o.Amount, o.ConfirmURL = 1000, s.confirm
		prefix := o.ID
		for i := 0; wanted > 0 && s.t.Context().Err() == nil; i++ {
			if prefix == "DECLINED" {
				o.ID = fmt.Sprint(prefix, i) // another buyer
			}
			r := s.sim.Pay(s.t.Context(), o)
			if want(r) {
				wanted--
			} else if r.ConfirmStatus != http.StatusOK {
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	paid := func(r portonesim.Result) bool { return r.Status == "paid" }
	pay(portonesim.Order{Version: 1, ID: "ORDPAID"}, 1, paid)
	pay(portonesim.Order{Version: 1, ID: "ORDTWICE"}, 2, paid)
	pay(portonesim.Order{Version: 2, ID: "ORDTESTED", Test: true}, 1, paid)
	pay(portonesim.Order{Version: 1, ID: "DECLINED"}, 1,
		func(r portonesim.Result) bool { return r.ConfirmStatus == 200 && !paid(r) })
}

// hurry has everything due now, once all buyers have been there: no look is waited
// for, and no lease of a gate that is dead.
func (s *stage) hurry() {
	select {
	case <-s.shopped:
	default:
		return
	}
	const key, pause = "fg:{race}:", 2 * time.Second // in which a gate that lives does what is due
	if time.Since(s.hurried) < pause {
		return
	}
	s.hurried = time.Now()
	for _, queue := range []string{"due", "again", "alone", "strangers", "refunds", "aside"} {
		add := []any{"ZADD", key + queue, "XX"}
		for _, member := range s.redis.Do(s.t, "ZRANGE", key+queue, 0, -1).([]any) {
			add = append(add, 0, member)
		}
		if len(add) > 3 {
			s.redis.Do(s.t, add...)
		}
	}
	s.redis.Do(s.t, "HSET", key+"notify", "retry", s.hurried.UnixMilli())
}

// check holds how the sale has ended against how it must.
func (s *stage) check() error {
	r := readStatus(s.t, s.redis.URL(), "race")
	u := r.SKUs[0]
	if r.Orders.Held != 0 || r.Orders.Refunds != 0 || u.Held != 0 || u.Withheld != 0 || u.Left != stageStock-u.Paid ||
		u.Paid != r.Orders.Paid {
		return fmt.Errorf("%+v", r)
	}
	if err := checkMoney(s.t, s.sim, s.redis); err != nil {
		return err
	}
	refunds := map[string]int{}
	for _, p := range s.sim.Payments() {
		if p.Cancellations > 1 || p.Cancellations == 1 && p.Cancelled != p.Amount {
			s.t.Fatalf("a payment was not refunded once: %+v", p)
		}
		if p.Cancellations > 0 {
			refunds[p.Order]++
		}
	}
	if !maps.Equal(refunds, map[string]int{"ORDTWICE": 1, "ORDTESTED": 1}) {
		return fmt.Errorf("refunds by order: %v", refunds)
	}
	return s.checkTold()
}

// checkTold wants the shop to have been told of every order's newest state, and of
// what it was told before in order, but for repeats.
func (s *stage) checkTold() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range orders(s.t, s.redis, "race") {
		state, revision := readOrder(s.t, s.redis, id), int64(0)
		fields := strings.Split(fmt.Sprint(s.redis.Do(s.t, "HGET", "fg:{race}:orders", id)), "\x1f")
		if _, err := fmt.Sscan(fields[1], &revision); err != nil {
			s.t.Fatal(err)
		}
		var first []int64
		for _, told := range s.told[id] {
			if !slices.Contains(first, told) {
				first = append(first, told)
			}
		}
		if len(first) == 0 || first[len(first)-1] != revision || !slices.IsSorted(first) || s.state[id] != state {
			return fmt.Errorf("of %s, which is %s in revision %d, the shop was told %v and at last %q", id, state,
				revision, s.told[id], s.state[id])
		}
	}
	return nil
}

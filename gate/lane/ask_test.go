package lane

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// fakeShop says what the test says for it.
type fakeShop struct {
	hindrance gate.Cause
	say       func(ctx context.Context, q *gate.Question) gate.Answer

	mu    sync.Mutex
	asked []string // orders
}

func (s *fakeShop) Hindrance(string, *gate.Settings) gate.Cause { return s.hindrance }

func (s *fakeShop) Ask(ctx context.Context, q *gate.Question) gate.Answer {
	s.mu.Lock()
	s.asked = append(s.asked, string(q.Confirm.Order))
	s.mu.Unlock()
	return s.say(ctx, q)
}

func says(a gate.Answer) func(context.Context, *gate.Question) gate.Answer {
	return func(context.Context, *gate.Question) gate.Answer { return a }
}

// askingStore has a sale that asks, takes the units of every order, and notes what
// the shop's answers were made of.
func askingStore() (*fakeStore, *[]bool) {
	sale := testSale()
	sale.Ask = "https://shop/ask"
	granted := new([]bool)
	return &fakeStore{
		states: map[string]gate.State{"race": {Sale: sale, Version: 1, Times: gate.Times{Now: time.Now()}}},
		decide: func(_ context.Context, batch []*gate.Request) error {
			for _, r := range batch {
				if r.Asks {
					r.SetAsking(7)
				}
			}
			return nil
		},
		grant: func(_ context.Context, batch []*gate.Request) error {
			for _, r := range batch {
				*granted = append(*granted, r.Yes)
				r.Set(gate.RefuseFor(gate.ShopLate))
				if r.Yes && r.Revision == 7 {
					r.Set(gate.Refuse(gate.Held))
				}
			}
			return nil
		},
	}, granted
}

func TestTheShopHasTheLastWord(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  gate.Answer
		want    gate.Verdict
		granted []bool // what the store was told
	}{
		"yes": {gate.Answer{Word: gate.Yes}, gate.Refuse(gate.Held), []bool{true}},
		"no":  {gate.Answer{Word: gate.No}, gate.Refuse(gate.ShopRefused), []bool{false}},
		"no, with its reason": {
			gate.Answer{Word: gate.No, Reason: "재고 없음"},
			gate.Verdict{Code: gate.ShopRefused, Reason: "재고 없음"},
			[]bool{false},
		},
		"no answer":            {gate.Answer{Cause: gate.ShopNoAnswer}, gate.RefuseFor(gate.ShopNoAnswer), nil},
		"an answer that fails": {gate.Answer{Cause: gate.ShopFailed}, gate.RefuseFor(gate.ShopFailed), nil},
		"nobody says anything": {gate.Answer{}, gate.Refuse(gate.Undecided), nil},
		"not asked": {
			gate.Answer{Word: gate.NotAsked, Cause: gate.AsksFull},
			gate.RefuseFor(gate.AsksFull),
			[]bool{false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, granted := askingStore()
			g, _ := startGateWith(t, s, Deps{Shop: &fakeShop{say: says(test.answer)}}, Options{})
			if v := confirm(t, g, "order", time.Now()); v != test.want {
				t.Errorf("got %+v, want %+v", v, test.want)
			}
			if !slices.Equal(*granted, test.granted) {
				t.Errorf("the store was told %v, want %v", *granted, test.granted)
			}
		})
	}
}

func TestTheShopIsAskedAboutWhatHasItsUnitsAlone(t *testing.T) {
	t.Parallel()
	s, _ := askingStore()
	verdicts := map[string]gate.Verdict{
		"held": gate.Refuse(gate.Held), "sold out": gate.Refuse(gate.SoldOut),
		"paid": gate.Refuse(gate.AlreadyPaid),
	}
	s.decide = func(_ context.Context, batch []*gate.Request) error {
		for _, r := range batch {
			if v, ok := verdicts[string(r.Confirm.Order)]; ok {
				r.Set(v)
				continue
			}
			r.SetAsking(7)
		}
		return nil
	}
	shop := &fakeShop{say: says(gate.Answer{Word: gate.Yes})}
	g, _ := startGateWith(t, s, Deps{Shop: shop}, Options{})
	for order, want := range verdicts {
		if v := confirm(t, g, order, time.Now()); v != want {
			t.Errorf("%s: got %+v", order, v)
		}
	}
	if v := confirm(t, g, "new", time.Now()); v.Code != gate.Held {
		t.Errorf("got %+v", v)
	}
	if !slices.Equal(shop.asked, []string{"new"}) {
		t.Errorf("asked about %q", shop.asked)
	}
}

func TestTheShopGetsWhatTheGrantLeavesOfTheBudget(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		try  time.Duration
		want time.Duration
	}{
		"the defaults":                {500 * time.Millisecond, 2500 * time.Millisecond},
		"with a wait for replicas":    {800 * time.Millisecond, 1900 * time.Millisecond},
		"a quick store: not longer":   {10 * time.Millisecond, 2500 * time.Millisecond},
		"the slowest that may be set": {MaxCallTimeout, AnswerBudget - answerReserve - tries*MaxCallTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := AskTime(test.try); got != test.want || got < time.Second {
				t.Errorf("got %s, want %s, and a second at least", got, test.want)
			}
			s, _ := askingStore()
			now := time.Now()
			var left time.Duration
			shop := &fakeShop{say: func(ctx context.Context, _ *gate.Question) gate.Answer {
				deadline, _ := ctx.Deadline()
				left = time.Until(deadline)
				return gate.Answer{Word: gate.Yes}
			}}
			g, _ := startGateWith(t, s, Deps{Shop: shop, Now: func() time.Time { return now }},
				Options{CallTimeout: test.try})
			const waited = 200 * time.Millisecond
			want := min(gate.MaxAsk, AnswerBudget-answerReserve-tries*test.try-waited)
			if v := confirm(t, g, "order", now.Add(-waited)); v.Code != gate.Held || left > want ||
				left < want-time.Second {
				t.Errorf("got %s, and the shop had %s, want %s", v.Code, left, want)
			}
		})
	}
}

func TestWithTooLittleTimeLeftTheShopIsNotAsked(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, test := range []struct {
		left time.Duration
		want gate.Verdict
	}{{minAsk, gate.Refuse(gate.Held)}, {minAsk - time.Millisecond, gate.RefuseFor(gate.AskTimeShort)}} {
		s, granted := askingStore()
		g, _ := startGateWith(t, s, Deps{
			Shop: &fakeShop{say: says(gate.Answer{Word: gate.Yes})}, Now: func() time.Time { return now },
		}, Options{})
		if v := confirm(t, g, "order", now.Add(test.left-maxQueueWait(500*time.Millisecond))); v != test.want {
			t.Errorf("with %s left: got %+v, want %+v", test.left, v, test.want)
		}
		if !slices.Equal(*granted, []bool{test.want.Code == gate.Held}) {
			t.Errorf("with %s left: the store was told %v", test.left, *granted)
		}
	}
}

func TestAYesCountsOnceTheStoreHasIt(t *testing.T) {
	t.Parallel()
	s, _ := askingStore()
	s.grant = func(context.Context, []*gate.Request) error { return errors.New("connection refused") }
	g, _ := startGateWith(t, s, Deps{Shop: &fakeShop{say: says(gate.Answer{Word: gate.Yes})}}, Options{})
	if v := confirm(t, g, "order", time.Now()); v.Code != gate.Unavailable {
		t.Errorf("got %+v, want unavailable", v)
	}
	s, _ = askingStore()
	s.grant = func(context.Context, []*gate.Request) error { return nil } // which forgets it
	g, _ = startGateWith(t, s, Deps{Shop: &fakeShop{say: says(gate.Answer{Word: gate.Yes})}}, Options{})
	if v := confirm(t, g, "order", time.Now()); v.Code == gate.Held {
		t.Error("held, though nobody granted it")
	}
}

// A call that failed may have set some of a batch asking: nothing of that counts.
func TestNobodyIsAskedAfterAFailedCall(t *testing.T) {
	t.Parallel()
	s, _ := askingStore()
	s.decide = func(_ context.Context, batch []*gate.Request) error {
		for _, r := range batch {
			r.SetAsking(7)
		}
		return errors.New("the reply was cut off")
	}
	shop := &fakeShop{say: says(gate.Answer{Word: gate.Yes})}
	g, _ := startGateWith(t, s, Deps{Shop: shop}, Options{})
	if v := confirm(t, g, "order", time.Now()); v.Code != gate.Unavailable || len(shop.asked) > 0 {
		t.Errorf("got %+v, and asked about %q", v, shop.asked)
	}
}

func TestAnAskingOrderOfASaleThatAsksNobodyIsNoYes(t *testing.T) {
	t.Parallel()
	s, _ := askingStore()
	s.change("race", func(state *gate.State) { state.Ask = "" })
	s.decide = func(_ context.Context, batch []*gate.Request) error {
		batch[0].SetAsking(7)
		return nil
	}
	shop := &fakeShop{say: says(gate.Answer{Word: gate.Yes})}
	g, _ := startGateWith(t, s, Deps{Shop: shop}, Options{})
	if v := confirm(t, g, "order", time.Now()); v != gate.RefuseFor(gate.ShopUnknown) || len(shop.asked) > 0 {
		t.Errorf("got %+v, and asked about %q", v, shop.asked)
	}
}

func TestWhatHindersTheShopForbidsNewHolds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*gate.State)
		shop   Shop
		want   gate.Cause
	}{
		"a shop that is down": {
			func(s *gate.State) { s.Healthy = "https://shop/up" },
			&fakeShop{hindrance: gate.ShopDown}, gate.ShopDown,
		},
		"a shop that is up": {
			func(s *gate.State) { s.Healthy = "https://shop/up" }, &fakeShop{},
			gate.NoCause,
		},
		"a sale that asks, without secret": {
			func(s *gate.State) { s.Ask = "https://shop/ask" },
			&fakeShop{hindrance: gate.ShopSecretless}, gate.ShopSecretless,
		},
		"a gate without any shop": {
			func(s *gate.State) { s.Healthy = "https://shop/up" }, nil,
			gate.ShopSecretless,
		},
		"a sale that wants neither": {func(*gate.State) {}, &fakeShop{hindrance: gate.ShopDown}, gate.NoCause},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []gate.Cause
			s := &fakeStore{
				states: map[string]gate.State{"race": {
					Sale: testSale(), Version: 1,
					Times: gate.Times{Now: time.Now()},
				}},
				decide: func(ctx context.Context, batch []*gate.Request) error {
					got = append(got, batch[0].NoHold)
					return accept(ctx, batch)
				},
			}
			s.change("race", test.change)
			g, _ := startGateWith(t, s, Deps{Shop: test.shop}, Options{})
			if v := confirm(t, g, "order", time.Now()); v.Code != gate.Held ||
				!slices.Equal(got, []gate.Cause{test.want}) {
				t.Errorf("got %s and the store was told %v, want %v", v.Code, got, test.want)
			}
		})
	}
}

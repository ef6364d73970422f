package gate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// fakeShop says what the test says for it.
type fakeShop struct {
	hindrance Cause
	say       func(ctx context.Context, q *Question) Answer

	mu    sync.Mutex
	asked []string // orders
}

func (s *fakeShop) Hindrance(string, *Settings) Cause { return s.hindrance }

func (s *fakeShop) Ask(ctx context.Context, q *Question) Answer {
	s.mu.Lock()
	s.asked = append(s.asked, string(q.Confirm.Order))
	s.mu.Unlock()
	return s.say(ctx, q)
}

func says(a Answer) func(context.Context, *Question) Answer {
	return func(context.Context, *Question) Answer { return a }
}

// askingStore has a sale that asks, takes the units of every order, and notes what
// the shop's answers were made of.
func askingStore() (*fakeStore, *[]bool) {
	sale := testSale()
	sale.Ask = "https://shop/ask"
	granted := new([]bool)
	return &fakeStore{
		states: map[string]State{"race": {Sale: sale, Version: 1, Times: Times{Now: time.Now()}}},
		decide: func(_ context.Context, batch []*Request) error {
			for _, r := range batch {
				if r.Asks {
					r.SetAsking(7)
				}
			}
			return nil
		},
		grant: func(_ context.Context, batch []*Request) error {
			for _, r := range batch {
				*granted = append(*granted, r.Yes)
				r.Set(RefuseFor(ShopLate))
				if r.Yes && r.Revision == 7 {
					r.Set(Refuse(Held))
				}
			}
			return nil
		},
	}, granted
}

func TestTheShopHasTheLastWord(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  Answer
		want    Verdict
		granted []bool // what the store was told
	}{
		"yes":                  {Answer{Word: Yes}, Refuse(Held), []bool{true}},
		"no":                   {Answer{Word: No}, Refuse(ShopRefused), []bool{false}},
		"no, with its reason":  {Answer{Word: No, Reason: "재고 없음"}, Verdict{Code: ShopRefused, Reason: "재고 없음"}, []bool{false}},
		"no answer":            {Answer{Cause: ShopNoAnswer}, RefuseFor(ShopNoAnswer), nil},
		"an answer that fails": {Answer{Cause: ShopFailed}, RefuseFor(ShopFailed), nil},
		"nobody says anything": {Answer{}, Refuse(Undecided), nil},
		"not asked":            {Answer{Word: NotAsked, Cause: AsksFull}, RefuseFor(AsksFull), []bool{false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, granted := askingStore()
			g, _ := startGate(t, s, Options{Shop: &fakeShop{say: says(test.answer)}})
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
	verdicts := map[string]Verdict{"held": Refuse(Held), "sold out": Refuse(SoldOut), "paid": Refuse(AlreadyPaid)}
	s.decide = func(_ context.Context, batch []*Request) error {
		for _, r := range batch {
			if v, ok := verdicts[string(r.Confirm.Order)]; ok {
				r.Set(v)
				continue
			}
			r.SetAsking(7)
		}
		return nil
	}
	shop := &fakeShop{say: says(Answer{Word: Yes})}
	g, _ := startGate(t, s, Options{Shop: shop})
	for order, want := range verdicts {
		if v := confirm(t, g, order, time.Now()); v != want {
			t.Errorf("%s: got %+v", order, v)
		}
	}
	if v := confirm(t, g, "new", time.Now()); v.Code != Held {
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
		"the slowest that may be set": {MaxTry, AnswerBudget - answerReserve - tries*MaxTry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := AskTime(test.try); got != test.want || got < time.Second {
				t.Errorf("got %s, want %s, and a second at least", got, test.want)
			}
			s, _ := askingStore()
			now := time.Now()
			var left time.Duration
			shop := &fakeShop{say: func(ctx context.Context, _ *Question) Answer {
				deadline, _ := ctx.Deadline()
				left = time.Until(deadline)
				return Answer{Word: Yes}
			}}
			g, _ := startGate(t, s, Options{Shop: shop, Try: test.try, Now: func() time.Time { return now }})
			const waited = 200 * time.Millisecond
			want := min(MaxAsk, AnswerBudget-answerReserve-tries*test.try-waited)
			if v := confirm(t, g, "order", now.Add(-waited)); v.Code != Held || left > want || left < want-time.Second {
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
		want Verdict
	}{{minAsk, Refuse(Held)}, {minAsk - time.Millisecond, RefuseFor(AskTimeShort)}} {
		s, granted := askingStore()
		g, _ := startGate(t, s, Options{Shop: &fakeShop{say: says(Answer{Word: Yes})}, Now: func() time.Time { return now }})
		if v := confirm(t, g, "order", now.Add(test.left-patience(500*time.Millisecond))); v != test.want {
			t.Errorf("with %s left: got %+v, want %+v", test.left, v, test.want)
		}
		if !slices.Equal(*granted, []bool{test.want.Code == Held}) {
			t.Errorf("with %s left: the store was told %v", test.left, *granted)
		}
	}
}

func TestAYesCountsOnceTheStoreHasIt(t *testing.T) {
	t.Parallel()
	s, _ := askingStore()
	s.grant = func(context.Context, []*Request) error { return errors.New("connection refused") }
	g, _ := startGate(t, s, Options{Shop: &fakeShop{say: says(Answer{Word: Yes})}})
	if v := confirm(t, g, "order", time.Now()); v.Code != Unavailable {
		t.Errorf("got %+v, want unavailable", v)
	}
	s, _ = askingStore()
	s.grant = func(context.Context, []*Request) error { return nil } // which forgets it
	g, _ = startGate(t, s, Options{Shop: &fakeShop{say: says(Answer{Word: Yes})}})
	if v := confirm(t, g, "order", time.Now()); v.Code == Held {
		t.Error("held, though nobody granted it")
	}
}

// A call that failed may have set some of a batch asking: nothing of that counts.
func TestNobodyIsAskedAfterAFailedCall(t *testing.T) {
	t.Parallel()
	s, _ := askingStore()
	s.decide = func(_ context.Context, batch []*Request) error {
		for _, r := range batch {
			r.SetAsking(7)
		}
		return errors.New("the reply was cut off")
	}
	shop := &fakeShop{say: says(Answer{Word: Yes})}
	g, _ := startGate(t, s, Options{Shop: shop})
	if v := confirm(t, g, "order", time.Now()); v.Code != Unavailable || len(shop.asked) > 0 {
		t.Errorf("got %+v, and asked about %q", v, shop.asked)
	}
}

func TestAnAskingOrderOfASaleThatAsksNobodyIsNoYes(t *testing.T) {
	t.Parallel()
	s, _ := askingStore()
	s.change("race", func(state *State) { state.Ask = "" })
	s.decide = func(_ context.Context, batch []*Request) error {
		batch[0].SetAsking(7)
		return nil
	}
	shop := &fakeShop{say: says(Answer{Word: Yes})}
	g, _ := startGate(t, s, Options{Shop: shop})
	if v := confirm(t, g, "order", time.Now()); v != RefuseFor(ShopUnknown) || len(shop.asked) > 0 {
		t.Errorf("got %+v, and asked about %q", v, shop.asked)
	}
}

func TestWhatHindersTheShopForbidsNewHolds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*State)
		shop   Shop
		want   Cause
	}{
		"a shop that is down":              {func(s *State) { s.Healthy = "https://shop/up" }, &fakeShop{hindrance: ShopDown}, ShopDown},
		"a shop that is up":                {func(s *State) { s.Healthy = "https://shop/up" }, &fakeShop{}, NoCause},
		"a sale that asks, without secret": {func(s *State) { s.Ask = "https://shop/ask" }, &fakeShop{hindrance: ShopSecretless}, ShopSecretless},
		"a gate without any shop":          {func(s *State) { s.Healthy = "https://shop/up" }, nil, ShopSecretless},
		"a sale that wants neither":        {func(*State) {}, &fakeShop{hindrance: ShopDown}, NoCause},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []Cause
			s := &fakeStore{
				states: map[string]State{"race": {Sale: testSale(), Version: 1, Times: Times{Now: time.Now()}}},
				decide: func(ctx context.Context, batch []*Request) error {
					got = append(got, batch[0].NoHold)
					return accept(ctx, batch)
				},
			}
			s.change("race", test.change)
			g, _ := startGate(t, s, Options{Shop: test.shop})
			if v := confirm(t, g, "order", time.Now()); v.Code != Held || !slices.Equal(got, []Cause{test.want}) {
				t.Errorf("got %s and the store was told %v, want %v", v.Code, got, test.want)
			}
		})
	}
}

// A request is used again: what the last one asked for must not stick to it.
func TestNothingOfARequestIsLeftForTheNext(t *testing.T) {
	t.Parallel()
	r := &Request{
		Confirm: Confirm{Order: []byte("o"), Attempt: []byte("a"), Version: 2, Buyer: []byte("b"), Lines: []Line{{}}, Amount: Amount{1, true}},
		Asks:    true, NoHold: ShopDown, Revision: 7, Yes: true, Received: time.Now(), verdict: Refuse(Held), decided: make(chan struct{}, 1),
	}
	r.reset()
	if len(r.Confirm.Order)+len(r.Confirm.Attempt)+len(r.Confirm.Buyer)+len(r.Confirm.Lines) > 0 || r.Confirm.Version != 0 || r.Confirm.Amount.Known ||
		r.Asks || r.NoHold != NoCause || r.Revision != 0 || r.Yes || r.verdict != (Verdict{}) || !r.Received.IsZero() || r.decided == nil {
		t.Errorf("left: %+v", r)
	}
}

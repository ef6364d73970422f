package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/testkit"
)

// lastShop is a shop that is asked about orders. It answers as the test says, and
// keeps what it was asked.
type lastShop struct {
	url  string // of /ask and /up
	up   atomic.Bool
	word func(w http.ResponseWriter, r *http.Request, ask shop.Ask) // nil: yes

	mu    sync.Mutex // over what follows
	asked []shop.Ask
}

func openLastShop(t testing.TB, word func(w http.ResponseWriter, r *http.Request, ask shop.Ask)) *lastShop {
	t.Helper()
	s := &lastShop{word: word}
	s.up.Store(true)
	hook := testkit.Webhook(t, notifySecret)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /up", func(w http.ResponseWriter, _ *http.Request) {
		if !s.up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /ask", func(w http.ResponseWriter, r *http.Request) {
		var text json.RawMessage
		var ask shop.Ask
		err := errors.Join(json.NewDecoder(r.Body).Decode(&text), json.Unmarshal(text, &ask),
			hook.Verify(text, r.Header))
		if err != nil {
			t.Errorf("the shop was asked %s: %v", text, err)
		}
		s.mu.Lock()
		s.asked = append(s.asked, ask)
		s.mu.Unlock()
		if s.word != nil {
			s.word(w, r, ask)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// about returns which attempts of an order the shop was asked about.
func (s *lastShop) about(order string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var attempts []string
	for _, ask := range s.asked {
		if ask.Order == order {
			attempts = append(attempts, ask.Attempt)
		}
	}
	return attempts
}

// says answers with a status and a body.
func says(status int, body string) func(http.ResponseWriter, *http.Request, shop.Ask) {
	return func(w http.ResponseWriter, _ *http.Request, _ shop.Ask) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// askingSale is an open sale with more of its settings.
func askingSale(stock int, more string) string {
	return strings.Replace(openSale("race", stock), "hold: 1h,", "hold: 1h, "+more+",", 1)
}

// stands wants how a sale's orders stand.
func stands(t *testing.T, redis *redistest.Server, asking, held, released int64) {
	t.Helper()
	r := readStatus(t, redis.URL(), "race")
	if o, u := r.Orders, r.SKUs[0]; o.Asking != asking || o.Held != held || o.Released != released ||
		u.Held != asking+held || u.Left != u.Total-u.Held {
		t.Errorf("got %+v and %+v, want %d asking, %d held, %d released", o, u, asking, held, released)
	}
}

// auditFindsNothing recounts the sale.
func auditFindsNothing(t *testing.T, redis *redistest.Server) {
	t.Helper()
	if said := command(t, "audit", "--redis", redis.URL(), "race"); !strings.HasPrefix(said, "nothing differs") {
		t.Errorf("the audit says: %s", said)
	}
}

// sentence is what the buyer reads of an answer.
func sentence(t *testing.T, g *process, order string) (code, text string) {
	t.Helper()
	response, err := http.Post("http://"+g.listen+"/confirm/race?items=unit", "application/json",
		strings.NewReader(v1(order, "imp_"+order)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var said struct{ Code, Reason, ErrorMessage string }
	if err := json.NewDecoder(response.Body).Decode(&said); err != nil || said.Reason != said.ErrorMessage {
		t.Errorf("%+v, %v", said, err)
	}
	return said.Code, said.Reason
}

func TestTheShopHasTheLastWordOnEachOrder(t *testing.T) {
	t.Parallel()
	words := map[string]func(http.ResponseWriter, *http.Request, shop.Ask){
		"yes":       says(204, ""),
		"no":        says(409, `{"reason":"쿠폰이 이미 사용되었습니다.\n"}`),
		"no-reason": says(403, "no"),
		"later":     says(429, `{"reason":"busy"}`),
		"broken":    says(500, `{"reason":"a fault"}`),
		"moved":     says(302, ""),
	}
	s := openLastShop(t, func(w http.ResponseWriter, r *http.Request, ask shop.Ask) {
		if word := words[ask.Order]; word != nil {
			word(w, r, ask)
		}
	})
	redis := redistest.Start(t)
	g := serveSale(t, redis.URL(), askingSale(6, "ask: "+s.url+"/ask"), "--notify-secret", notifySecret)
	for order, want := range map[string][2]string{
		"yes":       {"held", ""},
		"no":        {"shop_refused", "쿠폰이 이미 사용되었습니다."},
		"no-reason": {"shop_refused", "판매자가 주문을 승인하지 않았습니다. 판매자에게 문의해 주세요."},
		"later":     {"shop_unavailable", "판매자 시스템에 연결할 수 없어 결제를 진행하지 못했습니다. 잠시 후 다시 시도해 주세요."},
		"broken":    {"shop_unavailable", "판매자 시스템에 연결할 수 없어 결제를 진행하지 못했습니다. 잠시 후 다시 시도해 주세요."},
		"moved":     {"shop_unavailable", "판매자 시스템에 연결할 수 없어 결제를 진행하지 못했습니다. 잠시 후 다시 시도해 주세요."},
	} {
		if code, text := sentence(t, g, order); code != want[0] || text != want[1] {
			t.Errorf("%s: %s %q, want %s %q", order, code, text, want[0], want[1])
		}
	}
	stands(t, redis, 3, 1, 2)
	c := newCaller(t)
	if a := c.confirm(g.listen, "race", "yes"); a.code != "held" { // a repeat of a held order
		t.Errorf("%+v", a)
	}
	words["broken"] = says(200, "")
	if a := c.confirm(g.listen, "race", "broken"); a.code != "held" { // a repeat of an asking one
		t.Errorf("%+v", a)
	}
	for order, times := range map[string]int{"yes": 1, "no": 1, "later": 1, "broken": 2} {
		if got := s.about(order); len(got) != times || got[0] != "imp_"+order {
			t.Errorf("asked about %s: %q, want %d times", order, got, times)
		}
	}
	for i, want := range []string{"held", "held", "sold_out"} { // of six units four are taken
		order := fmt.Sprint("last-", i)
		if a := c.confirm(g.listen, "race", order); a.code != want || want == "sold_out" && len(s.about(order)) > 0 {
			t.Errorf("%+v, and the shop was asked %q", a, s.about(order))
		}
	}
	auditFindsNothing(t, redis)
}

// A yes that comes when the gate has answered is none: the order is asking still, is
// asked about again, and is given up in the end, without a look-up.
func TestAYesThatComesTooLateIsNone(t *testing.T) {
	t.Parallel()
	answered := make(chan struct{})
	s := openLastShop(t, nil)
	s.word = func(_ http.ResponseWriter, r *http.Request, ask shop.Ask) {
		if len(s.about(ask.Order)) == 1 {
			<-answered
		}
	}
	redis := redistest.Start(t)
	g := serveSale(t, redis.URL(), askingSale(10, "ask: "+s.url+"/ask"), "--notify-secret", notifySecret)
	c := newCaller(t)
	var late sync.WaitGroup
	for _, order := range []string{"again", "never"} {
		late.Go(func() {
			if a := c.confirm(g.listen, "race", order); a.code != "shop_unavailable" || a.took > lane.AnswerBudget {
				t.Errorf("%+v", a)
			}
		})
	}
	late.Wait()
	close(answered)
	stands(t, redis, 2, 0, 0)
	if a := c.confirm(g.listen, "race", "again"); a.code != "held" {
		t.Errorf("asked again: %+v", a)
	}
	stands(t, redis, 1, 1, 0)
	released := time.Now()
	await(t, "the order that got no answer to be given up", func() error {
		if r := readStatus(t, redis.URL(), "race"); r.Orders.Released != 1 {
			return fmt.Errorf("%+v", r.Orders)
		}
		return nil
	})
	if took := time.Since(released); took > 25*time.Second {
		t.Errorf("it was given up after %s", took)
	}
	stands(t, redis, 0, 1, 1)
	// by a new attempt
	a := c.post(g.listen, "/confirm/race?items=unit", "application/json", v1("never", "imp_other"))
	if a.code != "held" {
		t.Errorf("asked again after it was given up: %+v", a)
	}
	stands(t, redis, 0, 2, 0)
	auditFindsNothing(t, redis)
}

// Two gates ask about one attempt at once. Whatever the shop says to whom first: a yes
// that got a 200 is held, and with two no's nothing is.
func TestTwoGatesAskAboutOneOrder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		words [2]int // in this order
		codes [2]string
		held  int64
	}{
		"yes, then no":  {[2]int{200, 409}, [2]string{"held", "shop_refused"}, 1},
		"no, then yes":  {[2]int{409, 200}, [2]string{"shop_refused", "shop_unavailable"}, 0},
		"yes, then yes": {[2]int{200, 200}, [2]string{"held", "held"}, 1},
		"no, then no":   {[2]int{409, 409}, [2]string{"shop_refused", "shop_refused"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, asked := make(chan int), make(chan struct{}, 2)
			s := openLastShop(t, func(w http.ResponseWriter, r *http.Request, _ shop.Ask) {
				asked <- struct{}{}
				select {
				case status := <-said:
					w.WriteHeader(status)
				case <-r.Context().Done():
				}
			})
			redis := redistest.Start(t)
			sale := askingSale(10, "ask: "+s.url+"/ask")
			gates := []*process{
				serveSale(t, redis.URL(), sale, "--notify-secret", notifySecret), serveSale(t, redis.URL(), sale,
					"--notify-secret", notifySecret),
			}
			c, answers := newCaller(t), make(chan string, 2)
			for _, g := range gates {
				go func() { answers <- c.confirm(g.listen, "race", "order").code }()
			}
			<-asked
			<-asked
			for i, status := range test.words {
				said <- status
				if got := <-answers; got != test.codes[i] {
					t.Errorf("answer %d is %s, want %s", i+1, got, test.codes[i])
				}
			}
			stands(t, redis, 0, test.held, 1-test.held)
			auditFindsNothing(t, redis)
		})
	}
}

// Redis is gone when the shop has said yes: no 200, and the order ends as held or is
// given up, whichever Redis remembers.
func TestRedisIsGoneAtTheGrant(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	s := openLastShop(t, func(_ http.ResponseWriter, _ *http.Request, ask shop.Ask) {
		if ask.Order == "order" {
			redis.Kill()
		}
	})
	g := serveSale(t, redis.URL(), askingSale(10, "ask: "+s.url+"/ask"), "--notify-secret", notifySecret)
	c := newCaller(t)
	if a := c.confirm(g.listen, "race", "order"); a.code != "unavailable" || a.took > lane.AnswerBudget {
		t.Errorf("%+v", a)
	}
	redis.Restart()
	stands(t, redis, 1, 0, 0)
	await(t, "the gate to sell again", func() error { return sells(c, g, "race", "other") })
	await(t, "the order to be given up", func() error {
		if r := readStatus(t, redis.URL(), "race"); r.Orders.Released != 1 {
			return fmt.Errorf("%+v", r.Orders)
		}
		return nil
	})
	stands(t, redis, 0, 1, 1)
	auditFindsNothing(t, redis)
}

// A shop that is down keeps new orders from holds, and takes none from those that
// have one.
func TestAShopThatFlapsInTheMiddleOfASale(t *testing.T) {
	t.Parallel()
	s := openLastShop(t, nil)
	redis := redistest.Start(t)
	g := serveSale(t, redis.URL(), askingSale(1_000_000, "healthy: "+s.url+"/up"))
	c := newCaller(t)
	await(t, "the shop to be known as up", func() error { return sells(c, g, "race", "held") })
	load := startLoad(t, "race", 4, g)
	for range 2 {
		load.await(t, 50, "held")
		s.up.Store(false)
		down := time.Now()
		await(t, "new orders to be refused", func() error {
			a := c.confirm(g.listen, "race", fmt.Sprint("down-", time.Now().UnixNano()))
			if a.code != "shop_unavailable" {
				return fmt.Errorf("%+v", a)
			}
			return nil
		})
		if took := time.Since(down); took > 6*time.Second {
			t.Errorf("new orders were refused %s after the shop was down, want within 6 s", took)
		}
		load.await(t, 50, "shop_unavailable")
		if a := c.confirm(g.listen, "race", "held"); a.code != "held" {
			t.Errorf("a repeat of a held order: %+v", a)
		}
		if got := metric(t, g, `flashgate_shop_up{sale="race"}`); got != "0" {
			t.Errorf("flashgate_shop_up is %q", got)
		}
		s.up.Store(true)
		back := time.Now()
		await(t, "new orders to be taken",
			func() error { return sells(c, g, "race", fmt.Sprint("up-", time.Now().UnixNano())) })
		if took := time.Since(back); took > 6*time.Second {
			t.Errorf("new orders were taken %s after the shop was back, want within 6 s", took)
		}
	}
	answers := load.stop()
	checkAnswers(t, answers, "shop_unavailable")
	recorded := orders(t, redis, "race")
	for _, a := range answers {
		if a.status == http.StatusOK && !recorded[a.order] {
			t.Errorf("order %s was answered 200 and is not recorded", a.order)
		}
	}
	auditFindsNothing(t, redis)
	g.stop(t)
}

// Who is asked, and whether, changes in the middle of a sale. Nothing goes out
// unsigned, so without a secret a sale that asks takes nothing new.
func TestTheLastWordIsChangedInTheMiddleOfASale(t *testing.T) {
	t.Parallel()
	s := openLastShop(t, says(409, `{"reason":"no"}`))
	redis := redistest.Start(t)
	with := serveSale(t, redis.URL(), openSale("race", 100), "--notify-secret", notifySecret)
	without := startGate(t, "--redis", redis.URL(), "--allow-unsigned")
	c := newCaller(t)
	for _, g := range []*process{with, without} {
		if a := c.confirm(g.listen, "race", "before"); a.code != "held" {
			t.Errorf("%+v", a)
		}
	}
	applySale(t, redis.URL(), askingSale(100, "ask: "+s.url+"/ask"))
	for g, want := range map[*process]string{with: "shop_refused", without: "shop_unavailable"} {
		await(t, "the shop to be asked", func() error {
			if a := c.confirm(g.listen, "race", fmt.Sprint("new-", time.Now().UnixNano())); a.code != want {
				return fmt.Errorf("%+v", a)
			}
			return nil
		})
		if a := c.confirm(g.listen, "race", "before"); a.code != "held" {
			t.Errorf("a repeat of a held order: %+v", a)
		}
	}
	await(t, "the gate without a secret to say so", func() error {
		_, said := without.logged("this sale takes no orders, because this gate has no secret to sign its " +
			"questions to the shop with: set FLASHGATE_NOTIFY_SECRET (whsec_…) or --notify-secret-file")
		if !said {
			return errors.New("it does not")
		}
		return nil
	})
	applySale(t, redis.URL(), openSale("race", 100))
	for _, g := range []*process{with, without} {
		await(t, "nobody to be asked",
			func() error { return sells(c, g, "race", fmt.Sprint("after-", time.Now().UnixNano())) })
	}
	auditFindsNothing(t, redis)
}

func TestStatusTellsOfTheLastWord(t *testing.T) {
	t.Parallel()
	s := openLastShop(t, nil)
	redis := redistest.Start(t)
	applySale(t, redis.URL(),
		askingSale(1, fmt.Sprintf(`ask: "%s/ask?token=s3cret", healthy: "%s/up?token=s3cret"`, s.url, s.url)))
	status := func() string { return command(t, "status", "--redis", redis.URL(), "race") }
	if said := status(); !strings.Contains(said, "shop: "+s.url+"/ask?… has the last word on each order\n") ||
		!strings.Contains(said, "shop: "+s.url+"/up?… is up, as seen from here in ") {
		t.Error(said)
	}
	s.up.Store(false)
	if said := status(); !strings.Contains(said, "/up?… is down, as seen from here: it answered 503 and not with a "+
		"2xx. Gates to which it is down too take no new orders\n") {
		t.Error(said)
	}
}

func TestApplyTellsOfTheLastWord(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	file := testkit.SaleFile(t, askingSale(1, "ask: https://shop.example.com/ask"))
	for name, test := range map[string]struct {
		environ []string
		want    []string
	}{
		"a gate with its defaults": {
			nil,
			[]string{"at most 2.5s to say yes or no", "this environment has no notify secret"},
		},
		"a gate that waits for replicas": {
			[]string{
				"FLASHGATE_WAIT_TIMEOUT=300ms", "FLASHGATE_REDIS_TIMEOUT=600ms",
				"FLASHGATE_NOTIFY_SECRET=" + notifySecret,
			},
			[]string{"at most 2.3s to say yes or no"},
		},
	} {
		out := commandIn(t, test.environ, "apply", "--dry-run", "--open-now", "--redis", redis.URL(), "-f", file)
		notes := strings.Count(out, "note: ")
		if slices.ContainsFunc(test.want, func(want string) bool { return !strings.Contains(out, want) }) ||
			notes != len(test.want) {
			t.Errorf("%s: %s", name, out)
		}
	}
}

package standin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/standin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret      = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	otherSecret = "whsec_MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

// asker asks a shop as a gate does.
type asker struct {
	*standin.Shop
	url    string
	client http.Client
}

func open(t *testing.T, opt standin.Options) *asker {
	t.Helper()
	return openAt(t, time.Now, opt)
}

// openAt starts a shop with a clock of its own.
func openAt(t *testing.T, now func() time.Time, opt standin.Options) *asker {
	t.Helper()
	shop := standin.New(now, opt)
	server := httptest.NewServer(shop.Handler())
	a := &asker{
		Shop: shop, url: server.URL,
		client: http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}},
	}
	t.Cleanup(func() {
		a.client.CloseIdleConnections()
		server.Close()
	})
	return a
}

// question is one about an order, as a gate has it.
func question(order string) map[string]any {
	return map[string]any{
		"type": "order.ask", "id": "ask_" + order, "timestamp": "2026-12-01T01:00:31.52Z", "sale": "race", "run": 1,
		"order": order, "attempt": "imp_" + order, "version": 1, "buyer": "user-4711",
		"lines": []map[string]any{{"sku": "full", "quantity": 2}}, "amount": 160000,
	}
}

// ask signs a question and sends it. Without an answer the status is 0.
func (a *asker) ask(t *testing.T, by string, q map[string]any) (status int, body string) {
	t.Helper()
	text, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	status, body, err = a.post(t, by, fmt.Sprint(q["id"]), text)
	if err != nil && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection ended with %v", err)
	}
	return status, body
}

func (a *asker) post(t *testing.T, by, id string, text []byte) (status int, body string, err error) {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(by)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := hook.Sign(id, now, text)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url+"/ask", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("webhook-signature", signature)
	return a.do(request)
}

func (a *asker) do(request *http.Request) (status int, body string, err error) {
	response, err := a.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	return response.StatusCode, string(said), err
}

// get and call tell the status alone, 0 where there was no answer.
func (a *asker) get(t *testing.T, path string) (status int, body string) {
	return a.call(t, http.MethodGet, path)
}

func (a *asker) call(t *testing.T, method, path string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, a.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, body, _ = a.do(request) // no answer is 0
	return status, body
}

func TestTheShopSaysWhatItsPlanHas(t *testing.T) {
	t.Parallel()
	f := func(plan standin.Plan, word standin.Word, status int, says string) {
		t.Helper()
		a := open(t, standin.Options{Secret: secret, Plan: plan})
		got, body := a.ask(t, secret, question("ORD1"))
		if got != status || !strings.Contains(body, says) {
			t.Errorf("%+v: %d %s, want %d %s", plan, got, body, status, says)
		}
		asks := a.Asks(0).Asks
		if len(asks) != 1 {
			t.Fatalf("%+v: the log has %+v", plan, asks)
		}
		ask := asks[0]
		if ask.Seq != 1 || ask.Word != word || ask.Status != status || ask.Answered.IsZero() ||
			ask.Answered.Before(ask.Came.Add(max(plan.Takes, plan.SlowBy))) {
			t.Errorf("%+v: the log has %+v", plan, ask)
		}
		if ask.Order != "ORD1" || ask.Attempt != "imp_ORD1" || ask.Sale != "race" || ask.Buyer != "user-4711" ||
			*ask.Amount != 160000 || len(ask.Lines) != 1 || ask.Lines[0] != (standin.Line{SKU: "full", Quantity: 2}) {
			t.Errorf("the question was understood as %+v", ask.Question)
		}
		if (ask.Reason != "") != (word == standin.No) || !strings.Contains(body, ask.Reason) {
			t.Errorf("%+v: the reason is %q in the log, and the answer %s", plan, ask.Reason, body)
		}
	}
	f(standin.Plan{}, standin.Yes, 200, "")
	f(standin.Plan{Takes: 20 * time.Millisecond}, standin.Yes, 200, "")
	f(standin.Plan{Refuses: 1}, standin.No, 409, `{"reason":"`)
	f(standin.Plan{Slow: 1, SlowBy: 30 * time.Millisecond}, standin.Slow, 200, "")
	f(standin.Plan{Fails: 1}, standin.Fail, 500, "")
}

// Who waits no longer has heard nothing, and the log does not say otherwise.
func TestWhatNobodyHeardIsNotAnswered(t *testing.T) {
	t.Parallel()
	for _, plan := range []standin.Plan{{Hangs: 1}, {Slow: 1, SlowBy: time.Hour}, {Takes: time.Hour}} {
		a := open(t, standin.Options{Secret: secret, Plan: plan})
		a.client.Timeout = 50 * time.Millisecond
		text, err := json.Marshal(question("ORD1"))
		if err != nil {
			t.Fatal(err)
		}
		status, body, err := a.post(t, secret, "ask_ORD1", text)
		if err == nil {
			t.Errorf("%+v: it answered %d %s", plan, status, body)
		}
		if asks := a.Asks(0).Asks; len(asks) != 1 || asks[0].Status != 0 || !asks[0].Answered.IsZero() {
			t.Errorf("%+v: the log has %+v", plan, asks)
		}
	}
}

func TestTheSharesAreThoseOfThePlan(t *testing.T) {
	t.Parallel()
	plan := standin.Plan{Refuses: .2, Slow: .1, Hangs: .15, Fails: .05}
	of := func(seed uint64) *standin.Shop { return standin.New(time.Now, standin.Options{Seed: seed, Plan: plan}) }
	shop, same, other := of(1), of(1), of(2)
	const orders = 10_000
	count, differs := map[standin.Word]float64{}, 0
	for i := range orders {
		order := "ORD" + strconv.Itoa(i)
		word := shop.Word(order)
		count[word]++
		if same.Word(order) != word {
			t.Fatalf("%s gets %s, and %s by the same seed", order, word, same.Word(order))
		}
		if other.Word(order) != word {
			differs++
		}
	}
	for word, share := range map[standin.Word]float64{
		standin.Yes: .5, standin.No: .2, standin.Slow: .1,
		standin.Hang: .15, standin.Fail: .05,
	} {
		if got := count[word] / orders; math.Abs(got-share) > .02 {
			t.Errorf("a share of %v gets %s, want %v", got, word, share)
		}
	}
	if differs < orders/4 {
		t.Errorf("another seed says something else to %d of %d orders", differs, orders)
	}
}

func TestAnOrderThatIsAskedAboutAgainHearsTheSame(t *testing.T) {
	t.Parallel()
	a := open(t, standin.Options{Secret: secret, Plan: standin.Plan{Refuses: .5}})
	for i := range 20 {
		q := question("ORD" + strconv.Itoa(i))
		status, body := a.ask(t, secret, q)
		q["id"], q["attempt"], q["run"] = "ask_again", "imp_again", 2
		if again, bodyAgain := a.ask(t, secret, q); again != status || bodyAgain != body {
			t.Errorf("order %d is told %d %s, and then %d %s", i, status, body, again, bodyAgain)
		}
	}
	if asks := a.Asks(0).Asks; len(asks) != 40 {
		t.Errorf("the log has %d asks", len(asks))
	}
}

func TestAQuestionThatNoGateMayAskIsAFault(t *testing.T) {
	t.Parallel()
	a := open(t, standin.Options{Secret: secret})
	f := func(status int, problem, by string, change func(q map[string]any)) {
		t.Helper()
		q := question("ORD1")
		change(q)
		before := a.Asks(0).Newest
		got, body := a.ask(t, by, q)
		if got != status || !strings.Contains(body, problem) {
			t.Errorf("%d %s, want %d %s", got, body, status, problem)
		}
		ask := a.Asks(before).Asks[0]
		if ask.Word != standin.Fault || ask.Status != status || !strings.Contains(ask.Problem, problem) {
			t.Errorf("the log has %+v, want %s", ask, problem)
		}
	}
	f(401, "the signature", otherSecret, func(map[string]any) {})
	f(400, "type", secret, func(q map[string]any) { q["type"] = "order.paid" })
	f(400, "webhook-id", secret, func(q map[string]any) { delete(q, "id") })
	for _, name := range []string{"timestamp", "sale", "run", "order", "attempt"} {
		f(400, "is missing", secret, func(q map[string]any) { delete(q, name) })
	}
	f(400, "version", secret, func(q map[string]any) { q["version"] = 3 })
	f(400, "lines", secret, func(q map[string]any) { delete(q, "lines") })
	f(400, "lines", secret, func(q map[string]any) { q["lines"] = []map[string]any{{"sku": "full", "quantity": 0}} })
	f(400, "amount", secret, func(q map[string]any) { q["amount"] = -1 })
	f(400, "cannot be read", secret, func(q map[string]any) { q["run"] = "one" })

	for name, text := range map[string]string{
		"no JSON":  "order.ask",
		"too long": `{"type":"` + strings.Repeat("x", 70_000) + `"}`,
	} {
		if status, body, err := a.post(t, secret, "ask_ORD1", []byte(text)); err != nil || status != 400 ||
			!strings.Contains(body, "cannot be read") {
			t.Errorf("%s: %d %s, %v", name, status, body, err)
		}
	}
}

func TestWithoutASecretSignaturesAreNotLookedAt(t *testing.T) {
	t.Parallel()
	a := open(t, standin.Options{})
	if status, body := a.ask(t, otherSecret, question("ORD1")); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

func TestTheShopIsDownAsThePlanHasIt(t *testing.T) {
	t.Parallel()
	f := func(plan standin.Plan, up string) {
		t.Helper()
		now := testkit.NewClock(time.Unix(1_800_000_000, 0))
		a := openAt(t, now.Now, standin.Options{Secret: secret, Plan: plan})
		if status, _ := a.get(t, "/healthy"); status != 204 {
			t.Errorf("%+v: before it was asked /healthy answers %d", plan, status)
		}
		for second, want := range strings.Fields(up) {
			status, _ := a.ask(t, secret, question("ORD"+strconv.Itoa(second)))
			health, _ := a.get(t, "/healthy")
			ask := a.Asks(int64(second)).Asks[0]
			if got := map[bool]string{true: "up", false: "down"}[health == 204]; got != want ||
				(status == 200) != (want == "up") || (ask.Word == standin.Down) != (want == "down") {
				t.Errorf("%+v: after %d s it answers %d, and /healthy %d: want %s; the log has %+v", plan, second,
					status, health, want, ask)
			}
			now.Move(time.Second)
		}
	}
	f(standin.Plan{}, "up up up")
	f(standin.Plan{DownFor: 2 * time.Second}, "down down up up")
	f(standin.Plan{DownAfter: 2 * time.Second, DownFor: time.Second}, "up up down up up")
	f(standin.Plan{DownAfter: time.Second, DownFor: time.Second, DownEvery: 3 * time.Second},
		"up down up up down up up down")
}

func TestTheShopIsTakenDownByHand(t *testing.T) {
	t.Parallel()
	now := testkit.NewClock(time.Unix(1_800_000_000, 0))
	a := openAt(t, now.Now, standin.Options{Secret: secret})
	f := func(path string, want, health int) {
		t.Helper()
		if status, body := a.call(t, http.MethodPost, path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if status, _ := a.get(t, "/healthy"); status != health {
			t.Errorf("after %s /healthy answers %d", path, status)
		}
	}
	f("/down?for=soon", 400, 204)
	f("/down?for=-1s", 400, 204)
	f("/down", 204, 0)
	now.Move(time.Hour)
	f("/down?for=5s", 204, 0)
	now.Move(5 * time.Second)
	if status, _ := a.get(t, "/healthy"); status != 204 {
		t.Errorf("after its time /healthy answers %d", status)
	}
	f("/down", 204, 0)
	f("/up", 204, 204)
}

// An outage that begins while the shop thinks takes the answer with it.
func TestWhatIsUnderWayWhenTheShopGoesDownIsNotAnswered(t *testing.T) {
	t.Parallel()
	a := open(t, standin.Options{Secret: secret, Plan: standin.Plan{Takes: 100 * time.Millisecond}})
	asked := make(chan int)
	go func() {
		status, _ := a.ask(t, secret, question("ORD1"))
		asked <- status
	}()
	for deadline := time.Now().Add(30 * time.Second); a.Asks(0).Newest == 0 &&
		time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	a.DownFor(0)
	if status := <-asked; status != 0 {
		t.Errorf("it answered %d", status)
	}
	if ask := a.Asks(0).Asks[0]; ask.Word != standin.Yes || ask.Status != 0 {
		t.Errorf("the log has %+v", ask)
	}
}

func TestTheLogIsReadInPagesAndKeepsTheNewest(t *testing.T) {
	t.Parallel()
	const room = standin.MaxPage + 10
	a := open(t, standin.Options{Room: room})
	for i := range room + 3 {
		a.post(t, secret, "x", fmt.Appendf(nil, `{"order": "ORD%d"}`, i)) // a fault, which is kept as well
	}
	read := func(path string) (p standin.Page) {
		t.Helper()
		status, body := a.get(t, path)
		if err := json.Unmarshal([]byte(body), &p); status != 200 || err != nil || p.Now.IsZero() {
			t.Fatalf("%s: %d %.200s, %v", path, status, body, err)
		}
		return p
	}
	p := read("/asks")
	if p.Oldest != 4 || p.Newest != room+3 || len(p.Asks) != standin.MaxPage || p.Asks[0].Seq != 4 ||
		p.Asks[0].Order != "ORD3" {
		t.Fatalf("the first page has %d asks from %+v on, of %d to %d", len(p.Asks), p.Asks[0], p.Oldest, p.Newest)
	}
	last := p.Asks[len(p.Asks)-1]
	p = read(fmt.Sprintf("/asks?since=%d", last.Seq))
	if len(p.Asks) != 10 || p.Asks[0].Seq != last.Seq+1 || p.Asks[9].Order != fmt.Sprintf("ORD%d", room+2) {
		t.Errorf("the next page has %+v", p.Asks)
	}
	if p = read(fmt.Sprintf("/asks?since=%d", p.Newest)); len(p.Asks) != 0 {
		t.Errorf("the page at the end has %+v", p.Asks)
	}
	if p = read(fmt.Sprintf("/asks?since=%d", math.MaxInt64)); len(p.Asks) != 0 || p.Newest != room+3 {
		t.Errorf("far behind the end the page has %d asks", len(p.Asks))
	}
	for _, since := range []string{"x", "-1"} {
		if status, _ := a.get(t, "/asks?since="+since); status != 400 {
			t.Errorf("since %s: %d", since, status)
		}
	}
	if p = open(t, standin.Options{}).Asks(0); p.Oldest != 1 || p.Newest != 0 || p.Asks == nil {
		t.Errorf("a shop that nobody has asked shows %+v", p)
	}
}

// An answer to what the log has dropped meanwhile must not be noted at another ask.
func TestALateAnswerIsNotedAtItsOwnAskAlone(t *testing.T) {
	t.Parallel()
	a := open(t, standin.Options{
		Secret: secret, Room: 1,
		Plan: standin.Plan{Slow: .5, SlowBy: 100 * time.Millisecond, Hangs: .5},
	})
	slow, hangs := "", ""
	for i := 0; slow == "" || hangs == ""; i++ {
		switch order := "ORD" + strconv.Itoa(i); a.Word(order) {
		case standin.Slow:
			slow = order
		case standin.Hang:
			hangs = order
		}
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if status, _ := a.ask(t, secret, question(slow)); status != 200 {
			t.Errorf("the slow one is answered with %d", status)
		}
	}()
	for deadline := time.Now().Add(30 * time.Second); a.Asks(0).Newest == 0 &&
		time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	hanging := open(t, standin.Options{}) // a client of its own, which waits no longer
	hanging.url, hanging.client.Timeout = a.url, 50*time.Millisecond
	text, err := json.Marshal(question(hangs))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := hanging.post(t, secret, "ask_"+hangs, text); err == nil {
		t.Error("it was answered")
	}
	<-answered
	if p := a.Asks(0); len(p.Asks) != 1 || p.Asks[0].Order != hangs || p.Asks[0].Status != 0 {
		t.Errorf("the log has %+v", p)
	}
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	f := func(want string, opt standin.Options) {
		t.Helper()
		if err := opt.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", opt, err, want)
		}
	}
	f("whsec_", standin.Options{Secret: "secret"})
	f("whsec_", standin.Options{Secret: "whsec_?"})
	f("whsec_", standin.Options{Secret: "whsec_"})
	f("room", standin.Options{Room: -1})
	f("--shop-refuses", standin.Options{Plan: standin.Plan{Refuses: 1.1}})
	f("--shop-slow", standin.Options{Plan: standin.Plan{Slow: -.1}})
	f("--shop-hangs", standin.Options{Plan: standin.Plan{Hangs: math.NaN()}})
	f("--shop-fails", standin.Options{Plan: standin.Plan{Fails: 2}})
	f("together", standin.Options{Plan: standin.Plan{Refuses: .5, Hangs: .6}})
	f("--shop-takes", standin.Options{Plan: standin.Plan{Takes: -1}})
	f("--shop-slow-by", standin.Options{Plan: standin.Plan{SlowBy: -1}})
	f("--shop-down-after", standin.Options{Plan: standin.Plan{DownAfter: -1}})
	f("give --shop-down-for", standin.Options{Plan: standin.Plan{DownAfter: 1}})
	f("give --shop-down-for", standin.Options{Plan: standin.Plan{DownEvery: 1}})
	f("never comes back", standin.Options{Plan: standin.Plan{DownFor: 2, DownEvery: 2}})
	err := (standin.Options{
		Secret: secret,
		Plan:   standin.Plan{Refuses: .5, Hangs: .5, DownFor: 1, DownEvery: 2},
	}).Check()
	if err != nil {
		t.Error(err)
	}
}

func TestWordsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for word := standin.Yes; word <= standin.Fault; word++ {
		text, err := word.MarshalText()
		var read standin.Word
		if err == nil {
			err = read.UnmarshalText(text)
		}
		if err != nil || read != word || len(text) == 0 {
			t.Errorf("%s is read as %s, %v", word, read, err)
		}
	}
	var none standin.Word
	if err := none.UnmarshalText(nil); err == nil {
		t.Error("no word is one")
	}
}

package launch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/standin"
)

const shopSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// asking is what a gate can get wrong about the shop's last word.
type asking struct {
	asksNobody   bool // says 200 without having asked some
	asksTwice    bool
	asksRefused  bool // asks about orders that are sold out, too
	asksAfter200 bool // asks again about orders that are held
	asksWrongly  bool // about another cart
	asksStranger bool // about orders that nobody sent
	believesNo   bool // says 200 after a no
	believesHang bool // says 200 without an answer
	refusesAlone bool // says shop_refused after a yes
	ownReason    bool // tells another reason than the shop's
	badSignature bool
}

// askedShop is a stand-in for the shop, as a gate asks it.
type askedShop struct {
	*standin.Shop
	url    string
	hook   *standardwebhooks.Webhook
	client http.Client
	count  int
	reason string // of the newest no
}

func openShop(t *testing.T, plan standin.Plan, room int) *askedShop {
	t.Helper()
	shop := standin.New(time.Now, standin.Options{Secret: shopSecret, Seed: 1, Plan: plan, Room: room})
	hook := testkit.Webhook(t, shopSecret)
	return &askedShop{
		Shop: shop, url: serve(t, shop.Handler()), hook: hook,
		client: http.Client{Timeout: 100 * time.Millisecond},
	}
}

// ask asks about an order for one unit, and returns the status, 0 for none.
func (s *askedShop) ask(id, buyer, sku string) int {
	s.count++
	ask := "ask_" + strconv.Itoa(s.count)
	amount := map[string]int{"a": 3, "b": 1}[sku]
	body := fmt.Appendf(nil,
		`{"type":"order.ask","id":%q,"timestamp":"2026-12-01T01:00:31Z","sale":"race","run":1,"order":%q,"attempt":%q,"version":1,"buyer":%q,"lines":[{"sku":%q,"quantity":1}],"amount":%d}`,
		ask, id, "imp_"+id, buyer, sku, amount)
	now := time.Now()
	signature, err := s.hook.Sign(ask, now, body)
	if err != nil {
		return 0
	}
	request, err := http.NewRequest(http.MethodPost, s.url+"/ask", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	request.Header.Set("webhook-id", ask)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("webhook-signature", signature)
	response, err := s.client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	var said struct{ Reason string }
	text, err := io.ReadAll(response.Body)
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &said)
	}
	if err != nil {
		return 0
	}
	s.reason = said.Reason
	return response.StatusCode
}

// lastWord has the shop's last word on an order that is asking.
func (g *fakeGate) lastWord(id string) string {
	o := g.orders[id]
	some := g.told%3 == 0
	if g.asks.asksNobody && some {
		o.State = "held"
		return "held"
	}
	sku := o.Lines[0].SKU
	asked := sku
	if g.asks.asksWrongly && some {
		asked = map[string]string{"a": "b", "b": "a"}[sku]
	}
	if g.asks.badSignature && some {
		g.shop.hook, _ = standardwebhooks.NewWebhook("whsec_MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=") // is one
	}
	status := g.shop.ask(id, o.Buyer, asked)
	switch {
	case g.asks.asksTwice && some:
		status = g.shop.ask(id, o.Buyer, asked)
	case g.asks.asksStranger && some:
		g.shop.ask(id+"x", o.Buyer, asked)
	}
	switch {
	case status == http.StatusOK && !(g.asks.refusesAlone && some), g.asks.believesNo && status == http.StatusConflict,
		g.asks.believesHang && status == 0:
		o.State = "held"
		return "held"
	case status == http.StatusOK, status == http.StatusConflict, status == http.StatusUnauthorized:
		if g.asks.ownReason {
			g.shop.reason = "a reason of the gate's own"
		}
		o.State = "released"
		g.move(id, sku, 1)
		g.buyers[o.Buyer]--
		return shopRefused
	}
	return "shop_unavailable"
}

// eventful is a plan with all that a shop may do.
var eventful = standin.Plan{Refuses: .2, Slow: .1, SlowBy: 10 * time.Millisecond, Hangs: .1, Fails: .1}

func TestTheShopsLogIsHeldAgainstTheAnswers(t *testing.T) {
	t.Parallel()
	f := func(name string, plan standin.Plan, wrong asking, want ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newFakeGate(t, 20, faults{asks: wrong})
			g.shop = openShop(t, plan, 0)
			opt := fakeOptions(g)
			opt.Items[0].Price, opt.Items[1].Price = 3, 1
			report := rehearse(t, g, opt)
			if got := failed(report); got != strings.Join(want, ", ") {
				t.Errorf("%q failed, want %q\n%s", got, want, describe(report))
			}
		})
	}
	f("sound", eventful, asking{})
	f("sound, with a shop that is down for a while",
		standin.Plan{DownAfter: 50 * time.Millisecond, DownFor: 100 * time.Millisecond}, asking{})
	f("sound, with a shop that only says no", standin.Plan{Refuses: 1}, asking{})
	f("sound, with a shop that never answers", standin.Plan{Hangs: 1}, asking{})
	f("says 200 without having asked", standin.Plan{}, asking{asksNobody: true}, saidYes)
	f("asks twice", standin.Plan{}, asking{asksTwice: true}, askedOnce)
	f("asks about what is sold out", standin.Plan{}, asking{asksRefused: true}, askedOnce)
	f("asks about what is held", standin.Plan{}, asking{asksAfter200: true}, askedOnce)
	f("asks about another cart", standin.Plan{}, asking{asksWrongly: true}, askedOnce)
	f("asks about orders that nobody sent", standin.Plan{}, asking{asksStranger: true}, askedOnce)
	f("says 200 after a no", eventful, asking{believesNo: true}, saidYes, saidNo)
	f("says 200 without an answer", eventful, asking{believesHang: true}, saidYes)
	f("says shop_refused after a yes", standin.Plan{}, asking{refusesAlone: true}, saidNo)
	f("tells another reason", eventful, asking{ownReason: true}, saidNo)
	f("signs with another secret", standin.Plan{}, asking{badSignature: true}, askedOnce)
}

// shopFacts is a run of ten orders whose shop has said yes to those four that were
// told 200.
type shopFacts struct {
	*facts
	log []askView
}

func playedShop(t *testing.T) *shopFacts {
	t.Helper()
	f := &shopFacts{facts: playedFacts(t)}
	f.run.Shop = &Shop{}
	for i := range 4 {
		f.said(i, "yes", http.StatusOK)
	}
	return f
}

// said notes that the shop was asked about order i and answered just before the
// order was answered.
func (f *shopFacts) said(i int, word string, status int) *askView {
	o := f.run.Plan.order(i)
	a := askView{
		Seq: int64(len(f.log) + 1), ID: "ask_" + strconv.Itoa(len(f.log)), Sale: "race", Order: o.id,
		Attempt: o.attempt(), Buyer: o.buyer, Lines: o.lines, Amount: &o.amount,
		Word: word, Status: status,
	}
	if status != 0 {
		a.Answered = f.run.began.Add(f.run.answers[i].done - time.Millisecond)
	}
	f.log = append(f.log, a)
	return &f.log[len(f.log)-1]
}

// refused says that the shop said no to order i, which was told so.
func (f *shopFacts) refused(i int) *askView {
	a := f.said(i, "no", http.StatusConflict)
	a.Reason = "a reason"
	f.run.answers[i].code, f.run.answers[i].reason = shopRefused, "a reason"
	return a
}

func TestWhatTheShopSaidIsHeldAgainstEachOrder(t *testing.T) {
	t.Parallel()
	f := func(want, name string, change func(f *shopFacts)) {
		t.Helper()
		facts := playedShop(t)
		change(facts)
		words := &lastWords{asks: facts.log, byOrder: map[string][]*askView{}}
		for i := range words.asks {
			words.byOrder[words.asks[i].Order] = append(words.byOrder[words.asks[i].Order], &words.asks[i])
		}
		stories := facts.run.stories()
		report := &Report{Checks: []Check{
			facts.run.checkYes(stories, words), facts.run.checkNo(stories, words),
			facts.run.checkAsks(stories, words),
		}}
		if got := failed(report); got != want {
			t.Errorf("%s: %q failed, want %q\n%s", name, got, want, describe(report))
		}
	}
	answer := func(code string) func(f *shopFacts) { return func(f *shopFacts) { f.run.answers[5].code = code } }
	f("", "a yes for each", func(*shopFacts) {})

	f(saidYes, "a yes after the 200",
		func(f *shopFacts) { f.log[2].Answered = f.run.began.Add(f.run.answers[2].done + time.Millisecond) })
	f("", "a yes before it, by a clock that may be ahead", func(f *shopFacts) {
		f.log[2].Answered = f.run.began.Add(f.run.answers[2].done + time.Millisecond)
		f.run.Shop.ahead = 2 * time.Millisecond
	})
	f(saidYes, "a yes that nobody heard", func(f *shopFacts) { f.log[2].Status, f.log[2].Answered = 0, time.Time{} })
	f(saidYes, "an error", func(f *shopFacts) {
		f.log[2].Word, f.log[2].Status = "fail",
			http.StatusInternalServerError
	})
	f(saidYes+", "+saidNo, "a no", func(f *shopFacts) { f.log[2].Word, f.log[2].Status = "no", http.StatusConflict })
	f(saidYes+", "+askedOnce, "a yes to another attempt", func(f *shopFacts) { f.log[2].Attempt = "imp_other" })
	f("", "asked again for a repeat that was sent before the 200", func(f *shopFacts) {
		f.ask("held", f.run.answers[0].done-time.Millisecond)
		f.said(0, "yes", http.StatusOK)
	})

	f("", "a no, and told so", func(f *shopFacts) { f.refused(5) })
	f(saidNo, "a no, and told another reason", func(f *shopFacts) { f.refused(5); f.run.answers[5].reason = "another" })
	f("", "a no without a reason, and told the gate's", func(f *shopFacts) { f.refused(5).Reason = "" })
	f(saidNo, "told so before the no", func(f *shopFacts) { f.refused(5).Answered = f.run.began.Add(time.Hour) })
	f(saidNo, "told so, and the shop was not asked", answer(shopRefused))
	f("", "a no that came too late for the gate",
		func(f *shopFacts) { f.said(5, "no", http.StatusConflict); answer("shop_unavailable")(f) })
	f(saidNo+", "+askedOnce, "a no, and told sold_out", func(f *shopFacts) { f.said(5, "no", http.StatusConflict) })

	f(askedOnce, "asked about what is sold out", func(f *shopFacts) { f.said(5, "hang", 0) })
	for _, code := range []string{"not_open", "closed", "paused", "buyer_limit", "bad_signature"} {
		f(askedOnce, "asked, and told "+code, func(f *shopFacts) { f.said(5, "hang", 0); answer(code)(f) })
	}
	for _, code := range []string{
		"shop_unavailable", "busy", "unavailable", "not_durable", "recovering", "undecided",
		"attempt_ended",
	} {
		f("", "asked, and told "+code, func(f *shopFacts) { f.said(5, "hang", 0); answer(code)(f) })
	}
	f("", "asked, and not answered", func(f *shopFacts) { f.said(9, "yes", http.StatusOK) })
	f(askedOnce, "asked twice for one confirm", func(f *shopFacts) { f.said(0, "yes", http.StatusOK) })
	f("", "asked twice for two confirms", func(f *shopFacts) {
		answer("shop_unavailable")(f)
		f.said(5, "hang", 0)
		f.said(5, "hang", 0)
		f.run.Plan.requests = append(f.run.Plan.requests, request{5, again})
		f.run.answers = append(f.run.answers, f.run.answers[5])
		f.run.sent++
	})
	f("", "asked once more where the connection was closed", func(f *shopFacts) {
		f.log[0].Status, f.log[0].Answered = 0, time.Time{}
		f.said(0, "yes", http.StatusOK).ID = f.log[0].ID
	})
	f(askedOnce, "asked the same after an answer",
		func(f *shopFacts) { f.said(0, "yes", http.StatusOK).ID = f.log[0].ID })
	f(askedOnce, "asked the same three times", func(f *shopFacts) {
		f.log[0].Status, f.log[0].Answered = 0, time.Time{}
		f.said(0, "down", 0).ID = f.log[0].ID
		f.said(0, "yes", http.StatusOK).ID = f.log[0].ID
	})
	f(askedOnce, "asked again after its 200", func(f *shopFacts) {
		f.ask("held", time.Minute)
		f.said(0, "yes", http.StatusOK)
	})
	f(askedOnce, "about another buyer", func(f *shopFacts) { f.log[1].Buyer = "somebody" })
	f(askedOnce, "about another amount", func(f *shopFacts) { f.log[1].Amount = new(int64) })
	f(askedOnce, "about no amount", func(f *shopFacts) { f.log[1].Amount = nil })
	f(askedOnce, "about other lines", func(f *shopFacts) { f.log[1].Lines = nil })
	f(askedOnce, "about an order that nobody sent",
		func(f *shopFacts) { f.said(5, "yes", 200).Order = "T9999999"; answer("busy")(f) })
	f(askedOnce, "with a wrong signature", func(f *shopFacts) {
		answer("busy")(f)
		a := f.said(5, "fault", 0)
		a.Problem = "the signature"
	})
}

func TestWhereTheShopSaidNothingNothingIsPassed(t *testing.T) {
	t.Parallel()
	f := playedShop(t)
	for i := range f.run.answers {
		f.run.answers[i].code = "sold_out"
	}
	stories, none := f.run.stories(), &lastWords{}
	for _, c := range []Check{
		f.run.checkYes(stories, none), f.run.checkNo(stories, none),
		f.run.checkAsks(stories, none),
	} {
		if c.Result != Skipped {
			t.Errorf("%+v", c)
		}
	}
}

// Of the log a run takes what came since it began, in as many pages as it has.
func TestALogIsReadFromTheBeginningOfTheRunToItsEnd(t *testing.T) {
	t.Parallel()
	shop := openShop(t, standin.Plan{Refuses: .5}, 0)
	shop.client.Timeout = 10 * time.Second // none of thousands may get lost
	ask := func(id string) { shop.ask(id, "buyer-1", "a") }
	ask("T0000000")
	run := playedRun(t, func(int) time.Duration { return 0 })
	run.Shop = &Shop{URL: shop.url + "/", Client: http.DefaultClient}
	if err := run.Shop.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	const asks = standin.MaxPage + 5
	for i := range asks {
		ask(fmt.Sprintf("T%07d", i%7))
	}
	ask("OTHER1")
	words, err := run.lastWords(t.Context())
	if err != nil || len(words.asks) != asks || words.lost != 0 || len(words.byOrder) != 7 {
		t.Fatalf("%d asks about %d orders, %d lost, %v", len(words.asks), len(words.byOrder), words.lost, err)
	}
	said := words.said()
	if said.Asks != asks || said.Orders != 7 || said.Words["yes"]+said.Words["no"] != asks || said.Words["yes"] == 0 ||
		said.Words["no"] == 0 {
		t.Errorf("counted %+v", said)
	}
	if run.Shop.ahead < 0 || run.Shop.ahead > time.Minute {
		t.Errorf("this machine's clock is %s behind itself", run.Shop.ahead)
	}
}

func TestALogThatIsNotWholeSkipsItsChecks(t *testing.T) {
	t.Parallel()
	g := newFakeGate(t, 20, faults{})
	g.shop = openShop(t, standin.Plan{}, 10)
	report := rehearse(t, g, fakeOptions(g))
	skipped := strings.Join(report.Skipped, ", ")
	if failed(report) != "" || !strings.HasPrefix(skipped, saidYes+", "+saidNo+", "+askedOnce) ||
		!strings.Contains(describe(report), "log has dropped") {
		t.Error(describe(report))
	}
}

func TestAShopThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	f := func(want, url string, before int64) {
		t.Helper()
		run := playedRun(t, func(int) time.Duration { return 0 })
		run.Shop = &Shop{URL: url, Client: http.DefaultClient, before: before}
		if _, err := run.Verdict(t.Context(), Judge{Within: time.Second, Tell: quietly}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
	f("refused", "http://127.0.0.1:1", 0)
	f("404", serve(t, http.NotFoundHandler()), 0)
	f("cannot be read", serve(t,
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })), 0)
	f("shorter than it was", openShop(t, standin.Plan{}, 0).url, 7)
}

// What a sale's shop said is not passed in silence.
func TestWithoutALookAtTheShopItsWordIsSkipped(t *testing.T) {
	t.Parallel()
	f := func(ask, want string) {
		t.Helper()
		before := &SaleView{}
		before.Settings.Ask, before.Settings.OpensAt, before.Settings.ClosesAt = ask, time.Unix(0, 0),
			time.Now().Add(time.Hour)
		found, err := playedRun(t, func(int) time.Duration { return 0 }).Verdict(t.Context(),
			Judge{Before: before, Within: time.Second, Tell: quietly})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, c := range found.Checks {
			if c.Name == saidYes {
				got = c.Result.String()
			}
		}
		if got != want {
			t.Errorf("asking %q: %q, want %q", ask, got, want)
		}
	}
	f("", "")
	f("http://127.0.0.1:8082/ask", "skipped")
}

func TestTheReportShowsWhatTheShopSaid(t *testing.T) {
	t.Parallel()
	found := &Judged{Shop: &ShopSaid{
		Asks: 1200, Orders: 1100, Resent: 30,
		Words: map[string]int{"yes": 1000, "no": 150, "hang": 50},
	}}
	report, page := pageOf(t, found)
	if text := describe(report); !strings.Contains(text,
		"the shop     asked 1200 times about 1100 orders, 30 of them once more on another connection: yes 1000, no "+
			"150, hang 50\n") {
		t.Errorf("as text:\n%s", text)
	}
	for _, want := range []string{
		"asked 1,200 times about 1,100 orders, 30 of these once more on another connection.",
		`<td>yes</td><td class="n">1,000</td>`, `<td>hang</td><td class="n">50</td>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	var text bytes.Buffer
	if err := report.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	var read struct{ Shop ShopSaid }
	if err := json.Unmarshal(text.Bytes(), &read); err != nil || read.Shop.Asks != 1200 ||
		read.Shop.Words["no"] != 150 {
		t.Errorf("as JSON: %+v, %v", read, err)
	}
	if _, page = pageOf(t, &Judged{}); strings.Contains(page, "last word") {
		t.Error("without a shop the page speaks of its word")
	}
}

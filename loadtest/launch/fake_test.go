package launch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// faults are what a gate can get wrong.
type faults struct {
	oversells        bool // gives away more than there is, and hides it in its counters
	overcounts       bool // gives away more than there is, and counts it
	forgetsRepeats   bool // refuses who asks again after the last unit went
	losesHolds       bool // says 200 and records nothing
	losesLines       bool // records another cart
	overLimit        bool // lets one buyer have all
	refusesEarly     bool // says sold out with units left
	countsWrongly    bool // loses a unit in its counters
	recordsMore      bool // records orders that were told sold out
	wrongStatus      bool // words a refusal as a 200
	saysNothing      bool // refuses without a sentence
	takesAnything    bool // says 200 to whatever comes
	hangs            bool // answers some orders after their time
	breaksOff        bool // closes the connection of some orders
	auditFails       bool
	noAudit          bool
	noLedger         bool // no fault: a gate of another version
	notOpen          bool // says so although the sale is open
	unsureSometimes  bool // no fault: says unavailable to some, and holds all the same
	releasesAfter200 bool // no fault: a payment that fails at once
	asks             asking
}

// fakeGate is a gate, its store and its admin API in a few lines.
type fakeGate struct {
	faults
	url string

	mu     sync.Mutex
	total  int64
	left   map[string]int64
	orders map[string]*orderView
	buyers map[string]int64
	ledger []entryView
	shop   *askedShop
	told   int   // confirms
	extra  int64 // records of nobody's
	limit  int64
}

const fakeHang = 500 * time.Millisecond

// newFakeGate serves a sale "race" of SKUs a and b, each with so many units.
func newFakeGate(t *testing.T, stock int64, f faults) *fakeGate {
	t.Helper()
	g := &fakeGate{
		faults: f, total: stock, left: map[string]int64{"a": stock, "b": stock},
		orders: map[string]*orderView{}, buyers: map[string]int64{}, limit: 2,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /confirm/{sale}", g.confirm)
	mux.HandleFunc("GET /v1/sales/race", g.sale)
	mux.HandleFunc("GET /v1/sales/race/orders/{order}", g.order)
	mux.HandleFunc("GET /v1/sales/race/audit", g.audit)
	mux.HandleFunc("GET /v1/sales/race/ledger", g.entries)
	g.url = serve(t, mux)
	return g
}

func (g *fakeGate) confirm(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	g.mu.Lock()
	g.told++
	told := g.told
	code := g.decide(r, body)
	sentence := "a sentence"
	if code == shopRefused {
		sentence = cmp.Or(g.shop.reason, sentence)
	}
	g.mu.Unlock()
	switch {
	case g.hangs && told%10 == 0:
		time.Sleep(fakeHang)
	case g.breaksOff && told%10 == 0:
		panic(http.ErrAbortHandler)
	}
	status := statuses()[code]
	if g.wrongStatus && code == "sold_out" {
		status = http.StatusOK
	}
	if g.saysNothing {
		sentence = ""
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"code":%q,"reason":%q,"errorMessage":%q}`, code, sentence, sentence)
}

// decide is the gate's verdict on one confirm.
func (g *fakeGate) decide(r *http.Request, body []byte) string {
	id := orderOf(r.Header.Get("Content-Type"), body)
	sku, buyer := r.FormValue("items"), r.FormValue("buyer")
	known := g.orders[id]
	switch {
	case g.takesAnything:
		return "held"
	case r.PathValue("sale") != "race":
		return "unknown_sale"
	case id == "":
		return "bad_request"
	case sku == "no-such-sku":
		return "unknown_sku"
	case g.notOpen && known == nil && g.told%10 == 0:
		return "not_open"
	case known != nil && known.State == "asking":
		return g.lastWord(id)
	case known != nil && known.State == "released":
		return "attempt_ended"
	case known != nil && g.forgetsRepeats && g.left[sku] == 0:
		return "sold_out"
	case known != nil:
		if g.asks.asksAfter200 {
			g.shop.ask(id, buyer, sku)
		}
		return "held"
	case g.buyers[buyer] == g.limit && !g.overLimit:
		return "buyer_limit"
	case g.refusesEarly && g.left[sku] <= g.total/2:
		return "sold_out"
	case g.left[sku] == 0 && g.oversells && g.told%2 == 0:
		g.orders[id] = &orderView{"held", buyer, []gate.Line{{SKU: sku, Quantity: 1}}}
		return "held"
	case g.left[sku] <= 0 && !g.overcounts:
		if g.recordsMore {
			g.extra++
		}
		if g.asks.asksRefused {
			g.shop.ask(id, buyer, sku)
		}
		return "sold_out"
	}
	g.move(id, sku, -1)
	g.buyers[buyer]++
	g.orders[id] = &orderView{"held", buyer, []gate.Line{{SKU: sku, Quantity: 1}}}
	switch {
	case g.losesLines:
		g.orders[id].Lines[0].Quantity = 7
	case g.losesHolds && g.told%10 == 0:
		delete(g.orders, id)
	case g.releasesAfter200 && g.told%10 == 0:
		g.orders[id].State = "released"
		g.move(id, sku, 1)
		g.buyers[buyer]--
	case g.unsureSometimes && g.told%10 == 0:
		return "unavailable"
	case g.shop != nil:
		g.orders[id].State = "asking"
		return g.lastWord(id)
	}
	return "held"
}

// move changes what is left, and notes it in the ledger.
func (g *fakeGate) move(id, sku string, units int64) {
	g.left[sku] += units
	g.ledger = append(g.ledger, entryView{
		Seq: int64(len(g.ledger) + 1), Time: time.Now(), Kind: "confirm",
		Units: map[string]UnitsView{sku: {Left: g.left[sku]}}, Orders: []changedView{{id, 1}},
	})
}

// entries answers with three entries at a time.
func (g *fakeGate) entries(w http.ResponseWriter, r *http.Request) {
	since, err := strconv.Atoi(r.FormValue("since"))
	if g.noLedger || err != nil {
		http.NotFound(w, r)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	page := g.ledger[since:min(since+3, len(g.ledger))]
	_ = json.NewEncoder(w).Encode(page)
}

// orderOf reads the order's id, "" where there is none.
func orderOf(contentType string, body []byte) string {
	if contentType == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return ""
		}
		return form.Get("merchant_uid")
	}
	var call struct {
		MerchantUID string `json:"merchant_uid"`
		PaymentID   string `json:"payment_id"`
		Data        struct{ PaymentID string }
	}
	if json.Unmarshal(body, &call) != nil {
		return ""
	}
	return call.MerchantUID + call.PaymentID + call.Data.PaymentID
}

func (g *fakeGate) sale(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	view := SaleView{Run: 1, Version: 1, Seq: int64(len(g.ledger)), State: "open", Orders: map[string]int64{}}
	view.Settings.OpensAt, view.Settings.ClosesAt, view.Settings.PerBuyer = time.Unix(0, 0),
		time.Now().Add(time.Hour), g.limit
	if g.shop != nil {
		view.Settings.Ask = g.shop.url + "/ask"
	}
	for _, sku := range []string{"a", "b"} {
		view.SKUs = append(view.SKUs,
			UnitsView{SKU: sku, Total: g.total, Left: g.left[sku], Held: g.total - g.left[sku]})
	}
	if g.countsWrongly {
		view.SKUs[0].Held--
	}
	for _, o := range g.orders {
		view.Orders[o.State]++
	}
	view.Orders["held"] += g.extra
	_ = json.NewEncoder(w).Encode(view)
}

func (g *fakeGate) order(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.orders[r.PathValue("order")]
	if o == nil {
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(o)
}

func (g *fakeGate) audit(w http.ResponseWriter, r *http.Request) {
	switch {
	case g.noAudit:
		http.NotFound(w, r)
	case g.auditFails:
		fmt.Fprint(w, `{"differences": 1, "findings": [{"text": "<b>a counter is wrong</b>"}]}`)
	default:
		fmt.Fprint(w, `{"differences": 0}`)
	}
}

// fakeOptions ask for more than the fake gate has.
func fakeOptions(g *fakeGate) Options {
	buyers := 60
	if g.overLimit {
		buyers = 5 // who all come more than twice
	}
	return Options{
		Targets: []string{g.url}, Sale: "race", Items: []Item{{SKU: "a", Weight: 3}, {SKU: "b", Weight: 1}},
		Shape: "steady", Rate: 500, Demand: 120, Buyers: buyers, Duplicates: .5, Hostile: .1, Bodies: Bodies(),
		Seed: 1, Prefix: "T",
	}
}

// attack sends the requests of a plan to a fake gate.
func attack(t *testing.T, g *fakeGate, opt Options) *Run {
	t.Helper()
	plan, err := NewPlan(nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	run := &Run{Plan: plan, Timeout: 10 * time.Second, MaxWorkers: 32}
	if g.shop != nil {
		run.Shop = &Shop{URL: g.shop.url, Client: http.DefaultClient}
		if err := run.Shop.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Attack(t.Context(), func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	return run
}

func serve(t *testing.T, handler http.Handler) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// rehearse runs a plan against a fake gate.
func rehearse(t *testing.T, g *fakeGate, opt Options) *Report {
	t.Helper()
	admin := &Admin{URL: g.url, Client: http.DefaultClient}
	before, err := admin.Sale(t.Context(), "race")
	if err != nil {
		t.Fatal(err)
	}
	run := attack(t, g, opt)
	found, err := run.Verdict(t.Context(), Judge{
		Admin: admin, Before: before, Within: patienceOf(g), Workers: 2, Tell: quietly,
	})
	if err != nil {
		t.Fatal(err)
	}
	return run.Report(found)
}

// patienceOf is generous where nothing hangs: the machine may be busy.
func patienceOf(g *fakeGate) time.Duration {
	if g.hangs {
		return fakeHang
	}
	return 10 * time.Second
}

// failed returns the names of the checks that failed.
func failed(report *Report) string {
	var names []string
	for _, c := range report.Checks {
		if c.Result == Failed {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// quietly tells nobody how far it has come.
func quietly(string, string) {}

func describe(report *Report) string {
	var b strings.Builder
	if err := report.WriteText(&b); err != nil {
		return strconv.Quote(err.Error())
	}
	return b.String()
}

package cli

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/audit"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/store"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/chance"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

// Everything goes wrong with money, each thing with a fifth of the orders, and several with
// most of them: see mischiefPlan, order, cancels and wire. In the end PortOne keeps the money
// of paid orders and of refunds that are listed for a person, and no other.
func TestMoneyIsKeptForPaidOrdersAlone(t *testing.T) {
	if *long {
		t.Skip("the long one is run alone")
	}
	t.Parallel()
	playMischief(t, &mischief{seed: 1, orders: 200, deposits: 1, patience: 6 * time.Minute, hasten: true})
}

func TestTheMoneyOfTwoThousandOrders(t *testing.T) {
	if !*long {
		t.Skip("it takes half an hour: -long")
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed+1), func(t *testing.T) {
			playMischief(t, &mischief{seed: seed + 1, orders: 2000, deposits: 0.8, patience: 15 * time.Minute})
		})
	}
}

// mischief is a sale in which everything goes wrong.
type mischief struct {
	seed     uint64
	orders   int
	deposits float64       // virtual accounts that are paid into
	patience time.Duration // until everything is settled
	hasten   bool          // webhooks name what is owed over and over, so that it is looked at without long pauses

	t     *testing.T
	sim   *simtest.PortOne // that answers what it should
	wire  *wire            // between it and the gates
	redis *redistest.Server
	store *store.Store
	flags []string
	began time.Time

	mu    sync.Mutex // over the gates
	gates [2]*process
}

// slowBy is how long what is slow takes: longer than a hold and the gates' grace.
const slowBy = 4 * time.Second

func (m *mischief) plan() portonesim.Plan {
	return portonesim.Plan{
		Declines: 0.15, SlowApprovals: 0.2, Lost: 0.05, Never: 0.05, Pending: 0.1, Invented: 0.05, Revived: 0.2,
		TriesAgain:  0.5,
		PartCancels: 0.2, Disputes: 0.2, Chargebacks: 0.2,
		VirtualAccounts: 0.2, Deposits: m.deposits, NoDueDates: 0.2, TestChannel: 0.2, SwitchedAmount: 0.2, Twice: 0.2,
		FailedRefunds: 0.2, TaxFree: 0.2, Discounts: 0.2, Promotions: 0.2,
		DuplicateHooks: 0.2, LateHooks: 0.2, DroppedHooks: 0.2, ShuffledHooks: 0.2, ForgedHooks: 0.2,
		HookCopies: 3, SlowBy: slowBy, LateBy: time.Second,
	}
}

// sale is the sale's file. Of what is scarce there is so little that late payments find none.
func (m *mischief) sale(more string) string {
	return fmt.Sprintf("sales: [{name: race, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, "+
		"accept: [v1, v2], "+
		"auto_refund: true, refund_brake: off, deposit_limit: 1m, per_buyer: 2, %s, skus: [{name: plenty, stock: %d, "+
		"price: 1000}, {name: scarce, stock: %d, price: 2000}]}]",
		more, m.orders, m.orders/12)
}

// drawn reports whether something goes wrong with an order, or a payment.
func (m *mischief) drawn(what, of string) bool { return chance.Draw(m.seed, what, of) < 0.2 }

func playMischief(t *testing.T, m *mischief) {
	m.begin(t)
	m.play()
	m.await("everything to be settled")
	tried := m.tryAgain()
	m.hasten = true // people who wait look again; by themselves the gates look ever less often
	m.await("what people have tried again to be settled", tried...)
	m.audit()
	m.wire.report(t, m.sim.Payments())
}

func (m *mischief) begin(t *testing.T) {
	m.t, m.redis, m.began = t, redistest.Start(t), time.Now()
	sim := portonesim.New(portonesim.Deps{}, portonesim.Options{
		V1Key: "key", V1Secret: "secret", V2Secret: "secret-2", WebhookSecret: simtest.HookSecret,
		Seed: m.seed, Plan: m.plan(),
		Backoff: []time.Duration{100 * time.Millisecond, 200 * time.Millisecond},
	})
	t.Cleanup(sim.Close)
	m.wire = newWire(sim.Handler(), m.drawn)
	straight, faulty := httptest.NewServer(sim.Handler()), httptest.NewServer(m.wire)
	t.Cleanup(straight.Close)
	t.Cleanup(faulty.Close)
	m.sim = &simtest.PortOne{Sim: sim, URL: straight.URL}
	var err error
	m.store, err = store.Open(m.redis.URL(),
		store.Deps{}, store.Options{Who: "test", FirstLook: time.Second, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.store.Close() })
	applySale(t, m.redis.URL(), m.sale("hold: 2s"))
	m.flags = append((&simtest.PortOne{Sim: sim, URL: faulty.URL}).Settling(), "--grace", "1s",
		"--redis", m.redis.URL(), "--allow-unsigned")
	for i := range m.gates {
		m.gates[i] = startGate(t, m.flags...)
	}
}

// play has the buyers come, changes settings and kills a gate meanwhile, twice.
func (m *mischief) play() {
	var shopping sync.WaitGroup
	room := make(chan struct{}, 100) // buyers at a time
	for i := range m.orders {
		room <- struct{}{}
		shopping.Go(func() {
			m.buy(i)
			<-room
		})
		switch i {
		case m.orders / 4:
			m.apply("hold: 3s, messages: {refund_amount: 다른 금액}")
		case m.orders / 2:
			m.killOne()
		case 3 * m.orders / 4:
			m.apply("hold: 2s, virtual_accounts: refuse")
		case 4 * m.orders / 5:
			m.apply("hold: 2s")
		}
	}
	m.killOne()
	shopping.Wait()
	time.Sleep(2 * slowBy) // what still comes of payments has come: money late, deposits
}

func (m *mischief) apply(more string) {
	command(m.t, "apply", "--redis", m.redis.URL(), "-f", testkit.SaleFile(m.t, m.sale(more)))
}

// killOne kills a gate in the middle of whatever it does, and starts another one.
func (m *mischief) killOne() {
	m.mu.Lock()
	dead := m.gates[1]
	m.gates[1] = m.gates[0] // where buyers go meanwhile
	m.mu.Unlock()
	dead.Kill()
	next := startGate(m.t, m.flags...)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gates[1] = next
}

func (m *mischief) listen(i int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gates[i%2].listen
}

// buy pays for an order, and leaves a foreign attempt beside some.
func (m *mischief) buy(i int) {
	o := m.order(i)
	foreign := portonesim.Order{Version: 1, ID: o.ID, Amount: 100_050, Decimals: true, Fate: "declines"}
	if o.Body[:2] == "v1" && m.drawn("foreign", o.ID) {
		m.sim.Pay(m.t.Context(), foreign)
	}
	m.sim.Pay(m.t.Context(), o)
}

func (m *mischief) order(i int) portonesim.Order {
	id, addr := fmt.Sprintf("ORD%06d", i), m.listen(i)
	items, amount := "plenty", int64(1000)
	if chance.Draw(m.seed, "items", id) < 1.0/3 {
		items, amount = "scarce", 2000
	}
	if m.drawn("cart", id) {
		items, amount = "plenty,scarce", 3000
	}
	buyer := id
	if m.drawn("greedy", id) { // one of four or so who share two units
		buyer = fmt.Sprint("greedy", i/20)
	}
	o := portonesim.Order{
		Body: []string{
			"v1", "v1-form", "v2-2024-01-01",
			"v2-2024-04-25",
		}[i%4], ID: id, Amount: amount, Cancels: m.cancels(id),
		ConfirmURL: "http://" + addr + "/confirm/race?items=" + items + "&buyer=" + buyer,
		NoticeURL:  "http://" + addr + "/webhook/race",
	}
	if m.drawn("currency", id) {
		o.Currency = "USD"
	}
	if m.drawn("due soon", id) {
		o.DepositBy = time.Now().Add(3 * time.Second)
	}
	return o
}

// cancels are what the cancellations of an order's payments come to, one after the other.
func (m *mischief) cancels(id string) (words []string) {
	for _, w := range []struct{ what, words string }{
		{"gateway fails", "PG_PROVIDER"},
		{"gateway fails more often", "PG_PROVIDER PG_PROVIDER"},
		{"fails", "failed"},
		{"request fails", "request-fails"},
	} {
		if m.drawn(w.what, id) {
			words = append(words, strings.Fields(w.words)...)
		}
	}
	if m.drawn("refused", id) {
		words = append(words, "MAX_CANCEL_COUNT_REACHED")
		if m.refusedForGood(id) {
			return words
		}
	}
	switch {
	case m.drawn("slow", id):
		return append(words, "slow")
	case m.drawn("requested", id):
		return append(words, "requested")
	}
	return append(words, "done")
}

// refusedForGood reports whether an order's cancellations are refused whoever tries.
func (m *mischief) refusedForGood(id string) bool {
	return m.drawn("refused", id) && chance.Draw(m.seed, "for good", id) < 0.5
}

// await waits until the books agree.
func (m *mischief) await(what string, changed ...string) {
	m.t.Helper()
	for end := m.began.Add(m.patience); ; gate.Pause(m.t.Context(), 2*time.Second) {
		books := m.books()
		err := books.check(changed)
		if err == nil {
			m.t.Logf("%s took until %s after the start: %s", what, time.Since(m.began).Round(time.Second), books)
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("waited until %s after the start for %s: %v", m.patience, what, err)
		}
		for id, o := range books.orders {
			if m.hasten && books.waitsForNobody(&o) {
				if _, err := m.store.Hasten(m.t.Context(), []string{"race"}, id); err != nil {
					m.t.Fatal(err)
				}
			}
		}
	}
}

// tryAgain has people see to half of the refunds that wait for them: it gives the buyer's
// bank account, or says to try again. It returns those orders.
func (m *mischief) tryAgain() (orders []string) {
	for _, r := range m.refunds() {
		waits := map[gate.RefundWait]bool{}
		for _, line := range r.Refunds {
			waits[line.Waits] = true
		}
		args := []string{"refund", "--redis", m.redis.URL()}
		switch {
		case chance.Draw(m.seed, "a person sees to it", r.Order) < 0.5:
			continue
		case waits[gate.WaitAccount]:
			args = append(args, "--bank", bankOf(&r), "--account", "12345678901", "--holder", "홍길동")
		case !waits[gate.WaitChange]:
			continue
		}
		command(m.t, append(args, "race", r.Order)...)
		orders = append(orders, r.Order)
	}
	if len(orders) == 0 {
		m.t.Error("no refund waits for a person")
	}
	return orders
}

// bankOf is a bank as the version calls it that an order was paid by.
func bankOf(r *gate.RefundView) string {
	if r.Attempts[0].Version == 1 {
		return "004"
	}
	return "KOOKMIN"
}

// refunds returns what flashgate refunds lists.
func (m *mischief) refunds() (reports []gate.RefundView) {
	m.t.Helper()
	err := json.Unmarshal([]byte(command(m.t, "refunds", "--json", "--redis", m.redis.URL(), "race")), &reports)
	if err != nil {
		m.t.Fatal(err)
	}
	return reports
}

// audit wants the audit to find nothing: what waits for a person is no difference.
func (m *mischief) audit() {
	m.t.Helper()
	var report audit.Report
	said := command(m.t, append([]string{"audit", "--json", "--redis", m.redis.URL(), "race"},
		m.sim.Credentials()...)...)
	if err := json.Unmarshal([]byte(said), &report); err != nil || report.Charged == 0 || report.Payments == 0 {
		m.t.Errorf("the audit says %s, %v", said, err)
	}
	m.t.Logf("the audit: %d differences, %d orders, %d looked up at PortOne, %d payments charged, %d ledger entries",
		report.Differences, report.Orders, report.Payments, report.Charged, report.Entries)
}

package portone_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// The simulator knows PortOne's APIs from PortOne's pages, as the gate does, and
// both could have read a page wrongly. npm's iamport-server-api and PortOne's own
// SDK were written by others: what they make of the simulator's answers is what
// the gate must make of them.

// ask is a call for simulator.mjs to make.
type ask struct {
	Call    string `json:"call"`
	Order   string `json:"order"`
	Attempt string `json:"attempt"`
	Amount  int64  `json:"amount,omitempty"`  // to cancel; all where it is 0
	Balance *int64 `json:"balance,omitempty"` // that the caller believes to be left
	Token   string `json:"token,omitempty"`   // to confirm by hand
}

// seen is a payment as a library shows it, or why it does not.
type seen struct {
	Order     string `json:"order"`
	Attempt   string `json:"attempt"`
	Status    string `json:"status"`
	Amount    int64  `json:"amount"`
	Cancelled int64  `json:"cancelled"`
	Currency  string `json:"currency"`
	Live      bool   `json:"live"`
	Error     string `json:"error"`
}

// simulated is a PortOne to which both the gate's client and others' speak.
type simulated struct {
	*portonesim.Sim
	t      *testing.T
	url    string
	client *portone.Client
}

func simulate(t *testing.T) *simulated {
	t.Helper()
	s := &simulated{t: t, Sim: portonesim.New(portonesim.Deps{},
		portonesim.Options{V1Key: fakeKey, V1Secret: fakeSecret, V2Secret: fakeSecret})}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		server.Close()
		s.Close()
	})
	cfg := configured()
	s.url = server.URL
	cfg.V1 = portone.V1Options{BaseURL: s.url, Key: fakeKey, Secret: fakeSecret}
	cfg.V2 = portone.V2Options{BaseURL: s.url, Secret: fakeSecret}
	s.client = newClient(t, cfg)
	return s
}

// ask returns what others' libraries make of the simulator's answers.
func (s *simulated) ask(asks ...ask) []seen {
	s.t.Helper()
	return node[seen](s.t, "simulator.mjs", asks, s.url, fakeKey, fakeSecret)
}

// look returns what the gate makes of them, in the words of the API's version.
func (s *simulated) look(p portonesim.Payment) seen {
	s.t.Helper()
	f := s.client.Lookup(s.t.Context(),
		[]portone.Query{{Order: p.Order, Version: gate.Version(p.Version), Attempts: []string{p.Attempt}}})[0]
	if f.Err != nil || len(f.Payments) != 1 || len(f.Missing) != 0 {
		s.t.Fatalf("the gate finds %+v for %+v, want one payment", f, p)
	}
	found := f.Payments[0]
	words := map[gate.PaymentState][2]string{
		gate.PaymentReady:         {"ready", "READY"},
		gate.PaymentDeposit:       {"ready", "VIRTUAL_ACCOUNT_ISSUED"},
		gate.PaymentPaid:          {"paid", "PAID"},
		gate.PaymentPartCancelled: {"paid", "PARTIAL_CANCELLED"},
		gate.PaymentCancelled:     {"cancelled", "CANCELLED"},
		gate.PaymentFailed:        {"failed", "FAILED"},
	}
	result := seen{
		Order: found.Order, Attempt: found.Attempt, Status: words[found.State][p.Version-1],
		Amount: found.Amount, Currency: found.Currency, Live: found.Live,
	}
	switch found.State {
	case gate.PaymentPaid, gate.PaymentPartCancelled, gate.PaymentCancelled:
		result.Cancelled = found.Amount - found.Balance
	}
	return result
}

// pay makes a payment that nothing goes wrong with.
func (s *simulated) pay(o portonesim.Order) portonesim.Payment {
	s.t.Helper()
	o.Amount = 1000
	s.Pay(s.t.Context(), o)
	all := s.Payments()
	return all[len(all)-1]
}

// shop answers every confirm call with a status.
func shop(t *testing.T, status int) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request,
	) {
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestOthersLibrariesAndTheGateSeeTheSamePayments(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	for version := 1; version <= 2; version++ {
		for kind, change := range map[string]func(*portonesim.Order){
			"paid":    func(o *portonesim.Order) { o.ConfirmURL = shop(t, http.StatusOK) },
			"part":    func(*portonesim.Order) {},
			"given":   func(*portonesim.Order) {},
			"refused": func(o *portonesim.Order) { o.ConfirmURL = shop(t, http.StatusConflict) },
			"account": func(o *portonesim.Order) { o.VirtualAccount = true },
			"dollars": func(o *portonesim.Order) { o.Currency = "USD" },
			// V1 shows those only where it is asked to, which this library cannot
			"testing": func(o *portonesim.Order) { o.Test = version == 2 },
		} {
			o := portonesim.Order{Version: version, ID: fmt.Sprint(kind, version)}
			change(&o)
			s.pay(o)
		}
	}
	for order, amount := range map[string]int64{"part1": 300, "part2": 300, "given1": 0, "given2": 0} {
		if err := s.Cancel(order, "", amount); err != nil {
			t.Fatal(err)
		}
	}

	var asks []ask
	var want []seen
	for _, p := range s.Payments() {
		calls := map[int][]string{1: {"v1 at", "v1 find"}, 2: {"v2 get"}}[p.Version]
		for _, call := range calls {
			asks, want = append(asks, ask{Call: call, Order: p.Order, Attempt: p.Attempt}), append(want, s.look(p))
		}
	}
	asks = append(asks, ask{Call: "v1 at", Attempt: "imp_000000000000"}, ask{Call: "v1 find", Order: "nobody"},
		ask{Call: "v2 get", Order: "nobody"})
	want = append(want, seen{Error: "404"}, seen{Error: "404"}, seen{Error: "PAYMENT_NOT_FOUND"})
	statuses := map[string]bool{}
	for i, got := range s.ask(asks...) {
		if got != want[i] {
			t.Errorf("%+v: others see %+v, the gate %+v", asks[i], got, want[i])
		}
		statuses[got.Status] = true
	}
	for _, status := range []string{
		"ready", "paid", "cancelled", "failed", "PAID", "PARTIAL_CANCELLED", "CANCELLED", "FAILED",
		"VIRTUAL_ACCOUNT_ISSUED",
	} {
		if !statuses[status] {
			t.Errorf("no payment was %s", status)
		}
	}
}

func TestWhatOthersLibrariesCancelTheGateSeesCancelled(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	all, less := int64(1000), int64(999)
	payments := map[string]portonesim.Payment{}
	for version := 1; version <= 2; version++ {
		for _, kind := range []string{"one", "two", "three"} {
			order := fmt.Sprint(kind, version)
			payments[order] = s.pay(portonesim.Order{Version: version, ID: order})
		}
	}
	// The gate cancels the third of each version itself.
	for _, version := range gate.Versions() {
		p := payments[fmt.Sprint("three", int(version))]
		came, err := s.client.Cancel(t.Context(), portone.CancelRequest{
			Order: p.Order, Attempt: p.Attempt, Version: version, Balance: all, Reason: "해제",
			Key: "key-0000000000-" + p.Order,
		})
		if came != portone.CancelDone || err != nil {
			t.Fatal(came, err)
		}
	}
	cancel := func(order string, amount int64, balance *int64) ask {
		p := payments[order]
		return ask{
			Call: fmt.Sprintf("v%d cancel", p.Version), Order: order, Attempt: p.Attempt, Amount: amount,
			Balance: balance,
		}
	}
	asks := []ask{
		cancel("one1", 0, &less), cancel("one1", 0, &all), cancel("two1", 300, &all), cancel("three1", 0, nil),
		cancel("one2", 0, &less), cancel("one2", 0, &all), cancel("two2", 300, &all), cancel("three2", 0, nil),
	}
	got := s.ask(asks...)
	f := func(i int, order, status string, cancelled int64, why string) {
		t.Helper()
		if got[i].Status != status || got[i].Cancelled != cancelled || got[i].Error != why {
			t.Errorf("%+v: others see %+v, want %s with %d cancelled, or the error %q", asks[i], got[i], status,
				cancelled, why)
		}
		if why != "" {
			return
		}
		if gates := s.look(payments[order]); got[i] != gates {
			t.Errorf("%+v: others see %+v, the gate %+v", asks[i], got[i], gates)
		}
	}
	f(0, "one1", "", 0, "취소가능금액이 일치하지 않습니다.")
	f(1, "one1", "cancelled", 1000, "")
	f(2, "two1", "paid", 300, "")
	f(3, "three1", "", 0, "이미 전액취소된 주문입니다.")
	f(4, "one2", "", 0, "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN")
	f(5, "one2", "CANCELLED", 1000, "")
	f(6, "two2", "PARTIAL_CANCELLED", 300, "")
	f(7, "three2", "", 0, "PAYMENT_ALREADY_CANCELLED")
}

func TestWhatPortOnesSDKConfirmsByHandTheGateSeesPaid(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	r := s.Pay(t.Context(), portonesim.Order{
		Version: 2, ID: "order", Amount: 1000, ManualConfirm: true,
		NoticeURL: shop(t, http.StatusNoContent),
	})
	if before := s.look(s.Payments()[0]); before.Status != "READY" || r.PaymentToken == "" {
		t.Fatalf("before it is confirmed the gate sees %+v; the buyer sees %+v", before, r)
	}
	asks := []ask{
		{Call: "v2 register", Order: "order", Amount: 1000},
		{Call: "v2 confirm", Order: "order", Attempt: r.Attempt, Amount: 999, Token: r.PaymentToken},
		{Call: "v2 confirm", Order: "order", Attempt: r.Attempt, Amount: 1000, Token: "another"},
		{Call: "v2 confirm", Order: "order", Attempt: r.Attempt, Amount: 1000, Token: r.PaymentToken},
		{Call: "v2 confirm", Order: "order", Attempt: r.Attempt, Amount: 1000, Token: r.PaymentToken},
		{Call: "v2 register", Order: "order", Amount: 1000},
		{Call: "v2 resend", Order: "order"},
		{Call: "v2 resend", Order: "nobody"},
	}
	got := s.ask(asks...)
	paid := s.look(s.Payments()[0])
	if paid.Status != "PAID" {
		t.Errorf("after it was confirmed the gate sees %+v", paid)
	}
	for i, want := range []seen{
		{Order: "order"},
		{Error: "INFORMATION_MISMATCH"},
		{Error: "INVALID_PAYMENT_TOKEN"},
		paid,
		{Error: "ALREADY_PAID"},
		{Error: "ALREADY_PAID"},
		{Order: "order", Status: "SUCCEEDED"},
		{Error: "PAYMENT_NOT_FOUND"},
	} {
		if got[i] != want {
			t.Errorf("%+v: the SDK sees %+v, want %+v", asks[i], got[i], want)
		}
	}
}

package gate

import (
	"strings"
	"testing"
	"time"
)

func testSale() Sale {
	now := time.Now()
	return Sale{Name: "race", Run: 1, Settings: Settings{
		OpensAt: now.Add(-time.Hour), ClosesAt: now.Add(time.Hour), Hold: time.Minute,
		SKUs: []SKU{
			{Name: "full", Stock: 10, Price: new(int64(80000))},
			{Name: "half", Stock: 10, Price: new(int64(60000))},
			{Name: "free", Stock: 10},
		},
	}}
}

func TestASaleMustMakeSense(t *testing.T) {
	t.Parallel()
	if s := testSale(); s.Validate() != nil {
		t.Fatal(s.Validate())
	}
	f := func(want string, change func(*Sale)) {
		t.Helper()
		s := testSale()
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error about %q", err, want)
		}
	}
	f("sale name", func(s *Sale) { s.Name = "a b" })
	f("run 0", func(s *Sale) { s.Run = 0 })
	f("closes_at", func(s *Sale) { s.ClosesAt = s.OpensAt })
	f("closes_at", func(s *Sale) { s.ClosesAt = time.UnixMilli(MaxTime + 1) })
	f("hold", func(s *Sale) { s.Hold = time.Millisecond })
	f("hold", func(s *Sale) { s.Hold = 25 * time.Hour })
	f("deposit_limit", func(s *Sale) { s.DepositLimit = time.Second })
	f("reconcile_for", func(s *Sale) { s.ReconcileFor = time.Second })
	f("reconcile_for", func(s *Sale) { s.ReconcileFor = 91 * 24 * time.Hour })
	f("reconcile_for", func(s *Sale) { s.ReconcileFor = -time.Hour })
	f("deposit_limit", func(s *Sale) { s.DepositLimit = 31 * 24 * time.Hour })
	f("per_buyer", func(s *Sale) { s.PerBuyer = -1 })
	f("0 SKUs", func(s *Sale) { s.SKUs = nil })
	f("1001 SKUs", func(s *Sale) { s.SKUs = make([]SKU, MaxSKUs+1) })
	f("SKU name", func(s *Sale) { s.SKUs[0].Name = "a:b" })
	f("listed twice", func(s *Sale) { s.SKUs[0].Name = "half" })
	f("stock -1", func(s *Sale) { s.SKUs[0].Stock = -1 })
	f("stock 1000000001", func(s *Sale) { s.SKUs[0].Stock = MaxUnits + 1 })
	f("price -1", func(s *Sale) { s.SKUs[0].Price = new(int64(-1)) })
	f("accept", func(s *Sale) { s.Accept = []string{"v3"} })
	for _, url := range []string{
		"shop", "ftp://shop", "http://", "http://a:b@shop", "http://shop#x", "http://[::1",
		"http://shop/\u200b", "http://shop/" + strings.Repeat("x", 500),
	} {
		f("notify", func(s *Sale) { s.Notify = url })
	}
	f("accept", func(s *Sale) { s.Accept = []string{"v1", "v1"} })
	f("no such message", func(s *Sale) { s.Messages = map[string]string{"sold": "x"} })
	f("no such message", func(s *Sale) { s.Messages = map[string]string{"held": "x"} })
	f("no such message", func(s *Sale) { s.Messages = map[string]string{"refund_currency": "x"} })
	f("no such message", func(s *Sale) { s.Messages = map[string]string{"no_units": "x"} })
	f("printable", func(s *Sale) { s.Messages = map[string]string{"sold_out": "a\nb"} })
	f("printable", func(s *Sale) { s.Messages = map[string]string{"sold_out": ""} })
}

func TestEverySettingCountsInEqual(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Settings){
		"opens_at":  func(s *Settings) { s.OpensAt = s.OpensAt.Add(time.Millisecond) },
		"closes_at": func(s *Settings) { s.ClosesAt = s.ClosesAt.Add(time.Millisecond) },
		"hold":      func(s *Settings) { s.Hold++ },
		"per_buyer": func(s *Settings) { s.PerBuyer++ },
		"paused":    func(s *Settings) { s.Paused = true },
		"refunds":   func(s *Settings) { s.AutoRefund = true },
		"brake":     func(s *Settings) { s.Unbraked = true },
		"restock":   func(s *Settings) { s.Withhold = true },
		"deposits":  func(s *Settings) { s.RefuseDeposits = true },
		"limit":     func(s *Settings) { s.DepositLimit = time.Hour },
		"compared":  func(s *Settings) { s.ReconcileFor = time.Hour },
		"unwatched": func(s *Settings) { s.ReconcileFor = NeverReconcile },
		"unproven":  func(s *Settings) { s.ReleaseUnproven = true },
		"notify":    func(s *Settings) { s.Notify = "http://shop" },
		"healthy":   func(s *Settings) { s.Healthy = "https://shop" },
		"ask":       func(s *Settings) { s.Ask = "https://shop" },
		"shown":     func(s *Settings) { s.ShowStock = true },
		"amounts":   func(s *Settings) { s.AmountOptional = true },
		"accept":    func(s *Settings) { s.Accept = []string{"v2"} },
		"messages":  func(s *Settings) { s.Messages = map[string]string{"sold_out": "x"} },
		"stock":     func(s *Settings) { s.SKUs[0].Stock++ },
		"price":     func(s *Settings) { s.SKUs[0].Price = new(int64(1)) },
		"no price":  func(s *Settings) { s.SKUs[0].Price = nil },
		"sku":       func(s *Settings) { s.SKUs = s.SKUs[1:] },
	} {
		a := testSale().Settings
		b := a
		b.SKUs = append([]SKU(nil), a.SKUs...)
		if !a.Equal(b) {
			t.Fatal("a copy is not equal")
		}
		if change(&b); a.Equal(b) {
			t.Errorf("%s does not count", name)
		}
	}
}

func TestPhase(t *testing.T) {
	t.Parallel()
	s := State{Sale: testSale()}
	f := func(want string, now time.Time) {
		t.Helper()
		if got := s.Phase(now); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f("not_open", s.OpensAt.Add(-1))
	f("open", s.OpensAt)
	f("open", s.ClosesAt.Add(-1))
	f("closed", s.ClosesAt)
	s.Paused = true
	f("paused", s.OpensAt)
	s.Deleted = time.Now()
	f("deleted", s.OpensAt)
}

package cli

import (
	"slices"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func marathon() gate.Sale {
	seoul := time.FixedZone("", 9*60*60)
	return gate.Sale{Name: "marathon", Run: 1, Settings: gate.Settings{
		OpensAt:  time.Date(2026, 12, 1, 10, 0, 0, 0, seoul),
		ClosesAt: time.Date(2026, 12, 1, 18, 0, 0, 0, seoul),
		Hold:     5 * time.Minute,
		PerBuyer: 2,
		Messages: map[string]string{"sold_out": "마감"},
		SKUs: []gate.SKU{
			{Name: "full", Stock: 15000, Price: new(int64(80000))},
			{Name: "half", Stock: 10000},
		},
	}}
}

type changeTest struct {
	name   string
	change func(*gate.Sale)
	want   []change
}

func changeTests() []changeTest {
	return []changeTest{
		{"nothing", func(*gate.Sale) {}, nil},
		{"paused", func(s *gate.Sale) { s.Paused = true }, nil},
		{"same instants in UTC", func(s *gate.Sale) { s.OpensAt, s.ClosesAt = s.OpensAt.UTC(), s.ClosesAt.UTC() }, nil},
		{"run", func(s *gate.Sale) { s.Run = 2 }, []change{"run: 1 -> 2"}},
		{
			"window",
			func(s *gate.Sale) {
				s.OpensAt = s.OpensAt.Add(-time.Hour)
				s.ClosesAt = s.ClosesAt.Add(500 * time.Millisecond)
			},
			[]change{
				"opens_at: 2026-12-01T10:00:00+09:00 -> 2026-12-01T09:00:00+09:00",
				"closes_at: 2026-12-01T18:00:00+09:00 -> 2026-12-01T18:00:00.5+09:00",
			},
		},
		{
			"window, now written in UTC",
			func(s *gate.Sale) { s.OpensAt = s.OpensAt.Add(time.Hour).UTC() },
			[]change{"opens_at: 2026-12-01T01:00:00Z -> 2026-12-01T02:00:00Z"},
		},
		{"hold, minutes", func(s *gate.Sale) { s.Hold = 10 * time.Minute }, []change{"hold: 5m -> 10m"}},
		{"hold, seconds", func(s *gate.Sale) { s.Hold = 90 * time.Second }, []change{"hold: 5m -> 1m30s"}},
		{"hold, hours", func(s *gate.Sale) { s.Hold = 20 * time.Hour }, []change{"hold: 5m -> 20h"}},
		{"limit", func(s *gate.Sale) { s.PerBuyer = 4 }, []change{"per_buyer: 2 -> 4"}},
		{"refunds", func(s *gate.Sale) { s.AutoRefund = true }, []change{"auto_refund: false -> true"}},
		{"no brake", func(s *gate.Sale) { s.Unbraked = true }, []change{"refund_brake: on -> off"}},
		{"restock", func(s *gate.Sale) { s.Withhold = true }, []change{"restock: return -> withhold"}},
		{"deposits", func(s *gate.Sale) { s.RefuseDeposits = true }, []change{"virtual_accounts: hold -> refuse"}},
		{
			"deposits, a day", func(s *gate.Sale) { s.DepositLimit = 24 * time.Hour },
			[]change{"deposit_limit: 72h -> 24h"},
		},
		{"deposits, as is usual", func(s *gate.Sale) { s.DepositLimit = gate.DefaultDepositLimit }, nil},
		{"unproven", func(s *gate.Sale) { s.ReleaseUnproven = true }, []change{"release_unproven: false -> true"}},
		{"shown", func(s *gate.Sale) { s.ShowStock = true }, []change{"show_stock: false -> true"}},
		{
			"compared for a month", func(s *gate.Sale) { s.ReconcileFor = 720 * time.Hour },
			[]change{"reconcile_for: 168h -> 720h"},
		},
		{
			"compared never", func(s *gate.Sale) { s.ReconcileFor = gate.NeverReconcile },
			[]change{"reconcile_for: 168h -> off"},
		},
		{"compared as is usual", func(s *gate.Sale) { s.ReconcileFor = gate.DefaultReconcileFor }, nil},
		{"notify", func(s *gate.Sale) { s.Notify = "http://a" }, []change{"notify: nobody -> http://a"}},
		{
			"notify with a secret", func(s *gate.Sale) { s.Notify = "http://a/b?token=s3cret" },
			[]change{"notify: nobody -> http://a/b?…"},
		},
		{
			"healthy", func(s *gate.Sale) { s.Healthy = "https://a/up?token=s3cret" },
			[]change{"healthy: not looked at -> https://a/up?…"},
		},
		{
			"ask", func(s *gate.Sale) { s.Ask = "https://a/ask?token=s3cret" },
			[]change{"ask: nobody -> https://a/ask?…"},
		},
		{"amounts", func(s *gate.Sale) { s.AmountOptional = true }, []change{"amount_optional: false -> true"}},
		{"versions", func(s *gate.Sale) { s.Accept = []string{"v1", "v2"} }, []change{"accept: any -> v1, v2"}},
		{"no limit", func(s *gate.Sale) { s.PerBuyer = 0 }, []change{"per_buyer: 2 -> no limit"}},
		{
			"messages",
			func(s *gate.Sale) { s.Messages = map[string]string{"sold_out": "끝", "closed": "닫힘"} },
			[]change{`messages.closed: added ("닫힘")`, `messages.sold_out: "마감" -> "끝"`},
		},
		{"no messages", func(s *gate.Sale) { s.Messages = nil }, []change{"messages.sold_out: removed"}},
		{
			"stock and price",
			func(s *gate.Sale) { s.SKUs[0].Stock, s.SKUs[0].Price = 20000, new(int64(90000)) },
			[]change{"skus.full.stock: 15000 -> 20000", "skus.full.price: 80000 -> 90000"},
		},
		{"no price", func(s *gate.Sale) { s.SKUs[0].Price = nil }, []change{"skus.full.price: 80000 -> none"}},
		{"free", func(s *gate.Sale) { s.SKUs[1].Price = new(int64(0)) }, []change{"skus.half.price: none -> 0"}},
		{
			"SKUs added and removed",
			func(s *gate.Sale) {
				s.SKUs = []gate.SKU{
					{Name: "kids", Stock: 5, Price: new(int64(100))},
					{Name: "vip", Stock: 1},
					s.SKUs[1],
				}
			},
			[]change{"skus.kids: added (stock 5, price 100)", "skus.vip: added (stock 1)", "skus.full: removed"},
		},
		{"SKUs in another order", func(s *gate.Sale) { slices.Reverse(s.SKUs) }, []change{"skus: in another order"}},
		{
			"everything, in the order of the file",
			func(s *gate.Sale) {
				s.Run, s.Hold, s.PerBuyer, s.Messages = 3, time.Second, 1, nil
				s.OpensAt, s.ClosesAt = s.OpensAt.Add(time.Minute), s.ClosesAt.Add(time.Minute)
				s.SKUs[1].Stock = 0
			},
			[]change{
				"run: 1 -> 3",
				"opens_at: 2026-12-01T10:00:00+09:00 -> 2026-12-01T10:01:00+09:00",
				"closes_at: 2026-12-01T18:00:00+09:00 -> 2026-12-01T18:01:00+09:00",
				"hold: 5m -> 1s",
				"per_buyer: 2 -> 1",
				"messages.sold_out: removed",
				"skus.half.stock: 10000 -> 0",
			},
		},
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range changeTests() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sale := marathon()
			tt.change(&sale)
			if got := changes(marathon(), sale); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestNoChangesMeansEqual(t *testing.T) {
	t.Parallel()
	for _, from := range changeTests() {
		for _, to := range changeTests() {
			a, b := marathon(), marathon()
			from.change(&a)
			to.change(&b)
			b.Paused = a.Paused
			equal := a.Run == b.Run && a.Equal(b.Settings)
			if got := changes(a, b); (len(got) == 0) != equal {
				t.Errorf("%s to %s: equal is %t, changes are %q", from.name, to.name, equal, got)
			}
		}
	}
}

// What changes is logged, so it never shows what may be a secret.
func TestAnotherSecretIsAChangeThatShowsNone(t *testing.T) {
	t.Parallel()
	was, is := gate.Sale{Run: 1}, gate.Sale{Run: 1}
	was.Notify, is.Notify = "http://a/b?token=s3cret", "http://a/b?token=s4cret"
	if got := changes(was, is); len(got) != 1 || got[0] != "notify: http://a/b?… -> http://a/b?… (another query)" {
		t.Errorf("the changes are %q", got)
	}
}

package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

// A buyer disputes a payment and is wrong; of another the card company takes the money back.
func TestDisputesAndChargebacksAreShownAndSellNothing(t *testing.T) {
	t.Parallel()
	sim, redis := simtest.Start(t, portonesim.Plan{}), redistest.Start(t)
	applySale(t, redis.URL(), testkit.PricedSale(10, "hold: 1m"))
	g := startGate(t, append(sim.Settling(), "--redis", redis.URL(), "--allow-unsigned", "--portone-v2-store",
		portonesim.StoreID)...)
	for i := range 3 {
		r := sim.Pay(t.Context(), portonesim.Order{
			Version: 2, ID: fmt.Sprint("order_", i), Amount: 1000,
			ConfirmURL: "http://" + g.listen + "/confirm/race?items=unit", NoticeURL: "http://" + g.listen + "/webhook",
		})
		if r.ConfirmStatus != 200 {
			t.Fatalf("%+v", r)
		}
	}
	f := func(what string, err error, want string) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		await(t, what, func() error {
			var reports []gate.DisputeView
			err := json.Unmarshal([]byte(command(t, "disputes", "--redis", redis.URL(), "--json", "race")), &reports)
			if err != nil {
				return err
			}
			var got []string
			for _, r := range reports {
				for _, d := range r.Disputes {
					got = append(got, fmt.Sprint(r.Order, " ", d.Kind, " ", d.Amount))
				}
			}
			r := readStatus(t, redis.URL(), "race")
			if fmt.Sprint(got) != want || r.Orders.Paid != 3 || r.SKUs[0].Left != 7 {
				return fmt.Errorf("listed are %v, the sale is %+v", got, r)
			}
			return nil
		})
	}
	f("nothing", nil, "[]")
	f("a dispute", sim.Dispute("order_1"), "[order_1 dispute 0]")
	f("a chargeback", sim.Chargeback("order_2"), "[order_1 dispute 0 order_2 chargeback 1000]")
	for _, shown := range []string{
		command(t, "disputes", "--redis", redis.URL(), "race"), command(t, "order", "--redis", redis.URL(),
			"race", "order_1"),
	} {
		if !strings.Contains(shown, "dispute") || !strings.Contains(shown, "\uad6c\ub9e4\uc790\uac00") {
			t.Errorf("it shows\n%s", shown)
		}
	}
	if _, body := g.get(g.admin, "/v1/sales/race/orders/order_2"); !strings.Contains(body, `"kind": "chargeback"`) ||
		!strings.Contains(body, `"state": "paid"`) {
		t.Errorf("the API shows %s", body)
	}
	if _, metrics := g.get(g.admin, "/metrics"); !strings.Contains(metrics,
		`flashgate_disputes_total{kind="chargeback",sale="race"} 1`) {
		t.Error("no chargeback is counted")
	}
	f("it is resolved", sim.Resolve("order_1"), "[order_2 chargeback 1000]")
	command(t, append([]string{"audit", "--redis", redis.URL(), "race", "--portone-v2-store", portonesim.StoreID},
		sim.Credentials()...)...)
}

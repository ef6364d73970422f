package cli

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

// Staff cancel a deposit's payment, and the bank takes its time, fails, and sends it after all.
func TestADepositsRefundIsDoneWhenTheMoneyHasArrived(t *testing.T) {
	t.Parallel()
	sim, redis := simtest.Start(t, portonesim.Plan{SlowBy: patience}), redistest.Start(t)
	applySale(t, redis.URL(), testkit.PricedSale(10, "hold: 1m, auto_refund: true"))
	g := startGate(t, append(sim.Settling(), "--redis", redis.URL(), "--allow-unsigned", "--portone-v2-store",
		portonesim.StoreID)...)
	f := func(what string, err error, state string, refund gate.RefundLine, left int64) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		await(t, what, func() error {
			var reports []gate.RefundView
			err := json.Unmarshal([]byte(command(t, "refunds", "--redis", redis.URL(), "--json", "race")), &reports)
			if err != nil {
				return err
			}
			var got gate.RefundLine
			if len(reports) > 0 {
				got = reports[0].Refunds[0]
			}
			var o gate.OrderView
			_, body := g.get(g.admin, "/v1/sales/race/orders/order_1")
			_ = json.Unmarshal([]byte(body), &o)
			r := readStatus(t, redis.URL(), "race")
			if o.State != state || got.State != refund.State || got.Waits != refund.Waits || got.Said != refund.Said ||
				r.SKUs[0].Left != left {
				return fmt.Errorf("the order is %s, listed are %+v, the sale is %+v", o.State, reports, r)
			}
			return nil
		})
	}
	r := sim.Pay(t.Context(), portonesim.Order{
		Version: 2, ID: "order_1", Amount: 1000, VirtualAccount: true,
		ConfirmURL: "http://" + g.listen + "/confirm/race?items=unit", NoticeURL: "http://" + g.listen + "/webhook",
	})
	if r.ConfirmStatus != 200 {
		t.Fatalf("%+v", r)
	}
	f("it is paid", sim.Deposit("order_1"), "paid", gate.RefundLine{}, 9)
	f("it is on the way back", sim.Cancel("order_1", "", 0), "paid", gate.RefundLine{State: "refund_requested"}, 9)
	f("it did not arrive", sim.Settle("order_1", true), "paid",
		gate.RefundLine{State: "refund_due", Waits: gate.WaitBank, Said: "refundStatus: FAILED"}, 9)
	f("it arrived after all", sim.Settle("order_1", false), "refunded", gate.RefundLine{}, 10)
	for _, p := range sim.Payments() {
		if p.CancelCalls > 0 {
			t.Errorf("%d cancellations were sent", p.CancelCalls)
		}
	}
}

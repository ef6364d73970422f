package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

// A merchant has two stores under one secret, and both use the same ids.
func TestPaymentsOfTheShopsOtherStoreSellNothing(t *testing.T) {
	t.Parallel()
	const other = "store-other"
	sim, redis := simtest.Start(t, portonesim.Plan{}), redistest.Start(t)
	applySale(t, redis.URL(), testkit.PricedSale(10, "hold: 3s"))
	gate := startGate(t, append(sim.Settling(), "--redis", redis.URL(), "--allow-unsigned", "--portone-v2-store",
		portonesim.StoreID)...)
	pay := func(id, body, store string) portonesim.Result {
		return sim.Pay(t.Context(), portonesim.Order{
			Body: body, StoreID: store, ID: id, Amount: 1000,
			ConfirmURL: "http://" + gate.listen + "/confirm/race?items=unit",
			NoticeURL:  "http://" + gate.listen + "/webhook",
		})
	}
	f := func(id, body, store string, want int) {
		t.Helper()
		if r := pay(id, body, store); r.ConfirmStatus != want {
			t.Errorf("%s of %s: %d %s, want %d", id, store, r.ConfirmStatus, r.ConfirmBody, want)
		}
	}
	f("order_1", "v2-2024-04-25", portonesim.StoreID, 200)
	f("order_2", "v2-2024-04-25", other, 400)
	f("order_3", "v2-2024-01-01", other, 200) // the call names no store, and what it is for is paid in the other one
	f("order_4", "v2-2024-01-01", other, 200)
	f("order_4", "v2-2024-01-01", portonesim.StoreID, 200)
	await(t, "the orders to be settled", func() error {
		r := readStatus(t, redis.URL(), "race")
		if r.Orders.Paid != 2 || r.Orders.Released != 1 || r.SKUs[0].Left != 8 {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
	// An audit takes none of the other store's payments for one that the gate has forgotten.
	command(t, append([]string{"audit", "--redis", redis.URL(), "race", "--portone-v2-store", portonesim.StoreID},
		sim.Credentials()...)...)
}

func TestAGateThatIsToldNoStoreWarns(t *testing.T) {
	t.Parallel()
	f := func(warned bool, flags ...string) {
		t.Helper()
		g := startGate(t, append([]string{"--redis", "embedded", "--allow-unsigned", "--portone-rate", "10"},
			flags...)...)
		if said := g.stderr.String(); strings.Contains(said, "--portone-v2-store") != warned {
			t.Errorf("%q: it says\n%s", flags, said)
		}
	}
	v2 := []string{"--portone-v2-url", "http://127.0.0.1:1", "--portone-v2-secret", "s"}
	f(true, v2...)
	f(false, append(v2, "--portone-v2-store", "store-1")...)
	f(false, "--portone-v1-url", "http://127.0.0.1:1", "--portone-v1-key", "k", "--portone-v1-secret", "s")
}

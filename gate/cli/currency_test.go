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

// A gate that was started with a currency in use, and not the one that is meant,
// makes genuine payments of both versions refund due. They wait for a person:
// neither it nor the gate that is right after it cancels one at PortOne.
func TestACurrencyByMistakeGivesNoMoneyBack(t *testing.T) {
	t.Parallel()
	sim, redis := simtest.Start(t, portonesim.Plan{}), redistest.Start(t)
	applySale(t, redis.URL(), testkit.PricedSale(10, "hold: 10m, auto_refund: true"))
	flags := append(sim.Settling(), "--redis", redis.URL(), "--allow-unsigned")
	mistaken := startGate(t, append(flags, "--currency", "USD")...)
	for version := 1; version <= 2; version++ {
		r := sim.Pay(t.Context(), portonesim.Order{
			Version: version, ID: order(version), Amount: 1000,
			ConfirmURL: "http://" + mistaken.listen + "/confirm/race?items=unit",
		})
		if r.Status != "paid" {
			t.Fatalf("%+v", r)
		}
	}
	waits := func(gate *process) {
		t.Helper()
		await(t, "both payments to be left to a person more than once", func() error {
			left := 0.
			for line := range strings.Lines(gate.stderr.String()) {
				record, ok := logged(line, "payments that are refund due wait for a person: they are in another "+
					"currency than --currency, or were for a gate that looked before")
				if ok {
					left += record["payments"].(float64)
				}
			}
			if left < 5 {
				return fmt.Errorf("%g were", left)
			}
			return nil
		})
	}
	waits(mistaken)
	_, said := mistaken.logged("payments are in another currency than --currency: they are refund due, and wait " +
		"for a person, also with auto_refund. If they are right, correct --currency")
	if !said {
		t.Errorf("the log does not say why they are refund due")
	}
	mistaken.stop(t)
	waits(startGate(t, flags...))

	if report := readStatus(t, redis.URL(), "race"); report.Orders.Refunds != 2 || report.Orders.Paid != 0 {
		t.Errorf("%+v", report.Orders)
	}
	for _, p := range sim.Payments() {
		if p.Cancellations != 0 || p.Status != "paid" {
			t.Errorf("at PortOne: %+v", p)
		}
	}
	listed := command(t, "status", "--redis", redis.URL(), "race", "--refunds")
	if !strings.Contains(listed, order(1)) || !strings.Contains(listed, order(2)) ||
		strings.Count(listed, " person ") != 2 {
		t.Errorf("status --refunds says\n%s", listed)
	}
}

package deploy_test

import (
	"fmt"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

// The files that operators copy, in one deployment of real programs: HAProxy,
// three gates, a primary with two replicas and three Sentinels, and Prometheus.
func TestALaunchThroughWhatOperatorsCopy(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	prometheus := d.watch(redistest.NewAuthority(t))
	d.apply(
		`{name: launch, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, hold: 1h, skus: [{name: unit, stock: 2000}]}`)
	d.apply(
		`{name: failover, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, hold: 1h, skus: [{name: unit, stock: 1000000}]}`)
	prometheus.shows("the sales at every gate", `count(flashgate_sale_open{sale=~"launch|failover"} == 1) == 6`)

	// Every gate is restarted in turn while the load is at its peak, and nobody notices.
	peak := d.rehearse("launch", "--shape", "steady", "--rate", "150", "--duration", "20s", "--duplicates", "0.2")
	for _, gate := range d.gates {
		gate.restart()
	}
	report := peak()
	for code := range report.Codes {
		if code != "held" && code != "sold_out" {
			t.Errorf("while the gates were restarted there were answers %v", report.Codes)
		}
	}
	if !report.Pass || report.Codes["held"] < 1000 {
		t.Errorf("%v answers, %d failures, %+v", report.Codes, len(report.Failures), report.Checks)
	}

	// The primary dies. While it lasts payments are refused, then selling goes on, and no order that was
	// told 200 is missing.
	failing := d.rehearse("failover", "--shape", "steady", "--rate", "60", "--duration", "40s")
	await(t, "some to be sold", func() error { return d.sold("failover", 100) })
	d.primary.Kill()
	await(t, "selling to go on", func() error { return d.sold("failover", 1000) })
	report = failing()
	refused := report.Codes["unavailable"] + report.Codes["not_durable"] + report.Codes["busy"]
	if !report.Pass || refused == 0 || report.Codes["held"] < 300 {
		t.Errorf("%v answers, failures %v, %+v", report.Codes, report.Failures, report.Checks)
	}

	// Prometheus has seen all of it.
	view, err := d.admin.Sale(t.Context(), "failover")
	if err != nil {
		t.Fatal(err)
	}
	prometheus.shows("the units",
		fmt.Sprintf(`max(flashgate_units{sale="failover", state="held"}) == %d`, view.SKUs[0].Held))
	prometheus.shows("the launch", `max(flashgate_units{sale="launch", state="left"}) == 0`)
	prometheus.shows("the refusals while there was no primary",
		`sum(increase(flashgate_confirms_total{sale="failover", outcome="unavailable"}[5m])) > 0`)
	prometheus.shows("the server's change", `sum(flashgate_redis_server_changes_total{sale="failover"}) > 0`)
}

package settle

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
)

// Metrics are the settler's metrics. Label values are only sales that exist or existed.
type Metrics struct {
	settled  *prometheus.CounterVec
	late     *prometheus.CounterVec
	failed   *prometheus.CounterVec
	swept    *prometheus.CounterVec
	overdue  *prometheus.CounterVec
	unsure   *prometheus.CounterVec
	refunds  *prometheus.CounterVec
	disputes *prometheus.CounterVec
	aside    *prometheus.CounterVec
	waiting  *prometheus.GaugeVec
	apart    *prometheus.GaugeVec
}

// NewMetrics registers settling's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_orders_settled_total", Help: "Orders whose state a look-up changed, by the new state.",
		}, []string{"sale", "state"}),
		late: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_settle_overtaken_total", Help: "Orders that a new attempt or another gate changed " +
				"during the look-up; they are looked up again.",
		}, []string{"sale"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_settle_errors_total", Help: "Calls of the settler to Redis that failed; each " +
				"is made again.",
		}, []string{"sale"}),
		swept: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_settle_swept_total", Help: "Held orders past their deadline that were missing from the " +
				"queue of look-ups and were put back. Anything but 0 points at a fault.",
		}, []string{"sale"}),
		overdue: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_settle_overdue_total", Help: "Held orders long past their deadline. The sweep counts " +
				"each of them again every minute.",
		}, []string{"sale"}),
		unsure: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_lookups_failed_total", Help: "Look-ups of an order that failed at PortOne.",
		}, []string{"sale"}),
		refunds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_refunds_total", Help: "Cancellations that gates sent to PortOne, by outcome: sent, " +
				"requested (PortOne will do it later) or failed.",
		}, []string{"sale", "outcome"}),
		disputes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_disputes_total", Help: "Disputes and chargebacks that were found, by kind: dispute or " +
				"chargeback. flashgate disputes lists those that are open.",
		}, []string{"sale", "kind"}),
		aside: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_settle_set_aside_total", Help: "Times an order was set aside, by the reason. flashgate " +
				"aside lists the orders.",
		}, []string{"sale", "why"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "flashgate_settle_waiting_seconds", Help: "How long the oldest order in a queue of look-ups has " +
				"been due: fresh (held just now), again (looked at before), hastened (named by a webhook), alone " +
				"(asked for one by one), strangers (unknown to PortOne), refunds, or aside (they fail by " +
				"themselves). The same at each gate.",
		}, []string{"sale", "queue"}),
		apart: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "flashgate_settle_orders_aside", Help: "Orders that are set aside now. The same at each gate.",
		}, []string{"sale"}),
	}
	r.MustRegister(m.settled, m.late, m.failed, m.swept, m.overdue, m.unsure, m.refunds, m.disputes, m.aside,
		m.waiting, m.apart)
	return m
}

// initSale shows a sale's counters at 0 from the start: Prometheus sees no rise in a counter that
// appears with its first event.
func (m *Metrics) initSale(sale string) {
	for _, c := range []*prometheus.CounterVec{m.late, m.failed, m.swept, m.overdue, m.unsure} {
		c.WithLabelValues(sale)
	}
	for _, outcome := range []string{"sent", "requested", "failed"} {
		m.refunds.WithLabelValues(sale, outcome)
	}
	for _, kind := range []string{gate.Disputed, gate.ChargedBack} {
		m.disputes.WithLabelValues(sale, kind)
	}
	for _, why := range []string{whyUnreadable, whyLookup, whyRefused, whyMember} {
		m.aside.WithLabelValues(sale, why)
	}
}

// queues shows how long the orders that a claim left have been due, and how many are set aside.
func (m *Metrics) queues(sale string, due gate.Due) {
	for q := range gate.Queues {
		waiting := 0.0
		if since := due.Since[q]; !since.IsZero() {
			waiting = max(0, due.Now.Sub(since).Seconds())
		}
		m.waiting.WithLabelValues(sale, q.String()).Set(waiting)
	}
	m.apart.WithLabelValues(sale).Set(float64(due.Aside))
}

// forget removes the queue metrics of a sale that this gate does not update any more.
func (m *Metrics) forget(sale string) {
	m.waiting.DeletePartialMatch(prometheus.Labels{"sale": sale})
	m.apart.DeleteLabelValues(sale)
}

// ReconcileMetrics are the reconciler's metrics.
type ReconcileMetrics struct {
	age    *prometheus.GaugeVec
	found  *prometheus.CounterVec
	failed *prometheus.CounterVec
}

// NewReconcileMetrics registers reconciling's metrics.
func NewReconcileMetrics(r prometheus.Registerer) *ReconcileMetrics {
	m := &ReconcileMetrics{
		age: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "flashgate_reconcile_age_seconds", Help: "How long ago the sale's orders were compared with all " +
				"changes at PortOne. Only the gate that compares shows it.",
		}, []string{"sale", "api"}),
		found: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_reconcile_found_total", Help: "Orders that were looked up because PortOne's list of " +
				"changes differs from their records.",
		}, []string{"sale"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_reconcile_errors_total", Help: "Comparisons with PortOne's list of changes that failed; " +
				"each is tried again.",
		}, []string{"sale"}),
	}
	r.MustRegister(m.age, m.found, m.failed)
	return m
}

// initSale shows a sale's counters from the start.
func (m *ReconcileMetrics) initSale(sale string) {
	m.found.WithLabelValues(sale)
	m.failed.WithLabelValues(sale)
}

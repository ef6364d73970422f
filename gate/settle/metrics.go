package settle

import "github.com/prometheus/client_golang/prometheus"

// Metrics are settling's own. Every sale in a label exists, or did.
type Metrics struct {
	settled *prometheus.CounterVec
	late    *prometheus.CounterVec
	failed  *prometheus.CounterVec
	swept   *prometheus.CounterVec
	overdue *prometheus.CounterVec
	unsure  *prometheus.CounterVec
	refunds *prometheus.CounterVec
}

// NewMetrics registers settling's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_orders_settled_total", Help: "Orders that a look-up moved on, by what they became.",
		}, []string{"sale", "state"}),
		late: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_settle_overtaken_total", Help: "Orders that changed while they were looked up, and are looked up again.",
		}, []string{"sale"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_settle_errors_total", Help: "Times that settling could not go on, because the store did not answer or held what cannot be read; it is tried again.",
		}, []string{"sale"}),
		swept: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_settle_swept_total", Help: "Held orders past their deadline that nobody would have looked at; more than none points at a fault.",
		}, []string{"sale"}),
		overdue: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_settle_overdue_total", Help: "Held orders long past their deadline, each counted again by the sweep of every minute.",
		}, []string{"sale"}),
		unsure: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_lookups_failed_total", Help: "Looks at an order that brought nothing, because PortOne did not tell.",
		}, []string{"sale"}),
		refunds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_refunds_total", Help: "Cancellations of payments that were refund due, by what PortOne said to them.",
		}, []string{"sale", "outcome"}),
	}
	r.MustRegister(m.settled, m.late, m.failed, m.swept, m.overdue, m.unsure, m.refunds)
	return m
}

// counts shows a sale's counters from the start: one that appears with its first
// event would not have risen.
func (m *Metrics) counts(sale string) {
	for _, c := range []*prometheus.CounterVec{m.late, m.failed, m.swept, m.overdue, m.unsure} {
		c.WithLabelValues(sale)
	}
	for _, outcome := range []string{"sent", "requested", "failed"} {
		m.refunds.WithLabelValues(sale, outcome)
	}
}

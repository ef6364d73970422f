package shop

import "github.com/prometheus/client_golang/prometheus"

// Metrics are those of telling the shop. Every sale in a label exists, or did. The
// gauges have a sale only at the gate that tells its shop.
type Metrics struct {
	notified   *prometheus.CounterVec
	lag        *prometheus.GaugeVec
	oldest     *prometheus.GaugeVec
	stuck      *prometheus.GaugeVec
	secretless *prometheus.GaugeVec
	forwarded  *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"sale"})
	}
	m := &Metrics{
		notified: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_notified_total", Help: "Messages to the shop, by whether it took them.",
		}, []string{"sale", "outcome"}),
		lag:        gauge("flashgate_notify_lag_entries", "Ledger entries that the shop has not been told of, nor listed as undelivered."),
		oldest:     gauge("flashgate_notify_oldest_undelivered_seconds", "Age of the oldest change that the shop has not taken."),
		stuck:      gauge("flashgate_notify_stuck_orders", "Orders that are listed as undelivered."),
		secretless: gauge("flashgate_notify_without_secret", "1 for a sale whose shop is told nothing, because this gate has no secret to sign with."),
	}
	m.forwarded = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flashgate_webhooks_forwarded_total",
		Help: "Webhooks passed on to the shop, by whether it took them: taken, refused, no_answer, or dropped without a call.",
	}, []string{"outcome"})
	r.MustRegister(m.notified, m.lag, m.oldest, m.stuck, m.secretless, m.forwarded)
	return m
}

// countForwards shows the counters of webhooks passed on from the start.
func (m *Metrics) countForwards() {
	for _, outcome := range []string{"taken", "refused", "no_answer", "dropped"} {
		m.forwarded.WithLabelValues(outcome)
	}
}

// counts shows a sale's counters from the start: one that appears with its first
// message would not have risen.
func (m *Metrics) counts(sale string) {
	for _, outcome := range []string{"delivered", "failed"} {
		m.notified.WithLabelValues(sale, outcome)
	}
}

// forget removes the gauges of a sale that another gate tells of now.
func (m *Metrics) forget(sale string) {
	for _, g := range []*prometheus.GaugeVec{m.lag, m.oldest, m.stuck} {
		g.DeleteLabelValues(sale)
	}
}

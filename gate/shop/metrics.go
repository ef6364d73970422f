package shop

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the metrics of calls to shops. Label values are only sales that exist or existed. The
// gauges about messages have a sale only at the gate that sends its messages.
type Metrics struct {
	notified   *prometheus.CounterVec
	lag        *prometheus.GaugeVec
	oldest     *prometheus.GaugeVec
	stuck      *prometheus.GaugeVec
	secretless *prometheus.GaugeVec
	forwarded  *prometheus.CounterVec

	shopUp        *prometheus.GaugeVec
	probeTook     *prometheus.HistogramVec
	asks          *prometheus.CounterVec
	askTook       *prometheus.HistogramVec
	askSecretless *prometheus.GaugeVec
	asksOpen      prometheus.Gauge
	asksCapacity  prometheus.Gauge
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"sale"})
	}
	m := &Metrics{
		notified: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_notified_total", Help: "Messages to the shop about changes, by outcome: " +
				"delivered or failed.",
		}, []string{"sale", "outcome"}),
		lag: gauge("flashgate_notify_lag_entries",
			"Ledger entries whose changes the shop has not got yet and that are not listed as undelivered."),
		oldest: gauge("flashgate_notify_oldest_undelivered_seconds",
			"Age of the oldest change that the shop has not accepted."),
		stuck: gauge("flashgate_notify_stuck_orders", "Orders that are listed as undelivered."),
		secretless: gauge("flashgate_notify_without_secret",
			"1 for a sale with notify while this gate has no secret to sign messages with."),
	}
	m.forwarded = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flashgate_webhooks_forwarded_total",
		Help: "Webhooks passed on to the shop, by outcome: taken, refused, no_answer, or dropped without a call.",
	}, []string{"outcome"})
	m.shopUp = gauge("flashgate_shop_up",
		"1 while the sale's healthy URL answers, else 0. Only for sales that are probed.")
	m.askSecretless = gauge("flashgate_ask_without_secret",
		"1 for a sale that asks its shop while this gate has no secret to sign the question with; it then takes no "+
			"orders. Else 0.")
	m.probeTook = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "flashgate_shop_probe_duration_seconds", Help: "Time of one probe of the sale's healthy URL.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
	}, []string{"sale"})
	m.asks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flashgate_asks_total", Help: "Orders that the shop was to be asked about, by outcome: yes, no, " +
			"failed, no_answer or not_asked.",
	}, []string{"sale", "outcome"})
	m.askTook = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "flashgate_ask_duration_seconds", Help: "Time from asking the shop about an order to its answer, or " +
			"to giving up.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 1.5, 2, 2.5},
	}, []string{"sale"})
	m.asksOpen = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "flashgate_asks_open", Help: "Orders that shops are being asked about now.",
	})
	m.asksCapacity = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "flashgate_asks_capacity", Help: "Orders that shops may be asked about at once; more are " +
			"refused as busy.",
	})
	r.MustRegister(m.notified, m.lag, m.oldest, m.stuck, m.secretless, m.forwarded,
		m.shopUp, m.probeTook, m.asks, m.askTook, m.askSecretless, m.asksOpen, m.asksCapacity)
	return m
}

// forgetShop removes the metrics of a shop that is not probed any more.
func (m *Metrics) forgetShop(sale string) {
	m.shopUp.DeleteLabelValues(sale)
	m.probeTook.DeleteLabelValues(sale)
}

// forgetAsks removes the metrics of a sale that does not ask its shop any more.
func (m *Metrics) forgetAsks(sale string) {
	m.asks.DeletePartialMatch(prometheus.Labels{"sale": sale})
	m.askTook.DeleteLabelValues(sale)
	m.askSecretless.DeleteLabelValues(sale)
}

// countForwards shows the counters of forwarded webhooks at 0 from the start.
func (m *Metrics) countForwards() {
	for _, outcome := range []string{"taken", "refused", "no_answer", "dropped"} {
		m.forwarded.WithLabelValues(outcome)
	}
}

// initSale shows a sale's counters at 0 from the start: Prometheus sees no rise in a counter that
// appears with its first message.
func (m *Metrics) initSale(sale string) {
	for _, outcome := range []string{"delivered", "failed"} {
		m.notified.WithLabelValues(sale, outcome)
	}
}

// forget removes the gauges of a sale whose messages another gate sends now.
func (m *Metrics) forget(sale string) {
	for _, g := range []*prometheus.GaugeVec{m.lag, m.oldest, m.stuck} {
		g.DeleteLabelValues(sale)
	}
}

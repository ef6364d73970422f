package mirror

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are those of the mirrors.
type Metrics struct {
	refused, loads             *prometheus.CounterVec
	took                       *prometheus.GaugeVec
	fresh, age, orders, frozen *prometheus.Desc

	mu      sync.Mutex
	mirrors map[string]*Mirror
}

// loadMetrics are those of loading one sale.
type loadMetrics struct {
	done, failed prometheus.Counter
	took         prometheus.Gauge
}

// NewMetrics registers the metrics of the mirrors.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_mirror_refusals_total",
			Help: "Confirms that were refused by the gate's own copy of the sale, without asking Redis.",
		}, []string{"sale"}),
		loads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_mirror_loads_total",
			Help: "How often the gate's copy of a sale was loaded, by outcome: done or failed.",
		}, []string{"sale", "outcome"}),
		took: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "flashgate_mirror_load_seconds",
			Help: "How long the newest load of the gate's copy took.",
		}, []string{"sale"}),
		fresh: prometheus.NewDesc("flashgate_mirror_fresh",
			"1 while the gate's copy of the sale is known to be fresh, else 0. Missing while the sale is not followed.",
			[]string{"sale"}, nil),
		age: prometheus.NewDesc("flashgate_mirror_age_seconds",
			"How long ago the gate's copy is known to have been the sale.", []string{"sale"}, nil),
		orders: prometheus.NewDesc("flashgate_mirror_orders", "Orders in the gate's copy of the sale.",
			[]string{"sale"}, nil),
		frozen: prometheus.NewDesc("flashgate_mirror_frozen_orders",
			"Orders in a copy that was kept because Redis may have forgotten some of them.", []string{"sale"}, nil),
		mirrors: map[string]*Mirror{},
	}
	r.MustRegister(m.refused, m.loads, m.took, m)
	return m
}

// watch shows a mirror.
func (m *Metrics) watch(of *Mirror) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of.refused = m.refused.WithLabelValues(of.sale)
	of.loads = loadMetrics{
		done: m.loads.WithLabelValues(of.sale, "done"), failed: m.loads.WithLabelValues(of.sale, "failed"),
		took: m.took.WithLabelValues(of.sale),
	}
	m.mirrors[of.sale] = of
}

// forget takes a mirror out of the metrics, unless the sale has another one by now.
func (m *Metrics) forget(of *Mirror) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mirrors[of.sale] != of {
		return
	}
	delete(m.mirrors, of.sale)
	m.refused.DeleteLabelValues(of.sale)
	m.loads.DeletePartialMatch(prometheus.Labels{"sale": of.sale})
	m.took.DeleteLabelValues(of.sale)
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.fresh
	ch <- m.age
	ch <- m.orders
	ch <- m.frozen
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	mirrors := slices.SortedFunc(maps.Values(m.mirrors),
		func(a, b *Mirror) int { return strings.Compare(a.sale, b.sale) })
	m.mu.Unlock()
	for _, of := range mirrors {
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, of.sale)
		}
		s := of.measure()
		if s.followed {
			gauge(m.fresh, s.fresh)
			gauge(m.orders, float64(s.orders))
		}
		if s.proven {
			gauge(m.age, s.age.Seconds())
		}
		if s.followed || s.frozen > 0 {
			gauge(m.frozen, float64(s.frozen))
		}
	}
}

// measured is what is shown of a mirror.
type measured struct {
	followed, proven bool
	fresh            float64
	age              time.Duration
	orders, frozen   int
}

func (m *Mirror) measure() (s measured) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s.followed = m.wanted
	now := m.now()
	if m.fresh(now) != nil {
		s.fresh = 1
	}
	if m.ready {
		s.orders = len(m.fold.Records)
	}
	if m.picture.Load() != nil {
		s.proven, s.age = true, now.Sub(m.base)-time.Duration(m.proven.Load())
	}
	if m.frozen != nil {
		s.frozen = len(m.frozen.Records)
	}
	return s
}

package lane

import (
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
)

// Metrics are the metrics of lanes and sales. Label values come only from sales that exist.
type Metrics struct {
	batch       *prometheus.HistogramVec
	call        *prometheus.HistogramVec
	errors      *prometheus.CounterVec
	clockOffset prometheus.Gauge
	refreshed   prometheus.Gauge
	stock       *stock
}

type laneMetrics struct {
	batch  prometheus.Observer
	call   prometheus.Observer
	errors prometheus.Counter
}

// NewMetrics registers the gate's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		batch: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "flashgate_batch_size",
			Help:    "Confirms, or answers of the shop, that one script call decided.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, gate.MaxBatch},
		}, []string{"sale"}),
		call: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "flashgate_script_duration_seconds",
			Help:    "Time of one script call, including the wait for replicas.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}, []string{"sale"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_script_errors_total",
			Help: "Script calls that ended without a decision.",
		}, []string{"sale"}),
		clockOffset: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "flashgate_clock_offset_seconds",
			Help: "Redis' clock minus this gate's.",
		}),
		refreshed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "flashgate_sales_read_timestamp_seconds",
			Help: "When this gate last read the sales from Redis.",
		}),
		stock: newStock(),
	}
	r.MustRegister(m.batch, m.call, m.errors, m.clockOffset, m.refreshed, m.stock)
	return m
}

func (m *Metrics) lane(sale string) *laneMetrics {
	return &laneMetrics{
		batch:  m.batch.WithLabelValues(sale),
		call:   m.call.WithLabelValues(sale),
		errors: m.errors.WithLabelValues(sale),
	}
}

func (m *Metrics) forget(sale string) {
	m.batch.DeleteLabelValues(sale)
	m.call.DeleteLabelValues(sale)
	m.errors.DeleteLabelValues(sale)
	m.stock.forget(sale)
}

// stock collects units, orders and queues from the newest state of each sale, units and orders from
// its mirror while that is fresh. So a removed SKU leaves the metrics too, and flashgate_sale_open
// changes on time even while the store cannot be read.
type stock struct {
	units, orders, refunds, requested, brake, queue, capacity, open, missing, doubted *prometheus.Desc

	mu    sync.Mutex
	lanes map[string]*Lane // by sale; each has been read
}

func newStock() *stock {
	return &stock{
		units: prometheus.NewDesc("flashgate_units", "Units of a SKU by state; total is the sum of the others.",
			[]string{"sale", "sku", "state"}, nil),
		orders: prometheus.NewDesc("flashgate_orders", "Orders by state.", []string{"sale", "state"}, nil),
		refunds: prometheus.NewDesc("flashgate_refunds_due", "Payments that are to be refunded.",
			[]string{"sale"}, nil),
		requested: prometheus.NewDesc("flashgate_refunds_requested",
			"Payments whose cancellation PortOne has accepted and not carried out yet.",
			[]string{"sale"}, nil),
		brake: prometheus.NewDesc("flashgate_refund_brake",
			"1 while the brake on the sale's refunds holds and gates cancel nothing, else 0.",
			[]string{"sale"}, nil),
		queue: prometheus.NewDesc("flashgate_queue_depth", "Confirms that wait for a script call.",
			[]string{"sale"}, nil),
		capacity: prometheus.NewDesc("flashgate_queue_capacity", "Confirms that may wait; more are refused as busy.",
			[]string{"sale"}, nil),
		open: prometheus.NewDesc("flashgate_sale_open", "1 while the sale is within its window and not paused, else 0.",
			[]string{"sale"}, nil),
		missing: prometheus.NewDesc("flashgate_sale_missing",
			"1 while Redis has nothing of a sale that should be there, else 0.",
			[]string{"sale"}, nil),
		doubted: prometheus.NewDesc("flashgate_clock_doubted",
			"1 while Redis' clock is in doubt and the sale is neither sold nor settled, else 0.",
			[]string{"sale"}, nil),
		lanes: make(map[string]*Lane),
	}
}

func (s *stock) set(lane *Lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lanes[lane.name] = lane
}

func (s *stock) forget(sale string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lanes, sale)
}

func number(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// Describe implements prometheus.Collector.
func (s *stock) Describe(ch chan<- *prometheus.Desc) {
	ch <- s.units
	ch <- s.orders
	ch <- s.refunds
	ch <- s.requested
	ch <- s.brake
	ch <- s.queue
	ch <- s.capacity
	ch <- s.open
	ch <- s.missing
	ch <- s.doubted
}

// Collect implements prometheus.Collector.
func (s *stock) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	lanes := slices.Collect(maps.Values(s.lanes))
	s.mu.Unlock()
	gauge := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	for _, lane := range lanes {
		name, last := lane.name, lane.last.Load()
		state := last.state
		gauge(s.queue, int64(len(lane.confirms.waiting)), name)
		gauge(s.capacity, int64(cap(lane.confirms.waiting)), name)
		gauge(s.open, number(state.Phase(lane.now().Add(last.ahead)) == "open"), name)
		gauge(s.missing, number(lane.lost()), name)
		gauge(s.doubted, number(state.Doubt != nil), name)
		if lane.catalogue.Load().missing {
			continue // it has no state to show
		}
		newest := state
		if copied, fresh := lane.mirrored(); fresh && copied.Seq >= state.Seq {
			newest = &copied
		}
		for sku, u := range newest.Units {
			gauge(s.units, u.Total, name, sku, "total")
			gauge(s.units, u.Left, name, sku, "left")
			gauge(s.units, u.Held, name, sku, "held")
			gauge(s.units, u.Paid, name, sku, "paid")
			gauge(s.units, u.Withheld, name, sku, "withheld")
		}
		o := newest.Orders
		gauge(s.orders, o.Asking, name, "asking")
		gauge(s.orders, o.Held, name, "held")
		gauge(s.orders, o.Paid, name, "paid")
		gauge(s.orders, o.Released, name, "released")
		gauge(s.orders, o.RefundDue, name, "refund_due")
		gauge(s.orders, o.Refunded, name, "refunded")
		gauge(s.refunds, o.Refunds, name)
		gauge(s.requested, o.Requested, name)
		gauge(s.brake, number(state.Brake != nil), name)
	}
}

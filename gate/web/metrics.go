package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
)

// Metrics are the listeners' metrics. The label sale is empty for requests that name no known sale.
type Metrics struct {
	confirms  *prometheus.CounterVec
	causes    *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	elsewhere prometheus.Counter
	crowded   prometheus.Counter
	open      *prometheus.GaugeVec
	capacity  *prometheus.GaugeVec
	shed      *prometheus.CounterVec
	failures  *prometheus.CounterVec
	webhooks  *prometheus.CounterVec
	streams   prometheus.Gauge
	streamed  *prometheus.CounterVec
	looks     *prometheus.CounterVec
	panics    prometheus.Counter
	dropped   prometheus.Counter
}

// saleMetrics are one sale's counters, looked up once.
type saleMetrics struct {
	outcomes []prometheus.Counter // by code
	causes   []prometheus.Counter // by cause; nil for NoCause
	seconds  prometheus.Observer
	looks    map[int]prometheus.Counter // at the availability, by status
}

// NewMetrics registers the listeners' metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		confirms: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_confirms_total",
			Help: "Confirm calls answered; outcome is held, or the code of the refusal.",
		}, []string{"sale", "outcome"}),
		causes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_refusal_causes_total",
			Help: "Refused confirm calls whose outcome has several causes, by cause: see deploy/RUNBOOK.md, Causes.",
		}, []string{"sale", "outcome", "cause"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "flashgate_confirm_duration_seconds",
			Help:    "Time from the first byte of a confirm call to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4},
		}, []string{"sale"}),
		elsewhere: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashgate_confirms_elsewhere_total",
			Help: "Well-formed confirm calls from addresses that --allow-from does not name.",
		}),
		crowded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashgate_connections_refused_total",
			Help: "Connections closed because their address had --max-connections-per-address open.",
		}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "flashgate_connections_open",
			Help: "Connections that a listener has open; listener is public or admin.",
		}, []string{"listener"}),
		capacity: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "flashgate_connections_capacity",
			Help: "Connections that a listener may have open, derived from the limit of open files; 0: any number.",
		}, []string{"listener"}),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_connections_shed_total",
			Help: "Idle connections that a listener closed to make room for others.",
		}, []string{"listener"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_accept_errors_total",
			Help: "Times that a listener could not accept a connection, and tried again.",
		}, []string{"listener"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_webhooks_total",
			Help: "Webhooks by outcome: known or unknown (whether a sale has the order), other_store, refused, busy, " +
				"failed or not_forwarded.",
		}, []string{"outcome"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "flashgate_event_streams_open",
			Help: "Event streams of the admin API that are open now.",
		}),
		streamed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_event_streams_total",
			Help: "Event streams of the admin API that have ended, by outcome: left (the caller went), slow (it did " +
				"not read), start_over (it was told to start over), drained (the gate ended), or refused (there were " +
				"too many).",
		}, []string{"outcome"}),
		looks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_availability_requests_total",
			Help: "Requests for the availability of a sale, by HTTP status.",
		}, []string{"sale", "status"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashgate_panics_total",
			Help: "Requests that made the gate panic; each cost one request.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashgate_refusal_log_dropped_total",
			Help: "Refusals that are missing in the refusal log, because writing was too slow or failed.",
		}),
	}
	r.MustRegister(m.confirms, m.causes, m.seconds, m.elsewhere, m.crowded, m.open, m.capacity, m.shed, m.failures,
		m.webhooks, m.streams, m.streamed, m.looks, m.panics, m.dropped)
	return m
}

// crowd returns a listener's metrics.
func (m *Metrics) crowd(listener string, most int) *crowdMetrics {
	m.capacity.WithLabelValues(listener).Set(float64(most))
	return &crowdMetrics{
		open: m.open.WithLabelValues(listener), shed: m.shed.WithLabelValues(listener),
		failures: m.failures.WithLabelValues(listener),
	}
}

func (m *Metrics) sale(name string) *saleMetrics {
	s := &saleMetrics{
		seconds: m.seconds.WithLabelValues(name),
		causes:  make([]prometheus.Counter, len(gate.Causes())+1),
		looks:   map[int]prometheus.Counter{},
	}
	statuses := []int{http.StatusOK, http.StatusNotModified, http.StatusServiceUnavailable}
	if name == "" {
		statuses = []int{
			http.StatusNoContent, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusServiceUnavailable,
		}
	}
	for _, status := range statuses {
		s.looks[status] = m.looks.WithLabelValues(name, strconv.Itoa(status))
	}
	for _, c := range gate.Codes() {
		s.outcomes = append(s.outcomes, m.confirms.WithLabelValues(name, c.String()))
	}
	for _, c := range gate.Causes() {
		s.causes[c] = m.causes.WithLabelValues(name, c.Code().String(), c.String())
	}
	return s
}

func (s *saleMetrics) observe(v gate.Verdict, received time.Time) {
	s.outcomes[v.Code].Inc()
	if v.Cause != gate.NoCause {
		s.causes[v.Cause].Inc()
	}
	s.seconds.Observe(time.Since(received).Seconds())
}

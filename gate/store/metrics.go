package store

import (
	"crypto/x509"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// Metrics are the store's metrics. A nil *Metrics counts nothing.
type Metrics struct {
	registerer prometheus.Registerer
	changes    *prometheus.CounterVec
	expiry     *prometheus.GaugeVec
}

// NewMetrics registers the store's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		registerer: r,
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_redis_server_changes_total",
			Help: "Times that the Redis server which decides for a sale changed for this gate: a failover, a " +
				"restart, or a Cluster's move.",
		}, []string{"sale"}),
		expiry: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "flashgate_redis_certificate_expiry_timestamp_seconds",
			Help: "End of a certificate for TLS with Redis: this client's, or that of the server of this address.",
		}, []string{"certificate"}),
	}
	r.MustRegister(m.changes, m.expiry)
	return m
}

// initSale shows a sale's counter at 0 from the start: Prometheus sees no rise in a counter that
// appears with its first change.
func (m *Metrics) initSale(sale string) {
	if m != nil {
		m.changes.WithLabelValues(sale)
	}
}

func (m *Metrics) changed(sale string) {
	if m != nil {
		m.changes.WithLabelValues(sale).Inc()
	}
}

// expires shows when a certificate ends. Its name is "client" for this client's, and the address
// for a server's.
func (m *Metrics) expires(certificate string, c *x509.Certificate) {
	if m != nil && c != nil {
		m.expiry.WithLabelValues(certificate).Set(float64(c.NotAfter.Unix()))
	}
}

// watch shows the connection pool, which everything but the lanes uses; each lane has a connection
// of its own.
func (m *Metrics) watch(client redis.UniversalClient) {
	if m == nil {
		return
	}
	gauge := func(name, help string, read func(*redis.PoolStats) uint32) {
		m.registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(read(client.PoolStats())) }))
	}
	counter := func(name, help string, read func(*redis.PoolStats) uint32) {
		m.registerer.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(read(client.PoolStats())) }))
	}
	gauge("flashgate_redis_pool_connections", "Connections in the Redis pool.",
		func(s *redis.PoolStats) uint32 { return s.TotalConns })
	gauge("flashgate_redis_pool_idle_connections", "Connections in the Redis pool that nobody uses.",
		func(s *redis.PoolStats) uint32 { return s.IdleConns })
	counter("flashgate_redis_pool_timeouts_total", "Times that waiting for a free connection timed out.",
		func(s *redis.PoolStats) uint32 { return s.Timeouts })
}

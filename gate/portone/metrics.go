package portone

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the REST client's.
type Metrics struct {
	calls *prometheus.CounterVec
	took  *prometheus.HistogramVec
}

// NewMetrics registers the REST client's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashgate_portone_calls_total",
			Help: "Calls to PortOne's REST APIs, each try counted, by outcome: ok, not_found, refused, limited, " +
				"failed, timeout or no_answer.",
		}, []string{"api", "call", "outcome"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "flashgate_portone_call_duration_seconds",
			Help:    "Time of one try of a call to PortOne's REST APIs.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"api", "call"}),
	}
	r.MustRegister(m.calls, m.took)
	return m
}

func (m *Metrics) count(api, call string, err error, took time.Duration) {
	m.calls.WithLabelValues(api, call, outcome(err)).Inc()
	m.took.WithLabelValues(api, call).Observe(took.Seconds())
}

// outcome returns the label of what came of a try.
func outcome(err error) string {
	var answer *Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &answer) && answer.absent:
		return "not_found"
	case errors.As(err, &answer) && answer.Status == http.StatusTooManyRequests:
		return "limited"
	case errors.As(err, &answer) && answer.Status >= http.StatusInternalServerError:
		return "failed"
	case errors.As(err, &answer):
		return "refused"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "no_answer"
}

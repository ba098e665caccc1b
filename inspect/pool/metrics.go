package pool

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what a pool does.
type Metrics struct {
	requests *prometheus.CounterVec
	ended    *prometheus.CounterVec
	again    prometheus.Counter
	failed   prometheus.Counter
	started  prometheus.Histogram
	queued   prometheus.Histogram
}

// NewMetrics makes the counters and registers them with r, unless it is nil.
func NewMetrics(r prometheus.Registerer) *Metrics { return NewMetricsOf("inspect", r) }

// NewMetricsOf is NewMetrics for a second pool: the names begin with sluice and subsystem.
func NewMetricsOf(subsystem string, r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "sluice", Subsystem: subsystem, Name: name, Help: help}
	}
	seconds := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "sluice", Subsystem: subsystem, Name: name, Help: help,
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10)})
	}
	m := &Metrics{
		requests: prometheus.NewCounterVec(counter("requests_total", "Requests to look into files, by how they ended."), []string{"how"}),
		ended:    prometheus.NewCounterVec(counter("processes_ended_total", "Processes that ended before they should, by how."), []string{"how"}),
		again:    prometheus.NewCounter(counter("retries_total", "Requests given to a second process because the first one died.")),
		failed:   prometheus.NewCounter(counter("start_failures_total", "Processes that could not be started.")),
		started:  seconds("start_seconds", "Time to start a process."),
		queued:   seconds("queue_seconds", "Time that a request waited for a process."),
	}
	if r != nil {
		r.MustRegister(m.requests, m.ended, m.again, m.failed, m.started, m.queued)
	}
	return m
}

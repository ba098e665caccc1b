package gate

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice"
)

// Metrics counts what the gate does. Labels come from our own tables only, so
// no peer can make them grow.
type Metrics struct {
	sessions prometheus.Counter
	panics   prometheus.Counter
	split    prometheus.Counter
	ended    *prometheus.CounterVec
	messages *prometheus.CounterVec
	refusals *prometheus.CounterVec
	reasons  *prometheus.CounterVec
	backend  *prometheus.CounterVec
	trouble  *prometheus.CounterVec
	logins   *prometheus.CounterVec
	judged   prometheus.Histogram
	seconds  prometheus.Histogram
}

// NewMetrics makes the counters and registers them with r, unless it is nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "sluice", Name: name, Help: help}, labels)
	}
	single := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "sluice", Name: name, Help: help})
	}
	m := &Metrics{
		sessions: single("sessions_total", "Connections accepted."),
		panics:   single("panics_total", "Messages whose handling panicked; each was answered 451."),
		split:    single("split_transactions_total", "Messages the next hop took for some recipients only."),
		ended:    counter("sessions_ended_total", "How sessions ended.", "how"),
		messages: counter("messages_total", "Messages judged.", "action", "threat"),
		refusals: counter("refusals_total", "Refusals and deferrals by reason and phase.", "reason", "phase"),
		reasons:  counter("evidence_total", "Evidence found in judged messages.", "reason"),
		backend:  counter("backend_refusals_total", "Messages the next hop did not take.", "class"),
		trouble:  counter("trouble_total", "Our own failures, answered 4xx.", "where"),
		logins:   counter("logins_total", "Logins by outcome.", "outcome"),
		judged: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "sluice", Name: "judge_seconds",
			Help: "Time to parse and judge a message.", Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12)}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "sluice", Name: "session_seconds",
			Help: "Length of a connection.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 10)}),
	}
	if r != nil {
		r.MustRegister(m.sessions, m.panics, m.split, m.ended, m.messages, m.refusals, m.reasons, m.backend, m.trouble, m.logins, m.judged, m.seconds)
	}
	return m
}

func (m *Metrics) refused(why sluice.Reason, p sluice.Phase) {
	m.refusals.WithLabelValues(string(why), p.String()).Inc()
}

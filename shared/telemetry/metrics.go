package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are the project's metrics, by the names of docs/reference/metrics.md. Durations are in seconds. No label ever
// holds a user, a session or a text.
type Metrics struct {
	ChatDuration        *prometheus.HistogramVec // route, outcome
	ChatRequests        *prometheus.CounterVec   // route, code
	StageDuration       *prometheus.HistogramVec // stage
	DependencyCalls     *prometheus.CounterVec   // dependency, outcome
	DependencyDuration  *prometheus.HistogramVec // dependency
	BreakerState        *prometheus.GaugeVec     // dependency, state: 1 for the state it is in
	FailOpen            *prometheus.CounterVec   // zone, dependency
	RateLimitDecisions  *prometheus.CounterVec   // decision, source
	GateRulings         *prometheus.CounterVec   // gate, ruling
	DegradationLevel    prometheus.Gauge         // 0 none, 1 graceful, 2 hard limit, 3 breaker open
	Shed                prometheus.Counter
	BacklogTurns        prometheus.Gauge
	OutboxTurns         prometheus.Gauge
	MaterializeDuration prometheus.Histogram
	Materialized        *prometheus.CounterVec // outcome
	WorkerLastSeen      *prometheus.GaugeVec   // worker: Unix time
	DeadLetters         prometheus.Gauge
	DeadLettersExpired  prometheus.Counter
	EventsLost          prometheus.Counter
	DecisionsDropped    prometheus.Counter
	HopsRefused         prometheus.Counter
}

// Upper bounds of the classic buckets, in seconds: fine around a turn's p50, p95 and p99 targets (1, 3, 5 s), up to the
// turn's deadline of 15 s.
var (
	turnBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 5, 8, 10, 15, 30}
	callBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 10}
)

func newMetrics(registry *prometheus.Registry) *Metrics {
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r := registrar{registry}
	return &Metrics{
		ChatDuration:        r.histograms("chat_duration_seconds", "How long chat requests took.", turnBuckets, "route", "outcome"),
		ChatRequests:        r.counters("chat_requests_total", "Chat requests answered.", "route", "code"),
		StageDuration:       r.histograms("stage_duration_seconds", "How long each stage of a turn took.", callBuckets, "stage"),
		DependencyCalls:     r.counters("dependency_calls_total", "Calls out of the process, by how they ended.", "dependency", "outcome"),
		DependencyDuration:  r.histograms("dependency_duration_seconds", "How long calls out of the process took.", callBuckets, "dependency"),
		BreakerState:        r.gauges("breaker_state", "1 for the state that a breaker is in.", "dependency", "state"),
		FailOpen:            r.counters("failopen_total", "Answers that did without a dependency.", "zone", "dependency"),
		RateLimitDecisions:  r.counters("ratelimit_decisions_total", "Rate limit verdicts, by who gave them.", "decision", "source"),
		GateRulings:         r.counters("gate_rulings_total", "What gates said of turns: passed, marked, refused.", "gate", "ruling"),
		DegradationLevel:    r.gauge("degradation_level", "0 none, 1 graceful, 2 hard limit, 3 breaker open."),
		Shed:                r.counter("shed_total", "Requests refused because chat was too busy for anyone."),
		BacklogTurns:        r.gauge("backlog_turns", "Turns accepted and not yet in the graph."),
		OutboxTurns:         r.gauge("outbox_turns", "Turns in the outbox, waiting for the broker."),
		MaterializeDuration: r.histogram("materialize_duration_seconds", "From an event's arrival to its turn in the graph.", callBuckets),
		Materialized:        r.counters("materialized_total", "Events handled by materialize.", "outcome"),
		WorkerLastSeen:      r.gauges("worker_last_seen_seconds", "Unix time of a worker's last heartbeat.", "worker"),
		DeadLetters:         r.gauge("dead_letters", "Dead letters kept and not replayed."),
		DeadLettersExpired:  r.counter("dead_letters_expired_total", "Dead letters dropped, too old or too many, that nobody had replayed."),
		EventsLost:          r.counter("events_lost_total", "Turns and requests to forget that nothing durable took and memory could not hold, or not until the end."),
		DecisionsDropped:    r.counter("decisions_dropped_total", "Decision traces dropped because the buffer was full, the way to trace was down or the system had to spare work."),
		HopsRefused:         r.counter("hops_refused_total", "Requests and events refused because they had made too many hops."),
	}
}

// registrar makes metrics with the project's prefix and registers them.
type registrar struct{ registry *prometheus.Registry }

func (r registrar) histogramOptions(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Namespace: "aguante", Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100}
}

func (r registrar) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	m := prometheus.NewHistogramVec(r.histogramOptions(name, help, buckets), labels)
	r.registry.MustRegister(m)
	return m
}

func (r registrar) histogram(name, help string, buckets []float64) prometheus.Histogram {
	m := prometheus.NewHistogram(r.histogramOptions(name, help, buckets))
	r.registry.MustRegister(m)
	return m
}

func (r registrar) counters(name, help string, labels ...string) *prometheus.CounterVec {
	m := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "aguante", Name: name, Help: help}, labels)
	r.registry.MustRegister(m)
	return m
}

func (r registrar) counter(name, help string) prometheus.Counter {
	m := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "aguante", Name: name, Help: help})
	r.registry.MustRegister(m)
	return m
}

func (r registrar) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	m := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "aguante", Name: name, Help: help}, labels)
	r.registry.MustRegister(m)
	return m
}

func (r registrar) gauge(name, help string) prometheus.Gauge {
	m := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "aguante", Name: name, Help: help})
	r.registry.MustRegister(m)
	return m
}

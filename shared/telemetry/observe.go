package telemetry

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/aguante-chat/aguante/shared/guard"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
)

// Called counts a guarded call. One whose caller left is no outcome of the dependency's.
func (t *Telemetry) Called(_ context.Context, o guard.Outcome) {
	t.meet(o.Dependency)
	if o.Result == guard.Left {
		return
	}
	t.Metrics.DependencyCalls.WithLabelValues(o.Dependency, string(o.Result)).Inc()
	if o.Result != guard.Rejected && o.Result != guard.Open {
		t.Metrics.DependencyDuration.WithLabelValues(o.Dependency).Observe(o.Took.Seconds())
	}
}

// meet shows the breaker of a dependency as closed, which it is until it changes.
func (t *Telemetry) meet(dependency string) {
	if _, known := t.met.LoadOrStore(dependency, true); !known {
		for _, state := range []string{"open", "half-open"} {
			t.Metrics.BreakerState.WithLabelValues(dependency, state).Set(0)
		}
		t.Metrics.BreakerState.WithLabelValues(dependency, "closed").Set(1)
	}
}

// Changed shows a breaker's state and logs its change: the one line that a failing dependency gets.
func (t *Telemetry) Changed(c guard.Change) {
	t.meet(c.Dependency)
	t.Metrics.BreakerState.WithLabelValues(c.Dependency, c.From).Set(0)
	t.Metrics.BreakerState.WithLabelValues(c.Dependency, c.To).Set(1)
	switch {
	case c.To == "open" && c.Err != nil:
		t.Log.Warn("breaker", "dependency", c.Dependency, "from", c.From, "to", c.To, "error", c.Err.Error())
	default:
		t.Log.Info("breaker", "dependency", c.Dependency, "from", c.From, "to", c.To)
	}
}

// FailedOpen counts an answer that did without a dependency.
func (t *Telemetry) FailedOpen(_ context.Context, d guard.Degraded, _ error) {
	t.Metrics.FailOpen.WithLabelValues(d.Zone, d.Dependency).Inc()
}

// onceAMinute lets one call a minute through.
func onceAMinute(say func(error)) func(error) {
	var last atomic.Int64
	return func(err error) {
		now, before := time.Now().Unix(), last.Load()
		if now-before >= 60 && last.CompareAndSwap(before, now) {
			say(err)
		}
	}
}

func serviceName(name string) attribute.KeyValue       { return semconv.ServiceName(name) }
func serviceVersion(version string) attribute.KeyValue { return semconv.ServiceVersion(version) }

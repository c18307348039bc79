package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/shared/guard"
)

func TestStateChangesAreLoggedOnceAndCallsNever(t *testing.T) {
	var log bytes.Buffer
	tel := newTelemetry(&log, slog.LevelInfo, "test")
	for range 100 {
		tel.Called(t.Context(), guard.Outcome{Dependency: "redis", Result: guard.Error, Took: time.Millisecond, Err: errors.New("down")})
		tel.FailedOpen(t.Context(), guard.Degraded{Zone: "sync", Dependency: "redis", Reason: "error"}, errors.New("down"))
	}
	if log.Len() > 0 {
		t.Errorf("calls are logged: %s", log.String())
	}
	if testutil.ToFloat64(tel.Metrics.BreakerState.WithLabelValues("redis", "closed")) != 1 {
		t.Error("a breaker that never changed is not shown as closed")
	}
	tel.Changed(guard.Change{Dependency: "redis", From: "closed", To: "open", Err: errors.New("down")})
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), `"to":"open"`) {
		t.Errorf("a change of state: %s", log.String())
	}
	if n := testutil.ToFloat64(tel.Metrics.DependencyCalls.WithLabelValues("redis", "error")); n != 100 {
		t.Errorf("%v calls counted", n)
	}
	if n := testutil.ToFloat64(tel.Metrics.FailOpen.WithLabelValues("sync", "redis")); n != 100 {
		t.Errorf("%v answers without redis counted", n)
	}
	open, closed := tel.Metrics.BreakerState.WithLabelValues("redis", "open"), tel.Metrics.BreakerState.WithLabelValues("redis", "closed")
	if testutil.ToFloat64(open) != 1 || testutil.ToFloat64(closed) != 0 {
		t.Error("the breaker's state is not shown")
	}
}

func TestCallerWhoLeftIsNoOutcome(t *testing.T) {
	tel := Nop()
	tel.Called(t.Context(), guard.Outcome{Dependency: "redis", Result: guard.Left})
	if n := testutil.CollectAndCount(tel.Metrics.DependencyCalls); n != 0 {
		t.Errorf("%d outcomes", n)
	}
}

// TestFrozenCollectorHoldsNothingUp sends spans to a listener that accepts and never answers.
func TestFrozenCollectorHoldsNothingUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	endpoint := "http://" + l.Addr().String()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	tel, err := New(t.Context(), Config{Service: "test", Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		_, span := tel.Tracer.Start(t.Context(), "turn")
		span.End()
	}
	done := make(chan struct{})
	go func() { _ = tel.Close(context.Background()); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * flushTime):
		t.Fatal("Close waits for a frozen collector")
	}
}

func TestBadLogLevelIsAnError(t *testing.T) {
	if _, err := New(t.Context(), Config{LogLevel: "loud"}); err == nil || !strings.Contains(err.Error(), "LOG_LEVEL") {
		t.Errorf("it says %v", err)
	}
}

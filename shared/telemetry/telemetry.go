// Package telemetry is what the functions say of themselves: metrics for Prometheus, spans over OTLP, logs as JSON. It
// observes guards. Nothing in it can fail or hold up a request: a collector that is gone costs spans, no more.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// flushTime is how long Close waits for the collector.
const flushTime = 2 * time.Second

// Config says who speaks and how much.
type Config struct {
	Service  string // service.name of spans and logs
	Version  string
	LogLevel string // debug, info, warn or error; empty: info
	Endpoint string // OTLP over HTTP, as OTEL_EXPORTER_OTLP_ENDPOINT; empty: no spans leave. The SDK reads the other OTEL_* itself.
}

// Telemetry is one process's logs, metrics and tracer. It is a guard.Observer.
type Telemetry struct {
	Log      *slog.Logger
	Registry *prometheus.Registry
	Metrics  *Metrics
	Tracer   trace.Tracer

	provider *sdktrace.TracerProvider
	met      sync.Map // dependencies whose breaker is shown
}

// New returns a process's telemetry and makes W3C trace context the process's propagation.
func New(ctx context.Context, c Config) (*Telemetry, error) {
	var level slog.Level
	if c.LogLevel != "" {
		if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
			return nil, fmt.Errorf("telemetry: LOG_LEVEL: %w", err)
		}
	}
	t := newTelemetry(os.Stderr, level, c.Service)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(onceAMinute(func(err error) { t.Log.Warn("spans are lost", "error", err) })))
	if c.Endpoint == "" {
		return t, nil
	}
	if err := t.export(ctx, c); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	return t, nil
}

func (t *Telemetry) export(ctx context.Context, c Config) error {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return err
	}
	who, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(),
		resource.WithAttributes(serviceName(c.Service), serviceVersion(c.Version)))
	if err != nil {
		return err
	}
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(who))
	t.Tracer = t.provider.Tracer("github.com/aguante-chat/aguante")
	return nil
}

// Nop returns telemetry that keeps its metrics to itself and says nothing: for tests.
func Nop() *Telemetry { return newTelemetry(io.Discard, slog.LevelError, "test") }

func newTelemetry(w io.Writer, level slog.Level, service string) *Telemetry {
	registry := prometheus.NewRegistry()
	return &Telemetry{
		Log:      slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})).With("service", service),
		Registry: registry,
		Metrics:  newMetrics(registry),
		Tracer:   noop.NewTracerProvider().Tracer(""),
	}
}

// Close sends the spans that are left, for two seconds at most.
func (t *Telemetry) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

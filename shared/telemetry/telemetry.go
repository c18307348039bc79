// Package telemetry is what the functions say of themselves: metrics for Prometheus, spans over OTLP, logs as JSON. It
// observes guards. Nothing in it can fail or hold up a request: a collector that is gone costs spans, no more.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// scope is what made a span or a measurement.
const scope = "github.com/aguante-chat/aguante"

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
	Meter    metric.Meter // of OpenTelemetry's own instruments; they are on /metrics too

	provider *sdktrace.TracerProvider
	meters   *sdkmetric.MeterProvider
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
	if err := t.measure(ctx, c); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(onceAMinute(func(err error) { t.Log.Warn("telemetry is lost", "error", err) })))
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
	who, err := c.resource(ctx)
	if err != nil {
		return err
	}
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(who))
	t.Tracer = t.provider.Tracer(scope)
	return nil
}

// measure makes the meter, whose instruments are shown beside the other metrics and, with an endpoint, sent.
func (t *Telemetry) measure(ctx context.Context, c Config) error {
	shown, err := otelprom.New(otelprom.WithRegisterer(t.Registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo())
	if err != nil {
		return err
	}
	who, err := c.resource(ctx)
	if err != nil {
		return err
	}
	options := []sdkmetric.Option{sdkmetric.WithReader(shown), sdkmetric.WithResource(who)}
	if c.Endpoint != "" {
		exporter, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return err
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	t.meters = sdkmetric.NewMeterProvider(options...)
	t.Meter = t.meters.Meter(scope)
	return nil
}

func (c Config) resource(ctx context.Context) (*resource.Resource, error) {
	return resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(),
		resource.WithAttributes(serviceName(c.Service), serviceVersion(c.Version)))
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
		Meter:    noopmetric.NewMeterProvider().Meter(""),
	}
}

// Close sends what is left, for two seconds at most.
func (t *Telemetry) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	var faults []error
	if t.provider != nil {
		faults = append(faults, t.provider.Shutdown(ctx))
	}
	if t.meters != nil {
		faults = append(faults, t.meters.Shutdown(ctx))
	}
	return errors.Join(faults...)
}

package chain

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/guard"
)

// genai traces and measures attempts by OpenTelemetry's GenAI conventions. What was said is in none of it.
type genai struct {
	duration, firstChunk metric.Float64Histogram
	tokens               metric.Int64Histogram
}

// Buckets that the conventions advise, in seconds and in tokens.
var (
	durations = []float64{.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokens    = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

func newGenAI(m metric.Meter) (g genai, err error) {
	var faults [3]error
	g.duration, faults[0] = m.Float64Histogram("gen_ai.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("How long one attempt with an engine took."), metric.WithExplicitBucketBoundaries(durations...))
	g.firstChunk, faults[1] = m.Float64Histogram("gen_ai.client.operation.time_to_first_chunk", metric.WithUnit("s"),
		metric.WithDescription("Until the first piece of a streamed answer."), metric.WithExplicitBucketBoundaries(durations...))
	g.tokens, faults[2] = m.Int64Histogram("gen_ai.client.token.usage", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens of an answer, as the engine told them."), metric.WithExplicitBucketBoundaries(tokens...))
	return g, errors.Join(faults[:]...)
}

// begin begins an attempt; what it gives is told how that ended, and when its first piece came.
func (g genai) begin(ctx context.Context, tracer trace.Tracer, s *Spec, r engine.Request, stream bool) (context.Context, func(engine.Answer, error, time.Duration)) {
	began := time.Now()
	ctx, span := tracer.Start(ctx, "chat "+s.model(r), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(s.attributes...),
		trace.WithAttributes(attribute.String("gen_ai.request.model", s.model(r)), attribute.Bool("gen_ai.request.stream", stream)))
	return ctx, func(a engine.Answer, err error, first time.Duration) {
		defer span.End()
		labels := append(make([]attribute.KeyValue, 0, 8), s.attributes...)
		if s.Model != "" { // a name that a caller may choose is no label
			labels = append(labels, attribute.String("gen_ai.request.model", s.Model))
		}
		if s.Model != "" && a.Model != "" {
			labels = append(labels, attribute.String("gen_ai.response.model", a.Model))
		}
		if err != nil {
			labels = append(labels, attribute.String("error.type", errorType(err)))
			span.SetAttributes(attribute.String("error.type", errorType(err)))
			span.SetStatus(codes.Error, err.Error())
		}
		set := metric.WithAttributeSet(attribute.NewSet(labels...))
		g.duration.Record(ctx, time.Since(began).Seconds(), set)
		if stream && first > 0 {
			g.firstChunk.Record(ctx, first.Seconds(), set)
		}
		if err == nil {
			g.answered(ctx, span, a, labels)
		}
	}
}

// answered tells what only an answer has.
func (g genai) answered(ctx context.Context, span trace.Span, a engine.Answer, labels []attribute.KeyValue) {
	span.SetAttributes(attribute.String("gen_ai.response.model", a.Model),
		attribute.StringSlice("gen_ai.response.finish_reasons", []string{a.Finish}))
	if a.Told == nil {
		return
	}
	span.SetAttributes(attribute.Int("gen_ai.usage.input_tokens", a.Usage.PromptTokens),
		attribute.Int("gen_ai.usage.output_tokens", a.Usage.CompletionTokens))
	input, output := attribute.String("gen_ai.token.type", "input"), attribute.String("gen_ai.token.type", "output")
	g.tokens.Record(ctx, int64(a.Usage.PromptTokens), metric.WithAttributes(append(labels, input)...))
	g.tokens.Record(ctx, int64(a.Usage.CompletionTokens), metric.WithAttributes(append(labels, output)...))
}

// model is the one that the engine is asked for.
func (s *Spec) model(r engine.Request) string {
	if s.Model != "" {
		return s.Model
	}
	return r.Model
}

// genAI is what is told of every attempt with an engine.
func (s *Spec) genAI() []attribute.KeyValue {
	all := []attribute.KeyValue{attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", s.Name)}
	u, err := url.Parse(s.URL)
	if err != nil {
		return all
	}
	all = append(all, attribute.String("server.address", u.Hostname()))
	if port, err := strconv.Atoi(u.Port()); err == nil {
		all = append(all, attribute.Int("server.port", port))
	}
	return all
}

// errorType is a status, or the word that the breaker has for it.
func errorType(err error) string {
	if f := (*engine.Failure)(nil); errors.As(err, &f) && f.Status != 0 {
		return strconv.Itoa(f.Status)
	}
	if r := (*engine.Rejected)(nil); errors.As(err, &r) {
		return strconv.Itoa(r.Status)
	}
	if errors.Is(err, engine.ErrLeft) || errors.Is(err, errLost) {
		return "canceled"
	}
	return string(guard.ResultOf(err))
}

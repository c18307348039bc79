package chain

import (
	"context"
	"errors"
	"net/url"
	"slices"
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
	ctx, span := tracer.Start(ctx, s.spanName(r), asClient)
	if span.IsRecording() {
		span.SetAttributes(s.attributes...)
		span.SetAttributes(attribute.String("gen_ai.request.model", s.model(r)), attribute.Bool("gen_ai.request.stream", stream))
	}
	return ctx, func(a engine.Answer, err error, first time.Duration) {
		defer span.End()
		ended(span, a, err)
		l := s.labels(a.Model, err)
		g.duration.Record(ctx, time.Since(began).Seconds(), l.all)
		if stream && first > 0 {
			g.firstChunk.Record(ctx, first.Seconds(), l.all)
		}
		if err == nil && a.Told != nil {
			g.tokens.Record(ctx, int64(a.Usage.PromptTokens), l.input)
			g.tokens.Record(ctx, int64(a.Usage.CompletionTokens), l.output)
		}
	}
}

var asClient = trace.WithSpanKind(trace.SpanKindClient)

// ended tells the span how its attempt ended.
func ended(span trace.Span, a engine.Answer, err error) {
	switch {
	case !span.IsRecording():
		return
	case err != nil:
		span.SetAttributes(attribute.String("error.type", errorType(err)))
		span.SetStatus(codes.Error, err.Error())
		return
	}
	span.SetAttributes(attribute.String("gen_ai.response.model", a.Model),
		attribute.StringSlice("gen_ai.response.finish_reasons", []string{a.Finish}))
	if a.Told != nil {
		span.SetAttributes(attribute.Int("gen_ai.usage.input_tokens", a.Usage.PromptTokens),
			attribute.Int("gen_ai.usage.output_tokens", a.Usage.CompletionTokens))
	}
}

// labels are the metrics' of one model's answers: made once, and made anew when the model changes.
type labels struct {
	model              string
	all, input, output metric.MeasurementOption
}

func (s *Spec) labels(model string, err error) *labels {
	if s.Model == "" {
		model = "" // a name that a caller may choose is no label
	}
	if known := s.known.Load(); err == nil && known != nil && known.model == model {
		return known
	}
	all := slices.Clone(s.attributes)
	if s.Model != "" {
		all = append(all, attribute.String("gen_ai.request.model", s.Model))
	}
	if model != "" {
		all = append(all, attribute.String("gen_ai.response.model", model))
	}
	if err != nil {
		all = append(all, attribute.String("error.type", errorType(err)))
	}
	with := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(slices.Concat(all, more)...))
	}
	l := &labels{model, with(), with(attribute.String("gen_ai.token.type", "input")), with(attribute.String("gen_ai.token.type", "output"))}
	if err == nil {
		s.known.Store(l)
	}
	return l
}

// spanName is the operation and the model.
func (s *Spec) spanName(r engine.Request) string {
	if s.Model != "" {
		return s.name
	}
	return "chat " + r.Model
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

package engine

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// span traces one attempt by OpenTelemetry's GenAI conventions. What was said is not in it.
func (c *Chain) span(ctx context.Context, l *link, r Request) (context.Context, func(Answer, error)) {
	model := r.Model
	if l.spec.Model != "" {
		model = l.spec.Model
	}
	ctx, span := c.Tracer.Start(ctx, "chat "+model, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("gen_ai.operation.name", "chat"),
		attribute.String("gen_ai.provider.name", l.Name()),
		attribute.String("gen_ai.request.model", model),
	))
	return ctx, func(a Answer, err error) {
		defer span.End()
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
			return
		}
		span.SetAttributes(
			attribute.String("gen_ai.response.model", a.Model),
			attribute.StringSlice("gen_ai.response.finish_reasons", []string{a.Finish}),
			attribute.Int("gen_ai.usage.input_tokens", a.Usage.PromptTokens),
			attribute.Int("gen_ai.usage.output_tokens", a.Usage.CompletionTokens),
		)
	}
}

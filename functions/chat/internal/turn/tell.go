package turn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
)

// begin names the turn and starts to record decisions, if anyone reads them and there is room for them.
func (s *Teller) begin(ctx context.Context, t Turn) (context.Context, Turn) {
	t = t.named()
	t.began = time.Now()
	switch {
	case s.Publisher == nil || !s.Flags.Enabled(serve.DecisionTrace):
	case s.Capacity.Now().Has(capacity.SkipDecisions):
		s.Telemetry.Metrics.DecisionsDropped.Inc()
	default:
		ctx = decision.Into(ctx, decision.NewRecorder(t.began))
	}
	return ctx, t
}

// named is the turn with an id and, if need be, a session.
func (t Turn) named() Turn {
	if t.ID == "" {
		t.ID = newID()
	}
	if t.SessionID == "" && t.User != "" {
		t.SessionID, t.isNew = newID(), true
	}
	return t
}

// newID is a UUIDv7: unique, and in order of time.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// stage times one chapter, for metrics and as a span.
func (s *Teller) stage(ctx context.Context, name string) (context.Context, func()) {
	began := time.Now()
	ctx, span := s.Telemetry.Tracer.Start(ctx, name)
	return ctx, func() {
		s.Telemetry.Metrics.StageDuration.WithLabelValues(name).Observe(time.Since(began).Seconds())
		span.End()
	}
}

// decided offers the turn's decision trace to whoever reads it. It never waits.
func (s *Teller) decided(ctx context.Context, t Turn, r Reply, err error) {
	recorder := decision.From(ctx)
	if recorder == nil {
		return
	}
	decisions := recorder.Decisions()
	level := max(lacks(r.Degraded).level(), s.Capacity.Now().Level)
	told := decision.Trace{
		TurnID: t.ID, SessionID: t.SessionID, User: t.User, TraceID: r.TraceID, Engine: r.Engine,
		Level: level, Outcome: decision.Worst(decisions), Decisions: decisions,
		StartedAt: t.began, DurationMS: milliseconds(time.Since(t.began)), BudgetMS: milliseconds(limits.Turn),
	}
	if err != nil && !errors.Is(err, engine.ErrLeft) && told.Outcome != decision.Refused {
		told.Outcome = decision.Failure
	}
	if s.TraceContent {
		told.Content = []string{t.Asked(), r.Text}
	}
	hops := min(t.Hop, limits.MaxHops) // a turn that was refused for its hops is told of all the same: nothing follows from that
	if e, err := event.New(event.TurnDecided, s.Source, fmt.Sprintf("decided-%s-%d", t.ID, t.began.UnixMicro()), t.SessionID, hops, told); err == nil {
		s.Publisher.Offer(e)
	}
}

// reply is what the caller hears.
func (t Turn) reply(ctx context.Context, e *entry, known memory, a engine.Answer) Reply {
	a.Degraded = lacks(nil).and(e.degraded).and(known.degraded).and(a.Degraded)
	r := Reply{TurnID: t.ID, SessionID: t.SessionID, Answer: a, Recalled: known.recalled, Limit: e.verdict}
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		r.TraceID = span.TraceID().String()
	}
	return r
}

// news are the messages that no earlier turn had: those after the last answer, without instructions.
func (t Turn) news() []engine.Message {
	last := len(t.Messages)
	for last > 0 && t.Messages[last-1].Role != engine.Assistant {
		last--
	}
	return slices.DeleteFunc(slices.Clone(t.Messages[last:]), func(m engine.Message) bool { return m.Role != engine.User })
}

// bringsHistory tells whether the caller sends the conversation so far and not only what is new.
func (t Turn) bringsHistory() bool {
	return slices.ContainsFunc(t.Messages, func(m engine.Message) bool { return m.Role == engine.Assistant })
}

// Asked is what the user says in this turn.
func (t Turn) Asked() string {
	var texts []string
	for _, m := range t.news() {
		texts = append(texts, m.Content)
	}
	return strings.Join(texts, "\n")
}

// asker is the name of who says it, when that is known.
func (t Turn) asker() string {
	if news := t.news(); len(news) > 0 {
		return news[len(news)-1].Name
	}
	return ""
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

package turn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
)

// record hands the turn over for good and keeps it in the session. It always lets the reply go, and goes on when the
// caller has left: they may have read the answer.
func (s *Teller) record(ctx context.Context, t Turn, known memory, a engine.Answer) lacks {
	if t.SessionID == "" {
		return nil
	}
	ctx, done := s.stage(context.WithoutCancel(ctx), decision.Record)
	defer done()
	degraded := s.handOver(ctx, t, a)
	return degraded.with(s.keep(ctx, t, known, a))
}

// handOver sends the turn to be materialized. It is durable when handOver returns, unless the decision says otherwise.
func (s *Teller) handOver(ctx context.Context, t Turn, a engine.Answer) lacks {
	if t.User == "" || s.Outbox == nil || !s.Flags.Enabled(serve.Async) {
		return nil
	}
	began := time.Now()
	d := decision.Decision{
		Stage: decision.Record, Kind: decision.Routing, Outcome: decision.Success,
		Policy: "before the answer: the broker, else materialize itself, else the outbox, else memory",
	}
	e, err := event.New(event.TurnCompleted, s.Source, t.ID, t.SessionID, t.Hop, t.completed(a, time.Now()))
	if err != nil {
		d.Selected, d.Outcome, d.Error = "not sent", decision.Failure, err.Error()
		decision.From(ctx).Add(began, d)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limits.Broker.Timeout)
	defer cancel()
	way, degraded := s.Outbox.Send(ctx, e)
	d.Selected, d.FallbackChain = way, lacks(degraded).words()
	switch {
	case way == event.WayDropped:
		d.Outcome = decision.Failure
	case len(degraded) > 0:
		d.Outcome, d.Dependency = decision.Fallback, degraded[0].Dependency
	}
	decision.From(ctx).Add(began, d)
	return degraded
}

// keep makes the turn's second Redis round trip: the session's history, the cached recall.
func (s *Teller) keep(ctx context.Context, t Turn, known memory, a engine.Answer) *guard.Degraded {
	if s.Sessions == nil {
		return nil // said at admission
	}
	began := time.Now()
	c := Closing{User: t.User, SessionID: t.SessionID, Cached: known.cache(t, began)}
	for _, m := range t.completed(a, began).Messages {
		c.Said = append(c.Said, Said{TurnID: t.ID, Role: m.Role, Name: m.Name, Content: m.Content, At: m.At})
	}
	_, lack := guard.FailOpen(ctx, s.Redis, struct{}{}, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, neutral(s.Sessions.Close(ctx, c))
	})
	d := decision.Decision{
		Stage: decision.Record, Kind: decision.Action, Outcome: decision.Success,
		Policy: "sessions live in Redis", Selected: fmt.Sprintf("kept %d messages for %d days", len(c.Said), limits.SessionAge/(24*time.Hour)),
	}
	if lack != nil {
		d.Selected, d.Outcome, d.Dependency = "not kept: the graph alone has it", decision.Fallback, lack.Dependency
		d.FallbackChain = lacks{*lack}.words()
	}
	decision.From(ctx).Add(began, d)
	return lack
}

// neutral is err, which is no failure of Redis's when it only holds something else than it should.
func neutral(err error) error {
	if errors.Is(err, ErrUnreadable) {
		return guard.Neutral(err)
	}
	return err
}

// completed is the turn as it goes into memory: what is new in it, and the answer.
func (t Turn) completed(a engine.Answer, at time.Time) event.Completed {
	c := event.Completed{ID: t.ID, SessionID: t.SessionID, User: t.User, Engine: a.Engine}
	for _, m := range t.news() {
		if m.Content != "" {
			c.Messages = append(c.Messages, graph.Message{Role: m.Role, Name: m.Name, Content: memorable(m.Content), At: t.began})
		}
	}
	if a.Text != "" {
		c.Messages = append(c.Messages, graph.Message{Role: engine.Assistant, Content: memorable(a.Text), At: at})
	}
	return c
}

// memorable is as much of a message as memory keeps: a long document passes through to the engine, its beginning stays.
func memorable(content string) string {
	if len(content) <= limits.MaxMessage {
		return content
	}
	return strings.ToValidUTF8(content[:limits.MaxMessage], "")
}

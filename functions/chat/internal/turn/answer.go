package turn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/serve"
)

// answer asks the engines. It may stop the turn: *engine.Rejected, engine.ErrCut, engine.ErrLeft, ErrDeadline,
// serve.ErrDraining. The engines record which of them were tried.
func (s *Teller) answer(ctx context.Context, t Turn, known memory, emit Emit) (engine.Answer, error) {
	ctx, done := s.stage(ctx, decision.Answer)
	defer done()
	request := t.request(known)
	request.Thrifty = s.Capacity.Now().Has(capacity.CheapFirst)
	answer, err := s.Engines.Answer(ctx, request, emit)
	s.meter(t.Caller, answer.Tokens, answer.Cost)
	for _, end := range []error{ErrDeadline, serve.ErrDraining} {
		if err != nil && errors.Is(context.Cause(ctx), end) {
			err = fmt.Errorf("%w: %w", end, err)
		}
	}
	if err != nil {
		return answer, fmt.Errorf("answer: %w", err)
	}
	for _, lack := range answer.Degraded {
		s.Telemetry.FailedOpen(ctx, lack, nil)
	}
	return answer, nil
}

// request is what the engines are asked. A caller who sends the conversation so far is taken at their word; to one who
// sends only what is new, the session's history is added.
func (t Turn) request(known memory) engine.Request {
	r := engine.Request{
		TurnID: t.ID, SessionID: t.SessionID, User: t.User, Model: t.Model, Messages: t.Messages,
		Recalled: known.recalled, Partial: known.partial, Params: t.Params, Sent: t.Sent, Hop: t.Hop, Now: time.Now(),
	}
	if t.bringsHistory() {
		return r
	}
	for _, m := range known.history {
		r.History = append(r.History, engine.Message{Role: m.Role, Name: m.Name, Content: m.Content, At: m.At})
	}
	return r
}

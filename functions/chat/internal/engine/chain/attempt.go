package chain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// try asks the engine at hand, and again as often as its figures and the retry budget allow when that may help.
func (w *walk) try(ctx context.Context) (engine.Answer, error) {
	if l := w.links[w.at]; l.guard == nil {
		return w.lastResort(ctx, l)
	}
	for number := 1; ; number++ {
		if w.attempts > 0 && !w.retries.take() {
			return engine.Answer{}, errNoShare
		}
		sent := w.text.Len()
		a, err := w.race(ctx, number)
		if errors.Is(err, guard.ErrOpen) || errors.Is(err, guard.ErrRejected) {
			w.retries.giveBack(w.attempts > 0) // it was not made
		} else {
			w.attempts++
		}
		if err == nil || !w.again(ctx, number, w.text.Len() > sent, err) {
			return a, err
		}
	}
}

// lastResort asks the engine that needs no guard. It goes on with an answer only if that is its own.
func (w *walk) lastResort(ctx context.Context, l *link) (engine.Answer, error) {
	if w.text.Len() == 0 && !w.sealed {
		return l.Answer(ctx, w.request, w.emit)
	}
	a, err := l.Answer(ctx, w.request, nil)
	if err != nil {
		return a, err
	}
	rest, own := strings.CutPrefix(a.Text, w.text.String())
	if !own {
		return a, errNoneLeft
	}
	if rest != "" && w.emit != nil && w.emit(engine.Piece{Text: rest}) != nil {
		return a, engine.ErrLeft
	}
	return a, nil
}

var errNoneLeft = errors.New("no engine is left that could go on")

// attempt makes one guarded call of l. mine is asked before the first piece, or the whole answer, is taken: with false
// the attempt ends, another engine was faster.
func (w *walk) attempt(ctx context.Context, l *link, number int, mine func() bool) (engine.Answer, error) {
	ctx, cancel := w.leaveTime(ctx)
	defer cancel()
	out := w.output(l, mine)
	a, err := guard.Do(ctx, l.guard, func(ctx context.Context) (engine.Answer, error) {
		ctx, end := w.genai.begin(ctx, w.Tracer, l.spec, w.request, w.emit != nil)
		a, err := l.Answer(ctx, w.asked(), out.emitter())
		a, err = out.end(a, err)
		end(a, err, out.first)
		switch {
		case errors.Is(err, engine.ErrLeft), errors.Is(err, errLost):
			err = guard.Abandoned(err)
		case errors.As(err, new(*engine.Rejected)):
			err = guard.Neutral(err)
		}
		return a, err
	})
	if err != nil && !errors.Is(err, guard.ErrOpen) && !errors.Is(err, guard.ErrRejected) {
		decision.From(ctx).Add(out.began, decision.Decision{
			Stage: decision.Answer, Kind: decision.Action, Outcome: decision.Fallback, Dependency: l.Name(),
			Policy: fmt.Sprintf("one attempt, at most %s", time.Duration(l.spec.Timeout)), Inputs: map[string]any{"attempt": number},
			Selected: l.Name(), Error: err.Error(),
		})
	}
	return a, err
}

// leaveTime keeps of the turn's time what the rest of the turn needs and, while another engine stands by, what that one
// needs: an engine that hangs does not take the next one's answer with it.
func (w *walk) leaveTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	deadline = deadline.Add(-limits.HandOff)
	if w.at < len(w.links)-2 {
		left := time.Until(deadline)
		deadline = deadline.Add(-min(limits.FirstToken, left/3))
	}
	return context.WithDeadline(ctx, deadline)
}

// asked is the request as the next attempt makes it.
func (w *walk) asked() engine.Request {
	r := w.request
	if r.Sent = w.text.String(); w.plain {
		r.Sent = ""
	}
	return r
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Answer asks the engines in turn, the one that the request names before the others. It fails with *Rejected, ErrCut or
// ErrLeft, or with the last engine's error. Every attempt is a decision, and so is the choice.
func (c *Chain) Answer(ctx context.Context, r Request, emit Emit) (Answer, error) {
	w := &walk{request: r, emit: emit, began: time.Now(), links: c.order(r.Model)}
	var err error
	for i, l := range w.links {
		var a Answer
		if a, err = c.try(ctx, l, w); err == nil {
			w.chosen(ctx, i)
			a.Degraded = w.lacks
			return a, nil
		}
		if err = w.next(ctx, l, err); err != nil {
			break
		}
	}
	w.gaveUp(ctx, err)
	return Answer{}, err
}

// order gives the chain, the engine called model first if there is one.
func (c *Chain) order(model string) []*link {
	links := c.current()
	asked := slices.IndexFunc(links, func(l *link) bool { return model != "" && (l.Name() == model || l.spec.Model == model) })
	if asked <= 0 {
		return links
	}
	return slices.Concat(links[asked:asked+1], links[:asked], links[asked+1:])
}

// try asks one engine, and again as often as its figures allow when that may help.
func (c *Chain) try(ctx context.Context, l *link, w *walk) (Answer, error) {
	if l.guard == nil {
		return l.Answer(ctx, w.request, w.emitter())
	}
	for attempt := 0; ; attempt++ {
		a, err := c.attempt(ctx, l, w, attempt)
		if err == nil || w.sent || attempt >= l.spec.Retries || !worthRetry(err) || !pause(ctx, attempt, err) {
			return a, err
		}
	}
}

// attempt makes one guarded call. It leaves of the turn's time what the rest of the turn needs, so that an engine that
// hangs does not take the next one's answer with it.
func (c *Chain) attempt(ctx context.Context, l *link, w *walk, number int) (Answer, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-limits.HandOff))
		defer cancel()
	}
	began := time.Now()
	a, err := guard.Do(ctx, l.guard, func(ctx context.Context) (Answer, error) {
		ctx, end := c.span(ctx, l, w.request)
		a, err := l.Answer(ctx, w.request, w.emitter())
		end(a, err)
		if rejected := (*Rejected)(nil); errors.As(err, &rejected) || errors.Is(err, ErrLeft) {
			err = guard.Neutral(err)
		}
		return a, err
	})
	if err != nil && !errors.Is(err, guard.ErrOpen) && !errors.Is(err, guard.ErrRejected) {
		decision.From(ctx).Add(began, decision.Decision{
			Stage: decision.Answer, Kind: decision.Action, Outcome: decision.Fallback, Dependency: l.Name(),
			Policy: fmt.Sprintf("one attempt, at most %s", time.Duration(l.spec.Timeout)), Inputs: map[string]any{"attempt": number + 1},
			Selected: l.Name(), Error: err.Error(),
		})
	}
	return a, err
}

// worthRetry tells whether the same engine may answer a moment later: it was not reached, or it said so itself. One
// that was silent for its whole time is not asked again.
func worthRetry(err error) bool {
	f := (*Failure)(nil)
	if !errors.As(err, &f) || guard.ResultOf(err) != guard.Error {
		return false
	}
	switch f.Status {
	case 0, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// pause waits before another attempt, as long as the engine asked or 100 to 300 ms, doubling, and says whether there is
// time for it.
func pause(ctx context.Context, attempt int, err error) bool {
	wait := (100*time.Millisecond + rand.N(200*time.Millisecond)) << attempt
	if f := (*Failure)(nil); errors.As(err, &f) && f.RetryAfter > 0 {
		wait = f.RetryAfter
	}
	if wait > limits.Selection {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// walk is one request's way along the chain.
type walk struct {
	request Request
	emit    Emit
	began   time.Time
	links   []*link
	sent    bool // part of an answer went out
	lacks   []guard.Degraded
	failed  []string // engine and reason
}

// emitter passes pieces on and notices that some did.
func (w *walk) emitter() Emit {
	if w.emit == nil {
		return nil
	}
	return func(p Piece) error {
		w.sent = true
		return w.emit(p)
	}
}

// next decides whether the chain goes on after l failed. If not, it gives the error of the answer.
func (w *walk) next(ctx context.Context, l *link, err error) error {
	rejected := (*Rejected)(nil)
	switch {
	case errors.Is(err, ErrLeft), errors.Is(ctx.Err(), context.Canceled):
		return ErrLeft
	case w.sent:
		return fmt.Errorf("%w: %w", ErrCut, err)
	case errors.As(err, &rejected), ctx.Err() != nil, l == w.links[len(w.links)-1]:
		return err
	}
	lack := guard.Degraded{Zone: limits.ZoneSync, Dependency: l.Name(), Reason: string(guard.ResultOf(err))}
	w.lacks = append(w.lacks, lack)
	w.failed = append(w.failed, l.Name()+": "+why(err))
	if w.emit != nil && w.emit(Piece{Degraded: &lack}) != nil {
		return ErrLeft
	}
	return nil
}

// why says why an engine was left for the next, in a few words.
func why(err error) string {
	if f := (*Failure)(nil); errors.As(err, &f) {
		return string(guard.ResultOf(err)) + " (" + f.Err.Error() + ")"
	}
	return string(guard.ResultOf(err))
}

// chosen records that the engine with index i answered.
func (w *walk) chosen(ctx context.Context, i int) {
	d := w.decision(w.links[i].Name(), decision.Success)
	for _, l := range w.links[i+1:] {
		d.FallbackChain = append(d.FallbackChain, l.Name()+": stood by")
	}
	if len(w.lacks) > 0 {
		d.Outcome, d.Dependency = decision.Fallback, w.lacks[0].Dependency
	}
	decision.From(ctx).Add(w.began, d)
}

// gaveUp records that no engine answered.
func (w *walk) gaveUp(ctx context.Context, err error) {
	d := w.decision("none", decision.Failure)
	d.Error = err.Error()
	if rejected := (*Rejected)(nil); errors.As(err, &rejected) {
		d.Outcome, d.Dependency = decision.Refused, rejected.Engine
	}
	if errors.Is(err, ErrLeft) {
		d.Outcome = decision.Success
	}
	decision.From(ctx).Add(w.began, d)
}

func (w *walk) decision(selected, outcome string) decision.Decision {
	r := w.request
	return decision.Decision{
		Stage: decision.Answer, Kind: decision.Routing, Selected: selected, Outcome: outcome, FallbackChain: w.failed,
		Policy: "the first engine of the chain that answers, the one asked for before the others",
		Inputs: map[string]any{"model": r.Model, "stream": w.emit != nil, "history": len(r.History), "recalled": len(r.Recalled)},
	}
}

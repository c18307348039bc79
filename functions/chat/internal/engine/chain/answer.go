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

// Answer asks the engines in turn. What the caller was sent already is not sent again: an engine that breaks off is
// followed by the next, which goes on. It fails with *engine.Rejected, *engine.Spent, engine.ErrCut or engine.ErrLeft. Every
// attempt that failed is a decision, and so is the choice.
func (c *Chain) Answer(ctx context.Context, r engine.Request, emit engine.Emit) (engine.Answer, error) {
	w := c.walk(r, emit)
	c.retries.call()
	c.hedges.call()
	var err error
	if c.unread() && w.lack(engineFile, bad) != nil {
		return engine.Answer{}, engine.ErrLeft
	}
	for w.at = 0; w.at < len(w.links); w.at++ {
		var a engine.Answer
		if err = w.mayAsk(); err == nil {
			a, err = w.try(ctx)
		}
		if err == nil {
			return w.chosen(ctx, a), nil
		}
		if err = w.next(ctx, err); err != nil {
			break
		}
	}
	w.gaveUp(ctx, err)
	return engine.Answer{Tokens: w.tokens, Cost: w.cost}, err
}

// walk is one request's way along the chain.
type walk struct {
	*Chain
	request engine.Request
	emit    engine.Emit
	began   time.Time
	links   []*link
	at      int // the link that is asked

	attempts int             // made so far
	tokens   int             // that they used
	cost     float64         // of them, in USD
	text     strings.Builder // what the caller has of the answer
	sealed   bool            // the caller has tool calls or several choices: none but their engine can go on
	plain    bool            // an engine would not be asked for the rest: it is asked for all of it
	trimmed  bool            // older turns were dropped
	room     int             // tokens that the context was too small for
	dear     int             // engines passed over because they cost
	lacks    []guard.Degraded
	failed   []string // engine and reason
}

func (c *Chain) walk(r engine.Request, emit engine.Emit) *walk {
	w := &walk{Chain: c, request: r, emit: emit, began: time.Now(), links: c.order(r)}
	w.text.WriteString(r.Sent)
	return w
}

// Why an engine is not asked.
var (
	errTooSmall = errors.New("its context is too small")
	errNoShare  = errors.New("the retry budget is used up")
	errSpent    = errors.New("the day's spend is used up")
)

// mayAsk tells why the engine at hand is passed over, if it is.
func (w *walk) mayAsk() error {
	l := w.links[w.at]
	switch {
	case w.room > 0 && l.guard != nil && l.spec.Context <= w.room:
		return errTooSmall
	case w.Spend.hard() && !l.spec.Price.free():
		w.dear++
		return errSpent
	case l.guard == nil && w.dear > 0 && w.dear == len(w.links)-1:
		return errSpent // the last engine stands in for engines that fail, not for money that is gone
	}
	return nil
}

// next decides whether the chain goes on after the engine at hand failed. If not, it gives the error of the answer.
func (w *walk) next(ctx context.Context, err error) error {
	l := w.links[w.at]
	rejected := (*engine.Rejected)(nil)
	switch {
	case errors.Is(err, engine.ErrLeft), errors.Is(ctx.Err(), context.Canceled):
		return engine.ErrLeft
	case errors.As(err, &rejected) && w.final(rejected):
		return err
	case ctx.Err() != nil, w.at == len(w.links)-1, w.sealed:
		return w.broken(err)
	}
	w.failed = append(w.failed, l.Name()+": "+why(err))
	return w.lack(l.Name(), reason(err, w.text.Len() > 0))
}

// lack notes, and tells a stream, that an engine should have answered and did not.
func (w *walk) lack(name, reason string) error {
	lack := guard.Degraded{Zone: limits.ZoneSync, Dependency: name, Reason: reason}
	w.lacks = append(w.lacks, lack)
	if w.emit != nil && w.emit(engine.Piece{Degraded: &lack}) != nil {
		return engine.ErrLeft
	}
	return nil
}

// final tells whether an engine's refusal is the caller's to hear. A request that is too long for one may not be for
// a larger one; an engine that will not go on with another's answer says nothing of the request.
func (w *walk) final(rejected *engine.Rejected) bool {
	if rejected.Code == engine.ContentFilter {
		return true
	}
	if w.larger(rejected) {
		w.room = max(w.room, w.links[w.at].spec.Context)
		return false
	}
	return w.text.Len() == 0
}

// broken is the error of an answer that no engine completes.
func (w *walk) broken(err error) error {
	if w.text.Len() > 0 || w.sealed {
		return fmt.Errorf("%w: %w", engine.ErrCut, err)
	}
	if errors.Is(err, errSpent) {
		return &engine.Spent{}
	}
	return err
}

// reason is the word for err in degraded. After the first words of an answer it says that it broke off.
func reason(err error, begun bool) string {
	switch {
	case errors.Is(err, errNoShare):
		return "retry budget"
	case errors.Is(err, errTooSmall):
		return "context"
	case errors.Is(err, errSpent):
		return "spend"
	case errors.As(err, new(*engine.Rejected)):
		return "refused"
	case begun && guard.ResultOf(err) == guard.Timeout:
		return "stalled"
	case begun && guard.ResultOf(err) == guard.Error:
		return "cut off"
	}
	return string(guard.ResultOf(err))
}

// why says why an engine was left for the next, in a few words.
func why(err error) string {
	said := reason(err, false)
	if f := (*engine.Failure)(nil); errors.As(err, &f) {
		return said + " (" + f.Err.Error() + ")"
	}
	return said
}

// chosen records who answered.
func (w *walk) chosen(ctx context.Context, a engine.Answer) engine.Answer {
	d := w.decision(w.links[w.at].Name(), decision.Success)
	for _, l := range w.links[w.at+1:] {
		d.FallbackChain = append(d.FallbackChain, l.Name()+": stood by")
	}
	if len(w.lacks) > 0 {
		d.Outcome, d.Dependency = decision.Fallback, w.lacks[0].Dependency
	}
	decision.From(ctx).Add(w.began, d)
	a.Degraded, a.Tokens, a.Cost = w.lacks, w.tokens, w.cost
	return a
}

// gaveUp records that no engine answered.
func (w *walk) gaveUp(ctx context.Context, err error) {
	d := w.decision("none", decision.Failure)
	d.Error = err.Error()
	if rejected := (*engine.Rejected)(nil); errors.As(err, &rejected) {
		d.Outcome, d.Dependency = decision.Refused, rejected.Engine
	}
	if errors.Is(err, engine.ErrLeft) {
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

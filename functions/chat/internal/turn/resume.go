package turn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
)

// ErrNoStream means that no stream of this turn is kept, or that another caller began it.
var ErrNoStream = errors.New("no such stream")

// followEvery is how often a stream that another turn tells is looked at.
const followEvery = 50 * time.Millisecond

// Begun is a stream that its caller has come back to.
type Begun struct {
	Turn Turn // as it was begun, without what is of no use any longer
	told Told
}

// looks is how often Find looks for a stream, with a rest between: what a stream says first is in Redis within 125 ms, or
// never (25 ms until it is written, and limits.Redis.Timeout).
const looks = 4

// Find gives the stream of a turn that c began, which may be just now. It fails with ErrNoStream or ErrUnavailable.
func (s *Teller) Find(ctx context.Context, c Caller, turnID string) (*Begun, error) {
	if s.Streams == nil {
		return nil, ErrNoStream
	}
	told, err := s.told(ctx, turnID, "", "")
	for look := 1; err == nil && told.Turn == nil && look < looks; look++ {
		if err = rest(ctx); err == nil {
			told, err = s.told(ctx, turnID, "", "")
		}
	}
	switch {
	case err != nil:
		return nil, err
	case told.Turn == nil || told.Turn.Caller.Key != c.Key:
		return nil, ErrNoStream
	}
	b := &Begun{Turn: *told.Turn, told: told}
	b.Turn.Caller = c
	return b, nil
}

// Resume tells b from its first piece on: what is kept, what another turn goes on to say and, once nobody tells it any
// more, the rest of the answer, which the engines are asked for. Before that it asks mayGoOn, whose error ends it. It
// ends as Stream does, or with ErrUnavailable.
func (s *Teller) Resume(ctx context.Context, b *Begun, emit Emit, mayGoOn func() error) (Reply, error) {
	place, err := s.enter(ctx, capacity.Running)
	if err != nil {
		return Reply{}, err
	}
	defer place.Leave(false)
	late, cancel := context.WithTimeoutCause(ctx, 2*limits.Turn, ErrDeadline)
	defer cancel()
	r := &resumed{teller: s, turn: b.Turn, emit: emit}
	for told := b.told; ; {
		err := r.hear(told)
		switch {
		case err != nil:
		case told.Ending != nil:
			return told.Ending.outcome()
		case told.Held:
			r.holder, err = "", rest(late)
		case r.holder != "":
			return r.goOn(ctx)
		default:
			r.holder, err = newID(), mayGoOn()
		}
		if err == nil {
			told, err = s.told(late, r.turn.ID, r.last, r.holder)
		}
		if err != nil {
			return Reply{TurnID: r.turn.ID}, err
		}
	}
}

// told reads what is kept of a stream.
func (s *Teller) told(ctx context.Context, turnID, after, holder string) (Told, error) {
	told, err := guard.Do(ctx, s.Redis, func(ctx context.Context) (Told, error) {
		told, err := s.Streams.Read(ctx, turnID, after, holder)
		if errors.Is(err, ErrUnreadable) {
			err = guard.Neutral(err)
		}
		return told, err
	})
	if err != nil && ctx.Err() != nil {
		return told, ended(ctx)
	}
	if err != nil {
		return told, fmt.Errorf("stream: %w: %w", ErrUnavailable, err)
	}
	return told, nil
}

// rest waits before a stream is looked at again.
func rest(ctx context.Context) error {
	select {
	case <-time.After(followEvery):
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// ended says why a stream is no longer followed.
func ended(ctx context.Context) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, serve.ErrDraining):
		return fmt.Errorf("%w: %w", ErrResume, cause)
	case errors.Is(cause, ErrDeadline):
		return cause
	}
	return engine.ErrLeft
}

// resumed is a stream on its way to a caller who has come back.
type resumed struct {
	teller *Teller
	turn   Turn
	emit   Emit
	holder string // who asks to take it, or has taken it
	last   string // position of the last piece heard
	text   strings.Builder
	sealed bool // not all of it is text
	lacks  lacks
}

// hear passes on what is kept.
func (r *resumed) hear(t Told) error {
	for _, p := range t.Pieces {
		r.text.WriteString(p.Text)
		r.sealed = r.sealed || p.Sealed()
		r.lacks = r.lacks.with(p.Degraded)
		if r.emit(p) != nil {
			return engine.ErrLeft
		}
	}
	r.last = cmp.Or(t.Last, r.last)
	return nil
}

// goOn has the rest of the answer told. Half a tool call is not gone on with: nobody could tell where it broke off.
func (r *resumed) goOn(ctx context.Context) (Reply, error) {
	k := &keeping{teller: r.teller, ctx: ctx, turn: r.turn, emit: r.emit, Keeping: r.teller.Streams.Keep(r.turn, r.holder)}
	if r.sealed {
		return k.end(Reply{TurnID: r.turn.ID}, engine.ErrCut)
	}
	rest := r.turn
	rest.Sent, rest.running = r.text.String(), true
	reply, err := r.teller.Take(ctx, rest, func(p Piece) error {
		if p.Degraded != nil && len(r.lacks.with(p.Degraded)) == len(r.lacks) {
			return nil // said before it broke off
		}
		return k.piece(p)
	})
	return k.end(reply, err)
}

package turn

import (
	"context"
	"errors"
	"fmt"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/serve"
)

// Streams keeps what running streams have said, so that any instance can go on with one. Each stream has one holder at a
// time, the turn that tells it; one that does not write for some seconds holds it no longer.
type Streams interface {
	// Keep begins to keep t's stream in the name of holder, who has taken it by Read or, being new, gets it.
	Keep(t Turn, holder string) Keeping
	// Read gives what is kept of a stream after a position of it. With a holder, the stream is taken by it if it is free.
	Read(ctx context.Context, turnID, after, holder string) (Told, error)
}

// Keeping keeps one stream. Only LetGo waits.
type Keeping interface {
	// Add keeps one more piece. What it returns is lacking: nothing is kept from then on.
	Add(p Piece) *guard.Degraded
	// End keeps how the stream ended.
	End(e Ending)
	// LetGo leaves the stream to whoever takes it next, and says whether they find all of it.
	LetGo() bool
}

// Told is what is kept of a stream.
type Told struct {
	Turn   *Turn // with the name of its caller's key; nil: there is no such stream, or it was read from a later position
	Pieces []Piece
	Last   string // position of the last piece
	Ending *Ending
	Held   bool // by another holder
}

// Ending is how a stream ended: with a reply, or with an error, which is one word.
type Ending struct {
	Reply    *Reply           `json:"reply,omitempty"`
	Rejected *engine.Rejected `json:"rejected,omitempty"`
	Error    string           `json:"error,omitempty"`
}

// ErrResume means that this instance leaves before the answer is whole, and that any other goes on with it: Resume.
var ErrResume = errors.New("the answer goes on elsewhere")

// errFailed is the error of a kept stream that has no word of its own.
var errFailed = errors.New("the turn failed")

// endings are the words of errors in an Ending.
var endings = map[string]error{"deadline": ErrDeadline, "cut": engine.ErrCut, "failed": errFailed}

// endingOf says how a stream ended.
func endingOf(r Reply, err error) (e Ending) {
	if err == nil {
		r.Limit = nil
		return Ending{Reply: &r}
	}
	if errors.As(err, &e.Rejected) {
		return e
	}
	e.Error = "failed"
	for word, known := range endings {
		if errors.Is(err, known) {
			e.Error = word
		}
	}
	return e
}

// outcome is what Take returned when the stream ended.
func (e Ending) outcome() (Reply, error) {
	switch {
	case e.Reply != nil:
		return *e.Reply, nil
	case e.Rejected != nil:
		return Reply{}, e.Rejected
	case endings[e.Error] != nil:
		return Reply{}, endings[e.Error]
	}
	return Reply{}, errFailed
}

// Stream is Take for a caller who may lose the connection: what is emitted is kept, and Resume goes on with it. A caller
// who leaves ends the turn all the same; it is ErrResume when the instance leaves. Without somewhere to keep it the
// stream goes on, and says so.
func (s *Teller) Stream(ctx context.Context, t Turn, emit Emit) (Reply, error) {
	k := &keeping{teller: s, ctx: ctx, turn: t.named(), emit: emit}
	reply, err := s.Take(ctx, k.turn, k.piece)
	return k.end(reply, err)
}

// keeping keeps the pieces of a stream on their way to the caller, from the first on.
type keeping struct {
	teller *Teller
	ctx    context.Context
	turn   Turn
	emit   Emit
	Keeping
	lack *guard.Degraded // of the keeping
	told lacks           // to the caller
}

func (k *keeping) piece(p Piece) error {
	if k.teller.Streams == nil {
		return k.emit(p)
	}
	if k.Keeping == nil {
		k.Keeping = k.teller.Streams.Keep(k.turn, newID())
	}
	kept := p
	if k.turn.Form == "" {
		kept.Chunk = nil
	}
	k.told = k.told.with(p.Degraded)
	if lack := k.Add(kept); lack != nil && k.lack == nil {
		k.lack = lack
		k.teller.Telemetry.FailedOpen(k.ctx, *lack, nil)
		before := len(k.told)
		if k.told = k.told.with(lack); len(k.told) > before {
			if err := k.emit(Piece{Degraded: lack}); err != nil {
				return err
			}
		}
	}
	return k.emit(p)
}

// end keeps how Take ended, unless another may do better: then it lets the stream go.
func (k *keeping) end(reply Reply, err error) (Reply, error) {
	reply.Degraded = lacks(reply.Degraded).with(k.lack)
	limited := (*Limited)(nil)
	switch {
	case k.Keeping == nil:
	case errors.Is(err, serve.ErrDraining):
		if k.LetGo() {
			err = fmt.Errorf("%w: %w", ErrResume, err)
		}
	case errors.Is(err, engine.ErrLeft), errors.Is(err, ErrShed), errors.As(err, &limited):
		k.LetGo()
	default:
		k.End(endingOf(reply, err))
	}
	return reply, err
}

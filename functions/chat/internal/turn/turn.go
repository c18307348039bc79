// Package turn is the story of one turn: admit, recall, answer, record. Its chapters decide what happens when
// something fails; what they call are adapters that make one attempt and give the error back.
package turn

import (
	"context"
	"encoding/json"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Caller is who sends a turn and how often they may.
type Caller struct {
	Key     string // the API key's name; empty: anonymous
	Address string // client address, which stands for an anonymous caller
	Class   string // route class of the rate limit: chat, internal, …
	Rate    limits.Rate
	Budget  Budget // of the key
}

// Turn is one turn as it came in.
type Turn struct {
	ID        string // made by Take when empty
	SessionID string // empty with a User: a new session
	User      string // whose memory; empty: none, a pure gateway
	Caller    Caller
	Messages  []engine.Message
	Model     string
	Hop       int // the hops it has made so far
	Params    map[string]json.RawMessage
	Route     string
	Form      string // how a stream of it is written, in the edge's words; empty: as Pieces, without their Chunks
	Sent      string // what the caller has of the answer already: only the rest is emitted

	Deadline time.Time `json:"-"` // until when the caller waits; zero: as long as it takes

	began   time.Time
	isNew   bool // Take made the session
	running bool // it was let in before, and goes on
}

// Recalled is one thing remembered.
type Recalled = engine.Recalled

// Piece is one part of a streamed reply.
type Piece = engine.Piece

// Emit takes the pieces of a reply in order; nil: the caller wants no stream.
type Emit = engine.Emit

// Reply is what became of a turn. Limit is set when the caller's rate was looked at, also with an error from Take.
type Reply struct {
	TurnID        string
	SessionID     string
	TraceID       string
	engine.Answer // Degraded covers the whole turn, not the engines alone
	Recalled      []Recalled
	Limit         *Verdict
}

// Teller tells turns: it holds what they need. Safe for concurrent use.
type Teller struct {
	Parts
	share *share
}

// New returns a Teller made of p.
func New(p Parts) *Teller {
	if p.Capacity == nil {
		p.Capacity = capacity.New(capacity.Config{})
	}
	return &Teller{Parts: p, share: newShare(time.Now)}
}

// Take tells one turn: admit, recall, answer, record. The reply names the turn and what was degraded also when there
// is an error: *Invalid, *HopsError, *Limited, ErrShed, *Refused, ErrDeadline, *engine.Rejected, engine.ErrCut or
// engine.ErrLeft. Pieces already emitted are no answer until Take has returned without one.
func (s *Teller) Take(ctx context.Context, t Turn, emit Emit) (reply Reply, err error) {
	ctx, t = s.begin(ctx, t)
	defer func() { s.decided(ctx, t, reply, err) }()

	ctx, entry, err := s.admit(ctx, t)
	defer func() { entry.leave(err) }()
	if err != nil {
		return t.reply(ctx, entry, memory{}, engine.Answer{}), err
	}
	known := s.recall(ctx, t, entry, emit)
	answer, err := s.answer(ctx, t, known, emit)
	if err != nil {
		return t.reply(ctx, entry, known, answer), err
	}
	answer.Degraded = append(answer.Degraded, s.record(ctx, t, known, answer)...)
	return t.reply(ctx, entry, known, answer), nil
}

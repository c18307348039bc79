// Package engine answers turns: a chain of OpenAI-compatible servers tried first to last, and the local engine, which
// needs no model and no network, after them all.
package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/aguante-chat/aguante/shared/guard"
)

// Roles of a Message.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

// Message is one message of a conversation. Content is its text; Raw is the message as the caller sent it when it
// holds more than text (images, tool calls) and then goes to the engine byte for byte in its place.
type Message struct {
	Role    string          `json:"role"`
	Name    string          `json:"name,omitempty"`
	Content string          `json:"content"`
	At      time.Time       `json:"-"`
	Raw     json.RawMessage `json:"-"`
}

// MarshalJSON gives the wire form: Raw where there is one.
func (m Message) MarshalJSON() ([]byte, error) {
	if m.Raw != nil {
		return m.Raw, nil
	}
	type plain Message
	return json.Marshal(plain(m))
}

// Recalled is one thing remembered of an earlier turn, as the engines get it and the reply names it.
type Recalled struct {
	TurnID  string    `json:"turn_id,omitempty"`
	Fact    string    `json:"fact,omitempty"` // the best fact drawn from the turn, in the speaker's words
	Text    string    `json:"text"`
	Score   float64   `json:"score"` // 0 to 1, comparable within one recall only
	At      time.Time `json:"at"`
	Role    string    `json:"role,omitempty"` // of the message that matched best
	Speaker string    `json:"speaker,omitempty"`
	Triple  *Triple   `json:"triple,omitempty"` // the fact's parts
}

// Triple is a fact in parts: "Lucía", "lives_in", "Cuenca". Subject "self" is the user.
type Triple struct {
	Subject  string `json:"subject"`
	Relation string `json:"relation"`
	Object   string `json:"object"`
}

// Request is what an engine is asked.
type Request struct {
	TurnID    string
	SessionID string
	User      string
	Model     string                     // as the caller asked; empty: the engine's own
	History   []Message                  // this session's earlier turns, oldest first
	Messages  []Message                  // this turn's, as sent
	Recalled  []Recalled                 // best first
	Partial   bool                       // more might have been recalled: a part of the memory could not be read
	Params    map[string]json.RawMessage // OpenAI fields passed through: temperature, tools, …
	Hop       int                        // hops so far; the engine is sent one more
	Now       time.Time
}

// Usage counts tokens; zero when the engine did not say.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// Answer is a whole answer. Engine and Model are those that really answered; Finish is OpenAI's finish_reason.
type Answer struct {
	Text      string
	ToolCalls json.RawMessage // of a JSON answer, as the engine sent them
	Engine    string
	Model     string
	Finish    string
	Usage     Usage
	Degraded  []guard.Degraded // the engines that should have answered and did not
}

// Piece is one part of a streamed answer: some text, tool-call deltas as the engine sent them, or a part of the system
// that is degraded.
type Piece struct {
	Text      string
	ToolCalls json.RawMessage
	Degraded  *guard.Degraded
}

// Emit takes the pieces of an answer in order; its error means that the caller left. A nil Emit asks for no stream.
type Emit func(Piece) error

// Engine answers a request. An error means no answer: an Answer is whole or it is not given.
type Engine interface {
	Name() string
	Answer(ctx context.Context, r Request, emit Emit) (Answer, error)
}

// Package engine is what engines are asked and what they answer. Package openai asks one OpenAI-compatible server, local
// needs no model and no network, and chain asks them first to last.
package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tidwall/gjson"

	"github.com/aguante-chat/aguante/shared/guard"
)

// Local is the name of the engine that every chain ends with.
const Local = "local"

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
	Sent      string                     // what the caller has of the answer already: the engine is asked for the rest
	Thrifty   bool                       // cheaper engines first
	Hop       int                        // hops so far; the engine is sent one more
	Now       time.Time
}

// Size is how long the prompt is, in bytes.
func (r Request) Size() (n int) {
	for _, all := range [][]Message{r.History, r.Messages} {
		for _, m := range all {
			n += max(len(m.Content), len(m.Raw))
		}
	}
	for _, m := range r.Recalled {
		n += len(m.Text)
	}
	return n + len(r.Sent)
}

// Document tells whether the caller asked for an answer in a form that has to be whole to be read: JSON.
func (r Request) Document() bool {
	var format struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(r.Params["response_format"], &format) // what is no format asks for none
	return format.Type != "" && format.Type != "text"
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
	ToolCalls json.RawMessage `json:",omitempty"` // of an answer that was not streamed, as the engine sent them
	Whole     json.RawMessage `json:",omitempty"` // the completion as the engine sent it; nil when it was streamed
	Engine    string
	Model     string
	Finish    string
	Usage     Usage
	Told      json.RawMessage  `json:",omitempty"` // the usage as the engine told it; nil: it did not
	Tokens    int              // that all attempts used, also when there is no answer; of an engine that tells no usage, an estimate
	Cost      float64          // USD of all attempts, by their engines' prices; as Tokens
	Degraded  []guard.Degraded // the engines that should have answered and did not
}

// Piece is one part of a streamed answer: some text, tool-call deltas as the engine sent them, or a part of the system
// that is degraded.
type Piece struct {
	Text      string
	ToolCalls json.RawMessage
	Chunk     *Chunk // the same as the engine sent it, for who speaks its language; nil: there is no more than Text
	Degraded  *guard.Degraded
}

// Sealed tells whether only the engine that sent p can go on after it: it is more than a text that another may continue.
func (p Piece) Sealed() bool {
	return p.ToolCalls != nil || p.Text == "" && p.Chunk != nil && gjson.Get(p.Chunk.Choices, "0.index").Int() != 0
}

// Chunk is a piece of an answer in OpenAI's own form, with all that Piece has no words for: several choices, log
// probabilities, refusals. It is valid until Emit returns.
type Chunk struct {
	Model       string
	Fingerprint string // system_fingerprint
	ServiceTier string // service_tier
	Choices     string // the JSON array, byte for byte but for the first choice's finish_reason, which the Answer tells
}

// Emit takes the pieces of an answer in order; its error means that the caller left. A nil Emit asks for no stream.
type Emit func(Piece) error

// Engine answers a request. An error means no answer: an Answer is whole or it is not given.
type Engine interface {
	Name() string
	Answer(ctx context.Context, r Request, emit Emit) (Answer, error)
}

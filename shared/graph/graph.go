// Package graph is the memory graph: turns with their words, the people and things they mention, and the facts drawn
// from them. Two stores keep it, neo4j and embedded, and graphtest holds both to the same behaviour. How a question
// finds its turns (analyze.go, rank.go) is written once, here, so that both stores recall alike.
package graph

import (
	"context"
	"errors"
	"time"
)

// ErrInvalid means the write can never succeed as it is, however often it is sent.
var ErrInvalid = errors.New("graph: invalid write")

// Message is one message of a turn.
type Message struct {
	Role    string    `json:"role"`           // user, assistant, system or tool
	Name    string    `json:"name,omitempty"` // who spoke, when that is known
	Content string    `json:"content"`
	At      time.Time `json:"at"`
}

// Turn is one exchange: what was said, by whom, when. ID is unique per user.
type Turn struct {
	ID        string    `json:"turn_id"`
	SessionID string    `json:"session_id"`
	User      string    `json:"user"`
	Messages  []Message `json:"messages"`
	Engine    string    `json:"engine,omitempty"`
}

// At is when the turn was said: the time of its first message.
func (t Turn) At() time.Time {
	if len(t.Messages) == 0 {
		return time.Time{}
	}
	return t.Messages[0].At
}

// Kinds of Entity.
const (
	Person = "person"
	Place  = "place"
	Thing  = "thing"
	Group  = "group" // a company, a school, a band
	Date   = "date"
)

// Entity is a person or thing that a turn mentions. Name is as it was written; stores compare it by Key.
type Entity struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// Fact is a statement drawn from a turn: "Self sister Lucía", "Lucía lives_in Cuenca".
// Facts of one user with equal Subject, Relation and Object (by Key) say the same; while it holds it is one fact, from
// the first turn that said so. Where Single is true a subject has one object at a time: the later fact ends the earlier
// one, whatever order they arrive in; nothing is deleted. Single belongs to the relation, not to one of its facts.
type Fact struct {
	Subject  string `json:"subject"` // an entity's name; Self for the user who speaks
	Relation string `json:"relation"`
	Object   string `json:"object"` // may be empty where Ended and Single are true: whatever held, ends
	Single   bool   `json:"single,omitempty"`
	Ended    bool   `json:"ended,omitempty"` // the turn says that it holds no longer ("I no longer live in Loja")
	Text     string `json:"text"`            // the clause it was drawn from, in the speaker's words: "my sister Lucía lives in Cuenca"

	TurnID     string    `json:"turn_id"`              // set by the store: the turn of its Write
	ValidFrom  time.Time `json:"valid_from"`           // zero in a Write: the time of its turn
	ValidUntil time.Time `json:"valid_until,omitzero"` // zero: it still holds
}

// Self is the subject of facts about the user who speaks.
const Self = "self"

// Write is one turn with what was drawn from it.
type Write struct {
	Turn     Turn
	Mentions []Entity
	Facts    []Fact
	// SentAt is when the event was made, the same at every delivery. A turn sent before its user was forgotten is not
	// written again; of two turns with one id the one sent later stays.
	SentAt time.Time
}

// Written is what became of one Write.
type Written struct {
	TurnID    string `json:"turn_id"`
	Duplicate bool   `json:"duplicate,omitempty"` // the turn, or a later one of its id, was there; nothing changed
	Forgotten bool   `json:"forgotten,omitempty"` // its user was forgotten after it was sent; nothing changed
}

// Query asks what a user's memory holds on a text.
type Query struct {
	User  string
	Text  string
	Asker string    // who asks, when that is known: "I" in the text means them
	Now   time.Time // "last week" in the text counts from here; zero: the newest turn
	Limit int       // items wanted, 1 to MaxItems
}

// MaxItems is the most items one recall returns.
const MaxItems = 50

// MaxErased is how many turns a store forgets in one transaction.
const MaxErased = 1000

// What a store looks at for one recall.
const (
	MaxSearchTerms = 128 // of SearchTerms, the first
	MaxHits        = 500 // turns with any of them, the best
	MaxNeighboured = 100 // hits, the best, whose neighbours are looked at too
)

// Item is one recalled turn, best first; Fact is the best fact drawn from it that still holds.
type Item struct {
	TurnID    string    `json:"turn_id,omitempty"`
	SessionID string    `json:"-"`
	Fact      *Fact     `json:"-"`
	Role      string    `json:"-"` // of the message that matched best
	Speaker   string    `json:"-"`
	Text      string    `json:"text"`
	Score     float64   `json:"score"` // 0 to 1, comparable within one answer only
	At        time.Time `json:"at"`
}

// Store keeps the graph. Every method honours its context; none retries, logs or falls back.
type Store interface {
	// Write stores all writes or, with an error, none. It is idempotent and commutative, with Forget too: the same
	// calls in any order and any number leave the same graph. The answer has one Written per write, in order. A write
	// that NewEntry refuses is ErrInvalid before anything is touched: who batches others' writes checks each first.
	Write(ctx context.Context, writes []Write) ([]Written, error)
	// Recall returns at most q.Limit items, best first, each turn once.
	Recall(ctx context.Context, q Query) ([]Item, error)
	// Session returns a session's turns of one user, or of any user when user is empty, oldest first, the last limit of them.
	Session(ctx context.Context, user, sessionID string, limit int) ([]Turn, error)
	// Facts returns a user's facts, newest first, ended ones too.
	Facts(ctx context.Context, user string) ([]Fact, error)
	// Forget erases what a user sent until at, and remembers at, so that it does not come back when delivered late.
	// Of someone with nothing left only a digest of the id stays, with that time. It answers how many turns it erased.
	Forget(ctx context.Context, user string, at time.Time) (turns int, err error)
	// Ping is a cheap call that fails when the store cannot answer.
	Ping(ctx context.Context) error
	Close() error
}

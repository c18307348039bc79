package decisions

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aguante-chat/aguante/shared/decision"
)

// Keeper keeps traces: in a file of one instance's own, or in a Redis that all instances share.
type Keeper interface {
	// Keep keeps r, unless its user was forgotten since it began, or that turn of the user is kept already. Of a turn
	// whose stream broke off and was gone on with, what began last is kept.
	Keep(ctx context.Context, r Record) error
	// List gives the traces that f lets through, newest first. A page that ends before f.Limit may have a next one.
	List(ctx context.Context, f Filter) (Page, error)
	// Get gives the bodies of the traces with that turn_id, of all users or of the one that is given, newest first and
	// twenty at most. None is store.ErrNotFound.
	Get(ctx context.Context, turnID string, user *string) ([][]byte, error)
	// Oldest gives at most n traces, oldest first, and how many bytes all that are kept take.
	Oldest(ctx context.Context, n int) (some []Aged, bytes int64, err error)
	// Drop removes those of some that are as they were, and says how many.
	Drop(ctx context.Context, some []Aged) (dropped int, err error)
}

// Record is a trace as it is kept: what lists show of it, and all of it as JSON.
type Record struct {
	Summary
	Body []byte
}

// Aged is a trace as retention sees it. Key is the keeper's own name for it, Bytes what it takes there.
type Aged struct {
	Key   string
	At    time.Time
	Bytes int64
}

// Page is a part of the list, newest first; Next is where the next one begins, nil after the last.
type Page struct {
	Decisions []Summary
	Next      *Cursor
}

// Summary is one trace in a list.
type Summary struct {
	TurnID       string    `json:"turn_id"`
	SessionID    string    `json:"session_id"`
	User         string    `json:"user,omitempty"`
	TraceID      string    `json:"trace_id,omitempty"`
	Engine       string    `json:"engine,omitempty"`
	Level        int       `json:"degradation_level"`
	Outcome      string    `json:"outcome"`
	StartedAt    time.Time `json:"started_at"`
	DurationMS   float64   `json:"duration_ms"`
	BudgetMS     float64   `json:"budget_ms"`
	Dependencies []string  `json:"dependencies"` // whose state decided something, by name
	Decisions    int       `json:"decisions"`
}

func summarize(t decision.Trace) Summary {
	s := Summary{TurnID: t.TurnID, SessionID: t.SessionID, User: t.User, TraceID: t.TraceID, Engine: t.Engine,
		Level: t.Level, Outcome: t.Outcome, StartedAt: t.StartedAt.UTC(), DurationMS: t.DurationMS, BudgetMS: t.BudgetMS,
		Dependencies: []string{}, Decisions: len(t.Decisions)}
	for _, d := range t.Decisions {
		if d.Dependency != "" {
			s.Dependencies = append(s.Dependencies, d.Dependency)
		}
	}
	slices.Sort(s.Dependencies)
	s.Dependencies = slices.Compact(s.Dependencies)
	return s
}

// Store is what trace does with decisions, wherever they are kept.
type Store struct {
	keeper  Keeper
	content bool
	kept    atomic.Int64  // bytes since Grown was last told
	grown   chan struct{} // holds one
}

// New returns the traces in keeper. Unless content is true, what was said is dropped from traces that hold it.
func New(keeper Keeper, content bool) *Store {
	return &Store{keeper: keeper, content: content, grown: make(chan struct{}, 1)}
}

// Keep stores t once: a turn that is kept already, or whose user was forgotten since, changes nothing.
func (s *Store) Keep(ctx context.Context, t decision.Trace) error {
	if !s.content {
		t.Content = nil
	}
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	defer s.grow(len(body))
	return s.keeper.Keep(ctx, Record{summarize(t), body})
}

// List returns the traces that f lets through.
func (s *Store) List(ctx context.Context, f Filter) (Page, error) { return s.keeper.List(ctx, f) }

// Get returns the traces with that turn_id, newest first: one per user, since a turn_id is unique for a user only. A
// user that is not nil picks theirs. None is store.ErrNotFound.
func (s *Store) Get(ctx context.Context, turnID string, user *string) ([]decision.Trace, error) {
	bodies, err := s.keeper.Get(ctx, turnID, user)
	if err != nil {
		return nil, err
	}
	traces := make([]decision.Trace, len(bodies))
	for i, body := range bodies {
		if err := json.Unmarshal(body, &traces[i]); err != nil {
			return nil, fmt.Errorf("get: %w", err)
		}
	}
	return traces, nil
}

package decisions

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/decision"
)

// Schema of the traces. What the list needs stands before body, so that listing does not read the bodies.
const Schema = `CREATE TABLE IF NOT EXISTS decisions (
	started_at   INTEGER NOT NULL, -- microseconds since 1970
	user         TEXT NOT NULL,
	turn_id      TEXT NOT NULL,
	session_id   TEXT NOT NULL,
	outcome      TEXT NOT NULL,
	dependencies TEXT NOT NULL, -- JSON array of names
	summary      TEXT NOT NULL, -- JSON
	bytes        INTEGER NOT NULL,
	body         BLOB NOT NULL, -- JSON
	UNIQUE (user, turn_id)
) STRICT;
CREATE INDEX IF NOT EXISTS decisions_by_age ON decisions (started_at, bytes);
CREATE INDEX IF NOT EXISTS decisions_by_session ON decisions (session_id, started_at);
CREATE INDEX IF NOT EXISTS decisions_by_turn ON decisions (turn_id)`

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

// Store keeps traces in a file.
type Store struct {
	file    *store.File
	content bool
	kept    atomic.Int64  // bytes since Grown was last told
	grown   chan struct{} // holds one
}

// New returns the traces in file. Unless content is true, what was said is dropped from traces that hold it.
func New(file *store.File, content bool) *Store {
	return &Store{file: file, content: content, grown: make(chan struct{}, 1)}
}

// Grown tells after every megabyte or so kept that it is time to look at what may be dropped.
func (s *Store) Grown() <-chan struct{} { return s.grown }

func (s *Store) grow(bytes int) {
	if s.kept.Add(int64(bytes)) < growth {
		return
	}
	s.kept.Store(0)
	select {
	case s.grown <- struct{}{}:
	default:
	}
}

// Keep stores t once: a turn that is kept already, or whose user was forgotten since, changes nothing. Of a turn whose
// stream broke off and was gone on with, what was decided last is kept.
func (s *Store) Keep(ctx context.Context, t decision.Trace) error {
	if !s.content {
		t.Content = nil
	}
	r, err := record(t)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	defer s.grow(r.size)
	return s.file.Write(ctx, r.insert)
}

// row is a trace as it stands in the table.
type row struct {
	trace                       decision.Trace
	dependencies, summary, body []byte
	size                        int
}

func record(t decision.Trace) (row, error) {
	r, summary := row{trace: t}, summarize(t)
	var errs [3]error
	r.body, errs[0] = json.Marshal(t)
	r.summary, errs[1] = json.Marshal(summary)
	r.dependencies, errs[2] = json.Marshal(summary.Dependencies)
	r.size = len(r.body) + len(r.summary) + len(r.dependencies) + 2*(len(t.User)+len(t.TurnID)+len(t.SessionID)) + rowOverhead
	return r, errors.Join(errs[:]...)
}

func (r row) insert(ctx context.Context, tx *sql.Tx) error {
	t := r.trace
	if gone, err := store.Forgotten(ctx, tx, t.User, t.StartedAt); gone || err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) 
		ON CONFLICT (user, turn_id) DO UPDATE SET started_at = excluded.started_at, session_id = excluded.session_id,
			outcome = excluded.outcome, dependencies = excluded.dependencies, summary = excluded.summary, bytes = excluded.bytes,
			body = excluded.body WHERE excluded.started_at > decisions.started_at`,
		t.StartedAt.UnixMicro(), t.User, t.TurnID, t.SessionID, t.Outcome, string(r.dependencies), string(r.summary), r.size, r.body)
	return err
}

// Page is a part of the list, newest first; Next is where the next one begins, nil after the last.
type Page struct {
	Decisions []Summary
	Next      *Cursor
}

// List returns the traces that f lets through.
func (s *Store) List(ctx context.Context, f Filter) (Page, error) {
	where, args := f.where()
	page := Page{Decisions: []Summary{}}
	err := s.file.Read(ctx, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT started_at, rowid, summary FROM decisions WHERE `+where+
			` ORDER BY started_at DESC, rowid DESC LIMIT ?`, append(args, f.Limit+1)...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		return page.read(rows, f.Limit)
	})
	return page, err
}

// read takes limit rows into p; one row more means that there is a next page.
func (p *Page) read(rows *sql.Rows, limit int) error {
	var last Cursor
	for rows.Next() {
		if len(p.Decisions) == limit {
			p.Next = &last
			break
		}
		var line []byte
		var summary Summary
		if err := rows.Scan(&last.At, &last.Row, &line); err != nil {
			return err
		}
		if err := json.Unmarshal(line, &summary); err != nil {
			return fmt.Errorf("list: %w", err)
		}
		p.Decisions = append(p.Decisions, summary)
	}
	return rows.Err()
}

// Get returns the traces with that turn_id, newest first: one per user, since a turn_id is unique for a user only. A
// user that is not nil picks theirs. None is store.ErrNotFound.
func (s *Store) Get(ctx context.Context, turnID string, user *string) ([]decision.Trace, error) {
	var traces []decision.Trace
	err := s.file.Read(ctx, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT body FROM decisions WHERE turn_id = ?1 AND (?2 IS NULL OR user = ?2)
			ORDER BY started_at DESC LIMIT 20`, turnID, user)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var body []byte
			var t decision.Trace
			if err := rows.Scan(&body); err != nil {
				return err
			}
			if err := json.Unmarshal(body, &t); err != nil {
				return fmt.Errorf("get: %w", err)
			}
			traces = append(traces, t)
		}
		if len(traces) == 0 && rows.Err() == nil {
			return store.ErrNotFound
		}
		return rows.Err()
	})
	return traces, err
}

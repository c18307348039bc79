package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
)

// What the list needs stands before body, so that listing does not read the bodies.
const tracesSchema = `CREATE TABLE IF NOT EXISTS decisions (
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

// rowOverhead is what a trace takes in the file beside its own bytes: row header, keys in four indexes.
const rowOverhead = 128

// Traces are the decision traces in f.
func (f *File) Traces() decisions.Keeper { return traces{f} }

type traces struct{ file *File }

func (t traces) Keep(ctx context.Context, r decisions.Record) error {
	summary, err := json.Marshal(r.Summary)
	dependencies, failed := json.Marshal(r.Dependencies)
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	size := len(r.Body) + len(summary) + len(dependencies) + 2*(len(r.User)+len(r.TurnID)+len(r.SessionID)) + rowOverhead
	return t.file.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if gone, err := forgotten(ctx, tx, r.User, r.StartedAt); gone || err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (user, turn_id) DO UPDATE SET started_at = excluded.started_at, session_id = excluded.session_id,
				outcome = excluded.outcome, dependencies = excluded.dependencies, summary = excluded.summary, bytes = excluded.bytes,
				body = excluded.body WHERE excluded.started_at > decisions.started_at`,
			r.StartedAt.UnixMicro(), r.User, r.TurnID, r.SessionID, r.Outcome, string(dependencies), string(summary), size, r.Body)
		return err
	})
}

// List returns a whole page whenever there is one: the file finds what a filter lets through by its indexes.
func (t traces) List(ctx context.Context, f decisions.Filter) (decisions.Page, error) {
	conditions, args := where(f)
	page := decisions.Page{Decisions: []decisions.Summary{}}
	err := t.file.read(ctx, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT started_at, rowid, summary FROM decisions WHERE `+conditions+
			` ORDER BY started_at DESC, rowid DESC LIMIT ?`, append(args, f.Limit+1)...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		return readPage(rows, f.Limit, &page)
	})
	return page, err
}

// readPage takes limit rows into p; one row more means that there is a next page.
func readPage(rows *sql.Rows, limit int, p *decisions.Page) error {
	var last decisions.Cursor
	for rows.Next() {
		if len(p.Decisions) == limit {
			p.Next = &last
			break
		}
		var line []byte
		var summary decisions.Summary
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

// where is the SQL condition of f with its arguments.
func where(f decisions.Filter) (string, []any) {
	conditions, args := []string{"true"}, []any{}
	add := func(condition string, values ...any) {
		conditions, args = append(conditions, condition), append(args, values...)
	}
	if f.Session != "" {
		add("session_id = ?", f.Session)
	}
	if f.User != "" {
		add("user = ?", f.User)
	}
	if f.Outcome != "" {
		add("outcome = ?", f.Outcome)
	}
	if f.Dependency != "" {
		name, _ := json.Marshal(f.Dependency) // as it stands in the array
		add("instr(dependencies, ?) > 0", string(name))
	}
	if !f.After.IsZero() {
		add("started_at >= ?", f.After.UnixMicro())
	}
	if f.Before != nil {
		add("(started_at, rowid) < (?, ?)", f.Before.At, f.Before.Row)
	}
	return strings.Join(conditions, " AND "), args
}

func (t traces) Get(ctx context.Context, turnID string, user *string) (bodies [][]byte, err error) {
	err = t.file.read(ctx, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT body FROM decisions WHERE turn_id = ?1 AND (?2 IS NULL OR user = ?2)
			ORDER BY started_at DESC LIMIT 20`, turnID, user)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var body []byte
			if err := rows.Scan(&body); err != nil {
				return err
			}
			bodies = append(bodies, body)
		}
		if len(bodies) == 0 && rows.Err() == nil {
			return store.ErrNotFound
		}
		return rows.Err()
	})
	return bodies, err
}

// eraseTraces removes a user's traces of turns that began at the moment or before, as part of a larger write.
func eraseTraces(ctx context.Context, tx *sql.Tx, user string, moment time.Time) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM decisions WHERE user = ? AND started_at <= ?", user, moment.UnixMicro())
	return err
}

func (t traces) Oldest(ctx context.Context, n int) (some []decisions.Aged, bytes int64, err error) {
	err = t.file.read(ctx, func(ctx context.Context, db *sql.DB) error {
		if err := db.QueryRowContext(ctx, "SELECT coalesce(sum(bytes), 0) FROM decisions").Scan(&bytes); err != nil {
			return err
		}
		rows, err := db.QueryContext(ctx, "SELECT rowid, started_at, bytes FROM decisions ORDER BY started_at, rowid LIMIT ?", n)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var row, at int64
			var a decisions.Aged
			if err := rows.Scan(&row, &at, &a.Bytes); err != nil {
				return err
			}
			a.Key, a.At = strconv.FormatInt(row, 10), time.UnixMicro(at)
			some = append(some, a)
		}
		return rows.Err()
	})
	return some, bytes, err
}

func (t traces) Drop(ctx context.Context, some []decisions.Aged) (int, error) {
	var dropped int64
	err := t.file.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		dropped = 0
		for _, a := range some {
			result, err := tx.ExecContext(ctx, "DELETE FROM decisions WHERE rowid = ? AND started_at = ?", a.Key, a.At.UnixMicro())
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			dropped += n
		}
		return nil
	})
	if err != nil {
		return 0, err // the write may be under way still: dropped is not ours to read
	}
	return int(dropped), nil
}

package deadletters

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/event"
)

// Schema of the dead letters.
const Schema = `CREATE TABLE IF NOT EXISTS dead_letters (
	id          TEXT PRIMARY KEY,
	user        TEXT,             -- NULL: the data does not say in a way we can read
	type        TEXT NOT NULL,
	sent_at     INTEGER NOT NULL, -- microseconds since 1970, as all times here
	first_at    INTEGER NOT NULL,
	last_at     INTEGER NOT NULL,
	arrivals    INTEGER NOT NULL,
	waiting     INTEGER NOT NULL,
	replays     INTEGER NOT NULL,
	replayed_at INTEGER NOT NULL,
	size        INTEGER NOT NULL,
	attributes  TEXT NOT NULL,    -- JSON object of strings
	data        BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS dead_letters_by_time ON dead_letters (last_at);
CREATE INDEX IF NOT EXISTS dead_letters_by_user ON dead_letters (user);
CREATE INDEX IF NOT EXISTS dead_letters_waiting ON dead_letters (first_at) WHERE waiting` + auditSchema

// Poster sends an event to the broker once.
type Poster interface {
	Post(ctx context.Context, e event.Event) error
}

// Store keeps dead letters in a file.
type Store struct {
	file   *store.File
	broker Poster // nil: there is nobody to send them to
	Metrics
	log *slog.Logger

	mu       sync.Mutex
	underWay map[string]bool // replays, by id
	grown    atomic.Int64    // bytes that came since Retain was last asked for
	full     chan struct{}
}

// Metrics of the dead letters.
type Metrics struct {
	Waiting     prometheus.Gauge
	Expired     prometheus.Counter // that waited
	HopsRefused prometheus.Counter // replays of letters that come back each time
}

// New returns the dead letters in file. Replays go to broker.
func New(file *store.File, broker Poster, m Metrics, log *slog.Logger) *Store {
	return &Store{file: file, broker: broker, Metrics: m, log: log, underWay: map[string]bool{}, full: make(chan struct{}, 1)}
}

// Keep stores e, or counts that it came again. A letter that comes back after its replay waits again.
func (s *Store) Keep(ctx context.Context, e event.Event, now time.Time) error {
	all, err := attributes(e)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	user, known := owner(e.Data())
	sent := e.Time()
	if sent.IsZero() {
		sent = now
	}
	id := identity(e)
	err = s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if gone, err := forgotten(ctx, tx, e, user, sent); gone || err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO dead_letters VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1, 1, 0, 0, ?6, ?7, ?8)
			ON CONFLICT (id) DO UPDATE SET arrivals = arrivals + 1, last_at = excluded.last_at, waiting = 1,
				attributes = excluded.attributes`,
			id, sql.NullString{String: user, Valid: known}, e.Type(), sent.UnixMicro(), now.UnixMicro(),
			len(e.Data()), string(text), e.Data())
		return errors.Join(err, noteReturn(ctx, tx, id))
	})
	if err == nil {
		s.grow(len(e.Data()) + len(text))
	}
	return err
}

// forgotten tells whether e holds data of someone who was forgotten since. The request to forget itself is kept: it
// has work to do.
func forgotten(ctx context.Context, tx *sql.Tx, e event.Event, user string, sent time.Time) (bool, error) {
	if e.Type() == event.UserForgotten {
		return false, nil
	}
	return store.Forgotten(ctx, tx, user, sent)
}

// Erase removes the letters that hold a user's data and were sent at the moment or before, as part of a larger write.
// Letters whose owner cannot be read go when they name the user anywhere.
func Erase(ctx context.Context, tx *sql.Tx, user string, moment time.Time) error {
	escaped, err := json.Marshal(user)
	if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM dead_letters WHERE sent_at <= ?1 AND type <> ?2 AND
		(user = ?3 OR user IS NULL AND (instr(data, ?4) OR instr(data, ?5)))`,
		moment.UnixMicro(), event.UserForgotten, user, escaped, []byte(`"`+user+`"`))
	return err
}

// change is a write after which the gauge is set.
func (s *Store) change(ctx context.Context, op store.Op) error {
	return s.file.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := op(ctx, tx); err != nil {
			return err
		}
		var waiting int
		if err := tx.QueryRowContext(ctx, countWaiting).Scan(&waiting); err != nil {
			return err
		}
		s.Metrics.Waiting.Set(float64(waiting))
		return nil
	})
}

const countWaiting = "SELECT count(*) FROM dead_letters WHERE waiting"

const columns = `id, first_at, last_at, arrivals, waiting, replays, replayed_at, size, attributes`

// List returns at most limit letters, those that came last first, and how many wait.
func (s *Store) List(ctx context.Context, limit int) (letters []Letter, waiting int, err error) {
	letters = []Letter{}
	err = s.file.Read(ctx, func(ctx context.Context, db *sql.DB) error {
		if err := db.QueryRowContext(ctx, countWaiting).Scan(&waiting); err != nil {
			return err
		}
		rows, err := db.QueryContext(ctx, "SELECT "+columns+" FROM dead_letters ORDER BY last_at DESC, id LIMIT ?", limit)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			l, _, err := scan(rows)
			if err != nil {
				return err
			}
			letters = append(letters, l)
		}
		return rows.Err()
	})
	return letters, waiting, err
}

// Waiting is how many letters wait for an operator.
func (s *Store) Waiting(ctx context.Context) (waiting int, err error) {
	err = s.file.Read(ctx, func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, countWaiting).Scan(&waiting)
	})
	return waiting, err
}

// get returns a letter with the event's attributes and data.
func (s *Store) get(ctx context.Context, id string) (l Letter, attributes map[string]string, data []byte, err error) {
	err = s.file.Read(ctx, func(ctx context.Context, db *sql.DB) error {
		row := db.QueryRowContext(ctx, "SELECT "+columns+", data FROM dead_letters WHERE id = ?", id)
		l, attributes, err = scan(row, &data)
		if errors.Is(err, sql.ErrNoRows) {
			return store.ErrNotFound
		}
		return err
	})
	return l, attributes, data, err
}

// scan reads columns, and into more what follows them.
func scan(row interface{ Scan(...any) error }, more ...any) (Letter, map[string]string, error) {
	l := Letter{State: Replayed}
	var first, last, replayed int64
	var waiting bool
	var text []byte
	into := []any{&l.ID, &first, &last, &l.Arrivals, &waiting, &l.Replays, &replayed, &l.Size, &text}
	if err := row.Scan(append(into, more...)...); err != nil {
		return Letter{}, nil, err
	}
	var attributes map[string]string
	if err := json.Unmarshal(text, &attributes); err != nil {
		return Letter{}, nil, fmt.Errorf("attributes: %w", err)
	}
	l.describe(attributes)
	l.FirstAt, l.LastAt = time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
	if waiting {
		l.State = Waiting
	}
	if replayed != 0 {
		l.ReplayedAt = time.UnixMicro(replayed).UTC()
	}
	return l, attributes, nil
}

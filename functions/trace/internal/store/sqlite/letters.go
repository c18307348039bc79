package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
)

const lettersSchema = `CREATE TABLE IF NOT EXISTS dead_letters (
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
CREATE INDEX IF NOT EXISTS dead_letters_waiting ON dead_letters (last_at) WHERE waiting` + auditSchema

// Letters are the dead letters in f.
func (f *File) Letters() deadletters.Keeper { return &letters{file: f, taken: map[string]bool{}} }

type letters struct {
	file *File

	mu    sync.Mutex
	taken map[string]bool // by a replay under way; the file is this instance's alone
}

func (l *letters) Keep(ctx context.Context, a deadletters.Arrival) error {
	return l.file.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if gone, err := forgotten(ctx, tx, a.Owner, a.Sent); gone || err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO dead_letters VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1, 1, 0, 0, ?6, ?7, ?8)
			ON CONFLICT (id) DO UPDATE SET arrivals = arrivals + 1, last_at = excluded.last_at, waiting = 1,
				attributes = excluded.attributes`,
			a.ID, sql.NullString{String: a.Owner, Valid: !a.Unreadable}, a.Type, a.Sent.UnixMicro(), a.At.UnixMicro(),
			len(a.Data), string(a.Attributes), a.Data)
		return errors.Join(err, noteReturn(ctx, tx, a.ID))
	})
}

// eraseLetters removes the letters that hold a user's data and were sent at the moment or before, as part of a larger
// write.
func eraseLetters(ctx context.Context, tx *sql.Tx, user string, moment time.Time) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM dead_letters WHERE sent_at <= ? AND user = ?", moment.UnixMicro(), user)
	for _, spelling := range deadletters.Spellings(user) {
		_, failed := tx.ExecContext(ctx, "DELETE FROM dead_letters WHERE sent_at <= ? AND user IS NULL AND instr(data, ?)",
			moment.UnixMicro(), spelling)
		err = errors.Join(err, failed)
	}
	return err
}

const columns = `id, first_at, last_at, arrivals, waiting, replays, replayed_at, size, attributes`

func (l *letters) List(ctx context.Context, limit int) (some []deadletters.Kept, err error) {
	err = l.file.read(ctx, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "SELECT "+columns+" FROM dead_letters ORDER BY last_at DESC, id LIMIT ?", limit)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			k, err := scan(rows)
			if err != nil {
				return err
			}
			some = append(some, k)
		}
		return rows.Err()
	})
	return some, err
}

func (l *letters) Waiting(ctx context.Context) (waiting int, err error) {
	err = l.file.read(ctx, func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, "SELECT count(*) FROM dead_letters WHERE waiting").Scan(&waiting)
	})
	return waiting, err
}

// scan reads columns, and into more what follows them.
func scan(row interface{ Scan(...any) error }, more ...any) (deadletters.Kept, error) {
	k := deadletters.Kept{Letter: deadletters.Letter{State: deadletters.Replayed}}
	var first, last, replayed int64
	var waiting bool
	into := []any{&k.ID, &first, &last, &k.Arrivals, &waiting, &k.Replays, &replayed, &k.Size, &k.Attributes}
	if err := row.Scan(append(into, more...)...); err != nil {
		return deadletters.Kept{}, err
	}
	k.FirstAt, k.LastAt = time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
	if waiting {
		k.State = deadletters.Waiting
	}
	if replayed != 0 {
		k.ReplayedAt = time.UnixMicro(replayed).UTC()
	}
	return k, nil
}

func (l *letters) Queue(ctx context.Context, limit int) (ids []string, err error) {
	err = l.file.read(ctx, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "SELECT id FROM dead_letters WHERE waiting ORDER BY last_at, id LIMIT ?", limit)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return rows.Err()
	})
	return ids, err
}

func (l *letters) Take(ctx context.Context, id string) (k deadletters.Kept, release func(), err error) {
	l.mu.Lock()
	taken := l.taken[id]
	l.taken[id] = true
	l.mu.Unlock()
	if taken {
		return k, nil, deadletters.ErrUnderWay
	}
	release = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.taken, id)
	}
	err = l.file.read(ctx, func(ctx context.Context, db *sql.DB) (err error) {
		var data []byte
		k, err = scan(db.QueryRowContext(ctx, "SELECT "+columns+", data FROM dead_letters WHERE id = ?", id), &data)
		k.Data = data
		if errors.Is(err, sql.ErrNoRows) {
			return store.ErrNotFound
		}
		return err
	})
	if err != nil {
		release()
	}
	return k, release, err
}

func (l *letters) Replayed(ctx context.Context, arrivals int, e deadletters.Entry) error {
	return l.file.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var back bool
		err := tx.QueryRowContext(ctx, `UPDATE dead_letters
			SET replays = replays + 1, replayed_at = ?1, waiting = arrivals > ?2 WHERE id = ?3 RETURNING waiting`,
			e.At.UnixMicro(), arrivals, e.Letter).Scan(&back)
		if err != nil && !errors.Is(err, sql.ErrNoRows) { // it may have been erased meanwhile
			return err
		}
		written := e
		if back {
			written.Outcome = deadletters.CameBack
		}
		return note(ctx, tx, written)
	})
}

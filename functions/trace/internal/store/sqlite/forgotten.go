package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Whom to forget is kept as a hash: the list of the forgotten must not name them.
const forgottenSchema = `CREATE TABLE IF NOT EXISTS forgotten (
	user_hash BLOB PRIMARY KEY,
	at        INTEGER NOT NULL -- microseconds since 1970
) STRICT, WITHOUT ROWID`

// Forget erases, in one write, a user's traces of turns that began at the moment or before and the dead letters that hold
// data of theirs from before, also from the disk. What they did until then and that comes later is not kept.
func (f *File) Forget(ctx context.Context, user string, moment time.Time) error {
	err := f.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return errors.Join(remember(ctx, tx, user, moment), eraseTraces(ctx, tx, user, moment), eraseLetters(ctx, tx, user, moment))
	})
	if err != nil {
		return err
	}
	return f.Compact(ctx)
}

// remember notes that user was forgotten at, so that what they did until then does not come back.
func remember(ctx context.Context, tx *sql.Tx, user string, at time.Time) error {
	hash := sha256.Sum256([]byte(user))
	_, err := tx.ExecContext(ctx, `INSERT INTO forgotten VALUES (?, ?)
		ON CONFLICT DO UPDATE SET at = max(at, excluded.at)`, hash[:], at.UnixMicro())
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	return nil
}

// forgotten tells whether user was forgotten at the moment or later. Nobody, the empty user, never is.
func forgotten(ctx context.Context, tx *sql.Tx, user string, moment time.Time) (bool, error) {
	if user == "" {
		return false, nil
	}
	hash := sha256.Sum256([]byte(user))
	var at int64
	err := tx.QueryRowContext(ctx, "SELECT at FROM forgotten WHERE user_hash = ?", hash[:]).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("forgotten: %w", err)
	}
	return moment.UnixMicro() <= at, nil
}

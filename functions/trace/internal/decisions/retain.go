package decisions

import (
	"context"
	"database/sql"
	"time"
)

// rowOverhead is what a trace takes in the file beside its own bytes: row header, keys in four indexes.
const rowOverhead = 128

// chunk is how many traces one write drops, so that events come in between.
const chunk = 200

// growth is how many bytes are kept between two looks at what may be dropped: 2 % of what may be kept.
const growth = 1 << 20

// Erase removes a user's traces of turns that began at the moment or before, as part of a larger write.
func Erase(ctx context.Context, tx *sql.Tx, user string, moment time.Time) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM decisions WHERE user = ? AND started_at <= ?", user, moment.UnixMicro())
	return err
}

// Retain drops, oldest first, traces of turns that began before oldest and then as many as it takes for the rest to
// have at most maxBytes. It says how many.
func (s *Store) Retain(ctx context.Context, oldest time.Time, maxBytes int64) (dropped int, err error) {
	for {
		n, err := s.drop(ctx, `DELETE FROM decisions WHERE rowid IN
			(SELECT rowid FROM decisions WHERE started_at < ? ORDER BY started_at LIMIT ?)`, oldest.UnixMicro(), chunk)
		dropped += n
		if err != nil {
			return dropped, err
		}
		if n < chunk {
			break
		}
	}
	for {
		size, err := s.Size(ctx)
		if err != nil || size <= maxBytes {
			return dropped, err
		}
		n, err := s.drop(ctx, `DELETE FROM decisions WHERE rowid IN (
			SELECT rowid FROM (
				SELECT rowid, sum(bytes) OVER (ORDER BY started_at, rowid) - bytes AS before
				FROM (SELECT rowid, started_at, bytes FROM decisions ORDER BY started_at, rowid LIMIT ?2))
			WHERE before < ?1)`, size-maxBytes, chunk)
		dropped += n
		if err != nil || n == 0 {
			return dropped, err
		}
	}
}

func (s *Store) drop(ctx context.Context, statement string, args ...any) (int, error) {
	var dropped int64
	err := s.file.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		dropped, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, err // the write may be under way still: dropped is not ours to read
	}
	return int(dropped), nil
}

// Size is how many bytes the traces take in the file.
func (s *Store) Size(ctx context.Context) (bytes int64, err error) {
	err = s.file.Read(ctx, func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, "SELECT coalesce(sum(bytes), 0) FROM decisions").Scan(&bytes)
	})
	return bytes, err
}

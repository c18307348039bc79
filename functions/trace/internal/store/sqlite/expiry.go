package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
)

// age is since when a letter is in its state.
const age = "CASE WHEN waiting THEN last_at ELSE replayed_at END"

func (l *letters) Oldest(ctx context.Context, state string, n int) (some []deadletters.Aged, bytes int64, err error) {
	err = l.file.read(ctx, func(ctx context.Context, db *sql.DB) error {
		err := db.QueryRowContext(ctx, "SELECT coalesce(sum(size + length(attributes)), 0) FROM dead_letters").Scan(&bytes)
		if err != nil {
			return err
		}
		rows, err := db.QueryContext(ctx, "SELECT id, type, "+age+" AS at, size + length(attributes) FROM dead_letters WHERE waiting = ? ORDER BY at, id LIMIT ?",
			state == deadletters.Waiting, n)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var at int64
			a := deadletters.Aged{State: state}
			if err := rows.Scan(&a.ID, &a.Type, &at, &a.Bytes); err != nil {
				return err
			}
			a.At = time.UnixMicro(at)
			some = append(some, a)
		}
		return rows.Err()
	})
	return some, bytes, err
}

func (l *letters) Drop(ctx context.Context, a deadletters.Aged, e *deadletters.Entry) (bool, error) {
	var dropped int64
	err := l.file.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM dead_letters WHERE id = ? AND waiting = ? AND "+age+" = ?",
			a.ID, a.State == deadletters.Waiting, a.At.UnixMicro())
		if err != nil {
			return err
		}
		if dropped, err = result.RowsAffected(); err != nil || dropped == 0 || e == nil {
			return err
		}
		return note(ctx, tx, *e)
	})
	if err != nil {
		return false, err // the write may be under way still: dropped is not ours to read
	}
	return dropped > 0, nil
}

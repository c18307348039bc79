package embedded

import (
	"context"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Forget erases what a user sent until at. The text is overwritten in the file, and cut out of the log beside it unless
// a reader is still at it.
func (s *Store) Forget(ctx context.Context, user string, at time.Time) (turns int, err error) {
	err = s.transact(ctx, func(w *writing) error {
		o, err := w.ownerOf(user)
		if err != nil {
			return err
		}
		until := micros(graph.Instant(at))
		if o.forgotten != nil {
			until = max(until, *o.forgotten)
		}
		if _, err := w.tx.ExecContext(ctx, `UPDATE owner SET forgotten = ? WHERE id = ?`, until, o.id); err != nil {
			return err
		}
		turns, err = w.removeUntil(o, until)
		return err
	})
	if err != nil {
		return 0, s.explain("forget", err)
	}
	_, err = s.write.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return turns, s.explain("forget: cut the log", err)
}

func (w *writing) removeUntil(o *owner, until int64) (int, error) {
	rows, err := w.tx.QueryContext(w.ctx, `SELECT id, terms, length FROM turn WHERE owner = ? AND sent <= ? ORDER BY id`, o.id, until)
	if err != nil {
		return 0, err
	}
	var turns []stored
	if err := each(rows, func() error {
		var t stored
		err := rows.Scan(&t.id, &t.terms, &t.length)
		turns = append(turns, t)
		return err
	}); err != nil {
		return 0, err
	}
	for _, t := range turns {
		if err := w.remove(o, t); err != nil {
			return 0, err
		}
	}
	return len(turns), nil
}

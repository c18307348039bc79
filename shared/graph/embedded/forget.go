package embedded

import (
	"context"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Forget erases what a user sent until at. The text is overwritten in the file, and cut out of the log beside it unless
// a reader is still at it. From its first transaction on nothing comes back; where it fails, ask again for the rest.
func (s *Store) Forget(ctx context.Context, user string, at time.Time) (turns int, err error) {
	for {
		erased := 0
		err := s.transact(ctx, func(w *writing) (err error) {
			erased, err = w.forget(user, micros(graph.Instant(at)))
			return err
		})
		if err != nil {
			return turns, s.explain(ctx, "forget", err)
		}
		if turns += erased; erased < graph.MaxErased {
			break
		}
	}
	_, err = s.write.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return turns, s.explain(ctx, "forget", err)
}

// forget erases some of the turns that were sent until then.
func (w *writing) forget(user string, until int64) (int, error) {
	o, err := w.ownerOf(user)
	if err != nil {
		return 0, err
	}
	if o.forgotten != nil {
		until = max(until, *o.forgotten)
	}
	if _, err := w.tx.ExecContext(w.ctx, `UPDATE owner SET forgotten = ? WHERE id = ?`, until, o.id); err != nil {
		return 0, err
	}
	rows, err := w.tx.QueryContext(w.ctx, `SELECT id, terms, length FROM turn WHERE owner = ? AND sent <= ? ORDER BY id LIMIT ?`,
		o.id, until, graph.MaxErased)
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

package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Write stores all writes in one transaction.
func (s *Store) Write(ctx context.Context, writes []graph.Write) ([]graph.Written, error) {
	entries, err := graph.NewEntries(writes)
	if err != nil {
		return nil, fmt.Errorf("embedded graph: write: %w", err)
	}
	written := make([]graph.Written, len(entries))
	err = s.transact(ctx, func(w *writing) (err error) {
		for i := range entries {
			if written[i], err = w.put(&entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.explain(ctx, "write", err)
	}
	return written, nil
}

func (w *writing) put(e *graph.Entry) (graph.Written, error) {
	written := graph.Written{TurnID: e.Turn.ID}
	o, err := w.ownerOf(e.Turn.User)
	if err != nil {
		return written, err
	}
	sent := micros(e.SentAt)
	if o.forgotten != nil && sent <= *o.forgotten {
		written.Forgotten = true
		return written, nil
	}
	var was stored
	err = w.tx.StmtContext(w.ctx, w.turn).QueryRowContext(w.ctx, o.id, e.Turn.ID).
		Scan(&was.id, &was.sent, &was.digest, &was.terms, &was.length)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return written, w.add(o, e)
	case err != nil:
		return written, err
	case !e.Supersedes(instant(was.sent), was.digest):
		written.Duplicate = true
		return written, nil
	case was.digest == e.Digest:
		written.Duplicate = true
		_, err := w.exec(w.setSent, sent, was.id)
		return written, err
	}
	if err := w.remove(o, was); err != nil {
		return written, err
	}
	return written, w.add(o, e)
}

func (w *writing) add(o *owner, e *graph.Entry) error {
	r, err := w.exec(w.addTurn, o.id, e.Turn.ID, e.Turn.SessionID, e.Order, micros(e.At), micros(e.SentAt), e.Digest,
		e.Turn.Engine, e.Lead.Role, e.Lead.Name, e.Lead.Content, e.Messages, e.Terms, e.Length)
	if err != nil {
		return err
	}
	id, err := r.LastInsertId()
	if err != nil {
		return err
	}
	if _, err := w.exec(w.addSearch, id, tokens(o.id, e.Terms)); err != nil {
		return err
	}
	for _, m := range e.Mentions {
		if _, err := w.exec(w.addMention, id, m.Key, m.Kind, m.Name); err != nil {
			return err
		}
	}
	for _, s := range e.Statements {
		w.lines[lineKey{o.id, s.Line}] = true
		if _, err := w.exec(w.addStatement, id, s.Seq, o.id, s.Line, s.Subject, s.Relation, s.Object, s.Single, s.Ended,
			s.Text, micros(s.ValidFrom), nil); err != nil {
			return err
		}
	}
	o.turns, o.terms = o.turns+1, o.terms+int64(e.Length)
	return nil
}

// stored is what of a turn in the file decides about another of its id.
type stored struct {
	id, sent, length int64
	digest, terms    string
}

func (w *writing) remove(o *owner, t stored) error {
	rows, err := w.tx.StmtContext(w.ctx, w.turnLines).QueryContext(w.ctx, t.id)
	if err != nil {
		return err
	}
	if err := each(rows, func() error {
		line := lineKey{owner: o.id}
		err := rows.Scan(&line.line)
		w.lines[line] = true
		return err
	}); err != nil {
		return err
	}
	if _, err := w.exec(w.deleteSearch, t.id, tokens(o.id, t.terms)); err != nil {
		return err
	}
	if _, err := w.exec(w.deleteTurn, t.id); err != nil {
		return err
	}
	o.turns, o.terms = o.turns-1, o.terms-t.length
	return nil
}

package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// statements are the writer's, prepared once.
type statements struct {
	addOwner, owner, setOwner           *sql.Stmt
	turn, addTurn, setSent, deleteTurn  *sql.Stmt
	addSearch, deleteSearch, addMention *sql.Stmt
	addStatement, line, setUntil        *sql.Stmt
	turnLines                           *sql.Stmt
}

func (p *statements) prepare(ctx context.Context, db *sql.DB) error {
	return prepare(ctx, db, map[**sql.Stmt]string{
		&p.addOwner: `INSERT INTO owner (key) VALUES (?) ON CONFLICT DO NOTHING`,
		&p.owner:    `SELECT id, forgotten FROM owner WHERE key = ?`,
		&p.setOwner: `UPDATE owner SET user = iif(turns + ?2 > 0, ?4, ''), turns = turns + ?2, terms = terms + ?3 WHERE id = ?1`,
		&p.turn:     `SELECT id, sent, digest, terms, length FROM turn WHERE owner = ? AND turn_id = ?`,
		&p.addTurn: `INSERT INTO turn (owner, turn_id, session, place, at, sent, digest, engine, role, speaker, text, messages, terms, length)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		&p.setSent:      `UPDATE turn SET sent = ? WHERE id = ?`,
		&p.deleteTurn:   `DELETE FROM turn WHERE id = ?`,
		&p.addSearch:    `INSERT INTO search (rowid, terms) VALUES (?, ?)`,
		&p.deleteSearch: `INSERT INTO search (search, rowid, terms) VALUES ('delete', ?, ?)`,
		&p.addMention:   `INSERT INTO mention (turn, key, kind, name) VALUES (?, ?, ?, ?)`,
		&p.addStatement: `INSERT INTO statement (turn, seq, owner, line, subject, relation, object, single, ended, text, since, until)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		&p.turnLines: `SELECT line FROM statement WHERE turn = ?`,
		&p.line:      `SELECT ` + statementColumns + ` FROM statement s JOIN turn t ON t.id = s.turn WHERE s.owner = ? AND s.line = ?`,
		&p.setUntil:  `UPDATE statement SET until = ? WHERE turn = ? AND seq = ?`,
	})
}

func prepare(ctx context.Context, db *sql.DB, texts map[**sql.Stmt]string) error {
	for to, text := range texts {
		prepared, err := db.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		*to = prepared
	}
	return nil
}

// writing is one transaction of the writer.
type writing struct {
	*statements
	ctx    context.Context
	tx     *sql.Tx
	owners map[string]*owner
	lines  map[lineKey]bool // touched
}

type owner struct {
	id, turns, terms int64 // turns and terms: what to add
	user             string
	forgotten        *int64
}

type lineKey struct {
	owner int64
	line  string
}

// transact runs do in a transaction, and then sets right what follows from the rows it touched.
func (s *Store) transact(ctx context.Context, do func(w *writing) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	w := &writing{statements: &s.statements, ctx: ctx, tx: tx, owners: map[string]*owner{}, lines: map[lineKey]bool{}}
	if err := do(w); err != nil {
		return err
	}
	for line := range w.lines {
		if err := w.settle(line); err != nil {
			return err
		}
	}
	for _, o := range w.owners {
		if _, err := w.exec(w.setOwner, o.id, o.turns, o.terms, o.user); err != nil {
			return err
		}
	}
	return tx.Commit()
}

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
		return nil, s.explain("write", err)
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

func (w *writing) ownerOf(user string) (*owner, error) {
	if o := w.owners[user]; o != nil {
		return o, nil
	}
	key := graph.OwnerKey(user)
	if _, err := w.exec(w.addOwner, key); err != nil {
		return nil, err
	}
	o := &owner{user: user}
	if err := w.tx.StmtContext(w.ctx, w.owner).QueryRowContext(w.ctx, key).Scan(&o.id, &o.forgotten); err != nil {
		return nil, err
	}
	w.owners[user] = o
	return o, nil
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

// settle works out again until when the statements of a line hold.
func (w *writing) settle(key lineKey) error {
	rows, err := w.tx.StmtContext(w.ctx, w.line).QueryContext(w.ctx, key.owner, key.line)
	if err != nil {
		return err
	}
	type place struct {
		turn int64
		seq  int
	}
	turns, until := map[string]int64{}, map[place]time.Time{}
	statements, err := scanStatements(rows, func(turn int64, s graph.Statement) {
		turns[s.TurnID], until[place{turn, s.Seq}] = turn, s.ValidUntil
	})
	if err != nil {
		return err
	}
	graph.Timeline(statements)
	for _, s := range statements {
		at := place{turns[s.TurnID], s.Seq}
		if s.ValidUntil.Equal(until[at]) {
			continue
		}
		if _, err := w.exec(w.setUntil, nullable(s.ValidUntil), at.turn, at.seq); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) exec(s *sql.Stmt, values ...any) (sql.Result, error) {
	return w.tx.StmtContext(w.ctx, s).ExecContext(w.ctx, values...)
}

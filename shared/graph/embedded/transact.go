package embedded

import (
	"context"
	"database/sql"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// writing is one transaction of the writer.
type writing struct {
	*changes
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
	w := &writing{changes: &s.changes, ctx: ctx, tx: tx, owners: map[string]*owner{}, lines: map[lineKey]bool{}}
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

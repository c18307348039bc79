package embedded

import (
	"context"
	"database/sql"
	"fmt"
)

// changes are the statements that write, prepared once.
type changes struct {
	addOwner, owner, setOwner           *sql.Stmt
	turn, addTurn, setSent, deleteTurn  *sql.Stmt
	addSearch, deleteSearch, addMention *sql.Stmt
	addStatement, line, setUntil        *sql.Stmt
	turnLines                           *sql.Stmt
}

func (p *changes) prepare(ctx context.Context, db *sql.DB) error {
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

// lookups are the statements of a recall, prepared once.
type lookups struct{ user, search, newest, beside, turns, held *sql.Stmt }

const candidateColumns = `t.id, t.turn_id, t.session, t.place, t.at, t.role, t.speaker, t.text, t.terms`

func (p *lookups) prepare(ctx context.Context, db *sql.DB) error {
	beside := func(side, order string, skip int) string {
		return fmt.Sprintf(`(SELECT id FROM turn n WHERE n.session = t.session AND n.owner = t.owner AND n.place %s t.place
			ORDER BY n.place %s LIMIT 1 OFFSET %d)`, side, order, skip)
	}
	return prepare(ctx, db, map[**sql.Stmt]string{
		&p.user: `SELECT id, turns, terms FROM owner WHERE key = ?`,
		&p.search: `SELECT ` + candidateColumns + `, search.rank FROM search JOIN turn t ON t.id = search.rowid
			WHERE search MATCH ? AND t.owner = ? ORDER BY search.rank LIMIT ?`,
		&p.newest: `SELECT ` + candidateColumns + `, 0.0 FROM turn t WHERE t.owner = ? ORDER BY t.at DESC, t.place DESC LIMIT ?`,
		&p.beside: `SELECT ` + beside("<", "DESC", 1) + `, ` + beside("<", "DESC", 0) + `, ` + beside(">", "", 0) + `, ` +
			beside(">", "", 1) + ` FROM json_each(?) j JOIN turn t ON t.id = j.value`,
		&p.turns: `SELECT ` + candidateColumns + `, 0.0 FROM json_each(?) j JOIN turn t ON t.id = j.value`,
		&p.held: `SELECT turn, subject, relation, object, single, text, since FROM json_each(?) j JOIN statement ON turn = j.value
			WHERE until IS NULL ORDER BY turn, seq`,
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

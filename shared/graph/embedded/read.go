package embedded

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Session returns the last turns of a session, oldest first.
func (s *Store) Session(ctx context.Context, user, sessionID string, limit int) ([]graph.Turn, error) {
	query, values := `SELECT o.user, t.turn_id, t.session, t.engine, t.messages FROM turn t JOIN owner o ON o.id = t.owner
		WHERE t.session = ?`, []any{sessionID}
	if user != "" {
		query, values = query+` AND o.key = ?`, append(values, graph.OwnerKey(user))
	}
	rows, err := s.read.QueryContext(ctx, query+` ORDER BY t.place DESC LIMIT ?`, append(values, max(limit, 0))...)
	if err != nil {
		return nil, s.explain(ctx, "session", err)
	}
	var turns []graph.Turn
	err = each(rows, func() error {
		var t graph.Turn
		var messages []byte
		if err := rows.Scan(&t.User, &t.ID, &t.SessionID, &t.Engine, &messages); err != nil {
			return err
		}
		turns = append(turns, t)
		return json.Unmarshal(messages, &turns[len(turns)-1].Messages)
	})
	slices.Reverse(turns)
	return turns, s.explain(ctx, "session", err)
}

// Facts returns all facts of a user, newest first.
func (s *Store) Facts(ctx context.Context, user string) ([]graph.Fact, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+statementColumns+` FROM owner o JOIN statement s ON s.owner = o.id
		JOIN turn t ON t.id = s.turn WHERE o.key = ?`, graph.OwnerKey(user))
	if err != nil {
		return nil, s.explain(ctx, "facts", err)
	}
	statements, err := scanStatements(rows, func(int64, graph.Statement) {})
	if err != nil {
		return nil, s.explain(ctx, "facts", err)
	}
	return graph.Facts(statements), nil
}

const statementColumns = `t.id, t.turn_id, t.place, s.seq, s.line, s.subject, s.relation, s.object, s.single, s.ended, s.text, s.since, s.until`

// scanStatements reads statementColumns and tells of each the number of its turn.
func scanStatements(rows *sql.Rows, found func(turn int64, s graph.Statement)) ([]graph.Statement, error) {
	var statements []graph.Statement
	err := each(rows, func() error {
		var s graph.Statement
		var turn, since int64
		var until *int64
		if err := rows.Scan(&turn, &s.TurnID, &s.Order, &s.Seq, &s.Line, &s.Subject, &s.Relation, &s.Object, &s.Single, &s.Ended,
			&s.Text, &since, &until); err != nil {
			return err
		}
		s.ValidFrom = instant(since)
		if until != nil {
			s.ValidUntil = instant(*until)
		}
		statements = append(statements, s)
		found(turn, s)
		return nil
	})
	return statements, err
}

// each calls scan for every row, and closes them.
func each(rows *sql.Rows, scan func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// tokens is what the index holds of a turn's terms.
func tokens(owner int64, terms string) string { return strings.Join(split(owner, terms), " ") }

// split leads each term with its owner's number, as in "12_cuenca". The index takes ASCII letters and digits, "_" and
// whatever is not ASCII for a term, so with all else taken out no term can pass for another owner's, nor for syntax.
func split(owner int64, terms string) []string {
	words := strings.FieldsFunc(terms, func(r rune) bool {
		return r < 0x80 && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	lead := strconv.FormatInt(owner, 10) + "_"
	for i, w := range words {
		words[i] = lead + w
	}
	return words
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func nullable(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return micros(t)
}

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

package embedded

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Dump shows every row of a user, without the numbers that depend on when a row was made.
func (s *Store) Dump(ctx context.Context, user string) ([]string, error) {
	var all []string
	for table, query := range map[string]string{
		"owner": `SELECT o.user, o.turns, o.terms, o.forgotten, (SELECT count(*) FROM turn WHERE owner = o.id),
			(SELECT coalesce(sum(length), 0) FROM turn WHERE owner = o.id) FROM owner o WHERE o.key = ?`,
		"turn": `SELECT t.turn_id, t.session, t.place, t.at, t.sent, t.digest, t.engine, t.role, t.speaker, t.text, t.messages, t.terms, t.length
			FROM turn t JOIN owner o ON o.id = t.owner WHERE o.key = ?`,
		"mention": `SELECT t.turn_id, m.key, m.kind, m.name FROM mention m JOIN turn t ON t.id = m.turn JOIN owner o ON o.id = t.owner WHERE o.key = ?`,
		"statement": `SELECT t.turn_id, s.seq, s.line, s.subject, s.relation, s.object, s.single, s.ended, s.text, s.since, s.until
			FROM statement s JOIN turn t ON t.id = s.turn JOIN owner o ON o.id = t.owner AND o.id = s.owner WHERE o.key = ?`,
		"search": `SELECT substr(v.term, 1 + length(o.id || '_')), v.col, t.turn_id, count(*) FROM owner o JOIN words v
			ON v.term GLOB o.id || '_*' LEFT JOIN turn t ON t.id = v.doc WHERE o.key = ? GROUP BY 1, 2, 3`,
	} {
		rows, err := s.dump(ctx, table, query, user)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	slices.Sort(all)
	return all, nil
}

func (s *Store) dump(ctx context.Context, table, query, user string) ([]string, error) {
	if _, err := s.write.ExecContext(ctx, `CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab ('main', 'search', 'instance')`); err != nil {
		return nil, err
	}
	rows, err := s.write.QueryContext(ctx, query, graph.OwnerKey(user))
	if err != nil {
		return nil, err
	}
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all []string
	err = each(rows, func() error {
		values := make([]any, len(columns))
		to := make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		err := rows.Scan(to...)
		all = append(all, table+": "+strings.TrimSpace(fmt.Sprintln(values...)))
		return err
	})
	return all, err
}

package neo4j

import (
	"context"
	"encoding/json"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Session returns the last turns of a session, oldest first.
func (s *Store) Session(ctx context.Context, user, sessionID string, limit int) ([]graph.Turn, error) {
	cypher, values := `MATCH (t:Turn {session: $session}) WHERE t.owner IS NOT NULL AND t.place IS NOT NULL`,
		map[string]any{"session": sessionID, "limit": max(limit, 0)}
	if user != "" {
		cypher, values["owner"] = `MATCH (t:Turn {session: $session, owner: $owner}) WHERE t.place IS NOT NULL`, graph.OwnerKey(user)
	}
	cypher += `
		WITH t ORDER BY t.place DESC LIMIT $limit
		MATCH (u:User {key: t.owner})
		RETURN u.id, t.id, t.session, t.engine, t.messages ORDER BY t.place`
	return read(ctx, s, "session", func(tx *transaction) ([]graph.Turn, error) {
		records, err := tx.run(cypher, values)
		turns := make([]graph.Turn, len(records))
		for i, r := range records {
			v := r.Values
			turns[i] = graph.Turn{User: v[0].(string), ID: v[1].(string), SessionID: v[2].(string), Engine: v[3].(string)}
			if err := json.Unmarshal([]byte(v[4].(string)), &turns[i].Messages); err != nil {
				return nil, err
			}
		}
		return turns, err
	})
}

// Facts returns all facts of a user, newest first.
func (s *Store) Facts(ctx context.Context, user string) ([]graph.Fact, error) {
	return read(ctx, s, "facts", func(tx *transaction) ([]graph.Fact, error) {
		records, err := tx.run(`MATCH (f:Fact {owner: $owner}) WHERE f.line IS NOT NULL RETURN f`,
			map[string]any{"owner": graph.OwnerKey(user)})
		statements := make([]graph.Statement, len(records))
		for i, r := range records {
			statements[i] = statement(r.Values[0].(neo4j.Node).Props)
		}
		return graph.Facts(statements), err
	})
}

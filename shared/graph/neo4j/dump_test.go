package neo4j

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Dump shows every node and relationship of a user.
func (s *Store) Dump(ctx context.Context, user string) ([]string, error) {
	return read(ctx, s, "dump", func(tx *transaction) ([]string, error) {
		records, err := tx.run(`
			MATCH (n:User {key: $owner})
			RETURN ['user', n {.*, key: null}] AS thing
			UNION ALL
			CALL () {
				MATCH (n:Turn {owner: $owner}) WHERE n.id IS NOT NULL RETURN n
				UNION ALL MATCH (n:Entity {owner: $owner}) WHERE n.key IS NOT NULL RETURN n
				UNION ALL MATCH (n:Fact {owner: $owner}) WHERE n.line IS NOT NULL RETURN n
			}
			OPTIONAL MATCH (n)-[r]->(to)
			RETURN [labels(n)[0], n {.*, owner: null}, type(r), properties(r), coalesce(to.key, to.turn), to.seq] AS thing`,
			map[string]any{"owner": graph.OwnerKey(user)})
		all := make([]string, len(records))
		for i, r := range records {
			text, err := json.Marshal(r.Values[0])
			if err != nil {
				return nil, err
			}
			all[i] = string(text)
		}
		slices.Sort(all)
		return all, err
	})
}

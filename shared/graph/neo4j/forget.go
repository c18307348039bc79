package neo4j

import (
	"context"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Forget erases what a user sent until at. From its first transaction on nothing comes back; where it fails, ask again for
// the rest.
func (s *Store) Forget(ctx context.Context, user string, at time.Time) (turns int, err error) {
	for {
		erased := 0
		err := s.transact(ctx, "forget", []string{user}, func(w *writing) (err error) {
			erased, err = w.forget(user, graph.Instant(at))
			return err
		})
		if err != nil {
			return turns, err
		}
		if turns += erased; erased < graph.MaxErased {
			break
		}
	}
	return turns, nil
}

// forget erases some of the turns that were sent until then.
func (w *writing) forget(user string, until time.Time) (int, error) {
	owner := graph.OwnerKey(user)
	if u := w.users[owner]; u.forgot(until) {
		until = *u.forgotten
	}
	records, err := w.run(`
		MATCH (u:User {key: $owner})
		SET u.forgotten = $until
		WITH u
		MATCH (t:Turn {owner: $owner}) WHERE t.id IS NOT NULL AND t.sent <= $until
		RETURN t.id LIMIT $most`, map[string]any{"owner": owner, "until": until, "most": graph.MaxErased})
	if err != nil {
		return 0, err
	}
	gone := make([]turnKey, len(records))
	for i, r := range records {
		gone[i] = turnKey{owner, r.Values[0].(string)}
	}
	return len(gone), w.erase(gone)
}

// erase removes turns, what was drawn from them, and the entities that nothing else speaks of.
func (w *writing) erase(turns []turnKey) error {
	if len(turns) == 0 {
		return nil
	}
	keys := make([]map[string]any, len(turns))
	owners := map[string]bool{}
	for i, t := range turns {
		keys[i] = t.values()
		owners[t.owner] = true
	}
	records, err := w.run(`
		UNWIND $keys AS k
		MATCH (t:Turn {owner: k.owner, id: k.id})
		RETURN t.owner, t.length, [(t)-[:STATES]->(f:Fact) | f.line]`, map[string]any{"keys": keys})
	if err != nil {
		return err
	}
	for _, r := range records {
		u := w.users[r.Values[0].(string)]
		u.turns, u.terms = u.turns-1, u.terms-int(r.Values[1].(int64))
		for _, line := range r.Values[2].([]any) {
			w.lines[lineKey{r.Values[0].(string), line.(string)}] = true
		}
	}
	rows := make([]map[string]any, 0, len(owners))
	for owner := range owners {
		rows = append(rows, map[string]any{"owner": owner})
	}
	return w.runEach([]step{{keys, `
		UNWIND $rows AS row
		MATCH (t:Turn {owner: row.owner, id: row.id})
		OPTIONAL MATCH (t)-[:STATES]->(f:Fact)
		DETACH DELETE f, t`}, {rows, `
		UNWIND $rows AS row
		MATCH (e:Entity {owner: row.owner}) WHERE e.key IS NOT NULL AND NOT (e)--()
		DELETE e`}})
}

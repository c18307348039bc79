package neo4j

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"github.com/aguante-chat/aguante/shared/graph"
)

// turnKey and lineKey are what Turn nodes and the lines of Fact nodes are found by.
type (
	turnKey struct{ owner, id string }
	lineKey struct{ owner, line string }
)

func (k turnKey) values() map[string]any { return map[string]any{"owner": k.owner, "id": k.id} }
func (k lineKey) values() map[string]any { return map[string]any{"owner": k.owner, "line": k.line} }

// writing is one transaction that changes the graph.
type writing struct {
	*transaction
	users map[string]*user // by owner
	lines map[lineKey]bool // touched
}

type user struct {
	id           string
	forgotten    *time.Time
	turns, terms int // to add
}

// forgot tells whether what was sent then is not to come back.
func (u *user) forgot(sent time.Time) bool { return u.forgotten != nil && !sent.After(*u.forgotten) }

// transact runs do with its users locked, and then sets right what follows from what it touched.
func (s *Store) transact(ctx context.Context, doing string, ids []string, do func(w *writing) error) error {
	_, err := attempt(ctx, s, doing, neo4j.SessionWithContext.ExecuteWrite, func(tx *transaction) (struct{}, error) {
		w := &writing{transaction: tx, users: map[string]*user{}, lines: map[lineKey]bool{}}
		return struct{}{}, w.whole(ids, do)
	})
	return err
}

func (w *writing) whole(ids []string, do func(w *writing) error) error {
	if err := w.lock(ids); err != nil {
		return err
	}
	if err := do(w); err != nil {
		return err
	}
	if err := w.settle(); err != nil {
		return err
	}
	return w.count()
}

// lock makes every user's node and holds it until the end: whatever belongs to a user is changed by one transaction at a
// time, and as all lock users in the same order, none waits for another in a circle.
func (w *writing) lock(ids []string) error {
	for _, id := range ids {
		w.users[graph.OwnerKey(id)] = &user{id: id}
	}
	records, err := w.run(`
		UNWIND $keys AS key
		MERGE (u:User {key: key})
		ON CREATE SET u.turns = 0, u.terms = 0
		SET u.locked = true
		RETURN key, u.forgotten`, map[string]any{"keys": slices.Sorted(maps.Keys(w.users))})
	for _, r := range records {
		if at, ok := r.Values[1].(time.Time); ok {
			w.users[r.Values[0].(string)].forgotten = &at
		}
	}
	return err
}

// count keeps how many turns and terms each user has, and the id of those that have any.
func (w *writing) count() error {
	var rows []map[string]any
	for key, u := range w.users {
		rows = append(rows, map[string]any{"key": key, "id": u.id, "turns": u.turns, "terms": u.terms})
	}
	return w.runEach([]step{{rows, `
		UNWIND $rows AS row
		MATCH (u:User {key: row.key})
		SET u.turns = u.turns + row.turns, u.terms = u.terms + row.terms
		SET u.id = CASE WHEN u.turns > 0 THEN row.id END`}})
}

// step is a statement that runs once for all of its rows.
type step struct {
	rows   []map[string]any
	cypher string
}

func (w *writing) runEach(steps []step) error {
	for _, s := range steps {
		if len(s.rows) == 0 {
			continue
		}
		if _, err := w.run(s.cypher, map[string]any{"rows": s.rows}); err != nil {
			return err
		}
	}
	return nil
}

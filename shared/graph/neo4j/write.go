package neo4j

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// turnKey and lineKey are what Turn nodes and the lines of Fact nodes are found by.
type (
	turnKey struct{ owner, id string }
	lineKey struct{ owner, line string }
)

func (k turnKey) values() map[string]any { return map[string]any{"owner": k.owner, "id": k.id} }
func (k lineKey) values() map[string]any { return map[string]any{"owner": k.owner, "line": k.line} }

// stored is what of a turn decides about another of its id.
type stored struct {
	sent   time.Time
	digest string
	length int
	entry  *graph.Entry // nil: as it is in the graph
}

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
	_, err := write(ctx, s, doing, func(tx *transaction) (struct{}, error) {
		w := &writing{transaction: tx, users: map[string]*user{}, lines: map[lineKey]bool{}}
		err := w.lock(ids)
		for _, then := range []func() error{func() error { return do(w) }, w.settle, w.count} {
			if err == nil {
				err = then()
			}
		}
		return struct{}{}, err
	})
	return err
}

// Write stores all writes in one transaction.
func (s *Store) Write(ctx context.Context, writes []graph.Write) ([]graph.Written, error) {
	entries, err := graph.NewEntries(writes)
	if err != nil {
		return nil, fmt.Errorf("neo4j: write: %w", err)
	}
	if len(entries) == 0 {
		return nil, ctx.Err()
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.Turn.User
	}
	var written []graph.Written
	err = s.transact(ctx, "write", ids, func(w *writing) error {
		written, err = w.put(entries)
		return err
	})
	return written, err
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

// put decides about each entry in turn, and then writes those that stay.
func (w *writing) put(entries []graph.Entry) ([]graph.Written, error) {
	turns, err := w.stored(entries)
	if err != nil {
		return nil, err
	}
	written := make([]graph.Written, len(entries))
	var replaced []turnKey
	resent := map[turnKey]time.Time{}
	for i := range entries {
		e := &entries[i]
		key := turnKey{graph.OwnerKey(e.Turn.User), e.Turn.ID}
		written[i].TurnID = e.Turn.ID
		was, known := turns[key]
		switch {
		case w.users[key.owner].forgot(e.SentAt):
			written[i].Forgotten = true
			continue
		case known && !e.Supersedes(was.sent, was.digest):
			written[i].Duplicate = true
			continue
		case known && was.digest == e.Digest:
			written[i].Duplicate = true
			if was.entry == nil {
				resent[key] = e.SentAt
				turns[key] = stored{sent: e.SentAt, digest: was.digest, length: was.length}
				continue
			}
		case known && was.entry == nil:
			replaced = append(replaced, key)
		}
		turns[key] = stored{sent: e.SentAt, digest: e.Digest, length: e.Length, entry: e}
	}
	if err := w.erase(replaced); err != nil {
		return nil, err
	}
	if err := w.resend(resent); err != nil {
		return nil, err
	}
	return written, w.add(turns)
}

func (w *writing) stored(entries []graph.Entry) (map[turnKey]stored, error) {
	keys := make([]map[string]any, len(entries))
	for i, e := range entries {
		keys[i] = turnKey{graph.OwnerKey(e.Turn.User), e.Turn.ID}.values()
	}
	records, err := w.run(`
		UNWIND $keys AS k
		MATCH (t:Turn {owner: k.owner, id: k.id})
		RETURN DISTINCT t.owner, t.id, t.sent, t.digest, t.length`, map[string]any{"keys": keys})
	turns := map[turnKey]stored{}
	for _, r := range records {
		v := r.Values
		turns[turnKey{v[0].(string), v[1].(string)}] = stored{sent: v[2].(time.Time).UTC(), digest: v[3].(string), length: int(v[4].(int64))}
	}
	return turns, err
}

// resend keeps the later of the times at which the same turn was sent.
func (w *writing) resend(turns map[turnKey]time.Time) error {
	if len(turns) == 0 {
		return nil
	}
	var values []map[string]any
	for key, sent := range turns {
		values = append(values, map[string]any{"owner": key.owner, "id": key.id, "sent": sent})
	}
	_, err := w.run(`
		UNWIND $turns AS w
		MATCH (t:Turn {owner: w.owner, id: w.id})
		SET t.sent = w.sent`, map[string]any{"turns": values})
	return err
}

func (w *writing) add(all map[turnKey]stored) error {
	var turns, mentions, facts []map[string]any
	for key, t := range all {
		if t.entry == nil {
			continue
		}
		turns = append(turns, turnProperties(key.owner, t.entry))
		for _, m := range t.entry.Mentions {
			mentions = append(mentions, map[string]any{"owner": key.owner, "turn": key.id, "key": m.Key, "name": m.Name, "kind": m.Kind})
		}
		for _, s := range t.entry.Statements {
			facts = append(facts, factProperties(key.owner, s))
			w.lines[lineKey{key.owner, s.Line}] = true
		}
		u := w.users[key.owner]
		u.turns, u.terms = u.turns+1, u.terms+t.length
	}
	return w.runEach([]step{{turns, `
		UNWIND $rows AS row
		MERGE (t:Turn {owner: row.owner, id: row.id})
		SET t = row`}, {mentions, `
		UNWIND $rows AS row
		MATCH (t:Turn {owner: row.owner, id: row.turn})
		MERGE (e:Entity {owner: row.owner, key: row.key})
		CREATE (t)-[:MENTIONS {name: row.name, kind: row.kind}]->(e)`}, {facts, `
		UNWIND $rows AS row
		MATCH (t:Turn {owner: row.owner, id: row.fact.turn})
		MERGE (s:Entity {owner: row.owner, key: row.subject})
		CREATE (t)-[:STATES]->(f:Fact)-[:SUBJECT]->(s)
		SET f = row.fact
		FOREACH (key IN row.object |
			MERGE (o:Entity {owner: row.owner, key: key})
			CREATE (f)-[:OBJECT]->(o))`}})
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

func turnProperties(owner string, e *graph.Entry) map[string]any {
	return map[string]any{
		"owner": owner, "id": e.Turn.ID, "session": e.Turn.SessionID, "place": e.Order, "at": e.At, "sent": e.SentAt,
		"digest": e.Digest, "engine": e.Turn.Engine, "role": e.Lead.Role, "speaker": e.Lead.Name, "text": e.Lead.Content,
		"messages": e.Messages, "terms": e.Terms, "length": e.Length,
	}
}

func factProperties(owner string, s graph.Statement) map[string]any {
	object := []string{}
	if s.Object != "" {
		object = []string{graph.Key(s.Object)}
	}
	return map[string]any{"owner": owner, "subject": graph.Key(s.Subject), "object": object, "fact": map[string]any{
		"owner": owner, "turn": s.TurnID, "seq": s.Seq, "line": s.Line, "place": s.Order, "subject": s.Subject,
		"relation": s.Relation, "object": s.Object, "single": s.Single, "ended": s.Ended, "text": s.Text, "since": s.ValidFrom,
	}}
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

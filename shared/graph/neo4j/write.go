package neo4j

import (
	"context"
	"fmt"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// stored is what of a turn decides about another of its id.
type stored struct {
	sent   time.Time
	digest string
	length int
	entry  *graph.Entry // nil: as it is in the graph
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
	err = s.transact(ctx, "write", ids, func(w *writing) (err error) {
		written, err = w.put(entries)
		return err
	})
	if err != nil {
		return nil, err
	}
	return written, nil
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

package neo4j

import (
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"github.com/aguante-chat/aguante/shared/graph"
)

// settle works out again until when the facts of the touched lines hold.
func (w *writing) settle() error {
	if len(w.lines) == 0 {
		return nil
	}
	var keys []map[string]any
	for line := range w.lines {
		keys = append(keys, line.values())
	}
	records, err := w.run(`
		UNWIND $keys AS k
		MATCH (f:Fact {owner: k.owner, line: k.line})
		RETURN f`, map[string]any{"keys": keys})
	if err != nil {
		return err
	}
	lines := map[lineKey][]graph.Statement{}
	for _, r := range records {
		f := r.Values[0].(neo4j.Node).Props
		key := lineKey{f["owner"].(string), f["line"].(string)}
		lines[key] = append(lines[key], statement(f))
	}
	var rows []map[string]any
	for key, line := range lines {
		rows = append(rows, changes(key.owner, line)...)
	}
	return w.runEach([]step{{rows, `
		UNWIND $rows AS row
		MATCH (f:Fact {owner: row.owner, turn: row.turn, seq: row.seq})
		SET f.until = row.until`}})
}

// changes are the facts of a line that hold until another time than they say.
func changes(owner string, line []graph.Statement) []map[string]any {
	type place struct {
		turn string
		seq  int
	}
	was := map[place]time.Time{}
	for _, s := range line {
		was[place{s.TurnID, s.Seq}] = s.ValidUntil
	}
	graph.Timeline(line)
	var rows []map[string]any
	for _, s := range line {
		if !s.ValidUntil.Equal(was[place{s.TurnID, s.Seq}]) {
			rows = append(rows, map[string]any{"owner": owner, "turn": s.TurnID, "seq": s.Seq, "until": orNull(s.ValidUntil)})
		}
	}
	return rows
}

// statement is a Fact node.
func statement(f map[string]any) graph.Statement {
	s := graph.Statement{Line: f["line"].(string), Order: f["place"].(string), Seq: int(f["seq"].(int64))}
	s.TurnID, s.Text = f["turn"].(string), f["text"].(string)
	s.Subject, s.Relation, s.Object = f["subject"].(string), f["relation"].(string), f["object"].(string)
	s.Single, s.Ended = f["single"].(bool), f["ended"].(bool)
	s.ValidFrom = f["since"].(time.Time).UTC()
	if until, ok := f["until"].(time.Time); ok {
		s.ValidUntil = until.UTC()
	}
	return s
}

func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

package neo4j

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Recall finds the user's turns by their words and leaves their order to graph.Rank.
func (s *Store) Recall(ctx context.Context, q graph.Query) ([]graph.Item, error) {
	corpus, err := read(ctx, s, "recall", func(tx *transaction) (graph.Corpus, error) { return tx.corpus(q) })
	if err != nil {
		return nil, err
	}
	return graph.Rank(q, corpus), nil
}

func (tx *transaction) corpus(q graph.Query) (graph.Corpus, error) {
	var c graph.Corpus
	owner := graph.OwnerKey(q.User)
	records, err := tx.run(`MATCH (u:User {key: $owner}) WHERE u.turns > 0 RETURN u.turns, u.terms`, map[string]any{"owner": owner})
	if err != nil || len(records) == 0 {
		return c, err
	}
	turns := records[0].Values[0].(int64)
	c.Turns, c.Terms = int(turns), float64(records[0].Values[1].(int64))/float64(turns)
	if graph.Newest(q) {
		c.Hits, err = tx.newest(owner)
		return c, err
	}
	match := matchAny(owner, graph.SearchTerms(q))
	if match == "" {
		return c, nil
	}
	if c.Hits, err = tx.hits(owner, match); err != nil {
		return c, err
	}
	c.Near, err = tx.near(owner, c.Hits)
	return c, err
}

// matchAny is the Lucene query for the owner's turns with any of the terms. Within quotes Lucene takes a quote and a
// backslash alone for syntax.
func matchAny(owner string, terms []string) string {
	if len(terms) == 0 {
		return ""
	}
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var query strings.Builder
	query.WriteString("+owner:" + owner + " +(")
	for _, t := range terms[:min(len(terms), graph.MaxSearchTerms)] {
		query.WriteString(`terms:"` + escape.Replace(t) + `" `)
	}
	return query.String() + ")"
}

const candidate = `
	RETURN t.id, t.session, t.at, t.place, t.speaker, t.role, t.text, t.terms,
		[(t)-[:STATES]->(f:Fact) WHERE f.until IS NULL | f] AS facts`

// hits are the turns that match, best first, equal ones not as they arrived.
func (tx *transaction) hits(owner, match string) ([]graph.Candidate, error) {
	records, err := tx.run(`
		CALL db.index.fulltext.queryNodes('aguante_terms', $match, {limit: $limit}) YIELD node AS t, score
		WHERE t.owner = $owner`+candidate+`, score`,
		map[string]any{"owner": owner, "match": match, "limit": graph.MaxHits})
	slices.SortStableFunc(records, func(a, b *neo4j.Record) int {
		return cmp.Or(cmp.Compare(b.Values[9].(float64), a.Values[9].(float64)), cmp.Compare(a.Values[3].(string), b.Values[3].(string)))
	})
	return candidates(records), err
}

func (tx *transaction) newest(owner string) ([]graph.Candidate, error) {
	records, err := tx.run(`
		MATCH (t:Turn {owner: $owner}) WHERE t.id IS NOT NULL
		WITH t ORDER BY t.at DESC, t.place DESC LIMIT $limit`+candidate, map[string]any{"owner": owner, "limit": graph.MaxNeighboured})
	return candidates(records), err
}

// near are the turns beside the best hits in their sessions, hits left out.
func (tx *transaction) near(owner string, hits []graph.Candidate) ([]graph.Candidate, error) {
	if len(hits) == 0 {
		return nil, nil
	}
	var best []map[string]any
	hit := map[string]bool{}
	for i, h := range hits {
		hit[h.TurnID] = true
		if i < graph.MaxNeighboured {
			best = append(best, map[string]any{"session": h.SessionID, "place": h.Order})
		}
	}
	records, err := tx.run(`
		UNWIND $best AS b
		CALL (b) {
			MATCH (t:Turn {session: b.session, owner: $owner}) WHERE t.place < b.place
			RETURN t ORDER BY t.place DESC LIMIT 2
			UNION ALL
			MATCH (t:Turn {session: b.session, owner: $owner}) WHERE t.place > b.place
			RETURN t ORDER BY t.place LIMIT 2
		}
		WITH DISTINCT t`+candidate, map[string]any{"best": best, "owner": owner})
	return slices.DeleteFunc(candidates(records), func(c graph.Candidate) bool { return hit[c.TurnID] }), err
}

func candidates(records []*neo4j.Record) []graph.Candidate {
	all := make([]graph.Candidate, len(records))
	for i, r := range records {
		v := r.Values
		all[i] = graph.Candidate{TurnID: v[0].(string), SessionID: v[1].(string), At: v[2].(time.Time).UTC(), Order: v[3].(string),
			Speaker: v[4].(string), Role: v[5].(string), Text: v[6].(string), Terms: v[7].(string)}
		for _, f := range v[8].([]any) {
			all[i].Facts = append(all[i].Facts, statement(f.(neo4j.Node).Props).Fact)
		}
	}
	return all
}

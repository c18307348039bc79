package embedded

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Recall finds the user's turns by their words and leaves their order to graph.Rank.
func (s *Store) Recall(ctx context.Context, q graph.Query) ([]graph.Item, error) {
	tx, err := s.read.BeginTx(ctx, nil) // one snapshot
	if err != nil {
		return nil, s.explain("recall", err)
	}
	defer tx.Rollback()
	r := &recalling{ctx: ctx, tx: tx}
	corpus, err := r.corpus(q)
	if err != nil {
		return nil, s.explain("recall", err)
	}
	q.Limit = min(max(q.Limit, 0), graph.MaxItems)
	return graph.Rank(q, corpus), nil
}

// recalling is one read of the index and what belongs to its hits.
type recalling struct {
	ctx   context.Context
	tx    *sql.Tx
	owner int64
}

// found is a candidate with its number in the file.
type found struct {
	graph.Candidate
	id    int64
	score float64
}

func (r *recalling) corpus(q graph.Query) (graph.Corpus, error) {
	var c graph.Corpus
	var terms float64
	row := r.tx.QueryRowContext(r.ctx, `SELECT id, turns, terms FROM owner WHERE key = ?`, graph.OwnerKey(q.User))
	if err := row.Scan(&r.owner, &c.Turns, &terms); errors.Is(err, sql.ErrNoRows) || err == nil && c.Turns == 0 {
		return c, nil
	} else if err != nil {
		return c, err
	}
	c.Terms = terms / float64(c.Turns)
	hits, err := r.hits(graph.SearchTerms(q))
	if err != nil {
		return c, err
	}
	near, err := r.near(hits)
	if err != nil {
		return c, err
	}
	if err := r.facts(hits, near); err != nil {
		return c, err
	}
	c.Hits, c.Near = candidates(hits), candidates(near)
	return c, nil
}

const candidateColumns = `t.id, t.turn_id, t.session, t.place, t.at, t.role, t.speaker, t.text, t.terms`

// hits are the turns with any of the terms, best first.
func (r *recalling) hits(terms []string) ([]found, error) {
	match := matchAny(r.owner, terms)
	if match == "" {
		return nil, nil
	}
	rows, err := r.tx.QueryContext(r.ctx, `SELECT `+candidateColumns+`, search.rank FROM search JOIN turn t ON t.id = search.rowid
		WHERE search MATCH ? AND t.owner = ? ORDER BY search.rank LIMIT ?`, match, r.owner, graph.MaxHits)
	if err != nil {
		return nil, err
	}
	hits, err := scanFound(rows)
	slices.SortStableFunc(hits, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.Order, b.Order)) // equal ones not as they arrived
	})
	return hits, err
}

// matchAny is the index's query for any of the terms: each is a token of letters, digits and "_" within quotes.
func matchAny(owner int64, terms []string) string {
	tokens := split(owner, strings.Join(terms[:min(len(terms), graph.MaxSearchTerms)], " "))
	if len(tokens) == 0 {
		return ""
	}
	return `"` + strings.Join(tokens, `" OR "`) + `"`
}

// near are the turns beside the best hits in their sessions, hits left out.
func (r *recalling) near(hits []found) ([]found, error) {
	ids := numbers(hits)
	rows, err := r.tx.QueryContext(r.ctx, `WITH
		best AS MATERIALIZED (SELECT t.session, t.owner, t.place FROM json_each(?) j JOIN turn t ON t.id = j.value),
		beside AS (
			SELECT n.id FROM best b JOIN turn n ON n.id IN (SELECT id FROM turn
				WHERE session = b.session AND owner = b.owner AND place < b.place ORDER BY place DESC LIMIT 2)
			UNION
			SELECT n.id FROM best b JOIN turn n ON n.id IN (SELECT id FROM turn
				WHERE session = b.session AND owner = b.owner AND place > b.place ORDER BY place LIMIT 2))
		SELECT `+candidateColumns+`, 0.0 FROM beside JOIN turn t ON t.id = beside.id
		WHERE t.id NOT IN (SELECT value FROM json_each(?)) ORDER BY t.place`,
		array(ids[:min(len(ids), graph.MaxNeighboured)]), array(ids))
	if err != nil {
		return nil, err
	}
	return scanFound(rows)
}

func scanFound(rows *sql.Rows) ([]found, error) {
	var all []found
	err := each(rows, func() error {
		var f found
		var at int64
		if err := rows.Scan(&f.id, &f.TurnID, &f.SessionID, &f.Order, &at, &f.Role, &f.Speaker, &f.Text, &f.Terms, &f.score); err != nil {
			return err
		}
		f.At = instant(at)
		all = append(all, f)
		return nil
	})
	return all, err
}

// facts adds to each candidate the facts drawn from it that still hold.
func (r *recalling) facts(groups ...[]found) error {
	turns := map[int64]*graph.Candidate{}
	var ids []int64
	for _, g := range groups {
		for i := range g {
			turns[g[i].id] = &g[i].Candidate
		}
		ids = append(ids, numbers(g)...)
	}
	rows, err := r.tx.QueryContext(r.ctx, `SELECT `+statementColumns+` FROM json_each(?) j JOIN statement s ON s.turn = j.value
		JOIN turn t ON t.id = s.turn WHERE s.until IS NULL ORDER BY s.turn, s.seq`, array(ids))
	if err != nil {
		return err
	}
	_, err = scanStatements(rows, func(turn int64, s graph.Statement) {
		turns[turn].Facts = append(turns[turn].Facts, s.Fact)
	})
	return err
}

func numbers(all []found) []int64 {
	ids := make([]int64, len(all))
	for i, f := range all {
		ids[i] = f.id
	}
	return ids
}

func candidates(all []found) []graph.Candidate {
	c := make([]graph.Candidate, len(all))
	for i, f := range all {
		c[i] = f.Candidate
	}
	return c
}

// array is ids as json_each takes them.
func array(ids []int64) string {
	text, _ := json.Marshal(ids) // of numbers: it cannot fail
	return string(text)
}

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
		return nil, s.explain(ctx, "recall", err)
	}
	defer tx.Rollback()
	r := &recalling{lookups: &s.lookups, ctx: ctx, tx: tx}
	corpus, err := r.corpus(q)
	if err != nil {
		return nil, s.explain(ctx, "recall", err)
	}
	return graph.Rank(q, corpus), nil
}

// recalling is one read of the index and what belongs to its hits.
type recalling struct {
	*lookups
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
	row := r.tx.StmtContext(r.ctx, r.user).QueryRowContext(r.ctx, graph.OwnerKey(q.User))
	if err := row.Scan(&r.owner, &c.Turns, &terms); errors.Is(err, sql.ErrNoRows) || err == nil && c.Turns == 0 {
		return c, nil
	} else if err != nil {
		return c, err
	}
	c.Terms = terms / float64(c.Turns)
	hits, err := r.hits(q)
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

// hits are the turns with any of the question's terms, best first, or the newest.
func (r *recalling) hits(q graph.Query) ([]found, error) {
	if graph.Newest(q) {
		rows, err := r.query(r.newest, r.owner, graph.MaxNeighboured)
		if err != nil {
			return nil, err
		}
		return scanFound(rows)
	}
	match := matchAny(r.owner, graph.SearchTerms(q))
	if match == "" {
		return nil, nil
	}
	rows, err := r.query(r.search, match, r.owner, graph.MaxHits)
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
	best := numbers(hits[:min(len(hits), graph.MaxNeighboured)])
	rows, err := r.query(r.beside, array(best))
	if err != nil {
		return nil, err
	}
	var beside []int64
	err = each(rows, func() error {
		var ids [4]sql.NullInt64
		err := rows.Scan(&ids[0], &ids[1], &ids[2], &ids[3])
		for _, id := range ids {
			if id.Valid {
				beside = append(beside, id.Int64)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if rows, err = r.query(r.turns, array(without(beside, hits))); err != nil {
		return nil, err
	}
	return scanFound(rows)
}

// without is ids, each once, less those of the hits.
func without(ids []int64, hits []found) []int64 {
	slices.Sort(ids)
	hit := numbers(hits)
	slices.Sort(hit)
	return slices.DeleteFunc(slices.Compact(ids), func(id int64) bool {
		_, is := slices.BinarySearch(hit, id)
		return is
	})
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
	rows, err := r.query(r.held, array(ids))
	if err != nil {
		return err
	}
	return each(rows, func() error {
		var f graph.Fact
		var turn, since int64
		if err := rows.Scan(&turn, &f.Subject, &f.Relation, &f.Object, &f.Single, &f.Text, &since); err != nil {
			return err
		}
		t := turns[turn]
		f.TurnID, f.ValidFrom = t.TurnID, instant(since)
		t.Facts = append(t.Facts, f)
		return nil
	})
}

func (r *recalling) query(s *sql.Stmt, values ...any) (*sql.Rows, error) {
	return r.tx.StmtContext(r.ctx, s).QueryContext(r.ctx, values...)
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

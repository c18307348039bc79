package graph

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// Candidate is a turn that a store offers for ranking.
type Candidate struct {
	TurnID    string
	SessionID string
	At        time.Time
	Order     string // OrderKey of the turn
	Speaker   string // of its first message
	Role      string
	Text      string
	Terms     string // IndexTerms of the turn
	Facts     []Fact // drawn from it, still valid
}

// Corpus is what a store found for a query.
type Corpus struct {
	Turns int     // how many the user has
	Terms float64 // mean number of terms of a turn
	Hits  []Candidate
	Near  []Candidate // turns within two places of one of the best hits in its session, themselves no hits
}

// BM25's usual parameters (Robertson and Zaragoza, 2009).
const (
	bm25K1 = 1.2
	bm25B  = 0.75
)

// SearchTerms are the terms of which a store must find any.
func SearchTerms(q Query) []string {
	terms := Analyze(q.Text)
	slices.Sort(terms)
	return slices.Compact(terms)
}

// Rank orders what a store found, best first.
func Rank(q Query, c Corpus) []Item {
	terms := SearchTerms(q)
	frequency := map[string]int{}
	counts := make([]map[string]int, len(c.Hits))
	for i, h := range c.Hits {
		counts[i] = map[string]int{}
		for _, t := range strings.Fields(h.Terms) {
			counts[i][t]++
		}
		for _, t := range terms {
			if counts[i][t] > 0 {
				frequency[t]++
			}
		}
	}
	items := make([]Item, 0, len(c.Hits))
	for i, h := range c.Hits {
		length := float64(len(strings.Fields(h.Terms)))
		score := 0.0
		for _, t := range terms {
			f := float64(counts[i][t])
			n := float64(frequency[t])
			idf := math.Log(1 + (float64(c.Turns)-n+0.5)/(n+0.5))
			score += idf * f * (bm25K1 + 1) / (f + bm25K1*(1-bm25B+bm25B*length/max(c.Terms, 1)))
		}
		items = append(items, Item{TurnID: h.TurnID, SessionID: h.SessionID, Role: h.Role, Speaker: h.Speaker, Text: h.Text, Score: score, At: h.At})
	}
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), b.At.Compare(a.At), cmp.Compare(a.TurnID, b.TurnID))
	})
	return items[:min(len(items), q.Limit)]
}

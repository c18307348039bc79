package graph

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
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

// BM25's parameters as found best over many collections of short texts (Trotman, Puurula and Burgess, 2014).
const (
	saturation = 0.9 // k1: how much a second occurrence of a term still adds
	length     = 0.4 // b: how much a long turn is held against it
)

// spoken is how much more a turn counts that was said by someone whom the question names: "What does Melanie paint?" is
// answered by Melanie, who says "I".
const spoken = 2

// asked is how much of its score a turn keeps that ends by asking and states nothing: who asks for something again and again,
// each time in other words, is to find what answers it.
const asked = 0.5

// neighbours is the share of its neighbours' scores that a turn gets, by their place: in a conversation the answer often
// shares no word with the question, but follows a turn that does.
var neighbours = []struct {
	place int
	share float64
}{{-2, 0.25}, {-1, 0.5}, {+1, 0.25}, {+2, 0.125}}

// SearchTerms are the terms of which a store must find any.
func SearchTerms(q Query) []string {
	terms := Analyze(q.Text)
	slices.Sort(terms)
	return slices.Compact(terms)
}

// Rank orders what a store found, best first: BM25, more for turns that hold more of the question, their neighbours'
// share, more for speakers whom the question names, less for turns that only ask; the same words once. What asks for
// nothing in particular gets the newest. Measured in docs/recall.md.
func Rank(q Query, c Corpus) []Item {
	if Newest(q) {
		return rankNewest(q, c)
	}
	passages, named := c.passages(q)
	weights := c.weights(q, passages, named)
	for i := range passages {
		passages[i].own = passages[i].bm25(weights, c.Terms) * (1 + passages[i].coverage(weights))
	}
	slices.SortFunc(passages, func(a, b passage) int {
		return cmp.Or(cmp.Compare(a.SessionID, b.SessionID), cmp.Compare(a.Order, b.Order))
	})
	for i := range passages {
		p := &passages[i]
		p.score = p.own + fromNeighbours(passages, i)
		if named[p.Speaker] {
			p.score *= spoken
		}
		if p.asks() {
			p.score *= asked
		}
	}
	slices.SortFunc(passages, func(a, b passage) int {
		return cmp.Or(cmp.Compare(b.score, a.score), b.At.Compare(a.At), cmp.Compare(a.TurnID, b.TurnID))
	})
	return once(q, func(yield func(Item) bool) {
		for _, p := range passages {
			if p.score <= 0 || !yield(p.item(p.score/(p.score+weights.sum), weights)) {
				return
			}
		}
	})
}

// once takes as many items as q asks for, best first. What says the same in the same words takes one place, or a question
// that is asked often would fill them all; of several, one that carries a fact stands for them.
func once(q Query, items iter.Seq[Item]) []Item {
	taken := make([]Item, 0, min(max(q.Limit, 0), MaxItems))
	places := map[string]int{}
	for item := range items {
		if len(taken) == cap(taken) {
			break
		}
		words := item.Speaker + "\x00" + Key(item.Text)
		place, said := places[words]
		switch {
		case !said:
			places[words] = len(taken)
			taken = append(taken, item)
		case taken[place].Fact == nil && item.Fact != nil:
			item.Score = taken[place].Score
			taken[place] = item
		}
	}
	return taken
}

// passage is a candidate with its terms counted.
type passage struct {
	*Candidate
	counts map[string]int
	length int     // in terms
	own    float64 // score of its own words
	score  float64 // of all that counts
}

// asks tells whether the turn ends by asking, and no fact was drawn from it that holds.
func (c *Candidate) asks() bool {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimSpace(c.Text))
	return len(c.Facts) == 0 && strings.ContainsRune("?？؟", last)
}

// passages counts every candidate's terms, and names the speakers whom the question names.
func (c Corpus) passages(q Query) ([]passage, map[string]bool) {
	words := set(strings.Join(append(SearchTerms(q), Analyze(q.Asker)...), " "))
	passages := make([]passage, 0, len(c.Hits)+len(c.Near))
	named := map[string]bool{}
	for _, candidates := range [][]Candidate{c.Hits, c.Near} {
		for i := range candidates {
			p := passage{Candidate: &candidates[i], counts: map[string]int{}}
			for t := range strings.FieldsSeq(p.Terms) {
				p.counts[t]++
				p.length++
			}
			passages = append(passages, p)
			if _, known := named[p.Speaker]; !known {
				named[p.Speaker] = slices.ContainsFunc(Analyze(p.Speaker), func(t string) bool { return words[t] })
			}
		}
	}
	return passages, named
}

// weights are the question's terms, sorted, by how much each tells: BM25's inverse document frequency.
type weights struct {
	terms []string
	of    []float64
	sum   float64
}

// weights leaves out the names of speakers, unless the question is nothing else: they choose who said it, not what was
// said.
func (c Corpus) weights(q Query, passages []passage, named map[string]bool) (w weights) {
	speakers := map[string]bool{}
	for name, asked := range named {
		for _, t := range Analyze(name) {
			speakers[t] = speakers[t] || asked
		}
	}
	terms := SearchTerms(q)
	if telling := slices.DeleteFunc(slices.Clone(terms), func(t string) bool { return speakers[t] }); len(telling) > 0 {
		terms = telling
	}
	for _, term := range terms {
		holding := 0.0
		for _, p := range passages {
			if p.counts[term] > 0 {
				holding++
			}
		}
		weight := math.Log(1 + (max(float64(c.Turns), holding)-holding+0.5)/(holding+0.5))
		w.terms, w.of, w.sum = append(w.terms, term), append(w.of, weight), w.sum+weight
	}
	return w
}

func (p passage) bm25(w weights, meanLength float64) (score float64) {
	norm := saturation * (1 - length + length*float64(p.length)/max(meanLength, 1))
	for i, term := range w.terms {
		n := float64(p.counts[term])
		score += w.of[i] * n * (saturation + 1) / (n + norm)
	}
	return score
}

// coverage is the share of the question's weight that a passage holds.
func (p passage) coverage(w weights) (share float64) {
	for i, term := range w.terms {
		if p.counts[term] > 0 {
			share += w.of[i] / w.sum
		}
	}
	return share
}

// fromNeighbours is what the turns around passages[i], in its session, give it.
func fromNeighbours(passages []passage, i int) (score float64) {
	for _, n := range neighbours {
		if j := i + n.place; j >= 0 && j < len(passages) && passages[j].SessionID == passages[i].SessionID {
			score += n.share * passages[j].own
		}
	}
	return score
}

// item carries the passage's fact that says most of what was asked.
func (p passage) item(score float64, w weights) Item {
	item := Item{TurnID: p.TurnID, SessionID: p.SessionID, Role: p.Role, Speaker: p.Speaker, Text: p.Text, Score: score, At: p.At}
	best := -1.0
	for n, f := range p.Facts {
		said := 0.0
		for _, t := range Analyze(strings.Join([]string{f.Subject, strings.ReplaceAll(f.Relation, "_", " "), f.Object, f.Text}, " ")) {
			if i, asked := slices.BinarySearch(w.terms, t); asked {
				said += w.of[i]
			}
		}
		if said > best {
			best, item.Fact = said, &p.Facts[n]
		}
	}
	return item
}

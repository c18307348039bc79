package graph

import (
	"cmp"
	"slices"
)

// asking are the terms of words that ask to be told and say nothing of what: "What do you know about me?".
var asking = termsOf(`know remember recall tell say mention learn remind forget think ask talk share plan else everything anything something
nothing thing lot much far ever always already yet now me myself
sabes recuerdas acuerdas conoces dime cuéntame recuérdame conté dije dicho contado todo algo mí yo`)

func termsOf(words string) map[string]bool {
	all := map[string]bool{}
	for _, term := range Analyze(words) {
		all[term] = true
	}
	return all
}

// asker are the words by which the one who asks is meant.
var asker = set("i me my mine myself we us our mi yo")

// Newest tells whether q asks for nothing in particular, but for what there is: "What do you know about me?", "What did I
// tell you?", "Who am I?". A store then offers the user's newest turns, MaxNeighboured of them, as hits.
func Newest(q Query) bool {
	asks := false
	for _, w := range tokens(q.Text) {
		asks = asks || asker[w] || asking[stem(w)]
		if !stopWords[w] && !asking[stem(w)] {
			return false
		}
	}
	return asks
}

// rankNewest puts turns that state what still holds before others, those that only ask last, and the newer ones first; the
// same words once.
func rankNewest(q Query, c Corpus) []Item {
	tells := func(c Candidate) int {
		switch {
		case len(c.Facts) > 0:
			return 2
		case c.asks():
			return 0
		}
		return 1
	}
	hits := slices.SortedFunc(slices.Values(c.Hits), func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(tells(b), tells(a)), b.At.Compare(a.At), cmp.Compare(b.Order, a.Order))
	})
	return once(q, func(yield func(Item) bool) {
		for i := range hits {
			if !yield(passage{Candidate: &hits[i]}.item(1/float64(i+1), weights{})) {
				return
			}
		}
	})
}

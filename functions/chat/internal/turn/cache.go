package turn

import (
	"cmp"
	"slices"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/graph"
)

// cachedMost bounds a user's cached recall.
const cachedMost = 50

// pick chooses from the cached recall what shares words with the question, most of them first.
func pick(cached []Recalled, question string) []Recalled {
	wanted := graph.Analyze(question)
	if len(wanted) == 0 {
		return nil
	}
	var picked []Recalled
	for _, r := range cached {
		terms, shared := graph.Analyze(r.Text), 0
		for _, w := range wanted {
			if slices.Contains(terms, w) {
				shared++
			}
		}
		if shared > 0 {
			r.Score = float64(shared) / float64(len(wanted))
			picked = append(picked, r)
		}
	}
	slices.SortStableFunc(picked, func(a, b Recalled) int { return cmp.Compare(b.Score, a.Score) })
	return picked[:min(len(picked), recalledMost)]
}

// cache is the cached recall after this turn: what the user just said, what was recalled, what was there before.
func (m memory) cache(t Turn, at time.Time) []Recalled {
	all := []Recalled{{TurnID: t.ID, Text: t.asked(), At: at, Role: engine.User, Speaker: t.asker()}}
	for _, r := range slices.Concat(m.recalled, m.cached) {
		known := slices.ContainsFunc(all, func(o Recalled) bool { return o.TurnID == r.TurnID && o.Fact == r.Fact })
		if !known && len(all) < cachedMost {
			all = append(all, r)
		}
	}
	return all
}

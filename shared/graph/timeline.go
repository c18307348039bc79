package graph

import (
	"cmp"
	"slices"
	"time"
)

// Statement is a fact as one turn states it. Stores keep statements; which facts hold, and until when, follows from them
// alone and not from the order in which they arrived.
type Statement struct {
	Fact
	Line  string // the statements that bear on one another: see line
	Order string // OrderKey of the turn
	Seq   int    // place among the turn's statements
}

// line joins what a statement can end or repeat: where a subject has one object at a time all that is said of the two,
// else all that is said of the three.
func line(f Fact) string {
	l := Key(f.Subject) + "\x1f" + Key(f.Relation)
	if f.Single {
		return l
	}
	return l + "\x1f" + Key(f.Object)
}

// Timeline puts the statements of one line in order and says of each until when it holds. A statement that something
// ended holds until its own time, so that those with a zero ValidUntil are the ones that hold now.
func Timeline(line []Statement) {
	slices.SortFunc(line, func(a, b Statement) int {
		return cmp.Or(a.ValidFrom.Compare(b.ValidFrom), cmp.Compare(a.Order, b.Order), cmp.Compare(a.Seq, b.Seq))
	})
	var holding []*Statement // all of one object
	for i := range line {
		s := &line[i]
		same := len(holding) > 0 && Key(holding[0].Object) == Key(s.Object)
		if s.Ended == (same || s.Object == "") {
			for _, h := range holding {
				h.ValidUntil = s.ValidFrom
			}
			holding = nil
		}
		s.ValidUntil = s.ValidFrom
		if !s.Ended {
			s.ValidUntil = time.Time{}
			holding = append(holding, s)
		}
	}
}

// Facts makes facts of a user's statements, newest first: what several turns say of one stretch of time is one fact, from
// the first of them.
func Facts(statements []Statement) []Fact {
	type stretch struct {
		line, object string
		until        time.Time
	}
	slices.SortFunc(statements, func(a, b Statement) int {
		return cmp.Or(a.ValidFrom.Compare(b.ValidFrom), cmp.Compare(a.Order, b.Order), cmp.Compare(a.Seq, b.Seq))
	})
	seen := map[stretch]bool{}
	var facts []Fact
	for _, s := range statements {
		once := stretch{s.Line, Key(s.Object), s.ValidUntil}
		if !s.Ended && !seen[once] {
			seen[once] = true
			facts = append(facts, s.Fact)
		}
	}
	slices.Reverse(facts)
	return facts
}

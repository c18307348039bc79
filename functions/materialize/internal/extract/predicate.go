package extract

import (
	"slices"
	"strings"

	"github.com/aguante-chat/aguante/functions/materialize/internal/phrase"
)

// adverbs may stand before a verb and change nothing. "Almost", "probably" and "rarely" do.
var adverbs = set(`really also absolutely just still now currently always already recently finally actually truly totally simply both all
definitely happily proudly originally officially only mostly mainly especially particularly so very much personally usually once
basically literally genuinely`)

var denying = set("not never hardly barely rarely seldom cannot neither")

// predicate reads what is said of who from at on, and whether it is said to have ended. What is denied, possible, wished
// or past is not said; what is no longer so has ended.
func (d *drawing) predicate(s *phrase.Sentence, who subject, at, end int, owns bool) (m phrase.Match, ended, ok bool) {
	if owns {
		m, ok = possessed.Match(s, at)
		return m, false, ok
	}
	if m, ok = d.introduces(s, who, at); ok {
		return m, false, true
	}
	for free := false; ; {
		if free || !strings.HasSuffix(s.Low(at), "ing") && (!who.first || !third(s.Low(at))) {
			if m, ok = predicates.Match(s, at); ok {
				return m, ended, true
			}
		}
		if denying[s.Low(at)] {
			if !anymore(s, at, end) {
				m, ok = denials.Match(s, overAdverbs(s, at+1))
				return m, false, ok
			}
			ended, at = true, at+1
			continue
		}
		next, ends := step(s, at)
		if next == at {
			return phrase.Match{}, false, false
		}
		free = free || !adverbs[s.Low(at)]
		ended, at = ended || ends, next
	}
}

func overAdverbs(s *phrase.Sentence, at int) int {
	for adverbs[s.Low(at)] {
		at++
	}
	return at
}

// step goes over one word that stands before the verb itself; it stays where there is none.
func step(s *phrase.Sentence, at int) (next int, ends bool) {
	low, after := s.Low(at), overAdverbs(s, at+1)
	switch {
	case adverbs[low]:
		return at + 1, false
	case low == "no" && s.Low(at+1) == "longer", low == "used" && s.Low(at+1) == "to":
		return at + 2, true
	case (low == "stopped" || low == "quit") && begun(s, after):
		return after, true
	case low == "gave" && s.Low(at+1) == "up" && begun(s, at+2):
		return at + 2, true
	case auxiliaries[low] && (denying[s.Low(after)] || s.Low(after) == "no" && s.Low(after+1) == "longer"):
		return after, false
	case low == "do" || low == "does" || low == "did":
		return after, false
	case perfect[low] && s.Low(after) == "been" && begun(s, overAdverbs(s, after+1)):
		return overAdverbs(s, after+1), false
	case perfect[low] && past(s.Low(after)) && predicates.Starts(s.Low(after)):
		return after, false
	case present[low] && begun(s, after):
		return after, false
	}
	return at, false
}

var (
	auxiliaries = set("do does did have has had am is are was were can 's")
	perfect     = set("have has had 's")
	present     = set("am is are 's")
)

// begun tells whether "living" or "working" is at at.
func begun(s *phrase.Sentence, at int) bool {
	return strings.HasSuffix(s.Low(at), "ing") && predicates.Starts(s.Low(at))
}

// anymore tells whether a denial is of what was so before: "I don't live in Loja any more".
func anymore(s *phrase.Sentence, from, to int) bool {
	return slices.ContainsFunc(s.Words[from:max(from, to)], func(w phrase.Word) bool {
		return w.Low == "anymore" || w.Low == "more" || w.Low == "longer"
	})
}

// introduces reads "I'm Ana" and "my sister is Lucía". "I'm Spanish" introduces nobody, unless after a greeting.
func (d *drawing) introduces(s *phrase.Sentence, who subject, at int) (phrase.Match, bool) {
	if low := s.Low(at); low != "am" && (low != "is" && low != "'s" || who.relation == "") {
		return phrase.Match{}, false
	}
	end, name := phrase.Person(s, at+1)
	if end == at+1 || !s.Ends(end) || describes(name, d.greeted) {
		return phrase.Match{}, false
	}
	return phrase.Match{End: end, Captures: []phrase.Capture{{Kind: "person", Label: "name", Value: name}}}, true
}

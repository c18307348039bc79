package extract

import (
	"strings"

	"github.com/aguante-chat/aguante/functions/materialize/internal/phrase"
	"github.com/aguante-chat/aguante/shared/graph"
)

// subject is whom or what a clause speaks of. Without a name there is none.
type subject struct {
	name   string // as facts have it: "Lucía"; "my sister" of one who has no name yet
	phrase string // as the speaker put it: "my sister Lucía"
	first  bool   // I, we
	thing  bool   // no person

	owner, relation string // of one who has no name yet: whose, and what
}

var (
	pronouns = set("he she")
	mine     = set("my our")
	theirs   = set("his her their")
	// parents are called without a possessive: "Mum works at …".
	parents = map[string]string{"mom": "mother", "mum": "mother", "mama": "mother", "dad": "father", "papa": "father",
		"grandma": "grandmother", "grandpa": "grandfather", "granny": "grandmother"}
)

// subject reads whom the words from at on speak of, and what comes after. A possessive that is followed by what rules
// read ("my birthday is …") leaves the rest to them: owns is then true.
func (d *drawing) subject(s *phrase.Sentence, at int) (who subject, next int, owns bool) {
	low := s.Low(at)
	switch {
	case low == "i" || low == "we":
		return d.speaker.as(s.Span(at, at+1)), at + 1, false
	case pronouns[low]:
		return d.last.as(s.Span(at, at+1)), at + 1, false
	case mine[low]:
		return d.owned(s, at, at+1, d.speaker)
	case theirs[low] && d.last.name != "":
		return d.owned(s, at, at+1, d.last)
	case parents[low] != "" && d.verbAt(s, at+1):
		return d.unnamed(d.speaker, parents[low], s.Span(at, at+1)), at + 1, false
	}
	end, name := phrase.Person(s, at)
	switch {
	case end == at:
		return subject{}, at, false
	case s.Low(end) == "'s" && !d.verbAt(s, end):
		return d.owned(s, at, end+1, subject{name: name, phrase: name})
	case s.Low(end) == "and" && (s.Low(end+1) == "i" || s.Low(end+1) == "me"):
		d.mention(name, graph.Person)
		return d.speaker.as(s.Span(at, end+2)), end + 2, false
	case d.verbAt(s, end):
		return subject{name: name, phrase: name}, end, false
	}
	return subject{}, at, false
}

func (w subject) as(phrase string) subject {
	w.phrase = phrase
	return w
}

// owned reads what follows a possessive: a relative, an animal or a thing, perhaps with a name, perhaps itself an owner.
func (d *drawing) owned(s *phrase.Sentence, at, next int, owner subject) (who subject, end int, owns bool) {
	for range 3 {
		if _, ok := possessed.Match(s, next); ok {
			return owner, next, true
		}
		for adjectives[s.Low(next)] && s.Low(next+1) != "friend" {
			next++
		}
		after, relation := readers["relation"](s, next)
		if after == next {
			return d.thing(s, at, next, owner)
		}
		who, next = d.relative(s, at, after, owner, relation)
		if s.Low(next) != "'s" {
			return d.together(s, at, next, who)
		}
		if _, ok := possessed.Match(s, next+1); !ok && d.verbAt(s, next) {
			return who, next, false
		}
		owner, next = who, next+1
	}
	return subject{}, at, false
}

// relative is "sister", named or not.
func (d *drawing) relative(s *phrase.Sentence, at, next int, owner subject, relation string) (subject, int) {
	aside := next
	if m := s.Low(next); m == "," || m == "(" {
		aside++
	}
	end, name := phrase.Person(s, aside)
	if end == aside || aside > next && !s.Ends(end) {
		return d.unnamed(owner, relation, s.Span(at, next)), next
	}
	who := subject{name: name, phrase: s.Span(at, end), thing: pets[relation]}
	kind := graph.Person
	if who.thing {
		kind = graph.Thing
	}
	d.mention(name, kind)
	d.fact(graph.Fact{Subject: owner.name, Relation: relation, Object: name, Single: single(relation), Text: s.Span(at, d.clauseEnd(end))})
	if aside > next && (s.Low(end) == "," || s.Low(end) == ")") {
		end++
	}
	return who, end
}

// unnamed is "my sister", or "Ana's sister" when Ana speaks.
func (d *drawing) unnamed(owner subject, relation, phrase string) subject {
	plain := strings.ReplaceAll(relation, "_", " ")
	name := owner.name + "'s " + plain
	if owner.name == graph.Self {
		name = "my " + plain
	}
	return subject{name: name, phrase: phrase, thing: pets[relation], owner: owner.name, relation: relation}
}

// together makes the speaker the subject of "my husband and I".
func (d *drawing) together(s *phrase.Sentence, at, next int, who subject) (subject, int, bool) {
	if s.Low(next) == "and" && (s.Low(next+1) == "i" || s.Low(next+1) == "me") {
		return d.speaker.as(s.Span(at, next+2)), next + 2, false
	}
	return who, next, false
}

// thing is "my bike".
func (d *drawing) thing(s *phrase.Sentence, at, next int, owner subject) (subject, int, bool) {
	end, value := readers["belonging"](s, next)
	if end == next {
		return subject{}, at, false
	}
	who := d.unnamed(owner, value, s.Span(at, end))
	who.thing, who.owner, who.relation = true, "", ""
	return who, end, false
}

// verbAt tells whether what follows a name may be what is said of it: "Lucía lives", "Lucía's a nurse". "Dogs love bones"
// speaks of nobody.
func (d *drawing) verbAt(s *phrase.Sentence, at int) bool {
	for adverbs[s.Low(at)] {
		at++
	}
	low := s.Low(at)
	if low == "'s" {
		for at++; adverbs[s.Low(at)] || s.Low(at) == "not"; at++ {
		}
		_, ok := predicates.Match(s, at-1)
		return ok || strings.HasSuffix(s.Low(at), "ing") && predicates.Starts(s.Low(at))
	}
	return third(low) || past(low)
}

// third tells a verb with the s of the third person.
func third(low string) bool {
	switch low {
	case "is", "has", "does", "'s":
		return true
	case "was", "as", "this", "yes", "us", "its", "his", "always", "sometimes":
		return false
	}
	return strings.HasSuffix(low, "s") && !strings.HasSuffix(low, "ss") && !strings.HasSuffix(low, "us")
}

var irregularPast = set(`was were had did got went came bought sold left lost quit grew became taught found gave broke kept ran
took split married used can been born laid fired retired`)

func past(low string) bool { return irregularPast[low] || strings.HasSuffix(low, "ed") && len(low) > 4 }

package extract

import (
	"regexp"

	"github.com/aguante-chat/aguante/shared/graph"
)

// rule draws facts from what is said of a subject. Its pattern is anchored at the predicate's start.
type rule struct {
	pattern *regexp.Regexp
	draw    func(c *clauseDrawing, groups []string)
	last    bool // no further rule reads the clause
}

// families are tried in this order: the more specific first.
var families = [][]rule{dateRules, relationRules, belongingRules, placeRules, jobRules, likeRules}

// clauseDrawing is what a rule draws from one clause with.
type clauseDrawing struct {
	*drawing
	who   subject
	said  string // the clause with its subject, in the speaker's words
	ended bool
}

// tell makes a fact of the clause's subject and mentions both.
func (c *clauseDrawing) tell(relation, object string, single bool, kind string) {
	if c.who.person && c.who.name != c.speaker {
		c.mention(c.who.name, graph.Person)
	}
	c.mention(object, kind)
	c.fact(graph.Fact{Subject: c.who.name, Relation: relation, Object: object, Single: single, Ended: c.ended, Text: c.said})
}

// telling is a rule that makes one fact of its first group.
func telling(pattern, relation string, single bool, kind string) rule {
	return rule{pattern: regexp.MustCompile(pattern), last: true, draw: func(c *clauseDrawing, m []string) { c.tell(relation, m[0], single, kind) }}
}

// denied draws the few facts that a denial makes: "I don't like olives".
func (d *drawing) denied(who subject, rest, said string) {
	if m := disliked.FindStringSubmatch(rest); m != nil {
		c := &clauseDrawing{drawing: d, who: who, said: said}
		c.tell("dislikes", m[1], false, graph.Thing)
	}
}

// subjectless reads clauses that need no subject of the rules': "Call me Ana" is read by names, "my dog is called Rex" and
// "my favourite colour is blue" here.
func (d *drawing) subjectless(clause string) {
	for _, r := range possessions {
		if m := r.pattern.FindStringSubmatch(clause); m != nil {
			r.draw(&clauseDrawing{drawing: d, who: subject{name: d.speaker, phrase: "my"}, said: clause}, m[1:])
			return
		}
	}
}
